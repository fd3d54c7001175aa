//! A thread that maintains a registry.

use super::WasmPluginRegistry;
use crate::{Error, ErrorKind, MaintenanceBudget, host::Host, sync::Arc};
use alloc::format;
use core::time::Duration;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
};

/// A thread that maintains a registry, until this is dropped: that waits for what it is doing.
#[derive(Debug)]
pub struct Maintainer {
    /// The thread goes on as long as this is there.
    running: Option<Arc<()>>,
    thread: Option<JoinHandle<()>>,
}

impl<H: Host> WasmPluginRegistry<H> {
    /// Starts a thread that [`maintain`](Self::maintain)s the registry: again and again until all is done,
    /// and again after every `interval`. It ends with what is returned, or with the registry.
    ///
    /// A function of the host's that a start function calls runs on it; if one panics, the thread goes on,
    /// and no further sandbox of the plugin is made ahead until a call has made one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if there are no threads, or no further one can be started.
    pub fn maintain_in_background(
        &self,
        budget: MaintenanceBudget,
        interval: Duration,
    ) -> Result<Maintainer, Error> {
        let inner = Arc::downgrade(&self.inner);
        let running = Arc::new(());
        let is_wanted = Arc::downgrade(&running);
        let maintain = move || {
            while is_wanted.strong_count() > 0 {
                let Some(inner) = inner.upgrade() else {
                    return;
                };
                let registry = Self { inner };
                // What it has told of the panic is all that there is to tell.
                let done = catch_unwind(AssertUnwindSafe(|| registry.maintain(&budget)));
                drop(registry);
                match done {
                    Ok(done) if !done.is_done => thread::yield_now(),
                    _ => thread::park_timeout(interval),
                }
            }
        };
        let builder = thread::Builder::new().name("wasm-maintainer".into());
        let thread = builder.spawn(maintain).map_err(|error| {
            let what = format!("no thread could be started to maintain the registry: {error}");
            Error::host(ErrorKind::Io, what)
        })?;
        Ok(Maintainer { running: Some(running), thread: Some(thread) })
    }
}

impl Drop for Maintainer {
    fn drop(&mut self) {
        self.running = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        thread.thread().unpark();
        // A function of the host's, on the thread itself, cannot wait for it.
        if thread.thread().id() != thread::current().id() {
            // What it panicked with was told when it did.
            let _ = thread.join();
        }
    }
}

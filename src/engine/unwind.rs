//! A panic of the embedder's code goes around the interpreter, never through it.
//!
//! wasmi's handlers cannot unwind: on x86-64 they are `extern "sysv64"`, in which a panic aborts the
//! process. So it is caught where the guest called the host, the guest is stopped, and the panic
//! goes on where the host had called the guest. Without `std` a panic cannot be caught.

#[cfg(feature = "std")]
mod caught {
    use crate::host::HostError;
    use alloc::boxed::Box;
    use core::any::Any;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    /// A panic on its way around the interpreter.
    #[derive(Debug, Default)]
    pub(crate) struct Caught(Option<Box<dyn Any + Send>>);

    impl Caught {
        /// Runs a host function; a panic in it stops the guest.
        #[inline]
        pub(crate) fn run<R>(
            &mut self,
            function: impl FnOnce() -> Result<R, HostError>,
        ) -> Result<R, HostError> {
            // What a panic may leave half done is the sandbox's, and no call runs in that again.
            // Beside `catch_unwind`, whose own result is copied twice before it can be looked at.
            let mut result = Err(HostError::Abort("it panicked"));
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| result = function())) {
                self.0 = Some(panic);
            }
            result
        }

        /// Lets a panic that was caught go on.
        #[inline]
        pub(crate) fn resume(&mut self) {
            if let Some(panic) = self.0.take() {
                resume_unwind(panic);
            }
        }
    }
}

#[cfg(not(feature = "std"))]
mod caught {
    use crate::host::HostError;

    /// Without `std` there is nothing to catch.
    #[derive(Debug, Default)]
    pub(crate) struct Caught {}

    impl Caught {
        #[inline]
        pub(crate) fn run<R>(
            &mut self,
            function: impl FnOnce() -> Result<R, HostError>,
        ) -> Result<R, HostError> {
            function()
        }

        #[inline]
        pub(crate) fn resume(&mut self) {}
    }
}

pub(crate) use caught::Caught;

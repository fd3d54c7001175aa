//! Storage that answers later, served without a thread: plugins wait for it, the host does not.
//!
//! A guest calls `soch_read` as if the row were there. The host notes the request and answers
//! [`HostError::Pending`], which suspends the call; other calls run meanwhile. When the device has
//! the row, the call is completed with it. Here each call is a future, and a loop of twenty lines is
//! the executor; any other does as well.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Mutex,
    task::{Context, Poll, Waker},
};
use wasm_runtime::{
    Host, HostCall, HostError, Output, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginRegistry, WasmValue,
};

/// Adds up the rows 0 to 9 of a table, each of which it reads on its own.
const ADDER: &str = r#"(module
  (import "soch_v1" "soch_read"
    (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "numbers")
  (func (export "sum") (result i32)
    (local $key i32) (local $sum i32)
    (loop $next
      (i32.store8 (i32.const 16) (local.get $key))
      (drop (call $read (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 1)
        (i32.const 32) (i32.const 4)))
      (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 32))))
      (br_if $next (i32.lt_u (local.tee $key (i32.add (local.get $key) (i32.const 1)))
        (i32.const 10))))
    (local.get $sum)))"#;

/// A host whose rows are on a slow device.
#[derive(Default)]
struct SlowStorage {
    /// The keys that were asked for; a ticket is the place in this list.
    requests: Mutex<Vec<u8>>,
}

impl Host for SlowStorage {
    fn read(
        &self,
        call: &mut HostCall<'_, Self>,
        _table: &str,
        key: &[u8],
        _out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        if !call.can_suspend() {
            return Err(HostError::NotSupported);
        }
        let mut requests = self.requests.lock().unwrap();
        requests.push(*key.first().ok_or(HostError::NotFound)?);
        Err(HostError::Pending(requests.len() as u64 - 1))
    }
}

/// Waits for the device: `turns` turns of the executor.
struct Device {
    now: Rc<Cell<u32>>,
    ready_at: u32,
}

impl Future for Device {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        match self.now.get() >= self.ready_at {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

fn main() -> Result<(), wasm_runtime::Error> {
    let registry = WasmPluginRegistry::with_host(SlowStorage::default());
    let can_read_table = vec!["numbers".into()];
    let capabilities = WasmPluginCapabilities { can_read_table, ..Default::default() };
    let config = WasmInstanceConfig { capabilities, max_instances: 8, ..Default::default() };
    registry.load("adder", &wat::parse_str(ADDER).unwrap(), config)?;
    let plugin = registry.get("adder").expect("it was loaded");

    let now = Rc::new(Cell::new(0));
    let (reads, waiting, most_waiting) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let sums = RefCell::new(Vec::new());
    let serve = |ticket: u64| {
        waiting.set(waiting.get() + 1);
        most_waiting.set(most_waiting.get().max(waiting.get()));
        let key = registry.host().requests.lock().unwrap()[ticket as usize];
        // Rows arrive in any order, some turns later.
        let ready_at = now.get() + 5 + u32::from(key) * 7 % 4;
        let device = Device { now: Rc::clone(&now), ready_at };
        let (reads, waiting) = (&reads, &waiting);
        async move {
            device.await;
            reads.set(reads.get() + 1);
            waiting.set(waiting.get() - 1);
            move |out: &mut Output<'_>| out.write(&(u32::from(key) * 100).to_le_bytes())
        }
    };
    let mut calls: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
    for _ in 0..8 {
        let call = plugin.start("sum", &[])?;
        let (serve, sums) = (&serve, &sums);
        calls.push(Box::pin(async move {
            let values = call.finish(10_000, serve).await.expect("it ends well");
            sums.borrow_mut().push(values[0]);
        }));
    }

    // The executor: polls whatever has not ended, turn by turn.
    let mut context = Context::from_waker(Waker::noop());
    while !calls.is_empty() {
        calls.retain_mut(|call| call.as_mut().poll(&mut context).is_pending());
        now.set(now.get() + 1);
    }

    println!(
        "8 calls, {} reads, up to {} waiting at once, {} turns of one thread",
        reads.get(),
        most_waiting.get(),
        now.get(),
    );
    assert_eq!(*sums.borrow(), [WasmValue::I32(4_500); 8]);
    assert_eq!(most_waiting.get(), 8);
    Ok(())
}

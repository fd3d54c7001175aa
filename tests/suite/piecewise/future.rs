//! A started call as a future.

use super::bench::{Bench, args};
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use wasm_runtime::{ErrorKind, HostError, Output};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a future until it is ready; returns how often it was.
fn block_on<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Wakes::default()));
    let mut polls = 1;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return (output, polls);
        }
        polls += 1;
    }
}

#[test]
fn a_future_awaits_what_each_ticket_stands_for() {
    let (_bench, plugin) = Bench::waiter();
    let call = plugin.start("wait_often", &args(&[10])).unwrap();
    let future = call.finish(10_000, |ticket| async move {
        move |out: &mut Output<'_>| {
            out.write(b"x")?;
            Ok(ticket as i32)
        }
    });
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    let (values, polls) = block_on(is_send(future));
    assert_eq!(values.unwrap()[0].as_i32(), Some(55));
    assert_eq!(polls, 1);
}

#[test]
fn a_future_lets_others_run_after_each_portion_of_fuel() {
    let (_bench, plugin) = Bench::waiter();
    let never = |_| async { |_: &mut Output<'_>| Err::<i32, _>(HostError::Failed) };
    let call = plugin.start("spin", &args(&[10_000])).unwrap();
    let (values, polls) = block_on(call.finish(1_000, never));
    assert_eq!(values.unwrap()[0].as_i32(), Some(10_000));
    let fuel = plugin.stats().total_fuel_consumed;
    assert!((polls as u64).abs_diff(fuel / 1_000) <= 2, "{polls} polls, {fuel} fuel");
}

#[test]
fn a_future_ends_with_the_call_s_error_and_dropped_it_drops_the_call() {
    let (_bench, plugin) = Bench::waiter();
    let never = |_| async { |_: &mut Output<'_>| Err::<i32, _>(HostError::Failed) };
    let call = plugin.start("trap", &[]).unwrap();
    assert_eq!(block_on(call.finish(1_000, never)).0.unwrap_err().kind(), ErrorKind::Trap);
    let call = plugin.start("wait", &args(&[7])).unwrap();
    {
        let mut future = pin!(call.finish(1_000, |_| async {
            std::future::pending::<()>().await;
            |_: &mut Output<'_>| Ok(1)
        }));
        let waker = Waker::noop();
        assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        assert_eq!(plugin.call("spin", &args(&[1])).unwrap_err().kind(), ErrorKind::Busy);
    }
    assert!(plugin.call("spin", &args(&[1])).is_ok());
}

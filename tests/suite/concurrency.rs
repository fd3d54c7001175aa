//! Several calls of one plugin at once.

use crate::support::{assert_error, call_i32, fixture, load, load_hooked, load_hooked_on_itself};
use std::{
    sync::{Condvar, Mutex},
    time::Duration,
};
use wasm_runtime::{ErrorKind, HostError, ResetPolicy, WasmInstanceConfig, WasmValue::I32};

/// A place where threads wait for one another, but not for ever.
#[derive(Default)]
struct Meeting {
    here: Mutex<usize>,
    came: Condvar,
}

impl Meeting {
    /// Waits until `expected` threads have come. Says whether they have.
    fn wait_for(&self, expected: usize) -> bool {
        let mut here = self.here.lock().unwrap();
        *here += 1;
        self.came.notify_all();
        let patience = Duration::from_secs(30);
        let waited = self.came.wait_timeout_while(here, patience, |here| *here < expected);
        !waited.unwrap().1.timed_out()
    }
}

fn instances(max_instances: u32) -> WasmInstanceConfig {
    let mut config = WasmInstanceConfig { max_instances, ..WasmInstanceConfig::default() };
    config.capabilities.timeout_ms = 0;
    config
}

#[test]
fn calls_of_one_plugin_run_in_parallel_each_in_its_own_sandbox() {
    let meeting = Meeting::default();
    let (_registry, plugin) = load_hooked(instances(4), move |_, expected| {
        match meeting.wait_for(usize::try_from(expected).unwrap()) {
            true => Ok(1),
            false => Err(HostError::Abort("nobody came")),
        }
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(call_i32(&plugin, "run", &[4]).unwrap(), 1));
        }
    });
    let stats = plugin.stats();
    assert_eq!((stats.total_calls, stats.sandboxes_started), (4, 4));
    // Each of the four has run once.
    let mut leases: Vec<_> = (0..4).map(|_| plugin.lease().unwrap()).collect();
    for lease in &mut leases {
        assert_eq!(*lease.call("runs", &[]).unwrap(), [I32(1)]);
    }
}

#[test]
fn a_plugin_whose_sandboxes_are_all_leased_is_busy() {
    let (_registry, plugin) = load(&fixture("counter"), instances(3));
    let mut leases: Vec<_> = (0..3).map(|_| plugin.lease().unwrap()).collect();
    let handle = plugin.function::<(), i32>("increment").unwrap();
    let errors = [
        plugin.call("increment", &[]).unwrap_err(),
        handle.call(()).unwrap_err(),
        plugin.lease().unwrap_err(),
        plugin.lease_owned().unwrap_err(),
    ];
    for error in errors {
        assert_error(&error, ErrorKind::Busy, &["`plugin`", "`max_instances` is 3"]);
    }
    assert_eq!(plugin.stats().total_calls, 0);
    leases.pop();
    assert_eq!(handle.call(()).unwrap(), 1);
}

#[test]
fn a_plugin_whose_sandboxes_are_all_running_is_busy() {
    let meeting = Meeting::default();
    let (_registry, plugin) = load_hooked_on_itself(instances(2), move |plugin, again| {
        // Both threads are inside of the guest: there is no third sandbox.
        let met = meeting.wait_for(2);
        let busy = [plugin.call("run", &[I32(again)]).unwrap_err(), plugin.lease().unwrap_err()];
        let refused = busy.iter().all(|error| error.kind() == ErrorKind::Busy);
        // Neither leaves before the other has tried.
        i32::from(met && refused && meeting.wait_for(4))
    });
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(call_i32(&plugin, "run", &[0]).unwrap(), 1));
        }
    });
    assert_eq!(plugin.stats().total_calls, 2);
}

#[test]
fn with_one_instance_all_threads_share_one_state() {
    let (_registry, plugin) = load(&fixture("counter"), instances(1));
    let increment = plugin.function::<(), i32>("increment").unwrap();
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut done = 0;
                while done < 100 {
                    match increment.call(()) {
                        Ok(count) => {
                            seen.lock().unwrap().push(count);
                            done += 1;
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Busy);
                            std::thread::yield_now();
                        }
                    }
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, (1..=400).collect::<Vec<_>>());
    assert_eq!(plugin.stats().sandboxes_started, 1);
}

#[test]
fn with_reset_after_call_each_call_sees_the_initial_state() {
    let config = WasmInstanceConfig { reset: ResetPolicy::AfterCall, ..instances(4) };
    let (_registry, plugin) = load(&fixture("counter"), config);
    let increment = plugin.function::<(), i32>("increment").unwrap();
    for _ in 0..3 {
        assert_eq!(increment.call(()).unwrap(), 1);
        assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
        assert_eq!(call_i32(&plugin, "get", &[]).unwrap(), 0);
    }
}

#[test]
fn statistics_lose_no_call_of_any_thread() {
    let (_registry, plugin) = load(&fixture("counter"), instances(4));
    let increment = plugin.function::<(), i32>("increment").unwrap();
    let one = {
        increment.call(()).unwrap();
        plugin.stats().total_fuel_consumed
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    increment.call(()).unwrap();
                }
            });
        }
    });
    let stats = plugin.stats();
    assert_eq!(stats.total_calls, 2_001);
    assert_eq!(stats.total_fuel_consumed, 2_001 * one);
}

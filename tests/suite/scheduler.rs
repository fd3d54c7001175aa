//! Many calls of many tenants on one core.

use crate::support::{StepClock, all_granted, assert_error, config, fixture, wat};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    panic::{AssertUnwindSafe, catch_unwind},
};
use wasm_runtime::{
    CallId, CallOptions, EmbeddedHost, ErrorKind, Grant, HostCall, HostCost, HostError,
    HostFunctionTable, PluginCall, Scheduler, Turn, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginRegistry, WasmValue,
};

/// A guest that waits for its host, and one whose every block is long.
const GUEST: &str = r#"(module
    (import "env" "wait" (func $wait (param i32) (result i32)))
    (import "env" "panic" (func $panic))
    (import "env" "costly" (func $costly))
    (memory (export "memory") 16)
    (func (export "wait") (param i32) (result i32) (call $wait (local.get 0)))
    (func (export "wait_and_loop") (param i32)
        (drop (call $wait (local.get 0)))
        (loop $again (br $again)))
    (func (export "wait_again_and_again") (param i32)
        (loop $again
            (drop (call $wait (local.get 0)))
            (local.set 0 (i32.add (local.get 0) (i32.const 1)))
            (br $again)))
    (func (export "panic") (param i32) (call $panic))
    (func (export "costly") (param i32) (loop $again (call $costly) (br $again)))
    (func (export "fill") (param i32)
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000)))
    (func (export "fill_endlessly") (param i32)
        (loop $again
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000))
            (br $again)))
    (func (export "loop") (param i32) (loop $again (br $again)))
    (func (export "nothing") (param i32))
    (func (export "trap") (param i32) (unreachable)))"#;

/// A scheduler, and the plugins of its calls: one `guest` for each tenant, and others.
struct Core {
    registry: WasmPluginRegistry,
    clock: StepClock,
    scheduler: Scheduler,
    /// What the calls of each tenant spent that have ended.
    spent: BTreeMap<String, u64>,
    turns: u64,
}

impl Core {
    fn new(quantum: u64) -> Self {
        let mut table = HostFunctionTable::<EmbeddedHost>::new();
        let wait = |_: &mut HostCall<'_, EmbeddedHost>, ticket: u32| -> Result<i32, HostError> {
            Err(HostError::Pending(u64::from(ticket)))
        };
        table.define("env", "wait", Grant::Always, HostCost::default(), wait).unwrap();
        let panic = |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
            panic!("on purpose");
        };
        table.define("env", "panic", Grant::Always, HostCost::default(), panic).unwrap();
        let costly = |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> { Ok(()) };
        let cost = HostCost { base: 1 << 40, ..HostCost::default() };
        table.define("env", "costly", Grant::Always, cost, costly).unwrap();
        let clock = StepClock::default();
        let registry =
            WasmPluginRegistry::builder().functions(table).clock(clock.clone()).build().unwrap();
        let scheduler = Scheduler::new(quantum);
        Self { registry, clock, scheduler, spent: BTreeMap::new(), turns: 0 }
    }

    fn set_weight(&mut self, tenant: &str, weight: u32) {
        self.scheduler.set_weight(tenant, NonZeroU32::new(weight).unwrap());
    }

    /// A call of a fixture, or of the guest above.
    fn call(&self, tenant: &str, module: &str, function: &str, args: &[WasmValue]) -> PluginCall {
        let name = format!("{tenant}.{module}");
        if self.registry.get(&name).is_none() {
            let wasm = match module {
                "guest" => wat(GUEST),
                fixture_name => fixture(fixture_name),
            };
            self.registry.load(&name, &wasm, config_of(tenant)).unwrap();
        }
        self.registry.get(&name).unwrap().start(function, args).unwrap()
    }

    fn spawn(&mut self, tenant: &str, module: &str, function: &str, args: &[WasmValue]) -> CallId {
        let call = self.call(tenant, module, function, args);
        self.scheduler.spawn(call)
    }

    /// A call of the guest above.
    fn spawn_guest(&mut self, tenant: &str, function: &str, arg: i32) -> CallId {
        self.spawn(tenant, "guest", function, &[WasmValue::I32(arg)])
    }

    fn turn(&mut self) -> Turn {
        self.turns += 1;
        assert!(self.turns < 1_000_000, "what is waited for never comes");
        let turn = self.scheduler.turn();
        if let Turn::Ended { call, .. } = &turn {
            let tenant = call.plugin().tenant().to_string();
            *self.spent.entry(tenant).or_default() += call.fuel_spent();
        }
        turn
    }

    /// A turn that runs a call to the end of its slice.
    #[track_caller]
    fn ran(&mut self) -> CallId {
        match self.turn() {
            Turn::Ran(id) => id,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn ended_with(&mut self, id: CallId) -> Result<Vec<WasmValue>, ErrorKind> {
        match self.turn() {
            Turn::Ended { id: ended, result, call } if ended == id => {
                assert!(call.has_ended());
                assert!(self.scheduler.get(id).is_none() && self.scheduler.remove(id).is_none());
                result.map(|values| values.to_vec()).map_err(|error| error.kind())
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn suspended(&mut self, id: CallId, ticket: u64) {
        match self.turn() {
            Turn::Suspended(suspended, with) => assert_eq!((suspended, with), (id, ticket)),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn idle(&mut self) {
        let turn = self.turn();
        assert!(matches!(turn, Turn::Idle), "{turn:?}");
    }

    fn spent_by(&self, id: CallId) -> u64 {
        self.scheduler.get(id).unwrap().fuel_spent()
    }

    /// Turns until these calls have spent `fuel` in all.
    fn run_for(&mut self, fuel: u64, ids: &[CallId]) {
        let spent = |core: &Self| ids.iter().map(|id| core.spent_by(*id)).sum::<u64>();
        let end = spent(self) + fuel;
        while spent(self) < end {
            self.ran();
        }
    }
}

fn config_of(tenant: &str) -> WasmInstanceConfig {
    let capabilities = WasmPluginCapabilities { fuel_limit: 1 << 50, ..all_granted() };
    WasmInstanceConfig { tenant: tenant.into(), max_instances: 256, ..config(capabilities) }
}

/// Asserts that `shares` are as `weights` are, to 5%.
#[track_caller]
fn assert_shares(shares: &[u64], weights: &[u64]) {
    let (all, weight_of_all) = (shares.iter().sum::<u64>(), weights.iter().sum::<u64>());
    for (share, weight) in shares.iter().zip(weights) {
        let expected = all * weight / weight_of_all;
        let off = share.abs_diff(expected);
        assert!(off * 20 <= expected, "{shares:?} for {weights:?}");
    }
}

#[test]
fn shares_are_within_5_percent_of_the_weights_and_no_call_waits_more_than_two_rounds() {
    let mut core = Core::new(20_000);
    core.set_weight("b", 2);
    core.set_weight("c", 5);
    let looping = "misbehaving/endless_loop";
    let mut ids: Vec<_> = (0..5).map(|_| core.spawn("a", looping, "run", &[])).collect();
    ids.push(core.spawn("b", "kernels", "fib", &[WasmValue::I32(40)]));
    ids.push(core.spawn("c", looping, "run_with_work", &[]));
    ids.push(core.spawn("c", looping, "run_with_calls", &[]));
    ids.push(core.spawn("c", "kernels", "mix", &[WasmValue::I32(i32::MAX)]));
    let mut last_run = BTreeMap::new();
    let mut total = 0;
    while total < 10_000_000 {
        let before: BTreeMap<_, _> = ids.iter().map(|id| (*id, core.spent_by(*id))).collect();
        let id = core.ran();
        assert!(core.spent_by(id) > before[&id], "it ran");
        total += core.spent_by(id) - before[&id];
        let rounds = core.scheduler.rounds();
        let waited = rounds - last_run.insert(id, rounds).unwrap_or(0);
        assert!(waited <= 2, "{waited} rounds");
    }
    assert_eq!(last_run.len(), ids.len());
    assert!(last_run.values().all(|last| core.scheduler.rounds() - last <= 2));
    let of = |range: std::ops::Range<usize>| -> Vec<_> {
        ids[range].iter().map(|id| core.spent_by(*id)).collect()
    };
    let sum = |range| of(range).iter().sum::<u64>();
    assert_shares(&[sum(0..5), sum(5..6), sum(6..9)], &[1, 2, 5]);
    assert_shares(&of(0..5), &[1; 5]);
    assert_shares(&of(6..9), &[1; 3]);
    // Eight quanta go by in a round.
    assert!(core.scheduler.rounds().abs_diff(total / 160_000) <= 2, "{}", core.scheduler.rounds());
}

/// One call of a tenant against a hundred of another, until the one has spent `fuel`.
fn assert_one_has_as_much_as_a_hundred(quantum: u64, fuel: u64) {
    let mut core = Core::new(quantum);
    let one = core.spawn_guest("few", "loop", 0);
    let many: Vec<_> = (0..100).map(|_| core.spawn_guest("many", "loop", 0)).collect();
    while core.spent_by(one) < fuel {
        core.ran();
    }
    let of_many = many.iter().map(|id| core.spent_by(*id)).sum();
    assert_shares(&[core.spent_by(one), of_many], &[1, 1]);
}

#[test]
fn a_tenant_s_many_calls_take_nothing_from_another_tenant() {
    assert_one_has_as_much_as_a_hundred(50_000, 2_000_000);
}

#[test]
fn blocks_of_many_times_the_credit_are_paid_back() {
    let mut core = Core::new(500);
    let long = core.spawn_guest("long", "fill_endlessly", 0);
    let short = core.spawn_guest("short", "loop", 0);
    core.run_for(10_000_000, &[long, short]);
    assert_shares(&[core.spent_by(long), core.spent_by(short)], &[1, 1]);
    // So that it is what this test is about.
    let mut alone = core.call("alone", "guest", "fill", &[WasmValue::I32(0)]);
    let longest = std::iter::from_fn(|| {
        let before = alone.fuel_spent();
        (!alone.has_ended()).then(|| alone.run(1).map(|_| alone.fuel_spent() - before).unwrap())
    });
    assert!(longest.max() > Some(10_000));
}

#[test]
fn where_all_overrun_each_turn_still_runs_one() {
    let mut core = Core::new(1);
    core.set_weight("b", 3);
    let ids = ["a", "b"].map(|tenant| core.spawn_guest(tenant, "fill_endlessly", 0));
    core.run_for(10_000_000, &ids);
    assert_shares(&ids.map(|id| core.spent_by(id)), &[1, 3]);
    // Those that went by without a turn are counted.
    assert!(core.scheduler.rounds().abs_diff(10_000_000 / 4) < 50_000);
}

#[test]
fn a_debt_of_any_size_is_passed_over_at_once_where_nobody_else_can_run() {
    let mut core = Core::new(1);
    let ids = ["a", "b"].map(|tenant| core.spawn_guest(tenant, "costly", 0));
    core.run_for(1 << 45, &ids);
    assert!(core.turns < 1_000, "{} turns", core.turns);
    assert_eq!(core.spent_by(ids[0]) >> 40, core.spent_by(ids[1]) >> 40);
    assert!(core.scheduler.rounds() > 1 << 43);
    // Who comes then does not wait for them.
    let newcomer = core.spawn_guest("c", "loop", 0);
    (0..100).for_each(|_| assert_eq!(core.ran(), newcomer));
}

#[test]
fn what_a_call_overran_before_its_end_is_its_tenant_s() {
    let mut core = Core::new(500);
    let steady = core.spawn_guest("steady", "loop", 0);
    core.spawn_guest("brief", "fill", 0);
    while core.spent_by(steady) < 3_000_000 {
        // One after another, each of which spends far more than it is credited, and is gone.
        if let Turn::Ended { result, .. } = core.turn() {
            result.unwrap();
            core.spawn_guest("brief", "fill", 0);
        }
    }
    assert_shares(&[core.spent_by(steady), core.spent["brief"]], &[1, 1]);
}

#[test]
fn what_a_removed_call_overran_is_its_tenant_s() {
    let mut core = Core::new(500);
    let steady = core.spawn_guest("steady", "loop", 0);
    let mut of_removed = 0;
    let mut last = core.spawn_guest("brief", "fill_endlessly", 0);
    while core.spent_by(steady) < 3_000_000 {
        if core.ran() == last {
            of_removed += core.scheduler.remove(last).unwrap().fuel_spent();
            last = core.spawn_guest("brief", "fill_endlessly", 0);
        }
    }
    assert_shares(&[core.spent_by(steady), of_removed], &[1, 1]);
}

#[test]
fn more_calls_than_the_quantum_has_fuel_share_it_all_the_same() {
    assert_one_has_as_much_as_a_hundred(10, 200_000);
}

#[test]
fn the_share_of_a_call_that_ends_or_is_removed_is_the_others() {
    let mut core = Core::new(10_000);
    let [stays, leaves] = ["a", "a"].map(|tenant| core.spawn_guest(tenant, "loop", 0));
    let other = core.spawn_guest("b", "loop", 0);
    core.run_for(2_000_000, &[stays, leaves, other]);
    let before = [stays, leaves, other].map(|id| core.spent_by(id));
    assert_shares(&before, &[1, 1, 2]);
    // First its tenant's other call's.
    assert!(core.scheduler.remove(leaves).is_some());
    core.run_for(2_000_000, &[stays, other]);
    let since = |core: &Core, id, before| core.spent_by(id) - before;
    assert_shares(&[since(&core, stays, before[0]), since(&core, other, before[2])], &[1, 1]);
    // Then the other tenants'.
    let token = core.scheduler.get(stays).unwrap().cancel_token();
    assert!(token.cancel());
    let before = core.spent_by(other);
    let mut ended = 0;
    while core.spent_by(other) - before < 500_000 {
        match core.turn() {
            Turn::Ran(id) => assert_eq!(id, other),
            Turn::Ended { id, result, .. } => {
                assert_eq!((id, result.unwrap_err().kind()), (stays, ErrorKind::Cancelled));
                ended += 1;
            }
            turn => panic!("{turn:?}"),
        }
    }
    assert_eq!((ended, core.scheduler.len()), (1, 1));
}

#[test]
fn what_short_calls_do_not_need_is_their_tenant_s_long_ones() {
    let mut core = Core::new(20_000);
    let steady = core.spawn_guest("steady", "loop", 0);
    let long: Vec<_> = (0..6).map(|_| core.spawn_guest("mixed", "loop", 0)).collect();
    let short = |core: &mut Core| core.spawn("mixed", "kernels", "fib", &[WasmValue::I32(3)]);
    for _ in 0..4 {
        short(&mut core);
    }
    while core.spent_by(steady) < 3_000_000 {
        if let Turn::Ended { result, .. } = core.turn() {
            result.unwrap();
            short(&mut core);
        }
    }
    let of_long: u64 = long.iter().map(|id| core.spent_by(*id)).sum();
    let of_short = core.spent["mixed"];
    assert!(of_short < of_long / 10);
    assert_shares(&[core.spent_by(steady), of_long + of_short], &[1, 1]);
}

#[test]
fn a_weight_may_change_and_is_kept_while_there_are_no_calls() {
    let mut core = Core::new(10_000);
    core.set_weight("a", 3);
    let other = core.spawn_guest("b", "loop", 0);
    let first = core.spawn_guest("a", "loop", 0);
    core.run_for(2_000_000, &[first, other]);
    assert_shares(&[core.spent_by(first), core.spent_by(other)], &[3, 1]);
    core.scheduler.remove(first);
    let before = core.spent_by(other);
    let second = core.spawn_guest("a", "loop", 0);
    core.run_for(2_000_000, &[second, other]);
    assert_shares(&[core.spent_by(second), core.spent_by(other) - before], &[3, 1]);
    core.set_weight("a", 1);
    let before = [second, other].map(|id| core.spent_by(id));
    core.run_for(2_000_000, &[second, other]);
    assert_shares(&[core.spent_by(second) - before[0], core.spent_by(other) - before[1]], &[1, 1]);
}

#[test]
fn a_suspended_call_is_told_once_gets_no_credit_and_goes_on_when_completed() {
    let mut core = Core::new(10_000);
    let waiting = core.spawn_guest("a", "wait_and_loop", 7);
    let other = core.spawn_guest("a", "loop", 0);
    core.suspended(waiting, 7);
    let spent = core.spent_by(waiting);
    let (before, begun) = (core.spent_by(other), core.scheduler.rounds());
    for _ in 0..1_000 {
        assert_eq!(core.ran(), other);
    }
    assert_eq!(core.spent_by(waiting), spent);
    // The other has the whole quantum meanwhile, but for the round in which the first was suspended.
    let rounds = core.scheduler.rounds() - begun;
    assert!(rounds >= 999 && core.spent_by(other) - before >= (rounds - 1) * 10_000);
    core.scheduler.complete(waiting, 7, |_| Ok(1_i32)).unwrap();
    // Nothing was saved up for it: half of a quantum in its turn, and one block.
    while core.ran() != waiting {}
    assert!(core.spent_by(waiting) - spent < 5_100, "{}", core.spent_by(waiting) - spent);
    let before = [waiting, other].map(|id| core.spent_by(id));
    core.run_for(1_000_000, &[waiting, other]);
    let since = [core.spent_by(waiting) - before[0], core.spent_by(other) - before[1]];
    assert_shares(&since, &[1, 1]);
}

#[test]
fn a_call_that_can_run_again_is_credited_from_the_next_round_on() {
    let mut core = Core::new(10_000);
    let waiting = core.spawn_guest("a", "wait_again_and_again", 0);
    let others: Vec<_> = (0..10).map(|_| core.spawn_guest("b", "loop", 0)).collect();
    core.suspended(waiting, 0);
    // However often it is completed, it has one turn in a round.
    let mut turns = 0;
    let mut ticket = 0;
    while core.scheduler.rounds() < 101 {
        core.scheduler.complete(waiting, ticket, |_| Ok(0_i32)).unwrap();
        loop {
            match core.turn() {
                Turn::Ran(id) => assert!(others.contains(&id)),
                Turn::Suspended(_, next) => {
                    ticket = next;
                    turns += 1;
                    break;
                }
                turn => panic!("{turn:?}"),
            }
        }
    }
    assert_eq!(turns, 100);
}

#[test]
fn an_answer_that_is_still_to_come_suspends_again_under_its_new_ticket() {
    let mut core = Core::new(10_000);
    let id = core.spawn_guest("a", "wait", 1);
    core.suspended(id, 1);
    core.idle();
    core.idle();
    core.scheduler.complete(id, 1, |_| Err::<i32, _>(HostError::Pending(2))).unwrap();
    core.suspended(id, 2);
    core.idle();
    core.scheduler.complete(id, 2, |_| Ok(42_i32)).unwrap();
    assert_eq!(core.ended_with(id), Ok(vec![WasmValue::I32(42)]));
    core.idle();
    assert!(core.scheduler.is_empty());
}

#[test]
fn an_answer_to_nothing_is_refused_and_changes_nothing() {
    let mut core = Core::new(10_000);
    let id = core.spawn_guest("a", "wait", 1);
    let answer = |_: &mut wasm_runtime::Output<'_>| -> Result<i32, HostError> { panic!("it ran") };
    let refused = |core: &mut Core, id, ticket| {
        let error = core.scheduler.complete(id, ticket, answer).unwrap_err();
        assert_error(&error, ErrorKind::NotFound, &[]);
    };
    refused(&mut core, id, 1);
    core.suspended(id, 1);
    refused(&mut core, id, 2);
    let error = core.scheduler.complete(id, 1, |_| Ok(1_i64)).unwrap_err();
    assert_error(&error, ErrorKind::SignatureMismatch, &["i32", "i64"]);
    core.idle();
    core.scheduler.complete(id, 1, |_| Ok(5_i32)).unwrap();
    refused(&mut core, id, 1);
    assert_eq!(core.ended_with(id), Ok(vec![WasmValue::I32(5)]));
    refused(&mut core, id, 1);
}

#[test]
fn a_call_is_spawned_wherever_it_is() {
    let mut core = Core::new(10_000);
    let mut waiting = core.call("a", "guest", "wait", &[WasmValue::I32(3)]);
    waiting.run(1_000).unwrap();
    let mut running = core.call("a", "guest", "loop", &[WasmValue::I32(3)]);
    running.run(1_000_000).unwrap();
    let mut ended = core.call("a", "guest", "nothing", &[WasmValue::I32(3)]);
    ended.run(1_000).unwrap();
    let [waiting, running, ended] =
        [waiting, running, ended].map(|call| core.scheduler.spawn(call));
    core.scheduler.complete(waiting, 3, |_| Ok(4_i32)).unwrap();
    assert_eq!(core.ended_with(waiting), Ok(vec![WasmValue::I32(4)]));
    assert_eq!(core.ran(), running);
    assert_eq!(core.ended_with(ended), Err(ErrorKind::NotReady));
    assert_eq!(core.ran(), running);
    // And taken out again, wherever it is.
    let mut running = core.scheduler.remove(running).unwrap();
    core.idle();
    assert!(running.run(100).is_ok() && !running.has_ended());
}

#[test]
fn what_a_call_spent_before_it_was_spawned_is_not_counted() {
    let mut core = Core::new(10_000);
    let mut old = core.call("a", "guest", "loop", &[WasmValue::I32(0)]);
    old.run(1_000_000).unwrap();
    let ids = [core.scheduler.spawn(old), core.spawn_guest("b", "loop", 0)];
    let before = core.spent_by(ids[0]);
    core.run_for(500_000, &ids);
    assert_shares(&[core.spent_by(ids[0]) - before, core.spent_by(ids[1])], &[1, 1]);
}

#[test]
fn a_deadline_that_passes_while_suspended_ends_the_call_within_a_round() {
    for others in [0, 3] {
        let mut core = Core::new(10_000);
        let capabilities = WasmPluginCapabilities { timeout_ms: 50, ..all_granted() };
        core.registry.load("timed", &wat(GUEST), config(capabilities)).unwrap();
        let timed = core.registry.get("timed").unwrap();
        let id = core.scheduler.spawn(timed.start("wait", &[WasmValue::I32(9)]).unwrap());
        core.suspended(id, 9);
        for _ in 0..others {
            core.spawn_guest("a", "loop", 0);
        }
        let watch = |core: &mut Core| match others {
            0 => core.idle(),
            _ => assert_ne!(core.ran(), id),
        };
        (0..20).for_each(|_| watch(&mut core));
        core.clock.advance(49_000);
        (0..20).for_each(|_| watch(&mut core));
        core.clock.advance(2_000);
        let late = core.scheduler.rounds() + 1;
        let error = loop {
            match core.turn() {
                Turn::Ended { id: ended, result, .. } if ended == id => break result.unwrap_err(),
                turn => assert!(matches!(turn, Turn::Ran(_)), "{turn:?}"),
            }
        };
        assert_error(&error, ErrorKind::Deadline, &["`timed`", "timeout of 50 ms"]);
        assert!(core.scheduler.rounds() <= late);
        assert_eq!(core.scheduler.len(), others);
    }
}

#[test]
fn a_cancelled_call_ends_among_a_hundred_suspended_ones() {
    let mut core = Core::new(10_000);
    let ids: Vec<_> = (0..100).map(|ticket| core.spawn_guest("a", "wait", ticket)).collect();
    (0..100).for_each(|_| assert!(matches!(core.turn(), Turn::Suspended(..))));
    core.idle();
    let looping = core.spawn_guest("a", "loop", 0);
    for id in [ids[3], ids[99], ids[50]] {
        (0..7).for_each(|_| assert_eq!(core.ran(), looping));
        assert!(core.scheduler.get(id).unwrap().cancel_token().cancel());
        // Eight are looked at in a turn.
        let turns = (0..).find(|_| match core.turn() {
            Turn::Ended { id: ended, result, .. } => {
                assert_eq!((ended, result.unwrap_err().kind()), (id, ErrorKind::Cancelled));
                true
            }
            turn => !matches!(turn, Turn::Ran(_)),
        });
        assert!(turns.unwrap() <= 100 / 8 + 1, "{turns:?} turns");
    }
    // Where nothing can run, all are looked at.
    core.scheduler.remove(looping);
    core.idle();
    assert!(core.scheduler.get(ids[70]).unwrap().cancel_token().cancel());
    assert_eq!(core.ended_with(ids[70]), Err(ErrorKind::Cancelled));
    core.idle();
    assert_eq!(core.scheduler.len(), 96);
    core.registry.get("a.guest").unwrap().cancel_calls();
    (0..96).for_each(|_| assert!(matches!(core.turn(), Turn::Ended { .. })));
    core.idle();
}

#[test]
fn a_call_that_traps_ends_alone() {
    let mut core = Core::new(10_000);
    let ids = ["a", "b", "c"].map(|tenant| core.spawn_guest(tenant, "loop", 0));
    core.run_for(3_000_000, &ids);
    let before = ids.map(|id| core.spent_by(id));
    for (tenant, function) in [("a", "trap"), ("b", "trap"), ("d", "trap")] {
        let trapping = core.spawn_guest(tenant, function, 0);
        let kind = (0..10).find_map(|_| match core.turn() {
            Turn::Ended { id, result, .. } if id == trapping => Some(result.unwrap_err().kind()),
            turn => matches!(turn, Turn::Ran(_)).then_some(None)?,
        });
        assert_eq!(kind, Some(ErrorKind::Trap));
    }
    core.run_for(3_000_000, &ids);
    let since: Vec<_> = ids.iter().zip(before).map(|(id, old)| core.spent_by(*id) - old).collect();
    assert_shares(&since, &[1, 1, 1]);
}

#[test]
fn a_call_whose_host_function_panics_ends_alone() {
    let mut core = Core::new(10_000);
    let other = core.spawn_guest("a", "loop", 0);
    let panics = core.spawn_guest("b", "panic", 0);
    let mut turns = 0;
    while catch_unwind(AssertUnwindSafe(|| core.turn())).is_ok() {
        turns += 1;
    }
    assert!(turns <= 2);
    assert_eq!(core.ran(), other);
    assert_eq!(core.ended_with(panics), Err(ErrorKind::NotReady));
    (0..10).for_each(|_| assert_eq!(core.ran(), other));
    assert_eq!(core.scheduler.len(), 1);
}

#[test]
fn a_call_with_bytes_ends_with_its_answer() {
    let mut core = Core::new(10);
    core.registry.load("echo", &fixture("echo"), WasmInstanceConfig::default()).unwrap();
    let echo = core.registry.get("echo").unwrap();
    let started = echo.start_bytes("copy", b"hello", CallOptions::default()).unwrap();
    let id = core.scheduler.spawn(started);
    let mut turns = 1;
    let answer = loop {
        match core.turn() {
            Turn::Ended { id: ended, call, result } => {
                assert_eq!(ended, id);
                assert!(result.unwrap().is_empty());
                break call.answer().to_vec();
            }
            turn => assert!(matches!(turn, Turn::Ran(_)), "{turn:?}"),
        }
        turns += 1;
    };
    assert_eq!(answer, b"hello");
    assert!(turns > 1, "piece by piece");
}

#[test]
fn a_scheduler_moves_to_another_thread_with_its_calls() {
    let mut core = Core::new(10_000);
    let id = core.spawn_guest("a", "wait", 1);
    core.suspended(id, 1);
    std::thread::spawn(move || {
        core.scheduler.complete(id, 1, |_| Ok(2_i32)).unwrap();
        assert_eq!(core.ended_with(id), Ok(vec![WasmValue::I32(2)]));
    })
    .join()
    .unwrap();
}

#[test]
fn calls_dropped_with_their_scheduler_give_everything_back() {
    let mut core = Core::new(10_000);
    let id = core.spawn_guest("a", "wait", 1);
    core.spawn_guest("a", "loop", 1);
    core.suspended(id, 1);
    core.ran();
    core.scheduler = Scheduler::new(1);
    let plugin = core.registry.get("a.guest").unwrap();
    let calls: Vec<_> =
        (0..256).map(|_| plugin.start("nothing", &[WasmValue::I32(0)]).unwrap()).collect();
    assert_eq!(calls.len(), 256);
}

#[test]
fn ids_are_never_used_again() {
    let mut core = Core::new(10_000);
    let mut seen = BTreeSet::new();
    for _ in 0..1_000 {
        let ended = core.spawn_guest("a", "nothing", 0);
        assert_eq!(core.ended_with(ended), Ok(vec![]));
        let removed = core.spawn_guest("a", "loop", 0);
        assert!(core.scheduler.remove(removed).is_some());
        assert!(core.scheduler.get(removed).is_none());
        assert!(seen.insert(ended) && seen.insert(removed));
    }
    assert!(core.scheduler.is_empty());
    core.idle();
}

/// What a test does to a scheduler; the number picks one of the calls.
#[derive(Debug, Clone)]
enum Step {
    Spawn(u8, &'static str),
    Turns(u8),
    Complete(prop::sample::Index),
    CompleteWrongly(prop::sample::Index),
    Remove(prop::sample::Index),
    Cancel(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let functions =
        vec!["loop", "wait", "wait_again_and_again", "wait_and_loop", "nothing", "trap"];
    let step = prop_oneof![
        4 => (0..3_u8, prop::sample::select(functions)).prop_map(|(t, f)| Step::Spawn(t, f)),
        8 => (1..12_u8).prop_map(Step::Turns),
        4 => any::<prop::sample::Index>().prop_map(Step::Complete),
        1 => any::<prop::sample::Index>().prop_map(Step::CompleteWrongly),
        1 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => any::<prop::sample::Index>().prop_map(Step::Cancel),
    ];
    prop::collection::vec(step, 1..60)
}

/// What is known of a call without knowing how it is scheduled.
#[derive(Debug, Clone, Copy)]
struct Known {
    ticket: Option<u64>,
    is_cancelled: bool,
    /// Since which round it could have run.
    since: u64,
}

type Model = BTreeMap<CallId, Known>;

fn step(core: &mut Core, model: &mut Model, step: &Step) {
    let pick = |index: &prop::sample::Index| {
        (!model.is_empty()).then(|| *index.get(&model.keys().copied().collect::<Vec<_>>()))
    };
    match step {
        Step::Spawn(tenant, function) => {
            let id = core.spawn_guest(&format!("t{tenant}"), function, 0);
            let since = core.scheduler.rounds();
            let old = model.insert(id, Known { ticket: None, is_cancelled: false, since });
            assert!(old.is_none());
        }
        Step::Turns(count) => (0..*count).for_each(|_| turn(core, model)),
        Step::Complete(index) => {
            let Some(id) = pick(index) else { return };
            let since = core.scheduler.rounds();
            let known = model.get_mut(&id).unwrap();
            match known.ticket.take() {
                Some(ticket) => {
                    core.scheduler.complete(id, ticket, |_| Ok(1_i32)).unwrap();
                    known.since = since;
                }
                None => assert!(core.scheduler.complete(id, 0, |_| Ok(1_i32)).is_err()),
            }
        }
        Step::CompleteWrongly(index) => {
            let Some(id) = pick(index) else { return };
            assert!(core.scheduler.complete(id, u64::MAX, |_| Ok(1_i32)).is_err());
        }
        Step::Remove(index) => {
            let Some(id) = pick(index) else { return };
            model.remove(&id);
            assert!(core.scheduler.remove(id).is_some() && core.scheduler.remove(id).is_none());
        }
        Step::Cancel(index) => {
            let Some(id) = pick(index) else { return };
            let known = model.get_mut(&id).unwrap();
            let token = core.scheduler.get(id).unwrap().cancel_token();
            assert_eq!(token.cancel(), !known.is_cancelled);
            known.is_cancelled = true;
        }
    }
    assert_eq!(core.scheduler.len(), model.len());
    assert!(model.keys().all(|id| core.scheduler.get(*id).is_some()));
}

fn turn(core: &mut Core, model: &mut Model) {
    let turn = core.turn();
    let now = core.scheduler.rounds();
    match turn {
        Turn::Ran(id) => {
            let known = model.get_mut(&id).unwrap();
            assert!(known.ticket.is_none() && now > known.since, "once in a round");
            known.since = now;
        }
        Turn::Suspended(id, ticket) => {
            let known = model.get_mut(&id).unwrap();
            assert!(known.ticket.is_none() && now > known.since, "once in a round");
            known.ticket = Some(ticket);
        }
        Turn::Ended { id, call, result } => {
            let known = model.remove(&id).unwrap();
            assert!(call.has_ended());
            let is_cancelled =
                matches!(&result, Err(error) if error.kind() == ErrorKind::Cancelled);
            assert_eq!(is_cancelled, known.is_cancelled, "{result:?}");
            assert!(known.ticket.is_none() || is_cancelled);
        }
        Turn::Idle => assert!(model.values().all(|known| known.ticket.is_some())),
    }
    let waits = |known: &&Known| known.ticket.is_none();
    assert!(model.values().filter(waits).all(|known| now - known.since <= 2), "{model:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_done_to_a_scheduler_it_tells_what_happened_to_each_call(steps in steps()) {
        let mut core = Core::new(20_000);
        core.set_weight("t1", 2);
        let mut model = Model::new();
        steps.iter().for_each(|next| step(&mut core, &mut model, next));
        // In the end each is cancelled, and each end is told.
        for plugin in ["t0.guest", "t1.guest", "t2.guest"] {
            core.registry.get(plugin).map(|plugin| plugin.cancel_calls());
        }
        model.values_mut().for_each(|known| known.is_cancelled = true);
        for _ in 0..=3 * model.len() {
            turn(&mut core, &mut model);
        }
        prop_assert!(model.is_empty() && core.scheduler.is_empty());
    }
}

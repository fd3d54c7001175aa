//! A plugin is replaced while it works: its votes are taken over, a version that does not count right is
//! found out before anyone calls it, and one that turns out bad is rolled back.
//!
//! `cargo run --release --example reload`

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use wasm_runtime::{
    AuditDecision, ErrorKind, Host, PluginEvent, Probe, ReloadOptions, StateHandover,
    WasmInstanceConfig, WasmPluginRegistry, WasmValue,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// 32-bit counts.
const TALLY: &[u8] = include_bytes!("../fixtures/wasm/tally.wasm");
/// 64-bit counts, and a sum.
const TALLY_WIDE: &[u8] = include_bytes!("../fixtures/wasm/tally_wide.wasm");

/// Takes the votes over, but counts each twice.
const TALLY_WRONG: &str = r#"(module
    (memory (export "memory") 1)
    (global $votes (mut i32) (i32.const 0))
    (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "soch_save") (param i32 i32) (result i64) (i64.const 0x40_00000010))
    (func (export "soch_restore") (param i32 i32) (result i64) (i64.const 0))
    (func (export "vote") (param i32) (result i32)
        (global.set $votes (i32.add (global.get $votes) (i32.const 2)))
        (global.get $votes)))"#;

/// A host that says what it hears.
struct Station;

impl Host for Station {
    fn event(&self, event: &PluginEvent<'_>) {
        let how = if event.status == 0 { "" } else { " refused:" };
        if matches!(event.decision, AuditDecision::Reload | AuditDecision::Rollback) {
            println!("  host: {:?} of `{}`:{how} {}", event.decision, event.plugin, event.resource);
        }
    }
}

fn config() -> WasmInstanceConfig {
    // One state, so that it can be handed over.
    WasmInstanceConfig { max_instances: 1, ..WasmInstanceConfig::default() }
}

fn main() -> Outcome {
    let registry = WasmPluginRegistry::with_host(Station);
    registry.load("tally", TALLY, config())?;
    let plugin = registry.get("tally").ok_or("not loaded")?;
    let vote = plugin.function::<i32, i32>("vote")?;
    let votes = plugin.function::<i32, i64>("votes")?;
    for _ in 0..1_000 {
        vote.call(2)?;
    }

    // Both versions must answer the first vote for choice 3 with 1.
    let first_vote =
        Probe::Values { function: "vote", args: &[3.into()], expected: Some(&[1.into()]) };
    let options = ReloadOptions {
        state: StateHandover::Required,
        probes: &[first_vote],
        drain_ms: Some(1_000),
        ..ReloadOptions::default()
    };

    println!("A version that counts wrong:");
    let wrong = wat::parse_str(TALLY_WRONG)?;
    let error = registry.reload_with("tally", &wrong, config(), &options).err().ok_or("taken")?;
    println!("  {error}");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(votes.call(2)?, 1_000);

    println!("A version that counts further, while votes come in:");
    let (is_over, taken) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| -> Outcome {
        let voter = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                match vote.call(1) {
                    Ok(_) => taken.fetch_add(1, Ordering::Relaxed),
                    // There is one sandbox, and its state is being handed over.
                    Err(error) if error.kind() == ErrorKind::Busy => continue,
                    Err(error) => unreachable!("{error}"),
                };
            }
        });
        let wait_for_vote = || {
            let before = taken.load(Ordering::Relaxed);
            while taken.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
        };
        wait_for_vote();
        let reloaded = registry.reload_with("tally", TALLY_WIDE, config(), &options);
        wait_for_vote();
        is_over.store(true, Ordering::Relaxed);
        voter.join().map_err(|_| "the voter failed")?;
        Ok(reloaded?)
    })?;
    let total = registry.call("tally", "total", &[])?;
    println!("  {total:?} votes, none lost and none of the probe's");
    let taken = i64::try_from(taken.into_inner())?;
    assert_eq!(*total, [WasmValue::I64(1_000 + taken)]);
    assert_eq!((votes.call(2)?, votes.call(1)?, votes.call(3)?), (1_000, taken, 0));

    println!("And back:");
    vote.call(0)?;
    registry.rollback("tally")?;
    // With the votes that there were when it was replaced.
    assert_eq!((votes.call(0)?, votes.call(2)?), (0, 1_000));
    for record in plugin.history() {
        let how =
            record.failure.map_or_else(|| "serves".to_string(), |(kind, _)| kind.name().into());
        println!(
            "  {:?} {:02x}{:02x}..: {how}",
            record.change, record.module_hash[0], record.module_hash[1]
        );
    }
    Ok(())
}

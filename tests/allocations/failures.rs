//! What goes wrong leaves nothing behind.

use crate::{
    heap::live_bytes,
    support::{config, fixture, load, wat},
};
use wasm_runtime::{
    Clock, DenyPolicy, ErrorKind, WasmInstanceConfig, WasmPluginRegistry, WasmValue,
};

/// A clock by which an hour passes between two readings.
struct Hours(std::sync::atomic::AtomicU64);

impl Clock for Hours {
    fn now_us(&self) -> u64 {
        self.0.fetch_add(3_600_000_000, std::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn ten_thousand_traps_leave_the_heap_where_it_was() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "plugin", &fixture("misbehaving/traps"), config());
    let traps = |n: usize| {
        for _ in 0..n {
            let error = plugin.call("unreachable", &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Trap);
        }
        plugin.call("ping", &[]).unwrap();
    };
    traps(10);
    let before = live_bytes();
    traps(10_000);
    assert_eq!(live_bytes() - before, 0);
    assert_eq!(plugin.stats().trap_count, 10_010);
}

#[test]
fn traps_of_every_kind_leave_the_heap_where_it_was() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "plugin", &fixture("misbehaving/traps"), config());
    let without_parameters: Vec<&str> = plugin
        .functions()
        .filter(|name| plugin.signature(name).unwrap().0.is_empty() && *name != "ping")
        .collect();
    assert!(without_parameters.len() > 10, "{without_parameters:?}");
    for function in without_parameters {
        let round = || {
            assert_eq!(plugin.call(function, &[]).unwrap_err().kind(), ErrorKind::Trap);
            plugin.call("ping", &[]).unwrap();
        };
        round();
        let before = live_bytes();
        (0..20).for_each(|_| round());
        assert_eq!(live_bytes() - before, 0, "{function}");
    }
}

#[test]
fn a_plugin_that_traps_in_another_s_call_leaves_the_heap_where_it_was() {
    let registry = WasmPluginRegistry::new();
    let caller = load(&registry, "open_caller", &fixture("caller"), config());
    load(&registry, "open_echo", &fixture("echo"), config());
    let round = || {
        let mut answer = [0; 12];
        let input = b"open_echo\0trap\0x";
        assert_eq!(caller.call_bytes_into("explain", input, &mut answer).unwrap(), 12);
        assert_eq!(answer[..8], [0xf9, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
        let input = b"open_echo\0echo\0x";
        caller.call_bytes_into("relay", input, &mut answer).unwrap();
    };
    round();
    let before = live_bytes();
    (0..1_000).for_each(|_| round());
    assert_eq!(live_bytes() - before, 0);
}

#[test]
fn calls_stopped_at_their_limits_leave_the_heap_where_it_was() {
    let fixture = fixture("misbehaving/endless_loop");
    let mut limited = config();
    limited.capabilities.fuel_limit = 100_000;
    for (clock, config, kind) in
        [(0, limited, ErrorKind::OutOfFuel), (1, config(), ErrorKind::Deadline)]
    {
        let builder = WasmPluginRegistry::builder();
        let builder = if clock == 1 { builder.clock(Hours(0.into())) } else { builder };
        let registry = builder.build().unwrap();
        let plugin = load(&registry, "plugin", &fixture, config);
        let round = || {
            assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), kind);
            plugin.call("ping", &[]).unwrap();
        };
        round();
        let before = live_bytes();
        (0..100).for_each(|_| round());
        assert_eq!(live_bytes() - before, 0, "{kind:?}");
    }
}

#[test]
fn calls_that_are_refused_leave_the_heap_where_it_was() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "plugin", &fixture("echo"), config());
    let kinds = || {
        let mut output = [0; 4];
        let too_long = plugin.call_bytes_into("echo", b"longer", &mut output).unwrap_err();
        let status = plugin.call_bytes("status", &[0xff; 4]).unwrap_err();
        let missing = plugin.call("missing", &[]).unwrap_err();
        let arguments = plugin.call("echo", &[WasmValue::I32(1)]).unwrap_err();
        let nobody = registry.call("nobody", "echo", &[]).unwrap_err();
        let lease = plugin.lease().unwrap();
        let busy = plugin.call("echo", &[]).unwrap_err();
        drop(lease);
        [too_long, status, missing, arguments, nobody, busy].map(|error| error.kind())
    };
    let expected = [
        ErrorKind::LimitExceeded,
        ErrorKind::BadGuestAnswer,
        ErrorKind::FunctionNotFound,
        ErrorKind::SignatureMismatch,
        ErrorKind::NotFound,
        ErrorKind::Busy,
    ];
    assert_eq!(kinds(), expected);
    let before = live_bytes();
    (0..100).for_each(|_| assert_eq!(kinds(), expected));
    assert_eq!(live_bytes() - before, 0);
}

/// Modules and configurations that are refused, each with the kind of its error.
fn refused_loads() -> Vec<(&'static str, Vec<u8>, WasmInstanceConfig, ErrorKind)> {
    use ErrorKind::*;
    let counter = || fixture("counter");
    let misbehaving = |name: &str| fixture(&format!("misbehaving/{name}"));
    let with = |change: &dyn Fn(&mut WasmInstanceConfig)| {
        let mut config = config();
        change(&mut config);
        config
    };
    let truncated = counter()[..counter().len() - 3].to_vec();
    let ill_typed = [
        &b"\0asm\x01\0\0\0"[..],
        &[1, 5, 1, 0x60, 0, 1, 0x7f],  // a type () -> i32
        &[3, 2, 1, 0],                 // a function of it
        &[10, 5, 1, 3, 0, 0x01, 0x0b], // whose body is `nop`
    ]
    .concat();
    let denied_start = wat(r#"(module
        (import "soch_v1" "soch_read" (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "secret")
        (start $start)
        (func $start
            (drop (call $read (i32.const 0) (i32.const 6) (i32.const 0) (i32.const 1)
                (i32.const 100) (i32.const 9)))))"#);
    let segment_outside = wat(r#"(module (memory 1) (data (i32.const 65536) "x"))"#);
    vec![
        ("an empty file", Vec::new(), config(), InvalidModule),
        ("text", b"(module)".to_vec(), config(), InvalidModule),
        ("a component", b"\0asm\x0d\0\x01\0".to_vec(), config(), InvalidModule),
        ("a truncated file", truncated, config(), InvalidModule),
        ("an ill-typed body", ill_typed, config(), InvalidModule),
        ("a missing import", misbehaving("missing_import"), config(), Refused),
        ("a mistyped import", misbehaving("mistyped_import"), config(), Refused),
        ("a foreign memory", misbehaving("foreign_import_memory"), config(), Refused),
        ("a reserved export", misbehaving("reserved_export"), config(), Refused),
        ("no instances", counter(), with(&|c| c.max_instances = 0), Refused),
        ("no functions", counter(), with(&|c| c.limits.max_functions = 0), LimitExceeded),
        (
            "half a page",
            counter(),
            with(&|c| c.capabilities.memory_limit_bytes = 32_768),
            LimitExceeded,
        ),
        ("another hash", counter(), with(&|c| c.expected_sha256 = Some([0; 32])), HashMismatch),
        ("a start that traps", misbehaving("trap_start"), config(), Trap),
        (
            "an endless start",
            misbehaving("endless_start"),
            with(&|c| c.capabilities.fuel_limit = 100_000),
            OutOfFuel,
        ),
        ("a start that is denied", denied_start, with(&|c| c.on_denied = DenyPolicy::Trap), Denied),
        ("a segment outside of its memory", segment_outside, config(), Trap),
    ]
}

#[test]
fn loads_that_fail_leave_the_heap_where_it_was() {
    let registry = WasmPluginRegistry::new();
    load(&registry, "taken", &fixture("counter"), config());
    for (what, wasm, config, kind) in refused_loads() {
        let round = || {
            let error = registry.load("plugin", &wasm, config.clone()).unwrap_err();
            assert_eq!(error.kind(), kind, "{what}: {error}");
        };
        round();
        let before = live_bytes();
        (0..50).for_each(|_| round());
        assert_eq!(live_bytes() - before, 0, "{what}");
        let _ = registry.admit(&wasm, &config);
        assert_eq!(live_bytes() - before, 0, "admission of {what}");
    }
    let before = live_bytes();
    let error = registry.load("taken", &fixture("counter"), config()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyLoaded);
    drop(error);
    assert_eq!(live_bytes() - before, 0);
    assert_eq!(registry.list(), ["taken"]);
    assert_eq!(*registry.call("taken", "add", &[3.into()]).unwrap(), [WasmValue::I32(3)]);
}

#[test]
fn a_start_function_past_its_deadline_leaves_the_heap_where_it_was() {
    let registry = WasmPluginRegistry::builder().clock(Hours(0.into())).build().unwrap();
    let wasm = fixture("misbehaving/endless_start");
    let round = || {
        let error = registry.load("plugin", &wasm, config()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadline);
    };
    round();
    let before = live_bytes();
    (0..50).for_each(|_| round());
    assert_eq!(live_bytes() - before, 0);
}

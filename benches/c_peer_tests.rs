// What a benchmark relies on, of both peers in C. Included by the test of each, which says which
// one `peer` is.

use peer::Instance;

const STACK: u32 = 64 << 10;

const MODULE: &str = r#"(module
    (import "env" "next" (func $next (param i32) (result i32)))
    (import "env" "nothing" (func $nothing))
    (func (export "sum") (param $n i32) (result i64) (local $sum i64)
        (loop $turn
            (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $n))))
            (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "host") (param $n i32) (result i32) (local $count i32)
        (loop $turn
            (local.set $count (call $next (local.get $count)))
            (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $count))
    (func (export "host_nothing") (call $nothing))
    (func $deep (export "deep") (param $n i32) (result i32)
        (if (result i32) (local.get $n)
            (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)))))
            (else (i32.const 0))))
    (func (export "divide") (param $n i32) (result i32) (i32.div_u (i32.const 1) (local.get $n)))
    (memory 1)
    (func (export "load") (param $n i32) (result i32) (i32.load (local.get $n)))
    (func (export "trap") unreachable)
    (func (export "empty"))
    (func (export "odd") (param i64)))"#;

fn instance() -> Instance {
    Instance::new(&wat::parse_str(MODULE).unwrap(), STACK).unwrap()
}

#[test]
fn a_long_function_leaves_the_hosts_stack_alone() {
    let line = "(global.set $n (i32.add (global.get $n) (local.get 0)))";
    let text = format!(
        r#"(module (global $n (mut i32) (i32.const 0))
            (func (export "f") (param i32) (result i32) {} (global.get $n)))"#,
        line.repeat(100_000)
    );
    let mut instance = Instance::new(&wat::parse_str(text).unwrap(), STACK).unwrap();
    let function = instance.function("f").unwrap();
    assert_eq!(instance.call_i32_i32(&function, 2), Ok(200_000));
}

#[test]
fn a_loop_of_ten_million_turns_leaves_the_hosts_stack_alone() {
    let mut instance = instance();
    let sum = instance.function("sum").unwrap();
    assert_eq!(instance.call_i32_i64(&sum, 10_000_000), Ok(50_000_005_000_000));
}

#[test]
fn a_host_function_is_called() {
    let mut instance = instance();
    let host = instance.function("host").unwrap();
    assert_eq!(instance.call_i32_i32(&host, 1_000_000), Ok(1_000_000));
    let nothing = instance.function("host_nothing").unwrap();
    assert_eq!(instance.call_void(&nothing), Ok(()));
}

#[test]
fn a_trap_is_an_error_and_the_instance_goes_on() {
    let mut instance = instance();
    let trap = instance.function("trap").unwrap();
    let divide = instance.function("divide").unwrap();
    assert!(instance.call_void(&trap).unwrap_err().contains("unreachable"));
    assert!(instance.call_i32_i32(&divide, 0).unwrap_err().contains("divide by zero"));
    assert_eq!(instance.call_i32_i32(&divide, 1), Ok(1));
}

#[test]
fn an_access_out_of_bounds_is_an_error() {
    let mut instance = instance();
    let load = instance.function("load").unwrap();
    for address in [65_533, -1, -65_536] {
        assert!(instance.call_i32_i32(&load, address).unwrap_err().contains("out of bounds"));
        assert_eq!(instance.call_i32_i32(&load, 65_532), Ok(0));
    }
}

#[test]
fn an_import_that_is_not_linked_is_an_error_when_called() {
    let text = r#"(module (import "x" "y" (func $y)) (func (export "f") (call $y))
        (func (export "g")))"#;
    let mut instance = Instance::new(&wat::parse_str(text).unwrap(), STACK).unwrap();
    let works = instance.function("g").unwrap();
    assert_eq!(instance.call_void(&works), Ok(()));
    let function = instance.function("f");
    assert!(function.and_then(|f| instance.call_void(&f)).is_err());
}

#[test]
fn a_start_function_runs() {
    let text = r#"(module (global $n (mut i32) (i32.const 0))
        (start $s) (func $s (global.set $n (i32.const 7)))
        (func (export "get") (param i32) (result i32) (global.get $n)))"#;
    let mut instance = Instance::new(&wat::parse_str(text).unwrap(), STACK).unwrap();
    let get = instance.function("get").unwrap();
    assert_eq!(instance.call_i32_i32(&get, 0), Ok(7));
}

#[test]
fn recursion_without_end_is_an_error() {
    let mut instance = instance();
    let deep = instance.function("deep").unwrap();
    assert_eq!(instance.call_i32_i32(&deep, 500), Ok(500));
    assert!(instance.call_i32_i32(&deep, i32::MAX).unwrap_err().contains("stack overflow"));
}

#[test]
fn recursion_without_end_on_a_large_stack_is_an_error() {
    let mut instance = Instance::new(&wat::parse_str(MODULE).unwrap(), 64 << 20).unwrap();
    let deep = instance.function("deep").unwrap();
    assert!(instance.call_i32_i32(&deep, i32::MAX).unwrap_err().contains("stack overflow"));
}

#[test]
fn instances_come_and_go() {
    let wasm = wat::parse_str(MODULE).unwrap();
    for _ in 0..1_000 {
        let mut instance = Instance::new(&wasm, STACK).unwrap();
        let empty = instance.function("empty").unwrap();
        assert_eq!(instance.call_void(&empty), Ok(()));
    }
}

#[test]
fn a_module_without_imports_and_memory_loads() {
    let wasm = wat::parse_str(r#"(module (func (export "f")))"#).unwrap();
    let mut instance = Instance::new(&wasm, STACK).unwrap();
    let function = instance.function("f").unwrap();
    assert_eq!(instance.call_void(&function), Ok(()));
}

#[test]
fn what_cannot_be_is_an_error() {
    assert!(Instance::new(b"no module", STACK).is_err());
    let (mut one, mut other) = (instance(), instance());
    assert!(one.function("missing").is_err());
    assert!(one.function("odd").is_err());
    let empty = one.function("empty").unwrap();
    assert!(other.call_void(&empty).is_err());
    assert!(one.call_i32_i32(&empty, 1).is_err());
}

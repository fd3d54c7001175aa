#![allow(missing_docs)]
use wasm_runtime::*;
fn wasm(n:&str)->Vec<u8>{std::fs::read(format!("{}/fixtures/wasm/{n}.wasm",env!("CARGO_MANIFEST_DIR"))).unwrap()}
#[test]
fn smoke(){
    let r=WasmPluginRegistry::new();
    r.load("counter",&wasm("counter"),WasmInstanceConfig::default()).unwrap();
    assert_eq!(r.call("counter","add",&[WasmValue::I32(40)]).unwrap()[0].as_i32(),Some(40));
    let c=r.get("counter").unwrap();
    let f=c.function::<(),i32>("increment").unwrap();
    assert_eq!(f.call(()).unwrap(),41);
    r.load("echo",&wasm("echo"),WasmInstanceConfig::default()).unwrap();
    assert_eq!(r.get("echo").unwrap().call_bytes("echo",b"hi").unwrap(),b"hi");
    let mut cfg=WasmInstanceConfig::default();
    cfg.capabilities.can_call_plugin=vec!["*".into()];
    r.load("caller",&wasm("caller"),cfg).unwrap();
    assert_eq!(r.get("caller").unwrap().call_bytes("relay",b"echo\0copy\0payload").unwrap(),b"payload");
    r.host().put("default","t",b"a,1",b"1,bob,b@x.org,33").unwrap();
    let mut cfg=WasmInstanceConfig::default();
    cfg.capabilities.can_read_table=vec!["*".into()];
    r.load("rows",&wasm("row_validator"),cfg).unwrap();
    println!("{:?}",String::from_utf8(r.get("rows").unwrap().call_bytes("validate_table",b"t").unwrap()));
    r.load("loop",&wasm("misbehaving/endless_loop"),WasmInstanceConfig::default()).unwrap();
    println!("{}",r.call("loop","run",&[]).unwrap_err());
    println!("{:?}",r.get("loop").unwrap().stats());
    println!("{:?} {:?}",r.get("loop").unwrap().state(), r.global_stats());
    let g=r.load("g",&wasm("misbehaving/endless_start"),WasmInstanceConfig::default()).unwrap_err(); println!("{g}");
    r.load("g",&wasm("misbehaving/memory_grower"),WasmInstanceConfig{capabilities:WasmPluginCapabilities{fuel_limit:10_000_000_000,timeout_ms:0,..Default::default()},..Default::default()}).unwrap();
    println!("{:?}",r.call("g","grow_zero",&[WasmValue::I32(1_000_000)]));
    println!("{:#?}",r.admit(&wasm("aggregate"),&WasmInstanceConfig::default()));
    println!("{:#?}",r.admit(b"(module)",&WasmInstanceConfig::default()).refusals);
}

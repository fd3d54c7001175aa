//! Loads every `.wasm` of a folder, as fetched by `tests/third_party.sh`: modules that nobody here
//! wrote. Each must work or be refused by name and reason; some are made to do their real work.
//!
//! `cargo run --release --example third_party -- FOLDER`

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use wasm_runtime::{
    EmbeddedHost, ErrorKind, Grant, HostCall, HostCost, HostError, HostFunctionTable, PluginLease,
    ValueType, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
/// What the HTTP parser reported through its imports.
type Events = Arc<Mutex<Vec<String>>>;

/// Modules whose work is checked, so that a fetch that found nothing does not pass.
const CHECKED: [&str; 6] = ["es-module-lexer", "llhttp", "llhttp_simd", "md5", "sha256", "xxhash"];

fn main() -> Outcome {
    let folder = std::env::args().nth(1).ok_or("usage: third_party FOLDER")?;
    let mut paths: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Outcome<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    paths.sort();

    let events = Events::default();
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    define_http_callbacks(&mut table, &events)?;
    let registry = WasmPluginRegistry::builder().functions(table).build()?;
    let (mut worked, mut refused) = (Vec::new(), 0);
    for path in &paths {
        let wasm = fs::read(path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let outcome = match registry.load(&name, &wasm, config()) {
            Ok(()) => {
                worked.push(name.to_string());
                exercise(&registry, &name, &wasm, &events)?
            }
            Err(error) => {
                use ErrorKind::{InvalidModule, LimitExceeded, Refused};
                let by_reason = matches!(error.kind(), Refused | LimitExceeded | InvalidModule);
                check(by_reason, &format!("{name} failed to load: {error:?}"))?;
                refused += 1;
                format!("refused: {error}")
            }
        };
        println!("{name:22} {:8} bytes  {outcome}", wasm.len());
    }
    println!("\n{} third-party modules: {} work, {refused} refused", paths.len(), worked.len());
    for name in CHECKED {
        check(worked.iter().any(|worked| worked == name), &format!("{name} did not run"))?;
    }
    Ok(())
}

fn config() -> WasmInstanceConfig {
    WasmInstanceConfig {
        capabilities: WasmPluginCapabilities {
            memory_limit_bytes: 64 << 20,
            fuel_limit: 50_000_000,
            timeout_ms: 10_000,
            ..WasmPluginCapabilities::default()
        },
        ..WasmInstanceConfig::default()
    }
}

fn check(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// The imports of `llhttp`, as functions of this host's own.
fn define_http_callbacks(table: &mut HostFunctionTable<EmbeddedHost>, events: &Events) -> Outcome {
    type Call<'b> = HostCall<'b, EmbeddedHost>;
    let cost = HostCost::default();
    for name in ["on_url", "on_status", "on_header_field", "on_header_value", "on_body"] {
        let events = Arc::clone(events);
        let note =
            move |call: &mut Call<'_>, _: i32, at: i32, len: i32| -> Result<i32, HostError> {
                let text = String::from_utf8_lossy(call.bytes(at, len)?).into_owned();
                events.lock().map_err(|_| HostError::Failed)?.push(format!("{name} {text}"));
                Ok(0)
            };
        table.define("env", &format!("wasm_{name}"), Grant::Always, cost, note)?;
    }
    for name in ["on_message_begin", "on_message_complete"] {
        let events = Arc::clone(events);
        let note = move |_: &mut Call<'_>, _: i32| -> Result<i32, HostError> {
            events.lock().map_err(|_| HostError::Failed)?.push(name.into());
            Ok(0)
        };
        table.define("env", &format!("wasm_{name}"), Grant::Always, cost, note)?;
    }
    let done =
        |_: &mut Call<'_>, _: i32, _: i32, _: i32, _: i32| -> Result<i32, HostError> { Ok(0) };
    Ok(table.define("env", "wasm_on_headers_complete", Grant::Always, cost, done)?)
}

fn exercise(
    registry: &WasmPluginRegistry,
    name: &str,
    wasm: &[u8],
    events: &Events,
) -> Outcome<String> {
    let plugin = registry.get(name).ok_or("a loaded plugin cannot be found")?;
    let mut lease = plugin.lease()?;
    match name {
        "sha256" => {
            let digest = hash(&mut lease, wasm, 256, 32)?;
            check(digest == plugin.module_hash(), "sha256")?;
            Ok("works: its SHA-256 of itself is `module_hash()`".into())
        }
        "md5" => {
            // RFC 1321, A.5.
            let digest = hash(&mut lease, b"abc", 0, 16)?;
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            check(hex == "900150983cd24fb0d6963f7d28e17f72", "md5")?;
            Ok(format!("works: MD5 of \"abc\" is {hex}"))
        }
        "xxhash" => {
            let digest = call(&mut lease, "xxh32", &[0, 0, 0])?.cast_unsigned();
            check(digest == 0x02cc_5d05, "xxh32")?;
            Ok(format!("works: xxh32 of nothing is {digest:08x}"))
        }
        "llhttp" | "llhttp_simd" => parse_http(&mut lease, events),
        "es-module-lexer" => find_imports(&mut lease),
        _ => Ok(call_everything(&mut lease)),
    }
}

/// Calls a function as JavaScript does: what is missing is zero, what is too much is ignored.
fn call(lease: &mut PluginLease<'_>, function: &str, args: &[i32]) -> Outcome<i32> {
    let params = lease.plugin().signature(function).map_or(0, |(params, _)| params.len());
    let args = args.iter().copied().chain(std::iter::repeat(0)).take(params);
    let args: Vec<_> = args.map(WasmValue::I32).collect();
    let results = lease.call(function, &args)?;
    Ok(results.first().and_then(WasmValue::as_i32).unwrap_or_default())
}

/// The convention of the package `hash-wasm`: a buffer of 16 KiB for input and digest.
fn hash(lease: &mut PluginLease<'_>, data: &[u8], bits: i32, size: usize) -> Outcome<Vec<u8>> {
    call(lease, "Hash_Init", &[bits])?;
    let buffer = u64::from(call(lease, "Hash_GetBuffer", &[])?.cast_unsigned());
    for chunk in data.chunks(16 << 10) {
        lease.write("memory", buffer, chunk)?;
        call(lease, "Hash_Update", &[i32::try_from(chunk.len())?])?;
    }
    call(lease, "Hash_Final", &[])?;
    let mut digest = vec![0; size];
    lease.read("memory", buffer, &mut digest)?;
    Ok(digest)
}

fn parse_http(lease: &mut PluginLease<'_>, events: &Events) -> Outcome<String> {
    const REQUEST: &[u8] = b"GET /rivers?id=7 HTTP/1.1\r\nHost: example.org\r\n\r\n";
    const EXPECTED: [&str; 5] = [
        "on_message_begin",
        "on_url /rivers?id=7",
        "on_header_field Host",
        "on_header_value example.org",
        "on_message_complete",
    ];
    let parser = call(lease, "llhttp_alloc", &[1])?;
    let (buffer, len) = (call(lease, "malloc", &[1_024])?, i32::try_from(REQUEST.len())?);
    lease.write("memory", u64::from(buffer.cast_unsigned()), REQUEST)?;
    let code = call(lease, "llhttp_execute", &[parser, buffer, len])?;
    let seen = std::mem::take(&mut *events.lock().map_err(|_| "poisoned")?);
    check(code == 0 && seen == EXPECTED, &format!("llhttp: {code} {seen:?}"))?;
    Ok(format!("works: parsed a request, {} callbacks into the host", seen.len()))
}

fn find_imports(lease: &mut PluginLease<'_>) -> Outcome<String> {
    const SOURCE: &str = "import a from 'a'; import { b } from \"./b.js\"; export const c = a(b);";
    let text = call(lease, "sa", &[i32::try_from(SOURCE.len())?])?;
    let utf16: Vec<u8> = SOURCE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    lease.write("memory", u64::from(text.cast_unsigned()), &utf16)?;
    check(call(lease, "parse", &[])? == 1, "es-module-lexer cannot parse")?;
    let mut imports = Vec::new();
    while call(lease, "ri", &[])? != 0 {
        let (start, end) = (call(lease, "is", &[])?, call(lease, "ie", &[])?);
        imports.push(SOURCE.get(usize::try_from(start)?..usize::try_from(end)?).unwrap_or("?"));
    }
    check(imports == ["a", "./b.js"], &format!("es-module-lexer: {imports:?}"))?;
    Ok(format!("works: found the imports {imports:?}"))
}

/// Calls every export with zeros: whatever they do, they end as results or errors.
fn call_everything(lease: &mut PluginLease<'_>) -> String {
    let functions: Vec<String> = lease.plugin().functions().map(Into::into).collect();
    let (mut returned, mut failed) = (0, 0);
    for function in &functions {
        let params = lease.plugin().signature(function).map_or(Vec::new(), |(p, _)| p.to_vec());
        let args: Vec<_> = params.into_iter().map(zero).collect();
        match lease.call(function, &args) {
            Ok(_) => returned += 1,
            Err(_) => failed += 1,
        }
    }
    format!("works: exports called with zeros: {returned} returned, {failed} failed")
}

fn zero(param: ValueType) -> WasmValue {
    match param {
        ValueType::I64 => WasmValue::I64(0),
        ValueType::F32 => WasmValue::F32(0.0),
        ValueType::F64 => WasmValue::F64(0.0),
        ValueType::ExternRef => WasmValue::ExternRef(0),
        _ => WasmValue::I32(0),
    }
}

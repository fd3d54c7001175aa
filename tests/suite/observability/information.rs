//! What a plugin says of itself, if it can be believed.

use super::{metrics, observed, one_instance};
use crate::support::{fixture, wat};
use wasm_runtime::{Extension, ExtensionCapability, ExtensionInfo, WasmPluginInstance};

/// A guest whose `info` answers these bytes.
fn answering(answer: &[u8]) -> Vec<u8> {
    let data: String = answer.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let len = answer.len();
    wat(&format!(
        r#"(module
            (memory (export "memory") 1)
            (data (i32.const 1024) "{data}")
            (func (export "soch_alloc") (param i32) (result i32) (i32.const 0))
            (func (export "info") (param i32 i32) (result i64)
                (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const {len}))))"#
    ))
}

fn fields(texts: &[&[u8]]) -> Vec<u8> {
    let field =
        |text: &&[u8]| [&u32::try_from(text.len()).unwrap().to_le_bytes()[..], text].concat();
    texts.iter().flat_map(field).collect()
}

fn info_of(wasm: &[u8]) -> ExtensionInfo {
    observed(wasm, one_instance()).1.info()
}

fn assert_unknown(wasm: &[u8], what: &str) {
    let (_registry, observed) = observed(wasm, one_instance());
    let hash: String = observed.plugin().module_hash().iter().map(|b| format!("{b:02x}")).collect();
    let expected = ExtensionInfo {
        name: "plugin".into(),
        version: hash[..12].into(),
        description: String::new(),
        author: String::new(),
        capabilities: vec![ExtensionCapability::Observability],
    };
    assert_eq!(observed.info(), expected, "{what}");
}

#[test]
fn a_plugin_says_who_it_is() {
    let (_registry, metrics) = metrics();
    let expected = ExtensionInfo {
        name: "metrics".into(),
        version: "1.0".into(),
        description: "adds up metrics, spans and log lines".into(),
        author: "wasm-plugin-runtime".into(),
        capabilities: vec![ExtensionCapability::Observability],
    };
    assert_eq!(metrics.info(), expected);
    assert_eq!(metrics.stats(), wasm_runtime::ObservabilityStats::default(), "it is no event");
    let longest = "ü".repeat(64);
    let info = info_of(&answering(&fields(&[longest.as_bytes(), b"", b"", b""])));
    assert_eq!((info.name, info.version), (longest, String::new()));
}

#[test]
fn a_plugin_that_does_not_say_has_its_name_and_the_beginning_of_its_hash() {
    let whole = fields(&[b"n", b"v", b"d", b"a"]);
    assert_eq!(info_of(&answering(&whole)).name, "n");
    let too_long = [b'x'; 129];
    for (what, answer) in [
        ("nothing", Vec::new()),
        ("three fields", fields(&[b"n", b"v", b"d"])),
        ("five fields", fields(&[b"n", b"v", b"d", b"a", b"e"])),
        ("a byte too few", whole[..whole.len() - 1].to_vec()),
        ("a byte too many", [&whole[..], b"!"].concat()),
        ("a field too long", fields(&[b"n", b"v", b"d", &too_long])),
        ("no UTF-8", fields(&[b"\xff", b"v", b"d", b"a"])),
        ("a length that wraps", [&[0xff; 4][..], &whole].concat()),
    ] {
        assert_unknown(&answering(&answer), what);
    }
    assert_unknown(&fixture("counter"), "no `info`");
    let of_another_type = wat(r#"(module (func (export "info") (result i64) (i64.const 0)))"#);
    assert_unknown(&of_another_type, "`info` of another type");
    let no_allocator = wat(r#"(module (memory (export "memory") 1)
        (func (export "info") (param i32 i32) (result i64) (i64.const 0)))"#);
    assert_unknown(&no_allocator, "no allocator");
    for body in
        ["unreachable", "(loop (br 0)) (i64.const 0)", "(i64.const -2)", "(i64.const -4096)"]
    {
        let wasm = wat(&format!(
            r#"(module (memory (export "memory") 1)
                (func (export "soch_alloc") (param i32) (result i32) (i32.const 8))
                (func (export "info") (param i32 i32) (result i64) {body}))"#
        ));
        assert_unknown(&wasm, body);
    }
}

#[test]
fn a_plugin_that_was_never_initialised_is_known_by_name() {
    let wasm = fixture("metrics");
    let plugin = WasmPluginInstance::new("alone", &wasm, one_instance()).unwrap();
    let observed = wasm_runtime::WasmObservabilityPlugin::new(plugin.into());
    assert_eq!(observed.info().name, "alone");
    observed.plugin().init().unwrap();
    assert_eq!(observed.info().name, "metrics");
}

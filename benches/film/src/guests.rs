//! The guests, assembled from text.

/// Where a guest keeps the name of what it is about: 5 bytes.
pub const NAME: &str = "users";
/// The key of the row that is read: 8 bytes.
pub const KEY: [u8; 8] = 4_711_u64.to_be_bytes();
/// How many bytes the row has.
pub const ROW_BYTES: usize = 64;

/// A guest that calls nothing but what an embedder defines: `env.nothing` and `env.next`.
///
/// Exports `nop: () -> ()`, `add: (i32 i32) -> i32`, and the loops `empty`, `nothing` and `next`:
/// `(i32) -> i32`, which turn as often as they are told and answer how often they did.
pub fn calls() -> Vec<u8> {
    let loops = [
        looping("empty", ""),
        looping("nothing", "(call $nothing)"),
        // Counts with the host's own addition instead of the guest's.
        "(func (export \"next\") (param $n i32) (result i32) (local $done i32)
           (loop $again
             (local.set $done (call $next (local.get $done)))
             (br_if $again (i32.lt_u (local.get $done) (local.get $n))))
           (local.get $done))"
            .to_owned(),
    ];
    assemble(&format!(
        "(module
           (import \"env\" \"nothing\" (func $nothing))
           (import \"env\" \"next\" (func $next (param i32) (result i32)))
           (memory (export \"memory\") 1)
           (func (export \"nop\"))
           (func (export \"add\") (param i32 i32) (result i32)
             (i32.add (local.get 0) (local.get 1)))
           {})",
        loops.concat()
    ))
}

/// A metric's name: 24 bytes.
pub const METRIC: &str = "plugin_requests_in_total";
/// Its labels, `method=GET` and `status=200`, as they are on the wire: 34 bytes.
pub const LABELS: &[u8] = b"\x06\0\0\0method\x03\0\0\0GET\x06\0\0\0status\x03\0\0\x00200";

/// A guest that counts a metric up with `soch_v1.emit_metric`.
///
/// Exports the loops `empty`, `emit`, with a name of 64 bytes and no labels, and `emit_labels`, with
/// the name [`METRIC`] and [`LABELS`].
pub fn metrics() -> Vec<u8> {
    let emit = |name: i32, name_len: usize, labels_len: usize| {
        format!(
            "(if (call $emit (i32.const 0) (i32.const {name}) (i32.const {name_len})
                   (f64.const 1) (i32.const 128) (i32.const {labels_len}))
               (then unreachable))"
        )
    };
    with_host(
        "emit_metric",
        "emit",
        "(param i32 i32 i32 f64 i32 i32) (result i32)",
        &[
            looping("empty", ""),
            looping("emit", &emit(256, 64, 0)),
            looping("emit_labels", &emit(64, METRIC.len(), LABELS.len())),
        ],
    )
}

/// A guest that reads a row of [`ROW_BYTES`] bytes with `soch_v1.soch_read`.
///
/// Exports the loops `empty`, `read` and `read_denied`, which asks for another table; they trap if
/// the answer is another than the row's length or the status -1.
pub fn reads() -> Vec<u8> {
    let read = |table: i32, answer: i32| {
        format!(
            "(if (i32.ne (i32.const {answer})
                   (call $read (i32.const {table}) (i32.const 5) (i32.const 32) (i32.const 8)
                               (i32.const 1024) (i32.const 4096)))
               (then unreachable))"
        )
    };
    with_host(
        "soch_read",
        "read",
        "(param i32 i32 i32 i32 i32 i32) (result i32)",
        &[
            looping("empty", ""),
            looping("read", &read(16, ROW_BYTES as i32)),
            looping("read_denied", &read(256, -1)),
        ],
    )
}

/// A guest with one function of `soch_v1`, and the name and the key in its memory.
fn with_host(function: &str, short: &str, signature: &str, loops: &[String]) -> Vec<u8> {
    assemble(&format!(
        "(module
           (import \"soch_v1\" \"{function}\" (func ${short} {signature}))
           (memory (export \"memory\") 1)
           (data (i32.const 16) \"{NAME}\")
           (data (i32.const 32) \"{}\")
           (data (i32.const 64) \"{METRIC}\")
           (data (i32.const 128) \"{}\")
           (data (i32.const 256) \"{}\")
           {})",
        escaped(&KEY),
        escaped(LABELS),
        "m".repeat(64),
        loops.concat()
    ))
}

/// Bytes as the text format writes them.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A function `name: (n: i32) -> i32` that does `body` n times and answers n.
fn looping(name: &str, body: &str) -> String {
    format!(
        "(func (export \"{name}\") (param $n i32) (result i32) (local $done i32)
           (loop $again
             {body}
             (local.set $done (i32.add (local.get $done) (i32.const 1)))
             (br_if $again (i32.lt_u (local.get $done) (local.get $n))))
           (local.get $done))"
    )
}

fn assemble(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

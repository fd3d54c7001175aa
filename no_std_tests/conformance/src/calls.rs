//! What is called in a fixture besides each export with zeros and with small numbers.

use wasm_runtime::WasmValue::{self, I32, I64};

/// A call with arguments that mean something.
#[derive(Debug)]
pub enum Call {
    Values(&'static str, &'static [WasmValue]),
    /// By the byte convention.
    Bytes(&'static str, &'static [u8]),
}

use Call::{Bytes, Values};

const VERSE: &[u8] = b"The river flows to the sea, and the sea is not full.";

/// The calls of one fixture, in order.
pub fn calls(fixture: &str) -> &'static [Call] {
    match fixture {
        "kernels" => KERNELS,
        "workload" => WORKLOAD,
        "counter" => &[Values("add", &[I32(40)]), Values("get", &[])],
        "echo" => &[
            Bytes("echo", VERSE),
            Bytes("copy", VERSE),
            Bytes("length", VERSE),
            Bytes("answer_len", &[100, 0, 0, 0]),
            Bytes("nothing", VERSE),
            Bytes("status", &[0xfe, 0xff, 0xff, 0xff]),
            Bytes("trap", VERSE),
        ],
        "tally" | "tally_wide" => &[
            Values("vote", &[I32(2)]),
            Bytes("soch_save", b""),
            Bytes("soch_restore", &[7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 10, 0, 0, 0]),
            Values("votes", &[I32(1)]),
        ],
        "rate_limiter" => &[
            Values("allow", &[I32(1), I32(0)]),
            Values("allow", &[I32(1), I32(1)]),
            Values("allow", &[I32(1), I32(2)]),
            Values("allow", &[I32(1), I32(3)]),
            Values("allow", &[I32(1), I32(4)]),
            Values("allow", &[I32(1), I32(5)]),
            Values("allow", &[I32(2), I32(5)]),
            Values("allow", &[I32(1), I32(1_005)]),
        ],
        "sensor" => &[Values("average", &[I32(7), I32(16)])],
        "row_validator" => &[
            Bytes("validate", b"1,Ada,ada@example.org,36"),
            Bytes("validate", b"1,Ada,nowhere,36"),
            Bytes("validate_table", b"people"),
            Bytes("validate_table", b"nowhere"),
        ],
        "aggregate" => &[Bytes("sum", b"rivers"), Bytes("sum", b"people")],
        "semantic_search" => {
            &[Bytes("search", b"\x02\0\0\0\x05\0\0\0users\x06\0\0\0places\0\0\x80\x3f\0\0\0\x40")]
        }
        "caller" => &[
            Bytes("relay", b"echo\0echo\0all is well"),
            Bytes("relay", b"echo\0trap\0all is well"),
            Bytes("explain", b"echo\0trap\0"),
            Bytes("explain", b"nobody\0echo\0"),
        ],
        "metrics" => METRICS,
        "text_transform" => {
            &[Bytes("upper", VERSE), Bytes("reverse_words", VERSE), Bytes("word_count", VERSE)]
        }
        "word_frequencies" => &[Bytes("word_frequencies", VERSE)],
        "memory64" | "custom_page_size" => &[Bytes("echo", b"hello")],
        "misbehaving/liar_answers" => &[
            Bytes("ok", b"hello"),
            Bytes("ok_at_the_end", b"hello"),
            Bytes("wild_ptr", b"hello"),
            Bytes("wild_len", b"hello"),
            Bytes("one_beyond", b"hello"),
            Bytes("wrapping", b"hello"),
            Bytes("not_a_status", b"hello"),
            Bytes("lowest", b"hello"),
            Bytes("status4095", b"hello"),
        ],
        "misbehaving/deep_recursion" => &[
            Values("depth", &[I32(900)]),
            Values("depth", &[I32(1_100)]),
            Values("endless_large_frames", &[I64(0)]),
        ],
        "misbehaving/metric_flood" => &[Values("flood", &[I32(300)])],
        liar if liar.starts_with("misbehaving/liar_") => &[Bytes("echo", b"hello")],
        _ => &[],
    }
}

const KERNELS: &[Call] = &[
    Values("spin", &[I32(1_000)]),
    Values("sieve", &[I32(1_000)]),
    Values("fib", &[I32(14)]),
    Values("crc32", &[I32(200)]),
    Values("sort", &[I32(200)]),
    Values("mandelbrot", &[I32(12)]),
    Values("dispatch", &[I32(300)]),
    Values("bulk", &[I32(20)]),
    Values("matmul", &[I32(10)]),
    Values("mix", &[I32(300)]),
];

const WORKLOAD: &[Call] = &[
    Values("nop", &[I32(7)]),
    Values("coremark", &[I32(1)]),
    Values("sha256", &[I32(1)]),
    Values("sieve", &[I32(1_000)]),
    Values("matmul", &[I32(8)]),
    Values("json", &[I32(1)]),
    Values("regex", &[I32(1)]),
    Values("markdown", &[I32(1)]),
];

const METRICS: &[Call] = &[
    Bytes("info", b""),
    Bytes("snapshot", b""),
    Bytes("counter_inc", b"no event"),
    Bytes("reset", b""),
];

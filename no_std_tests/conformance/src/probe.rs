//! A guest that passes any arguments on to any host function, and the ordinary call of each.

use crate::{
    check::{Result, some},
    setup::{self, Plugin, ROW_ID},
};
use alloc::{format, vec::Vec};
use wasm_runtime::{WasmInstanceConfig, WasmPluginRegistry, WasmValue, WasmValues};

/// Where the guest has the arguments, and room for answers: pointer and length.
pub const TABLE: [i32; 2] = [256, 5];
pub const KEY: [i32; 2] = [512, 3];
pub const VALUE: [i32; 2] = [768, 3];
pub const PLUGIN: [i32; 2] = [1024, 4];
pub const LABELS: [i32; 2] = [1280, 10];
/// A query, in components.
pub const QUERY: [i32; 2] = [1536, 2];
pub const HIGH: [i32; 2] = [1792, 3];
pub const OUT: [i32; 2] = [8192, 64];
/// Far outside of the memory.
pub const WILD: i32 = -16;

/// An ordinary call of a host function, which succeeds.
#[derive(Debug)]
pub struct Ordinary {
    pub function: &'static str,
    pub args: &'static [WasmValue],
    /// What it answers.
    pub status: i32,
    /// What it leaves in the guest's output, from its beginning on.
    pub output: &'static [u8],
}

macro_rules! args {
    ($($part:expr),*) => { &[$(WasmValue::I32($part)),*] };
}

const ROW: u8 = 7;
const _: () = assert!(ROW as u64 == ROW_ID);

/// Every built-in host function, in an order in which each finds what it needs.
pub static ORDINARY: [Ordinary; 12] = [
    ordinary("soch_read", args![TABLE[0], 5, KEY[0], 3, OUT[0], 64], 3, b"row"),
    ordinary("soch_write", args![TABLE[0], 5, KEY[0], 3, VALUE[0], 3], 1, b""),
    ordinary(
        "soch_scan",
        args![TABLE[0], 5, KEY[0], 3, 10, OUT[0], 64],
        14,
        b"\x03\0\0\0key\x03\0\0\0row",
    ),
    ordinary(
        "vector_search",
        args![TABLE[0], 5, QUERY[0], 2, 1, OUT[0], 64],
        1,
        &[ROW, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ),
    ordinary(
        "index_lookup",
        args![TABLE[0], 5, KEY[0], 3, OUT[0], 64],
        1,
        &[ROW, 0, 0, 0, 0, 0, 0, 0],
    ),
    ordinary(
        "index_range",
        args![TABLE[0], 5, KEY[0], 3, HIGH[0], 3, 10, OUT[0], 64],
        2,
        &[ROW, 0, 0, 0, 0, 0, 0, 0, 8],
    ),
    Ordinary {
        function: "emit_metric",
        args: &[
            WasmValue::I32(0),
            WasmValue::I32(TABLE[0]),
            WasmValue::I32(5),
            WasmValue::F64(2.5),
            WasmValue::I32(LABELS[0]),
            WasmValue::I32(10),
        ],
        status: 0,
        output: b"",
    },
    ordinary("log_message", args![1, VALUE[0], 3], 0, b""),
    ordinary("get_config", args![TABLE[0], 5, OUT[0], 64], 4, b"blue"),
    ordinary("call_plugin", args![PLUGIN[0], 4, PLUGIN[0], 4, VALUE[0], 3, OUT[0], 64], 3, b"row"),
    ordinary("last_answer", args![0, OUT[0], 64], 0, b""),
    ordinary("soch_delete", args![TABLE[0], 5, KEY[0], 3], 1, b""),
];

const fn ordinary(
    function: &'static str,
    args: &'static [WasmValue],
    status: i32,
    output: &'static [u8],
) -> Ordinary {
    Ordinary { function, args, status, output }
}

/// The fixture `abi_probe`, with one sandbox, beside `echo`.
pub struct Probe {
    pub registry: WasmPluginRegistry,
    pub plugin: Plugin,
}

impl Probe {
    pub fn new(config: WasmInstanceConfig) -> Result<Self> {
        let registry = setup::registry()?;
        setup::load(&registry, "echo", setup::granted())?;
        let plugin = setup::load(&registry, "abi_probe", config)?;
        let mut lease = plugin.lease()?;
        let query = [1.0_f32, 2.0].map(f32::to_le_bytes).concat();
        let parts: [(i32, &[u8]); 7] = [
            (TABLE[0], b"users"),
            (KEY[0], b"key"),
            (VALUE[0], b"row"),
            (PLUGIN[0], b"echo"),
            (LABELS[0], b"\x01\0\0\0a\x01\0\0\0b"),
            (QUERY[0], &query),
            (HIGH[0], b"zzz"),
        ];
        for (at, bytes) in parts {
            lease.write("memory", at.cast_unsigned().into(), bytes)?;
        }
        drop(lease);
        Ok(Self { registry, plugin })
    }

    /// Calls a host function; its status.
    pub fn call(&self, function: &str, args: &[WasmValue]) -> Result<i32> {
        let values = self.plugin.call(&format!("call_{function}"), args)?;
        some(function, values.first().and_then(WasmValue::as_i32))
    }

    /// What calls a host function `n` times in one call of the guest, and answers the last status.
    pub fn often(&self, call: &'static Ordinary) -> impl Fn(i32) -> Result<i32> {
        let function = format!("loop_{}", call.function);
        move |n| {
            let args: WasmValues = [WasmValue::I32(n)].iter().chain(call.args).copied().collect();
            let values = self.plugin.call(&function, &args)?;
            some(call.function, values.first().and_then(WasmValue::as_i32))
        }
    }

    /// The first bytes of the guest's output.
    pub fn output(&self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = alloc::vec![0; len];
        self.plugin.lease()?.read("memory", OUT[0].cast_unsigned().into(), &mut bytes)?;
        Ok(bytes)
    }
}

//! One sandbox held across several calls: a checksum over a file, in pieces, in the plugin's own memory.
//!
//! The plugin has no byte convention; the host reads and writes its memory as the two agreed.
//!
//! `cargo run --release --example leases`

use wasm_runtime::{
    ErrorKind, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

const PAGE_BYTES: u64 = 64 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = WasmPluginRegistry::new();
    let capabilities = WasmPluginCapabilities { fuel_limit: 10_000_000, ..Default::default() };
    let config = WasmInstanceConfig { capabilities, ..Default::default() };
    registry.load("kernels", include_bytes!("../fixtures/wasm/kernels.wasm"), config.clone())?;
    registry.load("counter", include_bytes!("../fixtures/wasm/counter.wasm"), config)?;

    println!("Checksums, through the plugin's memory:");
    let kernels = registry.get("kernels").ok_or("not loaded")?;
    let mut lease = kernels.lease()?;
    // A page of our own behind all that the plugin uses.
    let room = lease.grow("memory", 1)? * PAGE_BYTES;
    for (text, expected) in [
        (&b"123456789"[..], 0xcbf4_3926), // the check value that every CRC-32 has
        (b"The quick brown fox jumps over the lazy dog", 0x414f_a339),
        (include_bytes!("../LICENSE-APACHE"), crc32(include_bytes!("../LICENSE-APACHE"))),
    ] {
        lease.write("memory", room, text)?;
        let range = [i32::try_from(room)?, i32::try_from(text.len())?].map(WasmValue::I32);
        let sum = lease.call("crc32_of", &range)?.first().and_then(|sum| sum.as_i32());
        let sum = sum.ok_or("no answer")?.cast_unsigned();
        println!("  {sum:08x} of {} bytes", text.len());
        assert_eq!(sum, expected);
    }
    let mut read = [0; 52];
    lease.read("memory", room, &mut read)?;
    println!("  read back: {:?}", String::from_utf8_lossy(&read).trim());

    println!("What lies outside of the memory is an error:");
    let end = lease.memory_bytes("memory").ok_or("no memory")?;
    let error = lease.write("memory", end - 4, b"too long").err().ok_or("it was written")?;
    println!("  {error}");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);

    println!("Two leases are two sandboxes, each with its own state:");
    let counter = registry.get("counter").ok_or("not loaded")?;
    let (mut one, mut other) = (counter.lease()?, counter.lease()?);
    for _ in 0..3 {
        one.call("increment", &[])?;
    }
    other.call("increment", &[])?;
    let (one, other) = (one.call("get", &[])?, other.call("get", &[])?);
    println!("  {one:?} and {other:?}");
    assert_eq!((&*one, &*other), (&[WasmValue::I32(3)][..], &[WasmValue::I32(1)][..]));
    Ok(())
}

/// The same checksum, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

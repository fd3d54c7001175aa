//! The board's PL011.

use core::ptr::with_exposed_provenance_mut;

const DATA: usize = 0x0900_0000;
const FLAGS: usize = DATA + 0x18;
const TRANSMIT_FULL: u32 = 1 << 5;

/// Sends it and waits until the last byte is taken.
pub(crate) fn write(text: &str) {
    let (data, flags) =
        (with_exposed_provenance_mut::<u32>(DATA), with_exposed_provenance_mut::<u32>(FLAGS));
    for byte in text.bytes() {
        // SAFETY: both are mapped registers of the device, which only this function uses.
        unsafe {
            while flags.read_volatile() & TRANSMIT_FULL != 0 {}
            data.write_volatile(byte.into());
        }
    }
}

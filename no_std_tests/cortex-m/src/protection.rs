//! The memory protection unit: nothing that can be written can be run.

use cortex_m::{
    asm::{dsb, isb},
    peripheral::MPU,
};

/// Access for privileged code: none, both, reading.
const NONE: u32 = 0;
const READ_WRITE: u32 = 0b001 << 24;
const READ: u32 = 0b101 << 24;
const NEVER_RUN: u32 = 1 << 28;
/// Normal memory, write-back: cacheable and bufferable.
const NORMAL: u32 = 1 << 17 | 1 << 16;
/// A device: bufferable alone.
const DEVICE: u32 = 1 << 16;

/// Base, log2 of the size in bytes, attributes. Where regions overlap the last one counts.
const REGIONS: [(u32, u32, u32); 5] = [
    (0x0000_0000, 22, READ | NORMAL),
    // Null: the vector table, which the processor reads all the same.
    (0x0000_0000, 8, NONE | NEVER_RUN | NORMAL),
    (0x2000_0000, 22, READ_WRITE | NEVER_RUN | NORMAL),
    (0x2100_0000, 24, READ_WRITE | NEVER_RUN | NORMAL),
    // The timer.
    (0x4000_0000, 12, READ_WRITE | NEVER_RUN | DEVICE),
];

/// Allows what [`REGIONS`] names and nothing else, handlers of hard faults apart.
///
/// # Safety
///
/// Code, stack and all data in use lie in the regions, as they are to be used.
pub(crate) unsafe fn switch_on() {
    const ENABLE: u32 = 1;
    // SAFETY: the registers are the unit's; at reset nothing else uses them.
    let mpu = unsafe { &*MPU::PTR };
    for (number, (base, log2_bytes, attributes)) in (0..).zip(REGIONS) {
        // SAFETY: sets up a region; it counts once the unit is on, which the caller allows.
        unsafe {
            mpu.rnr.write(number);
            mpu.rbar.write(base);
            mpu.rasr.write(attributes | (log2_bytes - 1) << 1 | ENABLE);
        }
    }
    dsb();
    // SAFETY: the caller's promise.
    unsafe { mpu.ctrl.write(ENABLE) };
    dsb();
    isb();
}

//! Arm's semihosting: calls that the emulator answers.

use core::arch::asm;

const WRITE0: usize = 0x04;
const EXIT: usize = 0x18;
/// "The application ended by itself"; anything else is an error to the emulator.
const APPLICATION_EXIT: usize = 0x2_0026;

/// Writes to the emulator's console.
pub fn write(text: &str) {
    // The call takes text that ends with a zero.
    let mut buffer = [0; 65];
    for part in text.as_bytes().chunks(buffer.len() - 1) {
        buffer[..part.len()].copy_from_slice(part);
        buffer[part.len()] = 0;
        // SAFETY: the call reads the buffer up to its zero.
        unsafe { call(WRITE0, buffer.as_ptr().addr()) };
    }
}

/// Ends the emulator: exit code 0 if the firmware passed, else 1.
pub fn exit(passed: bool) -> ! {
    let status = usize::from(!passed);
    let block = [APPLICATION_EXIT, status];
    // On 32 bits the call takes the reason itself and no code; the emulator then ends with 1 for any other.
    let short = if passed { APPLICATION_EXIT } else { status };
    let argument = if cfg!(target_pointer_width = "64") { block.as_ptr().addr() } else { short };
    loop {
        // SAFETY: the call reads the block, if it is given one.
        unsafe { call(EXIT, argument) };
    }
}

/// # Safety
///
/// `argument` is what the operation takes; what it points to may be read.
unsafe fn call(operation: usize, argument: usize) {
    // SAFETY: the emulator changes no register but the first, and no memory by the operations here.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("bkpt #0xab", inout("r0") operation => _, in("r1") argument, options(nostack, readonly));
        #[cfg(target_arch = "aarch64")]
        asm!("hlt #0xf000", inout("x0") operation => _, in("x1") argument, options(nostack, readonly));
    }
}

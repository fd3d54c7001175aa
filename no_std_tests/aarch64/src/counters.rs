//! The generic timer, and the count of instructions.

use core::arch::asm;
use firmware::Widened;

/// The performance monitors' event "instruction retired".
const INST_RETIRED: u64 = 0x08;

/// Starts the first event counter on instructions.
pub(crate) fn start() {
    // SAFETY: registers of the performance monitors; they count and change nothing else.
    unsafe {
        asm!(
            "msr pmevtyper0_el0, {event}",
            "msr pmcntenset_el0, {first}",
            "mrs {control}, pmcr_el0",
            "orr {control}, {control}, #1",
            "msr pmcr_el0, {control}",
            "isb",
            event = in(reg) INST_RETIRED,
            first = in(reg) 1_u64,
            control = out(reg) _,
            options(nomem, nostack),
        );
    }
}

static INSTRUCTIONS: Widened = Widened::new();

/// Instructions, or `None` where the processor does not count them: QEMU without `-icount`. Right if
/// it is read before the counter's 32 bits wrap.
pub(crate) fn instructions() -> Option<u64> {
    let (events, count): (u64, u64);
    // SAFETY: reads two registers. Not `nomem`: what is counted stays before or after it.
    unsafe {
        asm!(
            "isb",
            "mrs {events}, pmceid0_el0",
            "mrs {count}, pmevcntr0_el0",
            events = out(reg) events,
            count = out(reg) count,
            options(nostack),
        );
    }
    (events & 1 << INST_RETIRED != 0).then(|| INSTRUCTIONS.at(count as u32))
}

/// Microseconds of the generic timer.
pub(crate) fn clock_us() -> u64 {
    let (ticks, per_second): (u64, u64);
    // SAFETY: reads two registers.
    unsafe {
        asm!(
            "isb",
            "mrs {ticks}, cntvct_el0",
            "mrs {per_second}, cntfrq_el0",
            ticks = out(reg) ticks,
            per_second = out(reg) per_second,
            options(nomem, nostack),
        );
    }
    ticks / per_second * 1_000_000 + ticks % per_second * 1_000_000 / per_second
}

//! Mistakes made on purpose: `run.sh BOARD faults` sees each end as a line and exit code 1.

use crate::{Board, end::Console};
use core::{
    hint::black_box,
    mem,
    ptr::{self, null_mut},
};

/// What the word holds above the mistake's number.
const ASKED: u32 = 0xbad0_0000;

/// Makes the mistake that the emulator asks for, if it does, and exits with 0 if nothing came of it.
///
/// # Safety
///
/// `word` is the address of an aligned word that can be read.
pub(crate) unsafe fn make_if_asked<B: Board>(word: usize) {
    // SAFETY: the caller's promise.
    let asked = unsafe { ptr::with_exposed_provenance::<u32>(word).read_volatile() };
    match asked.wrapping_sub(ASKED) {
        1 => panic!("on purpose"),
        2 => B::undefined_instruction(),
        3 => write_through_null(),
        4 => _ = descend(0),
        5 => write_to_code::<B>(),
        6 => run_data(B::RETURN),
        _ => return,
    }
    Console::<B>::print(format_args!("mistake {asked:#x}: nothing came of it"));
    B::exit(true)
}

fn write_through_null() {
    // SAFETY: none, which is the purpose: the board's memory protection is to stop it.
    unsafe { black_box(null_mut::<u32>()).write_volatile(1) };
}

/// Recurses without end.
#[expect(unconditional_recursion, reason = "an overflow is what it is for")]
fn descend(depth: usize) -> usize {
    let frame = black_box([depth; 16]);
    descend(depth + 1) + frame[depth % 16]
}

fn write_to_code<B: Board>() {
    let code = (B::undefined_instruction as fn() as usize & !3) as *mut u32;
    // SAFETY: none, which is the purpose; the value written is the one that is there.
    unsafe { code.write_volatile(code.read_volatile()) };
}

/// Calls a function that lies in writable memory.
fn run_data(code: [u8; 4]) {
    #[repr(align(4))]
    struct Code([u8; 4]);
    let code = black_box(Code(code));
    // On Arm the lowest bit says that the code is Thumb.
    let thumb = usize::from(cfg!(target_arch = "arm"));
    let entry = black_box(code.0.as_ptr().wrapping_add(thumb));
    // SAFETY: none, which is the purpose. Where writable memory could be run, it would return.
    unsafe { mem::transmute::<*const u8, extern "C" fn()>(entry)() };
}

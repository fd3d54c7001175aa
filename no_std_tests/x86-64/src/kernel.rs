//! System calls of Linux.

use core::arch::asm;

pub(crate) const WRITE: usize = 1;
pub(crate) const MPROTECT: usize = 10;
pub(crate) const SIGACTION: usize = 13;
pub(crate) const SIGALTSTACK: usize = 131;
pub(crate) const CLOCK_GETTIME: usize = 228;
pub(crate) const EXIT_GROUP: usize = 231;

/// Makes a system call of up to four arguments.
///
/// # Safety
///
/// Its arguments are what the call takes; what they point to may be read, and written if the call does.
pub(crate) unsafe fn call(number: usize, [a, b, c, d]: [usize; 4]) -> isize {
    let answer;
    // SAFETY: the caller's promise; the kernel changes no other registers than these.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

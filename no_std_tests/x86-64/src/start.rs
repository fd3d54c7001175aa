//! From the kernel to `main`, on a stack of our own.

use core::arch::global_asm;

global_asm!(
    ".global _start",
    "_start:",
    // The number of arguments, the program's name included, is on the kernel's stack.
    "mov rdi, [rsp]",
    "xor ebp, ebp",
    "lea rsp, [rip + {stack} + {size}]",
    "call {main}",
    "ud2",
    stack = sym crate::board::STACK,
    size = const crate::board::STACK_BYTES,
    main = sym crate::main,
);

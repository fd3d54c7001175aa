//! From the kernel to `main`, on a stack of our own.

use core::arch::global_asm;

global_asm!(
    ".global _start",
    "_start:",
    // What the kernel left on its stack: how many arguments, then their addresses.
    "mov rdi, rsp",
    "xor ebp, ebp",
    "lea rsp, [rip + {stack} + {size}]",
    "call {main}",
    "ud2",
    stack = sym crate::pages::STACK,
    size = const crate::pages::STACK_BYTES,
    main = sym crate::main,
);

//! The page tables: addresses are those of memory, in blocks of 2 MiB, as `link.x` lays them out.

use core::arch::global_asm;

const BLOCK: u64 = 2 << 20;
const GIB: u64 = 1 << 30;

/// A block that has been accessed, shared, at attribute 0.
const NORMAL: u64 = 1 | 3 << 8 | 1 << 10;
/// The same at attribute 1.
const DEVICE: u64 = NORMAL | 1 << 2;
const READ_ONLY: u64 = 1 << 7;
const NEVER_RUN: u64 = 3 << 53;

#[repr(C, align(4096))]
struct Table([u64; 512]);

/// From 0: the devices. Null is not mapped.
static LOW: Table = Table::empty().map(0x0800_0000, 0x0a00_0000, DEVICE | NEVER_RUN);

/// From 1 GiB: memory, but for the first block, below the stack.
static RAM: Table = Table::empty()
    .map(0x4020_0000, 0x4040_0000, NORMAL | NEVER_RUN)
    .map(0x4040_0000, 0x4100_0000, NORMAL | READ_ONLY)
    .map(0x4100_0000, 0x4500_0000, NORMAL | NEVER_RUN);

impl Table {
    const fn empty() -> Self {
        Self([0; 512])
    }

    const fn map(mut self, low: u64, high: u64, attributes: u64) -> Self {
        let mut block = low;
        while block < high {
            self.0[(block % GIB / BLOCK) as usize] = block | attributes;
            block += BLOCK;
        }
        self
    }
}

unsafe extern "C" {
    /// The first table: 1 GiB an entry.
    #[link_name = "page_tables"]
    pub(crate) static level_1: u8;
}

// In assembly, since a constant of Rust cannot hold an address with bits set.
global_asm!(
    ".section .rodata.page_tables, \"a\"",
    ".balign 4096",
    ".global page_tables",
    "page_tables:",
    ".quad {low} + 3",
    ".quad {ram} + 3",
    ".fill 510, 8, 0",
    low = sym LOW,
    ram = sym RAM,
);

//! wasm3, which has no fuel and no other way to stop a guest.

use super::{Peer, must};
use crate::{
    case::{Line, Run, Runtime},
    kernels::{self, Kernel},
    modules::Module,
};
use peer_wasm3::Instance;
use std::hint::black_box;

/// Bytes of the stack that a guest has.
const STACK_BYTES: u32 = 1 << 20;

/// wasm3.
pub struct Wasm3;

impl Peer for Wasm3 {
    fn line(&self) -> Line {
        Line { runtime: Runtime::Wasm3, how: "no fuel" }
    }

    fn nop(&self) -> Option<Run> {
        let mut guest = must(Instance::new(&Module::pages(1).wasm, STACK_BYTES));
        let nop = must(guest.function("nop"));
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(must(guest.call_i32_i64(&nop, black_box(7))), 7);
            }
        }))
    }

    fn turns(&self, loop_name: &'static str) -> Option<Run> {
        let mut guest = must(Instance::new(&film::guests::calls(), STACK_BYTES));
        let function = must(guest.function(loop_name));
        Some(Box::new(move |n| {
            assert_eq!(must(guest.call_i32_i32(&function, n as i32)), n as i32);
        }))
    }

    /// With an instance, and without code: wasm3 compiles a function when it is looked up.
    fn load(&self, module: &Module) -> Option<Run> {
        let wasm = module.wasm.clone();
        Some(Box::new(move |n| {
            for _ in 0..n {
                drop(black_box(must(Instance::new(&wasm, STACK_BYTES))));
            }
        }))
    }

    fn kernel(&self, kernel: &Kernel) -> Option<Run> {
        let mut guest = must(Instance::new(kernels::WASM, STACK_BYTES));
        let function = must(guest.function(kernel.name));
        let Kernel { argument, answer, .. } = *kernel;
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(must(guest.call_i32_i64(&function, black_box(argument))), answer);
            }
        }))
    }
}

//! The peers written in C, neither of which can stop a guest here: wasm3, and WAMR's fast interpreter
//! with bounds that it compares itself.

use super::{Peer, must};
use crate::{
    case::{Line, Run, Runtime},
    kernels::{self, Kernel},
    modules::Module,
};
use std::hint::black_box;

/// Bytes of the stack that a guest has.
const STACK_BYTES: u32 = 1 << 20;

/// Both crates have the same interface, each with types of its own.
macro_rules! peer {
    ($name:ident, $peer:ident, $what:literal) => {
        #[doc = $what]
        pub struct $name;

        impl Peer for $name {
            fn line(&self) -> Line {
                Line { runtime: Runtime::$name, how: "no fuel" }
            }

            fn nop(&self) -> Option<Run> {
                let mut guest = must($peer::Instance::new(&Module::pages(1).wasm, STACK_BYTES));
                let nop = must(guest.function("nop"));
                Some(Box::new(move |n| {
                    for _ in 0..n {
                        assert_eq!(must(guest.call_i32_i64(&nop, black_box(7))), 7);
                    }
                }))
            }

            fn turns(&self, loop_name: &'static str) -> Option<Run> {
                let mut guest = must($peer::Instance::new(&film::guests::calls(), STACK_BYTES));
                let function = must(guest.function(loop_name));
                Some(Box::new(move |n| {
                    assert_eq!(must(guest.call_i32_i32(&function, n as i32)), n as i32);
                }))
            }

            /// With an instance.
            fn load(&self, module: &Module) -> Option<Run> {
                let wasm = module.wasm.clone();
                Some(Box::new(move |n| {
                    for _ in 0..n {
                        drop(black_box(must($peer::Instance::new(&wasm, STACK_BYTES))));
                    }
                }))
            }

            fn kernel(&self, kernel: &Kernel) -> Option<Run> {
                let mut guest = must($peer::Instance::new(kernels::WASM, STACK_BYTES));
                let function = must(guest.function(kernel.name));
                let Kernel { argument, answer, .. } = *kernel;
                Some(Box::new(move |n| {
                    for _ in 0..n {
                        assert_eq!(
                            must(guest.call_i32_i64(&function, black_box(argument))),
                            answer
                        );
                    }
                }))
            }
        }
    };
}

peer!(Wasm3, peer_wasm3, "wasm3, which compiles a function when it is looked up.");
peer!(Wamr, peer_wamr, "WAMR.");

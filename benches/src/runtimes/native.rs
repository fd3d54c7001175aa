//! The kernels, compiled for this machine.

use super::Peer;
use crate::{
    case::{Line, Run, Runtime},
    kernels::Kernel,
};
use std::hint::black_box;

/// Native code.
pub struct Native;

impl Peer for Native {
    fn line(&self) -> Line {
        Line { runtime: Runtime::Native, how: "" }
    }

    fn kernel(&self, kernel: &Kernel) -> Option<Run> {
        let Kernel { argument, answer, native, .. } = *kernel;
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(black_box(native)(black_box(argument)), answer);
            }
        }))
    }
}

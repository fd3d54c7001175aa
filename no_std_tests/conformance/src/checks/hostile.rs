//! No bytes whatever panic, hang or stay.

use crate::{
    Device,
    check::{Result, checks, same, that},
    fixtures::FIXTURES,
    setup::{bare, i32s, registry},
};
use alloc::vec::Vec;

checks![cut_modules_are_refused, modules_with_a_wrong_byte_are_refused_or_contained];

/// The longest module that is tried.
const SMALL_BYTES: usize = 2_000;

/// What ends between two sections may be a whole module; most ends are not.
fn cut_modules_are_refused(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let (mut refused, mut whole) = (0_u32, 0_u32);
    for fixture in FIXTURES.iter().filter(|fixture| fixture.wasm.len() <= SMALL_BYTES) {
        let step = 1 + fixture.wasm.len() / 40;
        for len in (0..fixture.wasm.len()).step_by(step) {
            let cut = fixture.wasm.get(..len).unwrap_or_default();
            match registry.load("cut", cut, bare()) {
                Err(_) => refused += 1,
                Ok(()) => {
                    whole += 1;
                    registry.unload("cut")?;
                }
            }
        }
    }
    that(format_args!("{refused} refused, {whole} whole"), refused > 1_000 && whole < 100)?;
    same("plugins", registry.count(), 0)
}

/// One wrong byte at a time, and whatever then still loads is called.
fn modules_with_a_wrong_byte_are_refused_or_contained(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let mut random = Xorshift(0x9e37_79b9);
    let (mut refused, mut loaded) = (0_u32, 0_u32);
    for round in 0..400 {
        let small: Vec<_> = FIXTURES.iter().filter(|f| f.wasm.len() <= SMALL_BYTES).collect();
        let Some(fixture) = small.get(round % small.len()) else { continue };
        let mut wasm = fixture.wasm.to_vec();
        let at = random.next() as usize % wasm.len();
        if let Some(byte) = wasm.get_mut(at) {
            *byte = random.next() as u8;
        }
        let mut config = bare();
        config.capabilities.fuel_limit = 10_000;
        if registry.load("wrong", &wasm, config).is_err() {
            refused += 1;
            continue;
        }
        loaded += 1;
        if let Some(plugin) = registry.get("wrong") {
            for function in plugin.functions() {
                let params = plugin.signature(function).map_or(0, |(params, _)| params.len());
                let args: Vec<_> = (0..params).map(|_| random.next().cast_signed()).collect();
                // Whether it answers or fails is the guest's affair.
                let _ = plugin.call(function, &i32s(&args));
            }
        }
        registry.unload("wrong")?;
    }
    that(format_args!("{refused} refused, {loaded} loaded"), refused > 100 && loaded > 20)?;
    same("plugins", registry.count(), 0)
}

struct Xorshift(u32);

impl Xorshift {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

//! Checks, once per process, that this build's interpreter does not grow the native stack.
//!
//! wasmi threads its fast handlers through tail calls that the compiler may or may not emit. Where
//! it does not, each guest instruction leaves a frame behind, and any loop ends in a stack overflow
//! that nothing can catch. Here a guest turns a few loops through handlers of every family, with a
//! host function at both ends that looks at where the native stack is.
//!
//! `memory.grow`, `table.grow`, `table.init` and two relaxed vector operators are left out: they are
//! known to leak in wasmi 2.0.0 and are priced and sliced so that it does not matter. The other relaxed
//! operators are looked at in finished binaries only, by `tests/handlers.sh`.

use crate::{Error, ErrorKind, sync::Once};
use alloc::{boxed::Box, format, string::String};
use wasmi::{Caller, CompilationMode, Config, Engine, Linker, Module, Store};

/// The guest, built from `fixtures/wat/dispatch_check.wat`.
static GUEST: &[u8] = include_bytes!("../../fixtures/wasm/dispatch_check.wasm");
#[cfg(feature = "simd")]
static SIMD_GUEST: &[u8] = include_bytes!("../../fixtures/wasm/dispatch_check_simd.wasm");

/// Turns of each loop. An unsound build leaks hundreds of bytes a turn, so one turn tells most of
/// them, before sixteen could use up a small stack.
const TURNS: [i32; 2] = [1, 16];
/// The most a sound build may differ between both ends of a loop.
const MAX_GROWTH_BYTES: usize = 1 << 10;

/// Whether the interpreter dispatches by a loop that no optimisation can spoil: there is nothing to
/// check then, and a small device has no room for the check's guest.
///
/// As `Cargo.toml` switches it on.
const IS_PORTABLE: bool = cfg!(any(
    feature = "portable-dispatch",
    not(any(
        all(target_arch = "x86_64", target_feature = "sse2"),
        all(target_arch = "aarch64", target_feature = "neon")
    ))
));

/// Where the native stack was at both ends of a loop.
#[derive(Debug, Default)]
struct Marks([usize; 2]);

/// Says whether plugins may run in this build.
///
/// # Errors
///
/// `UnsoundDispatch`, naming the family of operators that grew the stack, and what to do about it.
pub(crate) fn check() -> Result<(), Error> {
    if IS_PORTABLE {
        return Ok(());
    }
    static VERDICT: Once<Option<Box<str>>> = Once::new();
    match VERDICT.call_once(|| unsound_family().map(String::into_boxed_str)) {
        None => Ok(()),
        Some(what) => Err(Error::host(
            ErrorKind::UnsoundDispatch,
            format!(
                "this build's interpreter grows the native stack ({what}): its tail calls were not \
                 compiled as such. Build it with `opt-level` 2 or 3 and without debug assertions, \
                 `lto = \"off\"`, sanitizers, coverage or profile-guided optimisation, or switch on the feature \
                 `portable-dispatch`"
            ),
        )),
    }
}

/// What grew the stack; nothing if all is well.
fn unsound_family() -> Option<String> {
    let found = run(GUEST);
    #[cfg(feature = "simd")]
    let found = found.and_then(|growth| Ok(growth.or(run(SIMD_GUEST)?)));
    // A check that cannot run proves nothing.
    found.unwrap_or_else(|error| Some(format!("the check itself failed: {error}")))
}

/// Runs every export of `guest`; returns the first that grew the stack.
fn run(guest: &[u8]) -> Result<Option<String>, wasmi::Error> {
    let mut config = Config::default();
    config.consume_fuel(true);
    config.compilation_mode(CompilationMode::Eager);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, guest)?;
    let mut store = Store::new(&engine, Marks::default());
    store.set_fuel(u64::MAX)?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("check", "mark", mark)?;
    linker.func_wrap("check", "add", |a: i32, b: i32| a.wrapping_add(b))?;
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    for export in module.exports() {
        let Ok(family) = instance.get_typed_func::<i32, ()>(&store, export.name()) else {
            continue;
        };
        for turns in TURNS {
            family.call(&mut store, turns)?;
            let [before, after] = store.data().0;
            let growth = before.abs_diff(after);
            if growth > MAX_GROWTH_BYTES {
                let name = export.name();
                return Ok(Some(format!("{growth} bytes in {turns} turns of the family `{name}`")));
            }
        }
    }
    Ok(None)
}

/// Notes where the native stack is. Never inlined, so that both calls stand on the same frame.
#[inline(never)]
fn mark(mut caller: Caller<'_, Marks>, end: i32) {
    let local = 0_u8;
    let here = core::ptr::from_ref(core::hint::black_box(&local)).addr();
    let slot = usize::try_from(end).ok().and_then(|end| caller.data_mut().0.get_mut(end));
    if let Some(slot) = slot {
        *slot = here;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_is_sound_or_says_which_family_is_not() {
        if cfg!(feature = "portable-dispatch") || !cfg!(debug_assertions) {
            assert!(check().is_ok());
        }
    }
}

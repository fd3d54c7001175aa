//! One plugin with one host function over wasmi by hand: fuel, a memory limit, the same checks as
//! `minimal-runtime`.

#![no_std]
#![no_main]

use minimal_board::{Board, entry, fail, hprintln};
use wasmi::{
    Caller, Config, Engine, Error, Instance, Linker, Module, Store, StoreLimits,
    StoreLimitsBuilder, TrapCode, WasmParams, WasmResults,
};

const PLUGIN: &[u8] = include_bytes!("../../../../fixtures/wasm/sensor.wasm");
const FUEL: u64 = 20_000;

/// What the host function works on, and what the plugin may take.
struct State {
    readings: i32,
    limits: StoreLimits,
}

#[entry]
fn main() -> ! {
    let board = Board::start();
    match run(&board) {
        Ok(()) => board.finish(),
        Err(error) => {
            hprintln!("{}", error);
            fail()
        }
    }
}

fn run(board: &Board) -> Result<(), Error> {
    let (mut store, instance) = load(board)?;
    let mean: i32 = call(&mut store, &instance, "average", (7, 16))?;
    board.heap("call");
    let grown: i32 = call(&mut store, &instance, "grow", 1)?;
    let endless = call::<(), ()>(&mut store, &instance, "forever", ());
    let stop = endless.err().and_then(|error| error.as_trap_code());
    check(mean == 707, "the mean is right")?;
    check(grown == -1, "memory does not grow")?;
    check(stop == Some(TrapCode::OutOfFuel), "an endless loop runs out of fuel")
}

fn load(board: &Board) -> Result<(Store<State>, Instance), Error> {
    let mut config = Config::default();
    config.consume_fuel(true);
    config.wasm_custom_page_sizes(true);
    config.ignore_custom_sections(true);
    config.set_min_stack_height(0);
    config.set_max_stack_height(4 << 10);
    config.set_min_stack_height(256);
    config.set_max_recursion_depth(32);
    config.set_max_cached_stacks(1);
    let engine = Engine::new(&config);
    let mut linker = Linker::<State>::new(&engine);
    linker.func_wrap("env", "read", read)?;
    board.heap("registry");
    let module = Module::new(&engine, PLUGIN)?;
    let limits = StoreLimitsBuilder::new().memory_size(2 << 10).build();
    let mut store = Store::new(&engine, State { readings: 0, limits });
    store.limiter(|state| &mut state.limits);
    store.set_fuel(FUEL)?;
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    board.heap("plugin");
    Ok((store, instance))
}

/// The host function: a reading of a sensor.
fn read(mut caller: Caller<'_, State>, channel: i32) -> i32 {
    let state = caller.data_mut();
    state.readings = state.readings.wrapping_add(1);
    channel.wrapping_mul(100).wrapping_add(state.readings % 16)
}

fn call<P: WasmParams, R: WasmResults>(
    store: &mut Store<State>,
    instance: &Instance,
    function: &str,
    params: P,
) -> Result<R, Error> {
    store.set_fuel(FUEL)?;
    instance.get_typed_func::<P, R>(&store, function)?.call(store, params)
}

fn check(holds: bool, what: &str) -> Result<(), Error> {
    hprintln!("{} {}", if holds { "ok" } else { "FAILED" }, what);
    match holds {
        true => Ok(()),
        false => Err(Error::new("a check failed")),
    }
}

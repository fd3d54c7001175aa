//! The executor: every call of every plugin runs through [`run`], slice by slice.

use super::{costs::TABLE_GROW_FUNCTION_FUEL, failure::Failure, store::StoreData};
use crate::host::HostError;
use wasmi::{
    Func, ResumableCall, ResumableCallOutOfFuel, Store, TypedFunc, TypedResumableCall,
    TypedResumableCallOutOfFuel, Val, WasmParams, WasmResults,
};

/// Where a call stands at the end of a slice.
enum Step<R, S> {
    Finished(R),
    Suspended(S),
}

/// A call that stopped at the end of its slice.
trait Suspended: Sized {
    type Output;

    /// The fuel without which it cannot go on.
    fn required_fuel(&self) -> u64;

    fn resume<H>(
        self,
        store: &mut Store<StoreData<H>>,
    ) -> Result<Step<Self::Output, Self>, Failure>;
}

/// Runs a call to its end. `step` is its first slice.
#[inline]
fn run<H, S: Suspended>(
    store: &mut Store<StoreData<H>>,
    mut step: Step<S::Output, S>,
) -> Result<S::Output, Failure> {
    loop {
        match step {
            Step::Finished(output) => return Ok(output),
            Step::Suspended(suspended) => {
                // There is no fuel at which such a call is to be paused.
                next_slice(store, suspended.required_fuel())?;
                step = suspended.resume(store)?;
            }
        }
    }
}

/// Checks that the call may go on, and gives the guest its next slice; `false` if the call is to be
/// paused instead.
pub(super) fn next_slice<H>(
    store: &mut Store<StoreData<H>>,
    required: u64,
) -> Result<bool, Failure> {
    if !store.data().call.meter.is_metered() {
        return Ok(true);
    }
    let left = store.get_fuel().map_err(|error| Failure::from(&error))?;
    let StoreData { context, call, limiter, .. } = store.data_mut();
    let spent = call.meter.spent(left);
    call.end_slice(context, spent).map_err(stopped)?;
    let until_pause = call.suspension.pause_at.saturating_sub(spent);
    if until_pause == 0 {
        return Ok(false);
    }
    let slice = call.pace.slice_fuel.min(until_pause);
    let next = call.meter.next_slice(left, slice, required);
    let mut next = next.ok_or(Failure::OutOfFuel)?;
    if limiter.take_interrupted_table_growth() {
        // The function around `table.grow` begins again, and is charged again for that.
        next = next.saturating_add(TABLE_GROW_FUNCTION_FUEL);
    }
    store.set_fuel(next).map_err(|error| Failure::from(&error))?;
    Ok(true)
}

/// Why a call may not go on at the end of a slice.
#[cold]
pub(super) fn stopped(error: HostError) -> Failure {
    match error {
        HostError::Cancelled => Failure::Cancelled,
        _ => Failure::Deadline,
    }
}

/// Calls a function with Rust types, slice by slice if there is more than one.
#[inline]
pub(super) fn run_typed<H, P: WasmParams, R: WasmResults>(
    store: &mut Store<StoreData<H>>,
    function: TypedFunc<P, R>,
    params: P,
) -> Result<R, Failure> {
    if store.data().call.whole {
        return function.call(store, params).map_err(|error| Failure::from(&error));
    }
    match function.call_resumable(&mut *store, params) {
        Ok(TypedResumableCall::Finished(results)) => Ok(results),
        stopped => go_on(store, stopped),
    }
}

/// Goes on with a call that did not end in its first slice.
#[inline(never)]
fn go_on<H, R: WasmResults>(
    store: &mut Store<StoreData<H>>,
    stopped: Result<TypedResumableCall<R>, wasmi::Error>,
) -> Result<R, Failure> {
    run(store, typed(stopped)?)
}

/// The first slice, or a further one, of a call whose results are Rust types.
fn typed<R>(
    call: Result<TypedResumableCall<R>, wasmi::Error>,
) -> Result<Step<R, TypedResumableCallOutOfFuel<R>>, Failure> {
    match call.map_err(|error| Failure::from(&error))? {
        TypedResumableCall::Finished(results) => Ok(Step::Finished(results)),
        TypedResumableCall::OutOfFuel(suspended) => Ok(Step::Suspended(suspended)),
        TypedResumableCall::HostTrap(trap) => Err(trap.host_error().into()),
    }
}

impl<R: WasmResults> Suspended for TypedResumableCallOutOfFuel<R> {
    type Output = R;

    fn required_fuel(&self) -> u64 {
        ResumableCallOutOfFuel::required_fuel(self)
    }

    fn resume<H>(self, store: &mut Store<StoreData<H>>) -> Result<Step<R, Self>, Failure> {
        typed(TypedResumableCallOutOfFuel::resume(self, store))
    }
}

/// Calls a function with values, slice by slice if there is more than one.
#[inline]
pub(super) fn run_untyped<H>(
    store: &mut Store<StoreData<H>>,
    function: Func,
    inputs: &[Val],
    outputs: &mut [Val],
) -> Result<(), Failure> {
    if store.data().call.whole {
        return function.call(store, inputs, outputs).map_err(|error| Failure::from(&error));
    }
    match function.call_resumable(&mut *store, inputs, outputs) {
        Ok(ResumableCall::Finished) => Ok(()),
        stopped => go_on_untyped(store, stopped, outputs),
    }
}

/// Goes on with a call that did not end in its first slice.
#[inline(never)]
fn go_on_untyped<H>(
    store: &mut Store<StoreData<H>>,
    stopped: Result<ResumableCall, wasmi::Error>,
    outputs: &mut [Val],
) -> Result<(), Failure> {
    run(store, untyped(stopped, outputs)?)
}

/// A call whose results go to a slice of values.
struct Untyped<'o> {
    call: ResumableCallOutOfFuel,
    outputs: &'o mut [Val],
}

/// The first slice, or a further one, of a call whose results go to `outputs`.
fn untyped(
    call: Result<ResumableCall, wasmi::Error>,
    outputs: &mut [Val],
) -> Result<Step<(), Untyped<'_>>, Failure> {
    match call.map_err(|error| Failure::from(&error))? {
        ResumableCall::Finished => Ok(Step::Finished(())),
        ResumableCall::OutOfFuel(call) => Ok(Step::Suspended(Untyped { call, outputs })),
        ResumableCall::HostTrap(trap) => Err(trap.host_error().into()),
    }
}

impl Suspended for Untyped<'_> {
    type Output = ();

    fn required_fuel(&self) -> u64 {
        self.call.required_fuel()
    }

    fn resume<H>(self, store: &mut Store<StoreData<H>>) -> Result<Step<(), Self>, Failure> {
        let Self { call, outputs } = self;
        let call = call.resume(store, outputs);
        untyped(call, outputs)
    }
}

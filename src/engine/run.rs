//! The executor: every function of every guest runs through here, slice by slice.

use super::{
    costs::TABLE_GROW_FUNCTION_FUEL,
    failure::{Failure, HostStop},
    store::StoreData,
};
use crate::host::HostError;
use wasmi::{
    Func, ResumableCall, ResumableCallHostTrap, ResumableCallOutOfFuel, Store, TypedFunc,
    TypedResumableCall, TypedResumableCallHostTrap, TypedResumableCallOutOfFuel, Val, WasmParams,
    WasmResults,
};

/// A function that is called, and where its results go.
pub(super) trait Call: Sized {
    type OutOfFuel;
    type HostTrap;

    fn begin<H>(&mut self, store: &mut Store<StoreData<H>>) -> Outcome<Self>;

    fn resume<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        left: Self::OutOfFuel,
    ) -> Outcome<Self>;

    fn required_fuel(left: &Self::OutOfFuel) -> u64;

    fn host_error(left: &Self::HostTrap) -> &wasmi::Error;
}

/// A call that can wait for the answer of a host call.
pub(super) trait Answered: Call {
    /// Goes on behind a host call that has answered `value`.
    fn answer<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        left: Self::HostTrap,
        value: Option<&Val>,
    ) -> Outcome<Self>;

    /// Takes the answer of a host call for the result.
    fn set_result(&mut self, value: Option<&Val>);
}

/// How far a function came.
pub(super) enum Ended<O, W> {
    Finished,
    OutOfFuel(O),
    HostTrap(W),
}

pub(super) type Outcome<C> =
    Result<Ended<<C as Call>::OutOfFuel, <C as Call>::HostTrap>, wasmi::Error>;

/// Goes on with a function that did not end in its first slice, to its end.
#[inline(never)]
fn run_on<H, C: Call>(
    store: &mut Store<StoreData<H>>,
    call: &mut C,
    mut ended: Outcome<C>,
) -> Result<(), Failure> {
    loop {
        ended = match ended {
            Ok(Ended::Finished) => return Ok(()),
            Ok(Ended::OutOfFuel(left)) => {
                // There is no fuel at which such a call is to be paused.
                next_slice(store, C::required_fuel(&left))?;
                call.resume(store, left)
            }
            Ok(Ended::HostTrap(left)) => return Err(C::host_error(&left).into()),
            Err(error) => return Err((&error).into()),
        };
    }
}

/// Why a call does not run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Finished,
    /// It has spent what it may for now.
    Paused,
    /// It waits for the answer of a host call.
    Waiting,
}

/// What a host call has answered: a value, nothing, or the end of the guest's call.
pub(super) type Answer = Option<Result<Option<Val>, HostStop>>;

/// Where a function is that was begun.
pub(super) enum At<O, W> {
    Begin,
    OutOfFuel(O),
    /// In a host call. Nothing but the result is left to come where there is no guest to go on with:
    /// the function is the host's.
    Waiting(Option<W>),
}

/// Runs a function until it has returned, has to wait, or has spent what it may.
pub(super) fn step<H, C: Answered>(
    store: &mut Store<StoreData<H>>,
    call: &mut C,
    at: &mut At<C::OutOfFuel, C::HostTrap>,
    answer: &mut Answer,
) -> Result<Stop, Failure> {
    loop {
        let can_pause = store.data().call.suspension.can_pause;
        let may_run = match at {
            At::OutOfFuel(left) => next_slice(store, C::required_fuel(left))?,
            At::Waiting(_) if answer.is_none() => return Ok(Stop::Waiting),
            At::Begin | At::Waiting(_) if can_pause => next_slice(store, 0)?,
            // The slice in hand will do.
            At::Begin | At::Waiting(_) => true,
        };
        if !may_run {
            return Ok(Stop::Paused);
        }
        let ended = match core::mem::replace(at, At::Begin) {
            At::Begin => match call.begin(store) {
                // By itself: what the others hold is large, and most calls have none of it.
                Ok(Ended::Finished) => return Ok(Stop::Finished),
                ended => ended,
            },
            At::OutOfFuel(left) => call.resume(store, left),
            At::Waiting(left) => match (left, answer.take()) {
                (_, Some(Err(stop))) => return Err(stop.into()),
                (Some(left), Some(Ok(value))) => call.answer(store, left, value.as_ref()),
                (None, value) => {
                    call.set_result(value.and_then(Result::ok).flatten().as_ref());
                    return Ok(Stop::Finished);
                }
                (left, None) => {
                    *at = At::Waiting(left);
                    return Ok(Stop::Waiting);
                }
            },
        };
        let is_pending = store.data().call.suspension.pending.is_some();
        *at = match ended {
            Ok(Ended::Finished) => return Ok(Stop::Finished),
            Ok(Ended::OutOfFuel(left)) => At::OutOfFuel(left),
            Ok(Ended::HostTrap(left)) if is_pending => At::Waiting(Some(left)),
            Ok(Ended::HostTrap(left)) => return Err(C::host_error(&left).into()),
            Err(_) if is_pending => At::Waiting(None),
            Err(error) => return Err((&error).into()),
        };
    }
}

/// Checks that the call may go on, and gives the guest its next slice; `false` if the call is to be
/// paused instead.
fn next_slice<H>(store: &mut Store<StoreData<H>>, required: u64) -> Result<bool, Failure> {
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

/// A function of Rust types.
pub(super) struct Typed<P, R> {
    function: TypedFunc<P, R>,
    params: P,
    pub(super) result: Option<R>,
}

pub(super) type AtTyped<R> = At<TypedResumableCallOutOfFuel<R>, TypedResumableCallHostTrap<R>>;

impl<P, R> Typed<P, R> {
    #[inline]
    pub(super) fn new(function: TypedFunc<P, R>, params: P) -> Self {
        Self { function, params, result: None }
    }

    fn take(
        &mut self,
        call: TypedResumableCall<R>,
    ) -> Ended<TypedResumableCallOutOfFuel<R>, TypedResumableCallHostTrap<R>> {
        match call {
            TypedResumableCall::Finished(result) => {
                self.result = Some(result);
                Ended::Finished
            }
            TypedResumableCall::OutOfFuel(left) => Ended::OutOfFuel(left),
            TypedResumableCall::HostTrap(left) => Ended::HostTrap(left),
        }
    }
}

/// Runs a function of Rust types to its end.
#[inline]
pub(super) fn run_typed<H, P: WasmParams + Copy, R: WasmResults>(
    store: &mut Store<StoreData<H>>,
    function: TypedFunc<P, R>,
    params: P,
) -> Result<R, Failure> {
    if store.data().call.whole {
        return function.call(store, params).map_err(|error| Failure::from(&error));
    }
    match function.call_resumable(&mut *store, params) {
        Ok(TypedResumableCall::Finished(result)) => Ok(result),
        stopped => run_typed_on(store, Typed::new(function, params), stopped),
    }
}

/// Goes on with a function of Rust types that did not end in its first slice.
#[inline(never)]
fn run_typed_on<H, P: WasmParams + Copy, R: WasmResults>(
    store: &mut Store<StoreData<H>>,
    mut call: Typed<P, R>,
    stopped: Result<TypedResumableCall<R>, wasmi::Error>,
) -> Result<R, Failure> {
    let ended = stopped.map(|stopped| call.take(stopped));
    run_on(store, &mut call, ended)?;
    call.result.ok_or_else(|| Failure::Engine("no result".into()))
}

impl<P: WasmParams + Copy, R: WasmResults> Call for Typed<P, R> {
    type OutOfFuel = TypedResumableCallOutOfFuel<R>;
    type HostTrap = TypedResumableCallHostTrap<R>;

    #[inline]
    fn begin<H>(&mut self, store: &mut Store<StoreData<H>>) -> Outcome<Self> {
        match self.function.call_resumable(store, self.params) {
            // By itself, as in `step`.
            Ok(TypedResumableCall::Finished(result)) => {
                self.result = Some(result);
                Ok(Ended::Finished)
            }
            call => call.map(|call| self.take(call)),
        }
    }

    fn resume<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        left: Self::OutOfFuel,
    ) -> Outcome<Self> {
        left.resume(store).map(|call| self.take(call))
    }

    fn required_fuel(left: &Self::OutOfFuel) -> u64 {
        left.required_fuel()
    }

    fn host_error(left: &Self::HostTrap) -> &wasmi::Error {
        left.host_error()
    }
}

impl<P: WasmParams + Copy, R: WasmResults + FromVal> Answered for Typed<P, R> {
    fn answer<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        left: Self::HostTrap,
        value: Option<&Val>,
    ) -> Outcome<Self> {
        let call = left.resume(store, value.map_or(&[], core::slice::from_ref));
        call.map(|call| self.take(call))
    }

    fn set_result(&mut self, value: Option<&Val>) {
        self.result = R::from_val(value);
    }
}

/// A result that a host call can answer in a function's place.
pub(super) trait FromVal: Sized {
    fn from_val(value: Option<&Val>) -> Option<Self>;
}

impl FromVal for () {
    fn from_val(_value: Option<&Val>) -> Option<Self> {
        Some(())
    }
}

impl FromVal for i32 {
    fn from_val(value: Option<&Val>) -> Option<Self> {
        value?.i32()
    }
}

impl FromVal for i64 {
    fn from_val(value: Option<&Val>) -> Option<Self> {
        value?.i64()
    }
}

/// A function of any type, with its arguments and room for its results.
pub(super) struct Untyped<'v> {
    pub(super) function: Func,
    pub(super) args: &'v [Val],
    pub(super) results: &'v mut [Val],
}

pub(super) type AtUntyped = At<ResumableCallOutOfFuel, ResumableCallHostTrap>;

fn untyped(call: ResumableCall) -> Ended<ResumableCallOutOfFuel, ResumableCallHostTrap> {
    match call {
        ResumableCall::Finished => Ended::Finished,
        ResumableCall::OutOfFuel(left) => Ended::OutOfFuel(left),
        ResumableCall::HostTrap(left) => Ended::HostTrap(left),
    }
}

/// Runs a function of any type to its end.
#[inline]
pub(super) fn run_untyped<H>(
    store: &mut Store<StoreData<H>>,
    mut call: Untyped<'_>,
) -> Result<(), Failure> {
    let Untyped { function, args, results } = &mut call;
    if store.data().call.whole {
        return function.call(store, args, results).map_err(|error| Failure::from(&error));
    }
    match function.call_resumable(&mut *store, args, results) {
        Ok(ResumableCall::Finished) => Ok(()),
        stopped => run_on(store, &mut call, stopped.map(untyped)),
    }
}

impl Call for Untyped<'_> {
    type OutOfFuel = ResumableCallOutOfFuel;
    type HostTrap = ResumableCallHostTrap;

    #[inline(always)]
    fn begin<H>(&mut self, store: &mut Store<StoreData<H>>) -> Outcome<Self> {
        if store.data().call.whole {
            return self.function.call(store, self.args, self.results).map(|()| Ended::Finished);
        }
        match self.function.call_resumable(store, self.args, self.results) {
            Ok(ResumableCall::Finished) => Ok(Ended::Finished),
            call => call.map(untyped),
        }
    }

    fn resume<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        left: ResumableCallOutOfFuel,
    ) -> Outcome<Self> {
        left.resume(store, self.results).map(untyped)
    }

    fn required_fuel(left: &ResumableCallOutOfFuel) -> u64 {
        left.required_fuel()
    }

    fn host_error(left: &ResumableCallHostTrap) -> &wasmi::Error {
        left.host_error()
    }
}

impl Answered for Untyped<'_> {
    fn answer<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        left: ResumableCallHostTrap,
        value: Option<&Val>,
    ) -> Outcome<Self> {
        left.resume(store, value.map_or(&[], core::slice::from_ref), self.results).map(untyped)
    }

    fn set_result(&mut self, value: Option<&Val>) {
        if let (Some(result), Some(value)) = (self.results.first_mut(), value) {
            *result = value.clone();
        }
    }
}

//! One function of a guest, run until it has returned, or has to be left.

use super::{
    failure::{Failure, HostStop},
    run::next_slice,
    store::StoreData,
};
use wasmi::{
    Store, TypedFunc, TypedResumableCall, TypedResumableCallHostTrap, TypedResumableCallOutOfFuel,
    Val, WasmParams, WasmResults,
};

/// Why a call does not run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Finished,
    /// It has spent what it may for now.
    Paused,
    /// It waits for the answer of a host call.
    Waiting,
}

/// A function that is called, and where its results go.
pub(super) trait Call: Sized {
    type OutOfFuel;
    type HostTrap;

    fn begin<H>(&mut self, store: &mut Store<StoreData<H>>) -> Outcome<Self>;

    fn resume<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        call: Self::OutOfFuel,
    ) -> Outcome<Self>;

    /// Goes on behind a host call that has answered `value`.
    fn answer<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        call: Self::HostTrap,
        value: Option<&Val>,
    ) -> Outcome<Self>;

    /// Takes the answer of a host call for the result.
    fn set_result(&mut self, value: Option<&Val>);

    fn required_fuel(call: &Self::OutOfFuel) -> u64;

    fn host_error(call: &Self::HostTrap) -> &wasmi::Error;
}

/// How far a function came.
pub(super) enum Ended<O, W> {
    Finished,
    OutOfFuel(O),
    HostTrap(W),
}

pub(super) type Outcome<C> =
    Result<Ended<<C as Call>::OutOfFuel, <C as Call>::HostTrap>, wasmi::Error>;

/// What a host call has answered: a value, nothing, or the end of the guest's call.
pub(super) type Answer = Option<Result<Option<Val>, HostStop>>;

/// Where a function is that was begun.
pub(super) enum At<C: Call> {
    Begin,
    OutOfFuel(C::OutOfFuel),
    /// In a host call. Nothing but the result is left to come where there is no guest to go on with:
    /// the function is the host's.
    Waiting(Option<C::HostTrap>),
}

/// Runs a function until it has returned, has to wait, or has spent what it may.
pub(super) fn step<H, C: Call>(
    store: &mut Store<StoreData<H>>,
    call: &mut C,
    at: &mut At<C>,
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
        let ended = match at {
            // By itself: what the others hold is large, and most calls have none of it.
            At::Begin => match call.begin(store) {
                Ok(Ended::Finished) => return Ok(Stop::Finished),
                ended => ended,
            },
            _ => match core::mem::replace(at, At::Begin) {
                At::Begin => call.begin(store),
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

/// A function of Rust types.
pub(super) struct Typed<P, R> {
    function: TypedFunc<P, R>,
    params: P,
    pub(super) result: Option<R>,
}

impl<P, R> Typed<P, R> {
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
            TypedResumableCall::OutOfFuel(call) => Ended::OutOfFuel(call),
            TypedResumableCall::HostTrap(call) => Ended::HostTrap(call),
        }
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

impl<P: WasmParams + Copy, R: WasmResults + FromVal> Call for Typed<P, R> {
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
        call: Self::OutOfFuel,
    ) -> Outcome<Self> {
        let call = call.resume(store)?;
        Ok(self.take(call))
    }

    fn answer<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        call: Self::HostTrap,
        value: Option<&Val>,
    ) -> Outcome<Self> {
        let call = call.resume(store, value.map_or(&[], core::slice::from_ref))?;
        Ok(self.take(call))
    }

    fn set_result(&mut self, value: Option<&Val>) {
        self.result = R::from_val(value);
    }

    fn required_fuel(call: &Self::OutOfFuel) -> u64 {
        call.required_fuel()
    }

    fn host_error(call: &Self::HostTrap) -> &wasmi::Error {
        call.host_error()
    }
}

//! From a Rust closure to an import of a module: the wrapper every host call goes through.

use super::{failure::HostStop, store::StoreData, unwind::Caught};
use crate::{
    AuditDecision, DenyPolicy, ValueType,
    host::{FunctionSpec, Host, HostCall, HostError, Opened, PendingCall, Range, STOPPED},
    sync::Arc,
};
use core::marker::PhantomData;
use wasmi::{AsContextMut, Caller, F32, F64, Func, Store, StoreContextMut, Val};

/// A type that a host function can take.
///
/// Implemented for `i32`, `u32`, `i64`, `u64`, `f32` and `f64`; sealed.
pub trait HostParam: wasmi::WasmTy + 'static {
    #[doc(hidden)]
    const TYPE: ValueType;
}

/// A type that a host function can return.
///
/// Implemented for `()`, `i32`, `u32`, `i64`, `u64`, `f32` and `f64`; sealed.
pub trait HostResult: Sized + 'static {
    #[doc(hidden)]
    const TYPES: &'static [ValueType];

    /// The value that says `status`, if this type has room for one.
    #[doc(hidden)]
    fn from_status(status: i32) -> Option<Self>;

    /// The status that this value says: 0 if it is none.
    #[doc(hidden)]
    fn status(&self) -> i32;

    /// The value as the interpreter takes it; nothing for `()`.
    #[doc(hidden)]
    fn into_val(self) -> Option<Val>;
}

macro_rules! impl_types {
    ($($rust:ty => $wasm:ident, $from:expr, $to:expr, $val:expr;)*) => { $(
        impl HostParam for $rust {
            const TYPE: ValueType = ValueType::$wasm;
        }

        impl HostResult for $rust {
            const TYPES: &'static [ValueType] = &[ValueType::$wasm];

            fn from_status(status: i32) -> Option<Self> {
                let convert: fn(i32) -> Option<Self> = $from;
                convert(status)
            }

            fn status(&self) -> i32 {
                let convert: fn(Self) -> i32 = $to;
                convert(*self)
            }

            fn into_val(self) -> Option<Val> {
                let convert: fn(Self) -> Val = $val;
                Some(convert(self))
            }
        }
    )* };
}

impl_types! {
    i32 => I32, Some, |value| value, Val::I32;
    u32 => I32, |status| Some(status.cast_unsigned()), u32::cast_signed,
        |value| Val::I32(value.cast_signed());
    i64 => I64, |status| Some(i64::from(status)), narrowed, Val::I64;
    u64 => I64, |status| Some(i64::from(status).cast_unsigned()),
        |value| narrowed(value.cast_signed()), |value| Val::I64(value.cast_signed());
    f32 => F32, |_| None, |_| 0, |value| Val::F32(F32::from_bits(value.to_bits()));
    f64 => F64, |_| None, |_| 0, |value| Val::F64(F64::from_bits(value.to_bits()));
}

impl HostResult for () {
    const TYPES: &'static [ValueType] = &[];

    fn from_status(_status: i32) -> Option<Self> {
        None
    }

    fn status(&self) -> i32 {
        0
    }

    fn into_val(self) -> Option<Val> {
        None
    }
}

/// A value as a status, as near as an `i32` comes.
fn narrowed(value: i64) -> i32 {
    let low = value.clamp(i64::from(i32::MIN + 1), i64::from(i32::MAX));
    i32::try_from(low).unwrap_or(0)
}

/// A closure that can be a host function:
/// `Fn(&mut HostCall<'_, H>, A, ..) -> Result<R, HostError> + Send + Sync + 'static`, with 0 to 12
/// parameters of [`HostParam`] and a result of [`HostResult`]. Sealed.
pub trait IntoHostFunction<H: Host, P, R>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_body(self) -> HostBody<H>;
}

/// A host function of any signature.
#[doc(hidden)]
pub type HostBody<H> = Arc<dyn Link<H>>;

/// What can be an import of a plugin.
#[doc(hidden)]
#[allow(private_interfaces)]
pub trait Link<H: Host>: Send + Sync {
    fn params(&self) -> &[ValueType];
    fn results(&self) -> &'static [ValueType];
    /// The function as `store` has it: what its module imports.
    fn link(self: Arc<Self>, store: &mut Store<StoreData<H>>, spec: FunctionSpec) -> Func;
}

/// A closure with the signature it was defined with.
struct Body<F, P, R>(F, PhantomData<fn(P) -> R>);

macro_rules! impl_into_host_function {
    ($($param:ident)*) => {
        impl<H, F, R, $($param,)*> IntoHostFunction<H, ($($param,)*), R> for F
        where
            H: Host,
            F: for<'a, 'b> Fn(&'a mut HostCall<'b, H>, $($param),*) -> Result<R, HostError>
                + Send + Sync + 'static,
            R: HostResult,
            Result<R, wasmi::Error>: wasmi::WasmRet,
            $($param: HostParam,)*
        {
            fn into_body(self) -> HostBody<H> {
                Arc::new(Body(self, PhantomData::<fn(($($param,)*)) -> R>))
            }
        }

        #[allow(private_interfaces)]
        impl<H, F, R, $($param,)*> Link<H> for Body<F, ($($param,)*), R>
        where
            H: Host,
            F: for<'a, 'b> Fn(&'a mut HostCall<'b, H>, $($param),*) -> Result<R, HostError>
                + Send + Sync + 'static,
            R: HostResult,
            Result<R, wasmi::Error>: wasmi::WasmRet,
            $($param: HostParam,)*
        {
            fn params(&self) -> &[ValueType] {
                &[$($param::TYPE),*]
            }

            fn results(&self) -> &'static [ValueType] {
                R::TYPES
            }

            #[allow(non_snake_case)]
            fn link(self: Arc<Self>, store: &mut Store<StoreData<H>>, spec: FunctionSpec) -> Func {
                Func::wrap(
                    store,
                    move |mut caller: Caller<'_, StoreData<H>>, $($param: $param),*|
                        -> Result<R, wasmi::Error>
                    {
                        enter(caller.as_context_mut(), &spec, |call| (self.0)(call, $($param),*))
                    },
                )
            }
        }
    };
}

impl_into_host_function!();
impl_into_host_function!(A);
impl_into_host_function!(A B);
impl_into_host_function!(A B C);
impl_into_host_function!(A B C D);
impl_into_host_function!(A B C D E);
impl_into_host_function!(A B C D E G);
impl_into_host_function!(A B C D E G I);
impl_into_host_function!(A B C D E G I J);
impl_into_host_function!(A B C D E G I J K);
impl_into_host_function!(A B C D E G I J K L);
impl_into_host_function!(A B C D E G I J K L M);
impl_into_host_function!(A B C D E G I J K L M N);

/// Runs one host call: looks whether the call may go on, hands the slice to the meter, charges the
/// base cost, checks the grant, runs the function, hands the slice back.
#[inline]
pub(super) fn enter<H: Host, R: HostResult>(
    mut store: StoreContextMut<'_, StoreData<H>>,
    spec: &FunctionSpec,
    function: impl FnOnce(&mut HostCall<'_, H>) -> Result<R, HostError>,
) -> Result<R, wasmi::Error> {
    let is_watched = store.data_mut().call.host_counts.called(spec.index()) && spec.metered;
    perform(store, spec, None, |call, caught| {
        if !spec.granted {
            return Err(HostError::Denied);
        }
        let began_us = call.begin(is_watched)?;
        let result = caught.run(|| function(call));
        match began_us {
            Some(began_us) => call.end(began_us, result),
            None => result,
        }
    })
}

/// Runs `body` as a host call, or as the rest of one that was suspended and is `pending`.
// Always, as what it calls: it was seen to be left out of line, which costs a tenth of a host call.
#[inline(always)]
pub(super) fn perform<H: Host, R: HostResult>(
    mut store: StoreContextMut<'_, StoreData<H>>,
    spec: &FunctionSpec,
    pending: Option<PendingCall>,
    body: impl FnOnce(&mut HostCall<'_, H>, &mut Caught) -> Result<R, HostError>,
) -> Result<R, wasmi::Error> {
    let slice = match spec.metered {
        true => store.get_fuel()?,
        false => u64::MAX,
    };
    let (memory, data) = match store.data().memory {
        Some(memory) => {
            let (bytes, data) = memory.data_and_store_mut(&mut store);
            (Some(bytes), data)
        }
        None => (None, store.data_mut()),
    };
    let (opened, base) = match pending {
        Some(pending) => (pending.opened, 0),
        None => {
            data.call.named = Range::EMPTY;
            (Opened { slice, rest: data.call.meter.rest() }, spec.cost.base)
        }
    };
    let paid = data.call.meter.open(slice, base);
    let mut call = HostCall::new(&data.context, &mut data.call, memory, spec);
    let result = paid.and_then(|()| body(&mut call, &mut data.caught));
    match result {
        Ok(value) => {
            data.call.recent.push(spec.index(), value.status());
            let left = data.call.meter.close();
            if spec.metered {
                store.set_fuel(left)?;
            }
            if spec.audited {
                record(&store, spec, AuditDecision::Grant, value.status(), opened);
            }
            Ok(value)
        }
        Err(error) => {
            let output = call.output();
            data.call.suspension.output = output;
            refuse(store, spec, error, opened)
        }
    }
}

/// Ends a host call that did not go well: counts the error, and turns it into a status, or into the
/// end of the guest's call; or suspends it.
#[inline(never)]
fn refuse<H: Host, R: HostResult>(
    mut store: StoreContextMut<'_, StoreData<H>>,
    spec: &FunctionSpec,
    error: HostError,
    opened: Opened,
) -> Result<R, wasmi::Error> {
    let data = store.data_mut();
    let left = data.call.meter.close();
    if let HostError::Pending(ticket) = error
        && data.call.suspension.possible
    {
        let pending = PendingCall { ticket, spec: *spec, results: R::TYPES, opened };
        data.call.suspension.pending = Some(pending);
        if spec.metered {
            store.set_fuel(left)?;
        }
        return Err(wasmi::Error::host(HostStop { error, function: spec.index() }));
    }
    let status = error.status().unwrap_or(STOPPED);
    data.call.recent.push(spec.index(), status);
    data.call.host_counts.refused(spec.index(), error == HostError::Denied);
    let traps = error == HostError::Denied && data.context.config.on_denied == DenyPolicy::Trap;
    if spec.metered {
        store.set_fuel(left)?;
    }
    match error {
        HostError::Denied => record(&store, spec, AuditDecision::Denial, status, opened),
        HostError::LimitReached => record(&store, spec, AuditDecision::Limit, status, opened),
        _ if spec.audited => record(&store, spec, AuditDecision::Grant, status, opened),
        _ => {}
    }
    match error.status().filter(|_| !traps).and_then(R::from_status) {
        Some(value) => Ok(value),
        None => Err(wasmi::Error::host(HostStop { error, function: spec.index() })),
    }
}

/// Records a host call, with the name it was about.
#[cold]
#[inline(never)]
fn record<H>(
    store: &StoreContextMut<'_, StoreData<H>>,
    spec: &FunctionSpec,
    decision: AuditDecision,
    status: i32,
    opened: Opened,
) {
    let data = store.data();
    let named = data.call.named;
    if !spec.audited && !data.call.recorded.may_record() {
        data.context.audit.miss();
        return;
    }
    // What a function wrote lies outside of the name it was given.
    let name = data.memory.and_then(|memory| named.of(memory.data(store)).ok());
    let name = name.and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
    let function = data.context.function_names.name(spec.index());
    let left_before = opened.slice.saturating_add(opened.rest);
    let charged = left_before.saturating_sub(data.call.meter.left());
    data.context.record(decision, function, name, status, charged);
}

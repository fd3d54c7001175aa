//! Host functions whose signature is known only when the program runs: those of a host in another language.

use super::{
    link::{HostBody, HostResult, Link, enter},
    store::StoreData,
};
use crate::{
    ValueType, WasmValue,
    host::{FunctionSpec, Host, HostCall, HostError},
    sync::Arc,
    value::MAX_VALUES,
};
use alloc::boxed::Box;
use wasmi::{AsContextMut, Caller, F32, F64, Func, FuncType, Store, StoreContextMut, Val, ValType};

/// A closure, and the signature it was defined with.
struct Untyped<F> {
    function: F,
    params: Box<[ValueType]>,
    results: &'static [ValueType],
}

/// Makes a host function of a closure. Nothing if no host function can have the signature.
pub(crate) fn untyped_body<H: Host>(
    params: &[ValueType],
    result: Option<ValueType>,
    function: impl for<'a, 'b> Fn(&'a mut HostCall<'b, H>, &[WasmValue]) -> Answer
    + Send
    + Sync
    + 'static,
) -> Option<HostBody<H>> {
    let results: &[ValueType] = match result {
        None => &[],
        Some(ValueType::I32) => &[ValueType::I32],
        Some(ValueType::I64) => &[ValueType::I64],
        Some(ValueType::F32) => &[ValueType::F32],
        Some(ValueType::F64) => &[ValueType::F64],
        Some(ValueType::V128 | ValueType::FuncRef | ValueType::ExternRef) => return None,
    };
    let numbers = params.iter().all(|&ty| val_type(ty).is_some());
    (numbers && params.len() <= MAX_VALUES)
        .then(|| Arc::new(Untyped { function, params: params.into(), results }) as HostBody<H>)
}

/// What such a closure answers.
type Answer = Result<Option<WasmValue>, HostError>;

/// A host call, behind one pointer for each type of result: what is made for each signature stays small.
type Body<H, R> = Box<
    dyn Fn(StoreContextMut<'_, StoreData<H>>, &[WasmValue]) -> Result<R, wasmi::Error>
        + Send
        + Sync,
>;

#[allow(private_interfaces)]
impl<H, F> Link<H> for Untyped<F>
where
    H: Host,
    F: for<'a, 'b> Fn(&'a mut HostCall<'b, H>, &[WasmValue]) -> Answer + Send + Sync + 'static,
{
    fn params(&self) -> &[ValueType] {
        &self.params
    }

    fn results(&self) -> &'static [ValueType] {
        self.results
    }

    fn link(self: Arc<Self>, store: &mut Store<StoreData<H>>, spec: FunctionSpec) -> Func {
        match self.results.first() {
            Some(ValueType::I32) => self.link_as::<H, i32>(store, spec),
            Some(ValueType::I64) => self.link_as::<H, i64>(store, spec),
            Some(ValueType::F32) => self.link_as::<H, f32>(store, spec),
            Some(ValueType::F64) => self.link_as::<H, f64>(store, spec),
            _ => self.link_as::<H, ()>(store, spec),
        }
    }
}

impl<F> Untyped<F> {
    fn link_as<H, R>(self: Arc<Self>, store: &mut Store<StoreData<H>>, spec: FunctionSpec) -> Func
    where
        H: Host,
        F: for<'a, 'b> Fn(&'a mut HostCall<'b, H>, &[WasmValue]) -> Answer + Send + Sync + 'static,
        R: HostResult + FromValue,
        Result<R, wasmi::Error>: wasmi::WasmRet,
    {
        let this = Arc::clone(&self);
        let body: Body<H, R> = Box::new(move |store, args| {
            enter(store, &spec, |call| R::from_value((this.function)(call, args)?))
        });
        wrap(store, &self.params, body)
    }
}

/// The type that a parameter stands for, with `$then` for it.
macro_rules! by_type {
    ($ty:expr, $rust:ident => $then:expr) => {
        match $ty {
            ValueType::I64 => {
                type $rust = i64;
                $then
            }
            ValueType::F32 => {
                type $rust = f32;
                $then
            }
            ValueType::F64 => {
                type $rust = f64;
                $then
            }
            _ => {
                type $rust = i32;
                $then
            }
        }
    };
}

/// So many parameters, all of them `i32`.
macro_rules! all_i32 {
    ($store:ident, $body:ident, $($arg:ident)*) => {
        Func::wrap($store, move |mut caller: Caller<'_, StoreData<H>>, $($arg: i32),*|
            -> Result<R, wasmi::Error> {
            $body(caller.as_context_mut(), &[$(WasmValue::I32($arg)),*])
        })
    };
}

/// The function as the interpreter calls it.
///
/// wasmi passes values of types that it learns at run time in a buffer that it allocates for each call.
/// Where there is a Rust signature for it none is: up to two parameters of any type, and up to eight
/// pointers and lengths.
fn wrap<H, R>(store: &mut Store<StoreData<H>>, params: &[ValueType], body: Body<H, R>) -> Func
where
    H: Host,
    R: HostResult,
    Result<R, wasmi::Error>: wasmi::WasmRet,
{
    use ValueType::I32;
    match *params {
        [] => all_i32!(store, body,),
        [a] => by_type!(a, A => Func::wrap(
            store,
            move |mut caller: Caller<'_, StoreData<H>>, a: A| -> Result<R, wasmi::Error> {
                body(caller.as_context_mut(), &[a.into()])
            },
        )),
        [a, b] => by_type!(a, A => by_type!(b, B => Func::wrap(
            store,
            move |mut caller: Caller<'_, StoreData<H>>, a: A, b: B| -> Result<R, wasmi::Error> {
                body(caller.as_context_mut(), &[a.into(), b.into()])
            },
        ))),
        [I32, I32, I32] => all_i32!(store, body, a b c),
        [I32, I32, I32, I32] => all_i32!(store, body, a b c d),
        [I32, I32, I32, I32, I32] => all_i32!(store, body, a b c d e),
        [I32, I32, I32, I32, I32, I32] => all_i32!(store, body, a b c d e f),
        [I32, I32, I32, I32, I32, I32, I32] => all_i32!(store, body, a b c d e f g),
        [I32, I32, I32, I32, I32, I32, I32, I32] => all_i32!(store, body, a b c d e f g h),
        _ => wrap_any(store, params, body),
    }
}

fn wrap_any<H: Host, R: HostResult>(
    store: &mut Store<StoreData<H>>,
    params: &[ValueType],
    body: Body<H, R>,
) -> Func {
    let types = |types: &[ValueType]| types.iter().filter_map(|&ty| val_type(ty)).collect();
    let (params, results): (Box<[_]>, Box<[_]>) = (types(params), types(R::TYPES));
    Func::new(store, FuncType::new(params, results), move |mut caller, args, results| {
        let args: heapless::Vec<WasmValue, MAX_VALUES> = args.iter().filter_map(value).collect();
        let answer = body(caller.as_context_mut(), &args)?;
        if let (Some(result), Some(value)) = (results.first_mut(), answer.into_val()) {
            *result = value;
        }
        Ok(())
    })
}

/// A result that a closure answers as a value.
trait FromValue: Sized {
    fn from_value(value: Option<WasmValue>) -> Result<Self, HostError>;
}

const OTHER_TYPE: HostError =
    HostError::Abort("it answered with another type than it was defined with");

macro_rules! impl_from_value {
    ($($rust:ty => $pattern:pat => $value:expr;)*) => { $(
        impl FromValue for $rust {
            fn from_value(value: Option<WasmValue>) -> Result<Self, HostError> {
                match value {
                    $pattern => Ok($value),
                    _ => Err(OTHER_TYPE),
                }
            }
        }
    )* };
}

impl_from_value! {
    () => None => ();
    i32 => Some(WasmValue::I32(value)) => value;
    i64 => Some(WasmValue::I64(value)) => value;
    f32 => Some(WasmValue::F32(value)) => value;
    f64 => Some(WasmValue::F64(value)) => value;
}

/// The type of a number as wasmi has it; nothing for the others.
const fn val_type(ty: ValueType) -> Option<ValType> {
    match ty {
        ValueType::I32 => Some(ValType::I32),
        ValueType::I64 => Some(ValType::I64),
        ValueType::F32 => Some(ValType::F32),
        ValueType::F64 => Some(ValType::F64),
        ValueType::V128 | ValueType::FuncRef | ValueType::ExternRef => None,
    }
}

/// A number as the host gets it.
fn value(val: &Val) -> Option<WasmValue> {
    Some(match val {
        Val::I32(value) => WasmValue::I32(*value),
        Val::I64(value) => WasmValue::I64(*value),
        Val::F32(value) => WasmValue::F32(f32::from_bits(F32::to_bits(*value))),
        Val::F64(value) => WasmValue::F64(f64::from_bits(F64::to_bits(*value))),
        Val::V128(_) | Val::FuncRef(_) | Val::ExternRef(_) => return None,
    })
}

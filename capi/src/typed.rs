//! Functions of the usual signatures, called without looking at types each time.

use crate::{host::CHost, plugin::Plugin, value::wpr_value_t};
use alloc::boxed::Box;
use runtime::{Error, Params, PluginFunction, Results, ValueType};

/// A function with a signature that Rust knows.
pub(crate) trait Typed: Send + Sync {
    /// Calls it; nothing if the arguments are not of its types.
    fn call(&self, args: &[wpr_value_t]) -> Option<Result<Option<wpr_value_t>, Error>>;
}

/// The function of that name and signature, if it is one of the usual ones: up to two numbers of one type or four of 32
/// bits, and one result or none.
pub(crate) fn typed(
    plugin: &Plugin,
    name: &str,
    (params, results): (&[ValueType], &[ValueType]),
) -> Option<Box<dyn Typed>> {
    let function = Named { plugin, name, params };
    match results {
        [] => function.returning::<()>(),
        [ValueType::I32] => function.returning::<i32>(),
        [ValueType::I64] => function.returning::<i64>(),
        [ValueType::F64] => function.returning::<f64>(),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Named<'n> {
    plugin: &'n Plugin,
    name: &'n str,
    params: &'n [ValueType],
}

impl Named<'_> {
    fn returning<R: Results + ToValue>(self) -> Option<Box<dyn Typed>> {
        use ValueType::{F64, I32, I64};
        match self.params {
            [] => self.of::<(), R>(),
            [I32] => self.of::<i32, R>(),
            [I64] => self.of::<i64, R>(),
            [F64] => self.of::<f64, R>(),
            [I32, I32] => self.of::<(i32, i32), R>(),
            [I64, I64] => self.of::<(i64, i64), R>(),
            [F64, F64] => self.of::<(f64, f64), R>(),
            [I32, I32, I32] => self.of::<(i32, i32, i32), R>(),
            [I32, I32, I32, I32] => self.of::<(i32, i32, i32, i32), R>(),
            _ => None,
        }
    }

    fn of<P: Params + FromValues, R: Results + ToValue>(self) -> Option<Box<dyn Typed>> {
        // A reload in between may have changed it; its name will do then.
        let function = self.plugin.function::<P, R>(self.name).ok()?;
        Some(Box::new(function))
    }
}

impl<P: Params + FromValues, R: Results + ToValue> Typed for PluginFunction<P, R, CHost> {
    fn call(&self, args: &[wpr_value_t]) -> Option<Result<Option<wpr_value_t>, Error>> {
        Some(self.call(P::from_values(args)?).map(R::to_value))
    }
}

/// Parameters, from where the program has them.
trait FromValues: Sized {
    fn from_values(values: &[wpr_value_t]) -> Option<Self>;
}

macro_rules! from_values {
    ($($params:ty => [$($name:ident: $number:ty),*];)*) => { $(
        impl FromValues for $params {
            #[inline]
            #[allow(unused_parens)] // of one number
            fn from_values(values: &[wpr_value_t]) -> Option<Self> {
                match values {
                    [$($name),*] => Some(($($name.number::<$number>()?),*)),
                    _ => None,
                }
            }
        }
    )* };
}

from_values! {
    () => [];
    i32 => [a: i32];
    i64 => [a: i64];
    f64 => [a: f64];
    (i32, i32) => [a: i32, b: i32];
    (i64, i64) => [a: i64, b: i64];
    (f64, f64) => [a: f64, b: f64];
    (i32, i32, i32) => [a: i32, b: i32, c: i32];
    (i32, i32, i32, i32) => [a: i32, b: i32, c: i32, d: i32];
}

/// A result, as the program gets it.
trait ToValue {
    fn to_value(self) -> Option<wpr_value_t>;
}

impl ToValue for () {
    fn to_value(self) -> Option<wpr_value_t> {
        None
    }
}

macro_rules! to_value {
    ($($number:ty)*) => { $(
        impl ToValue for $number {
            #[inline]
            fn to_value(self) -> Option<wpr_value_t> {
                Some(wpr_value_t::of_number(self))
            }
        }
    )* };
}

to_value!(i32 i64 f64);

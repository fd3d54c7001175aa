//! The Rust types that a typed handle's parameters and results can have.

use crate::ValueType;

/// The parameters of a [`PluginFunction`](crate::PluginFunction): one of `i32`, `u32`, `i64`,
/// `u64`, `f32` and `f64`, or a tuple of 0 to 16 of them. Sealed.
pub trait Params: Types + wasmi::WasmParams + Copy {}

/// The results of a [`PluginFunction`](crate::PluginFunction): the same types as [`Params`]. Sealed.
pub trait Results: Types + wasmi::WasmResults {}

/// A list of value types that Rust knows.
#[doc(hidden)]
pub trait Types: Send + Sync + 'static {
    const TYPES: &'static [ValueType];
}

/// One value type that Rust knows.
#[doc(hidden)]
pub trait Type: wasmi::WasmTy + Copy + Sync + 'static {
    const TYPE: ValueType;
}

macro_rules! impl_type {
    ($($rust:ty => $wasm:ident),*) => { $(
        impl Type for $rust {
            const TYPE: ValueType = ValueType::$wasm;
        }
        impl Types for $rust {
            const TYPES: &'static [ValueType] = &[ValueType::$wasm];
        }
        impl Params for $rust {}
        impl Results for $rust {}
    )* };
}

impl_type!(i32 => I32, u32 => I32, i64 => I64, u64 => I64, f32 => F32, f64 => F64);

macro_rules! impl_tuples {
    () => {
        impl_tuples!(@one);
    };
    ($first:ident $($rest:ident)*) => {
        impl_tuples!(@one $first $($rest)*);
        impl_tuples!($($rest)*);
    };
    (@one $($name:ident)*) => {
        impl<$($name: Type),*> Types for ($($name,)*) {
            const TYPES: &'static [ValueType] = &[$($name::TYPE),*];
        }
        impl<$($name: Type),*> Params for ($($name,)*) {}
        impl<$($name: Type),*> Results for ($($name,)*) {}
    };
}

impl_tuples!(A B C D E F G H I J K L M N O P);

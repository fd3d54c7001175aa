//! The Rust types that a typed handle's parameters and results can have.

use crate::ValueType;

/// The parameters of a [`PluginFunction`](crate::PluginFunction): one of `i32`, `u32`, `i64`,
/// `u64`, `f32` and `f64`, or a tuple of 0 to 16 of them. Sealed.
pub trait Params: Types + wasmi::WasmParams + Copy {}

/// The results of a [`PluginFunction`](crate::PluginFunction): the same types as [`Params`]. Sealed.
pub trait Results: Types + wasmi::WasmResults {}

/// A list of value types that Rust knows.
#[doc(hidden)]
pub trait Types: Sized + Send + Sync + 'static {
    const TYPES: &'static [ValueType];
    /// What they take one behind the other, little-endian.
    const BYTES: usize;

    /// Writes them to the beginning of `into`, which has room for them.
    fn store(&self, into: &mut [u8]);

    /// Reads them from the beginning of `from`, which is as long as that.
    fn load(from: &[u8]) -> Self;
}

/// One value type that Rust knows.
#[doc(hidden)]
pub trait Type: wasmi::WasmTy + Copy + Sync + 'static {
    const TYPE: ValueType;
    const SIZE: usize;

    fn put(self, into: &mut [u8]);

    fn take(from: &[u8]) -> Self;
}

macro_rules! impl_type {
    ($($rust:ty => $wasm:ident),*) => { $(
        impl Type for $rust {
            const TYPE: ValueType = ValueType::$wasm;
            const SIZE: usize = size_of::<$rust>();

            #[inline(always)]
            fn put(self, into: &mut [u8]) {
                if let Some(into) = into.first_chunk_mut() {
                    *into = self.to_le_bytes();
                }
            }

            #[inline(always)]
            fn take(from: &[u8]) -> Self {
                from.first_chunk().map_or(Default::default(), |from| Self::from_le_bytes(*from))
            }
        }
        impl Types for $rust {
            const TYPES: &'static [ValueType] = &[ValueType::$wasm];
            const BYTES: usize = <Self as Type>::SIZE;

            #[inline(always)]
            fn store(&self, into: &mut [u8]) {
                self.put(into);
            }

            #[inline(always)]
            fn load(from: &[u8]) -> Self {
                Self::take(from)
            }
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
            const BYTES: usize = 0 $(+ $name::SIZE)*;

            #[inline(always)]
            #[allow(non_snake_case, unused_mut, unused_assignments, unused_variables)]
            fn store(&self, mut into: &mut [u8]) {
                let ($($name,)*) = *self;
                $(
                    $name.put(into);
                    into = into.get_mut($name::SIZE..).unwrap_or_default();
                )*
            }

            #[inline(always)]
            #[allow(clippy::unused_unit, unused_mut, unused_assignments, unused_variables)]
            fn load(mut from: &[u8]) -> Self {
                ($(
                    {
                        let value = $name::take(from);
                        from = from.get($name::SIZE..).unwrap_or_default();
                        value
                    },
                )*)
            }
        }
        impl<$($name: Type),*> Params for ($($name,)*) {}
        impl<$($name: Type),*> Results for ($($name,)*) {}
    };
}

impl_tuples!(A B C D E F G H I J K L M N O P);

//! Values that cross the boundary of a call.

use core::fmt;

/// How many values a call by name takes or returns at most.
pub const MAX_VALUES: usize = 16;

/// The results of a call by name, held inline: at most [`MAX_VALUES`].
pub type WasmValues = heapless::Vec<WasmValue, MAX_VALUES>;

/// Returns the results that `call` fills in. They are made where they are returned to: moving them
/// costs as much as looking the function up.
#[inline]
pub(crate) fn filled<E>(
    call: impl FnOnce(&mut WasmValues) -> Result<(), E>,
) -> Result<WasmValues, E> {
    let mut filled = Ok(WasmValues::new());
    if let Ok(results) = &mut filled
        && let Err(error) = call(results)
    {
        filled = Err(error);
    }
    filled
}

/// A value passed to or returned from a plugin's function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WasmValue {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// An opaque reference of the host's, by its number. 0 is the null reference.
    ///
    /// The guest can keep it and hand it back, and cannot read the number. One sandbox holds at
    /// most 64 different ones; one more is refused with
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded).
    ExternRef(u64),
}

impl WasmValue {
    /// Returns the value if it is an `i32`.
    pub const fn as_i32(&self) -> Option<i32> {
        match self {
            Self::I32(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the value if it is an `i64`.
    pub const fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I64(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the value if it is an `f32`.
    pub const fn as_f32(&self) -> Option<f32> {
        match self {
            Self::F32(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the value if it is an `f64`.
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::F64(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the type of the value.
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::I32(_) => ValueType::I32,
            Self::I64(_) => ValueType::I64,
            Self::F32(_) => ValueType::F32,
            Self::F64(_) => ValueType::F64,
            Self::ExternRef(_) => ValueType::ExternRef,
        }
    }
}

impl From<i32> for WasmValue {
    fn from(value: i32) -> Self {
        Self::I32(value)
    }
}

impl From<i64> for WasmValue {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<f32> for WasmValue {
    fn from(value: f32) -> Self {
        Self::F32(value)
    }
}

impl From<f64> for WasmValue {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}

impl WasmValue {
    /// Whether it is of the same type and has the same bits.
    pub(crate) const fn is_same(self, other: Self) -> bool {
        match (self, other) {
            (Self::I32(a), Self::I32(b)) => a == b,
            (Self::I64(a), Self::I64(b)) => a == b,
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            (Self::ExternRef(a), Self::ExternRef(b)) => a == b,
            _ => false,
        }
    }
}

/// The type of a parameter or result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer.
    I64,
    /// A 32-bit float.
    F32,
    /// A 64-bit float.
    F64,
    /// A 128-bit vector. A function with one in its signature cannot be called from the host.
    V128,
    /// A reference to a function. A function with one in its signature cannot be called from the
    /// host.
    FuncRef,
    /// A reference of the host's.
    ExternRef,
}

impl ValueType {
    /// Whether a host can pass or receive a value of this type.
    pub(crate) const fn crosses_the_host(self) -> bool {
        !matches!(self, Self::V128 | Self::FuncRef)
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::FuncRef => "funcref",
            Self::ExternRef => "externref",
        })
    }
}

/// Parameter or result types as the text format writes them: `(i32 i64)`.
pub(crate) struct TypeList<'a>(pub(crate) &'a [ValueType]);

impl fmt::Display for TypeList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, ty) in self.0.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{ty}")?;
        }
        f.write_str(")")
    }
}

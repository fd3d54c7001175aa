//! Values between the host and wasmi, for calls by name.

use super::{
    failure::Failure,
    store::{MAX_EXTERN_REFS, StoreData},
};
use crate::{ValueType, WasmValue, value::MAX_VALUES};
use wasmi::{ExternRef, F32, F64, Nullable, Store, Val};

/// The arguments of a call, then room for its results.
pub(super) type CallValues = heapless::Vec<Val, { 2 * MAX_VALUES }>;

/// A value as wasmi takes it.
#[inline]
pub(super) fn lower<H>(store: &mut Store<StoreData<H>>, value: WasmValue) -> Result<Val, Failure> {
    Ok(match value {
        WasmValue::I32(value) => Val::I32(value),
        WasmValue::I64(value) => Val::I64(value),
        WasmValue::F32(value) => Val::F32(F32::from_bits(value.to_bits())),
        WasmValue::F64(value) => Val::F64(F64::from_bits(value.to_bits())),
        WasmValue::ExternRef(number) => Val::ExternRef(intern(store, number)?),
    })
}

/// A value as the host gets it; nothing for a type that no host gets.
#[inline]
pub(super) fn lift<H>(store: &Store<StoreData<H>>, value: &Val) -> Option<WasmValue> {
    Some(match value {
        Val::I32(value) => WasmValue::I32(*value),
        Val::I64(value) => WasmValue::I64(*value),
        Val::F32(value) => WasmValue::F32(f32::from_bits(value.to_bits())),
        Val::F64(value) => WasmValue::F64(f64::from_bits(value.to_bits())),
        Val::ExternRef(Nullable::Null) => WasmValue::ExternRef(0),
        Val::ExternRef(Nullable::Val(reference)) => {
            WasmValue::ExternRef(*reference.data(store).downcast_ref::<u64>()?)
        }
        Val::V128(_) | Val::FuncRef(_) => return None,
    })
}

/// The reference that stands for `number`, made once.
fn intern<H>(store: &mut Store<StoreData<H>>, number: u64) -> Result<Nullable<ExternRef>, Failure> {
    if number == 0 {
        return Ok(Nullable::Null);
    }
    let known = store.data().extern_refs.iter().find(|(known, _)| *known == number);
    if let Some((_, reference)) = known {
        return Ok(Nullable::Val(*reference));
    }
    if store.data().extern_refs.len() >= MAX_EXTERN_REFS {
        return Err(Failure::TooManyExternRefs);
    }
    let reference = ExternRef::new(&mut *store, number);
    store.data_mut().extern_refs.push((number, reference));
    Ok(Nullable::Val(reference))
}

/// A placeholder for a result of the given type.
#[inline]
pub(super) fn placeholder(ty: ValueType) -> Val {
    Val::default_for_ty(match ty {
        ValueType::I32 => wasmi::ValType::I32,
        ValueType::I64 => wasmi::ValType::I64,
        ValueType::F32 => wasmi::ValType::F32,
        ValueType::F64 => wasmi::ValType::F64,
        ValueType::V128 => wasmi::ValType::V128,
        ValueType::FuncRef => wasmi::ValType::FuncRef,
        ValueType::ExternRef => wasmi::ValType::ExternRef,
    })
}

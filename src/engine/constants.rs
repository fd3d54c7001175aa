//! Bounds the constant expressions of a module, before wasmi sees them.
//!
//! wasmi 2.0.0 makes each operator of one a box in the next, evaluates them by recursion, and drops them
//! so: a sum of a million terms, four megabytes, overflows any native stack.

use super::inspect::invalid;
use crate::{Error, ErrorKind};
use alloc::format;
use wasmparser::{ConstExpr, DataKind, Element, ElementItems, ElementKind, Payload, TableInit};

/// Bytes of one constant expression: some eighty sums.
const MAX_BYTES: usize = 256;

/// Checks the constant expressions of a section.
pub(super) fn check(payload: &Payload<'_>) -> Result<(), Error> {
    match payload {
        Payload::GlobalSection(globals) => each(globals.clone(), |global| bound(&global.init_expr)),
        Payload::TableSection(tables) => each(tables.clone(), |table| match &table.init {
            TableInit::Expr(value) => bound(value),
            TableInit::RefNull => Ok(()),
        }),
        Payload::ElementSection(elements) => each(elements.clone(), element),
        Payload::DataSection(data) => each(data.clone(), |data| match &data.kind {
            DataKind::Active { offset_expr, .. } => bound(offset_expr),
            DataKind::Passive => Ok(()),
        }),
        _ => Ok(()),
    }
}

fn each<T>(
    items: impl IntoIterator<Item = wasmparser::Result<T>>,
    check: impl Fn(T) -> Result<(), Error>,
) -> Result<(), Error> {
    items.into_iter().try_for_each(|item| check(item.map_err(|error| invalid(&error))?))
}

fn element(element: Element<'_>) -> Result<(), Error> {
    if let ElementKind::Active { offset_expr, .. } = &element.kind {
        bound(offset_expr)?;
    }
    match element.items {
        ElementItems::Expressions(_, values) => each(values, |value| bound(&value)),
        ElementItems::Functions(_) => Ok(()),
    }
}

fn bound(value: &ConstExpr<'_>) -> Result<(), Error> {
    let bytes = value.get_binary_reader().bytes_remaining();
    match bytes <= MAX_BYTES {
        true => Ok(()),
        false => {
            let what = format!("a constant expression has {bytes} bytes; {MAX_BYTES} are allowed");
            Err(Error::guest(ErrorKind::LimitExceeded, what))
        }
    }
}

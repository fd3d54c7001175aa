//! Bounds the constant expressions of a module, before wasmi sees them.
//!
//! wasmi 2.0.0 makes each operator of one a box in the next, evaluates them by recursion, and drops them
//! so: a sum of a million terms, four megabytes, overflows any native stack.

use super::shape::invalid;
use crate::{Error, ErrorKind};
use wasmparser::{ConstExpr, Data, DataKind, Element, ElementItems, ElementKind};

/// Bytes of one constant expression: some eighty sums.
const MAX_BYTES: usize = 256;

/// Checks where the elements of a segment go, and what they are.
pub(super) fn check_element(element: wasmparser::Result<Element<'_>>) -> Result<(), Error> {
    let element = element.map_err(|error| invalid(&error))?;
    if let ElementKind::Active { offset_expr, .. } = &element.kind {
        check(offset_expr)?;
    }
    let ElementItems::Expressions(_, values) = element.items else {
        return Ok(());
    };
    values.into_iter().try_for_each(|value| check(&value.map_err(|error| invalid(&error))?))
}

/// Checks where data goes.
pub(super) fn check_data(data: wasmparser::Result<Data<'_>>) -> Result<(), Error> {
    match &data.map_err(|error| invalid(&error))?.kind {
        DataKind::Active { offset_expr, .. } => check(offset_expr),
        DataKind::Passive => Ok(()),
    }
}

/// Checks one constant expression.
#[inline(never)]
pub(super) fn check(value: &ConstExpr<'_>) -> Result<(), Error> {
    match value.get_binary_reader().bytes_remaining() <= MAX_BYTES {
        true => Ok(()),
        false => {
            let what = "a constant expression has more than 256 bytes";
            Err(Error::guest(ErrorKind::LimitExceeded, what))
        }
    }
}

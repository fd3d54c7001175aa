//! Reads the operators of a function, before wasmi sees them.

use super::{
    shape::{Shape, invalid},
    weight::Body,
};
use crate::{Error, ErrorKind};
use alloc::format;
use wasmparser::Operator;

/// Checks that nothing follows the end of a function, notes the operators that need care, and what each
/// weighs.
///
/// wasmi 2.0.0 translates each operator right after it is validated, but validation finds operators
/// beyond the end only when it is through with the body. By then the translator has panicked.
pub(super) fn check_operators(
    body: &wasmparser::FunctionBody<'_>,
    index: u64,
    shape: &mut Shape,
    weight: &mut Body,
) -> Result<(), Error> {
    let mut operators = body.get_operators_reader().map_err(|error| invalid(&error))?;
    let mut depth = 1_u32;
    while !operators.eof() {
        if depth == 0 {
            let what = format!("not a valid module: function {index} goes on after its end");
            return Err(Error::guest(ErrorKind::InvalidModule, what));
        }
        let operator = operators.read().map_err(|error| invalid(&error))?;
        weight.operator(&operator, shape);
        match operator {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Try { .. }
            | Operator::TryTable { .. } => depth = depth.saturating_add(1),
            Operator::End | Operator::Delegate { .. } => depth = depth.saturating_sub(1),
            Operator::MemoryGrow { .. } | Operator::TableInit { .. } => {
                shape.care.leaks_stack = true;
            }
            Operator::TableGrow { table } => shape.grows(table),
            Operator::ReturnCall { function_index } => {
                shape.care.tail_calls_host |= (function_index as usize) < shape.imports.len();
            }
            Operator::ReturnCallIndirect { .. } | Operator::ReturnCallRef { .. } => {
                shape.care.tail_calls_unknown = true;
            }
            _ => {}
        }
    }
    Ok(())
}

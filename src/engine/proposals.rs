//! Which proposals beyond WebAssembly 1.0 a module's code uses, for the admission report.

use super::{inspect::each_payload, shape::invalid};
use crate::Error;
use alloc::vec::Vec;
#[cfg(feature = "simd")]
use wasmparser::VisitSimdOperator;
use wasmparser::{Payload, VisitOperator};

/// Adds the proposals that the operators of `wasm` belong to, and sorts the list.
pub(super) fn add_from_code(wasm: &[u8], found: &mut Vec<&'static str>) -> Result<(), Error> {
    let mut visitor = Visitor(found);
    each_payload(wasm, &mut |payload| {
        if let Payload::CodeSectionEntry(body) = payload {
            let mut operators = body.get_operators_reader().map_err(|error| invalid(&error))?;
            while !operators.eof() {
                operators.visit_operator(&mut visitor).map_err(|error| invalid(&error))?;
            }
        }
        Ok(())
    })?;
    found.sort_unstable();
    Ok(())
}

/// Notes the proposal of each operator it visits.
struct Visitor<'f>(&'f mut Vec<&'static str>);

impl Visitor<'_> {
    #[inline]
    fn note(&mut self, proposal: &'static str) {
        if proposal != "mvp" && !self.0.iter().any(|known| same(known, proposal)) {
            self.0.push(official(proposal));
        }
    }
}

/// Whether the parser's name for a proposal is that of one found.
fn same(known: &str, proposal: &str) -> bool {
    known.len() == proposal.len()
        && known.bytes().zip(proposal.bytes()).all(|(a, b)| a == b || (a == b'-' && b == b'_'))
}

/// The name of a proposal as its repository spells it.
fn official(proposal: &'static str) -> &'static str {
    match proposal {
        "bulk_memory" => "bulk-memory",
        "function_references" => "function-references",
        "memory_control" => "memory-control",
        "reference_types" => "reference-types",
        "relaxed_simd" => "relaxed-simd",
        "saturating_float_to_int" => "saturating-float-to-int",
        "shared_everything_threads" => "shared-everything-threads",
        "sign_extension" => "sign-extension",
        "stack_switching" => "stack-switching",
        "tail_call" => "tail-call",
        "wide_arithmetic" => "wide-arithmetic",
        other => other,
    }
}

macro_rules! note_each {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($ann:tt)*) )*)
    => { $(
        fn $visit(&mut self $($(, $arg: $ty)*)?) {
            $($(let _ = $arg;)*)?
            self.note(stringify!($proposal));
        }
    )* };
}

impl<'a> VisitOperator<'a> for Visitor<'_> {
    type Output = ();

    #[cfg(feature = "simd")]
    fn simd_visitor(&mut self) -> Option<&mut dyn VisitSimdOperator<'a, Output = ()>> {
        Some(self)
    }

    wasmparser::for_each_visit_operator!(note_each);
}

#[cfg(feature = "simd")]
impl VisitSimdOperator<'_> for Visitor<'_> {
    wasmparser::for_each_visit_simd_operator!(note_each);
}

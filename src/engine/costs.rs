//! What guest code costs, where that differs from wasmi's own costs.

use wasmi::{CustomFuelCosts, OperatorCost};

/// Fuel of an operator that leaves native stack behind in wasmi 2.0.0: the most there is.
const LEAKING_OPERATOR_FUEL: u8 = 255;

/// Fuel that the function around `table.grow` is charged when it begins, and again when it is
/// resumed: 1 for the function, 2 for `local.get`, and the `table.grow` itself.
pub(super) const TABLE_GROW_FUNCTION_FUEL: u64 = 1 + 2 + LEAKING_OPERATOR_FUEL as u64;

/// The cost of each operator: 1 for most, as in wasmi. Two relaxed vector operators leave stack behind
/// on AArch64 without fat LTO only, and cost the same everywhere.
pub(super) fn operators() -> OperatorCost {
    OperatorCost {
        memory_grow: LEAKING_OPERATOR_FUEL,
        table_grow: LEAKING_OPERATOR_FUEL,
        table_init: LEAKING_OPERATOR_FUEL,
        #[cfg(feature = "simd")]
        i16x8_relaxed_dot_i8x16_i7x16_s: LEAKING_OPERATOR_FUEL,
        #[cfg(feature = "simd")]
        i32x4_relaxed_dot_i8x16_i7x16_add_s: LEAKING_OPERATOR_FUEL,
        ..OperatorCost::default()
    }
}

/// The cost of bytes. Translating a function on its first call is free: running out of fuel there
/// cannot be resumed.
pub(super) fn bytes() -> CustomFuelCosts {
    CustomFuelCosts {
        bytes_copied_per_fuel: 64,
        fuel_per_bytes_translated: 0,
        fuel_per_bytes_validated: 0,
    }
}

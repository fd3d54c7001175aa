//! The audit ring.

use crate::{
    code::{Failure, wpr_code_t},
    error::{boundary, wpr_error_t},
    handle::take,
    host::wpr_registry_t,
    pointers::Out,
    record::wpr_audit_record_t,
};

/// Sets the size of a record.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_audit_record_init(record: Out<wpr_audit_record_t>, struct_size: usize) {
    record.initialise(struct_size);
}

/// Takes the oldest record out of the ring of the last 64 decisions. `WPR_NOT_FOUND` if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_audit_pop(
    registry: wpr_registry_t,
    record: Out<wpr_audit_record_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        record.check()?;
        let popped = registry.audit().pop();
        let popped = popped
            .ok_or_else(|| Failure::misuse(wpr_code_t::WPR_NOT_FOUND, "the audit ring is empty"))?;
        record.fill(wpr_audit_record_t::of(&popped))
    })
}

/// Says how many records were lost because nobody took them, or because two threads were at the ring at once.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_audit_dropped(
    registry: wpr_registry_t,
    dropped: Out<u64>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        dropped.require("dropped")?;
        dropped.set(take(registry)?.audit().dropped());
        Ok(())
    })
}

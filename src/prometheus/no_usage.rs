//! Where nothing is counted, there is nothing to tell of tenants.

use crate::{WasmPluginRegistry, host::Host};
use core::fmt;

pub(super) const fn render<H: Host>(
    _registry: &WasmPluginRegistry<H>,
    _out: &mut dyn fmt::Write,
) -> fmt::Result {
    Ok(())
}

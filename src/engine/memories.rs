//! What the host reaches of a sandbox between calls: exported memories and globals.

use super::{sandbox::Sandbox, values::lift};
use crate::{WasmValue, host::Host};
use wasmi::{Extern, Memory};

impl<H: Host> Sandbox<H> {
    /// Reads an exported memory. `false` if the range is not inside; nothing if there is no such
    /// memory.
    pub(crate) fn read(&self, memory: &str, offset: u64, into: &mut [u8]) -> Option<bool> {
        let memory = self.memory(memory)?;
        let read = usize::try_from(offset).map(|at| memory.read(&self.store, at, into).is_ok());
        Some(read.unwrap_or(false))
    }

    /// Writes an exported memory. Answers as [`read`](Self::read).
    pub(crate) fn write(&mut self, memory: &str, offset: u64, bytes: &[u8]) -> Option<bool> {
        let memory = self.memory(memory)?;
        let written =
            usize::try_from(offset).map(|at| memory.write(&mut self.store, at, bytes).is_ok());
        Some(written.unwrap_or(false))
    }

    /// The size of an exported memory in bytes.
    pub(crate) fn memory_bytes(&self, memory: &str) -> Option<u64> {
        Some(self.memory(memory)?.data_size(&self.store) as u64)
    }

    /// Grows an exported memory and returns its former size in pages; `Some(None)` if a limit
    /// forbids it.
    pub(crate) fn grow(&mut self, memory: &str, pages: u64) -> Option<Option<u64>> {
        let memory = self.memory(memory)?;
        let grown = memory.grow(&mut self.store, pages).ok();
        self.store.data_mut().caught.resume();
        Some(grown)
    }

    /// The value of an exported global, if it is of a type that a host gets.
    pub(crate) fn global(&self, name: &str) -> Option<WasmValue> {
        let global = self.instance.get_global(&self.store, name)?;
        lift(&self.store, &global.get(&self.store))
    }

    fn memory(&self, name: &str) -> Option<Memory> {
        self.instance.get_export(&self.store, name).and_then(Extern::into_memory)
    }
}

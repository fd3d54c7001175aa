//! Where a host puts its answer: straight into the guest's memory.

use super::{Host, HostCall, HostError, wire};

/// The part of guest memory that a host function may write.
///
/// What is written is charged to the call first, at the function's cost, so that the fuel of an
/// answer never depends on how much room the guest offered for it.
#[derive(Debug)]
pub struct Output<'b> {
    bytes: &'b mut [u8],
    len: usize,
}

impl<'b> Output<'b> {
    pub(crate) fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    /// Returns how many bytes the guest offered.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Returns how many bytes have been written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Charges for the whole of `value`, writes it if it fits, and returns its full length.
    ///
    /// A value that does not fit is not written at all: the guest learns its length and can come
    /// back with more room.
    ///
    /// # Errors
    ///
    /// [`HostError::OutOfFuel`] if the call cannot pay; nothing is written.
    pub fn write_value<H: Host>(
        &mut self,
        call: &mut HostCall<'_, H>,
        value: &[u8],
    ) -> Result<usize, HostError> {
        call.charge_bytes(value.len())?;
        self.put(value);
        Ok(value.len())
    }

    /// Charges for one record of `key` and `value` and appends it; returns whether it fits.
    ///
    /// The first record that does not fit is charged too, since it was found and read.
    ///
    /// # Errors
    ///
    /// [`HostError::OutOfFuel`] if the call cannot pay; the record is not written.
    pub fn push_record<H: Host>(
        &mut self,
        call: &mut HostCall<'_, H>,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, HostError> {
        call.charge_items(1)?;
        call.charge_bytes(key.len().saturating_add(value.len()))?;
        let needed = wire::field_len(key).saturating_add(wire::field_len(value));
        if needed > self.bytes.len().saturating_sub(self.len) {
            return Ok(false);
        }
        for field in [key, value] {
            let length = u32::try_from(field.len()).map_err(|_| HostError::LimitReached)?;
            self.put(&length.to_le_bytes());
            self.put(field);
        }
        Ok(true)
    }

    /// Appends `bytes` if they fit; returns whether they did.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> bool {
        let room = self.bytes.get_mut(self.len..).and_then(|rest| rest.get_mut(..bytes.len()));
        match room {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len += bytes.len();
                true
            }
            None => false,
        }
    }
}

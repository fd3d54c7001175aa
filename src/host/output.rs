//! Where a host puts its answer: straight into the guest's memory.

use super::{Host, HostCall, HostCost, HostError, wire};
use crate::budget::Meter;

/// The part of guest memory that a host function may write.
///
/// What is written is charged to the call first, at the function's cost, so that the fuel of an
/// answer never depends on how much room the guest offered for it.
#[derive(Debug)]
pub struct Output<'b> {
    bytes: &'b mut [u8],
    len: usize,
    /// Who pays for what is written, where there is no [`HostCall`] for that.
    account: Option<Account<'b>>,
}

/// A suspended call, as it pays for its answer.
#[derive(Debug)]
struct Account<'b> {
    meter: &'b mut Meter,
    cost: &'b HostCost,
}

impl<'b> Output<'b> {
    pub(crate) fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, len: 0, account: None }
    }

    /// The same, with what is [written](Self::write) paid from `meter`.
    pub(super) fn paid_by(self, meter: &'b mut Meter, cost: &'b HostCost) -> Self {
        Self { account: Some(Account { meter, cost }), ..self }
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

    /// Charges the suspended call for the whole of `value`, appends it if it fits, and returns its
    /// full length: [`write_value`](Self::write_value) for an answer that comes
    /// [later](crate::PluginCall::complete).
    ///
    /// # Errors
    ///
    /// [`HostError::OutOfFuel`] if the call cannot pay; nothing is written.
    /// [`HostError::LimitReached`] if the length does not fit an `i32`. [`HostError::NotSupported`]
    /// in a host function, where there is a [`HostCall`] to pay.
    pub fn write(&mut self, value: &[u8]) -> Result<i32, HostError> {
        let len = i32::try_from(value.len()).map_err(|_| HostError::LimitReached)?;
        let Account { meter, cost } = self.account.as_mut().ok_or(HostError::NotSupported)?;
        meter.charge(cost.bytes(value.len()))?;
        self.put(value);
        Ok(len)
    }

    /// Charges the suspended call for one record and appends it; returns whether it fits:
    /// [`push_record`](Self::push_record) for an answer that comes
    /// [later](crate::PluginCall::complete).
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<bool, HostError> {
        let Account { meter, cost } = self.account.as_mut().ok_or(HostError::NotSupported)?;
        let bytes = cost.bytes(key.len().saturating_add(value.len()));
        meter.charge(cost.items(1).saturating_add(bytes))?;
        self.put_record(key, value)
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
        self.put_record(key, value)
    }

    /// Appends one record if it fits; returns whether it does.
    fn put_record(&mut self, key: &[u8], value: &[u8]) -> Result<bool, HostError> {
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

    /// Charges for each of `ids` and its 8 bytes, appends all of them if all fit, and returns how
    /// many there are.
    ///
    /// `ids` is gone through twice, with a [`checkpoint`](HostCall::checkpoint) each 1,024 ids: to
    /// count them, and to write them.
    ///
    /// # Errors
    ///
    /// [`HostError::OutOfFuel`] if the call cannot pay, [`HostError::Deadline`] if it is past its
    /// deadline.
    pub fn write_row_ids<H: Host>(
        &mut self,
        call: &mut HostCall<'_, H>,
        ids: impl Iterator<Item = u64> + Clone,
    ) -> Result<usize, HostError> {
        let count = charge_row_ids(call, ids.clone())?;
        if count.saturating_mul(ROW_ID_BYTES) <= self.bytes.len().saturating_sub(self.len) {
            for (n, id) in ids.take(count).enumerate() {
                if n % IDS_BETWEEN_CHECKPOINTS == IDS_BETWEEN_CHECKPOINTS - 1 {
                    call.checkpoint()?;
                }
                self.put(&id.to_le_bytes());
            }
        }
        Ok(count)
    }

    /// What the guest offered, as a whole.
    pub(super) fn into_bytes(self) -> &'b mut [u8] {
        self.bytes
    }

    /// Appends `bytes` if they fit; returns whether they did.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> bool {
        // An empty value has no memory of its own: see `Split::input`.
        if bytes.is_empty() {
            return true;
        }
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

/// A row id on the wire.
const ROW_ID_BYTES: usize = 8;
/// How many row ids go by between two looks at the clock.
const IDS_BETWEEN_CHECKPOINTS: usize = 1_024;

/// Counts the ids and charges for them, as they are counted: a call that cannot pay for all stops
/// early.
fn charge_row_ids<H: Host>(
    call: &mut HostCall<'_, H>,
    mut ids: impl Iterator<Item = u64>,
) -> Result<usize, HostError> {
    let mut count = 0_usize;
    loop {
        let more = ids.by_ref().take(IDS_BETWEEN_CHECKPOINTS).count();
        call.charge_items(more)?;
        call.charge_bytes(more.saturating_mul(ROW_ID_BYTES))?;
        count = count.saturating_add(more);
        if more < IDS_BETWEEN_CHECKPOINTS {
            return Ok(count);
        }
        call.checkpoint()?;
    }
}

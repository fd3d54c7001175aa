//! One event on its way to a guest: how it lies in the guest's memory.

use crate::{Output, engine::Input, host::field_len};

/// Numbers, a text and pairs of texts. They are written straight to where the guest reads them.
pub(super) struct Record<'a> {
    /// The numbers, little-endian, as they lie.
    pub(super) numbers: &'a [u8],
    pub(super) text: Option<&'a str>,
    pub(super) pairs: &'a [(&'a str, &'a str)],
}

impl<'a> Record<'a> {
    fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let pairs = self.pairs.iter().flat_map(|(name, value)| [*name, *value]);
        self.text.into_iter().chain(pairs).map(str::as_bytes)
    }
}

impl Input for Record<'_> {
    fn len(&self) -> usize {
        self.fields().fold(self.numbers.len(), |len, field| len.saturating_add(field_len(field)))
    }

    fn write_to(&self, room: &mut [u8]) {
        let mut out = Output::new(room);
        out.put(self.numbers);
        for field in self.fields() {
            // A record that is sent is far below 4 GiB.
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            out.put(&length.to_le_bytes());
            out.put(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec, vec::Vec};
    use proptest::prelude::*;

    fn expected(numbers: &[u8], texts: &[&str]) -> Vec<u8> {
        let mut bytes = numbers.to_vec();
        for text in texts {
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    proptest! {
        #[test]
        fn a_record_is_as_long_as_it_says_and_fits_whatever_room_it_gets(
            numbers in prop::collection::vec(any::<u8>(), 0..17),
            text in prop::option::of(".{0,8}"),
            pairs in prop::collection::vec((".{0,8}", ".{0,8}"), 0..5),
            room in 0..200_usize,
        ) {
            let pairs: Vec<(&str, &str)> =
                pairs.iter().map(|(n, v): &(String, String)| (&**n, &**v)).collect();
            let record = Record { numbers: &numbers, text: text.as_deref(), pairs: &pairs };
            let texts: Vec<_> =
                text.as_deref().into_iter().chain(pairs.iter().flat_map(|p| [p.0, p.1])).collect();
            let expected = expected(&numbers, &texts);
            let mut whole = vec![0; record.len()];
            record.write_to(&mut whole);
            prop_assert_eq!(whole, expected);
            record.write_to(&mut vec![0; room]);
        }
    }
}

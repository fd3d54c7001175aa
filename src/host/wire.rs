//! The wire format of fields and labels: little-endian, a field is `u32 length` and its bytes.

use super::HostError;

/// Bytes that a field takes on the wire.
pub(crate) fn field_len(bytes: &[u8]) -> usize {
    bytes.len().saturating_add(4)
}

/// Takes the first field off `bytes`.
pub(crate) fn take_field(bytes: &[u8]) -> Result<(&[u8], &[u8]), HostError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(HostError::InvalidArguments)?;
    let length =
        usize::try_from(u32::from_le_bytes(*length)).map_err(|_| HostError::InvalidArguments)?;
    rest.split_at_checked(length).ok_or(HostError::InvalidArguments)
}

/// Label pairs as a guest wrote them: name field and value field, repeated, all UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Labels<'a> {
    /// Checks that `bytes` are whole pairs of UTF-8 fields.
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, HostError> {
        match bytes.is_empty() {
            true => Ok(Self(bytes)),
            false => Self::parse_pairs(bytes),
        }
    }

    fn parse_pairs(bytes: &'a [u8]) -> Result<Self, HostError> {
        // If all bytes are ASCII, those of each field are: one look at them instead of one a field.
        let ascii = bytes.is_ascii();
        let mut rest = bytes;
        while !rest.is_empty() {
            for _ in 0..2 {
                let (field, tail) = take_field(rest)?;
                if !ascii && core::str::from_utf8(field).is_err() {
                    return Err(HostError::InvalidArguments);
                }
                rest = tail;
            }
        }
        Ok(Self(bytes))
    }

    /// Returns the pairs as they are on the wire. Two lists of labels are the same series exactly
    /// if these bytes are.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Iterates over the pairs of name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let mut text = || {
                let (field, tail) = take_field(rest).ok()?;
                rest = tail;
                core::str::from_utf8(field).ok()
            };
            Some((text()?, text()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec::Vec};
    use proptest::prelude::*;

    fn encode(pairs: &[(String, String)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in pairs.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend(u32::try_from(field.len()).unwrap().to_le_bytes());
            bytes.extend(field.as_bytes());
        }
        bytes
    }

    proptest! {
        #[test]
        fn labels_read_back_as_they_were_written(
            pairs in prop::collection::vec((".{0,8}", ".{0,8}"), 0..5),
        ) {
            let bytes = encode(&pairs);
            let labels = Labels::parse(&bytes).unwrap();
            let read: Vec<_> =
                labels.iter().map(|(n, v)| (String::from(n), String::from(v))).collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn labels_cut_anywhere_inside_a_pair_are_refused(
            pairs in prop::collection::vec(("[a-z]{0,8}", "[a-z]{0,8}"), 1..4),
            cut in 1..200_usize,
        ) {
            let bytes = encode(&pairs);
            let ends: Vec<_> = (0..=pairs.len()).map(|n| encode(&pairs[..n]).len()).collect();
            let cut = cut % bytes.len();
            prop_assert_eq!(Labels::parse(&bytes[..cut]).is_ok(), ends.contains(&cut));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(labels) = Labels::parse(&bytes) {
                labels.iter().count();
            }
        }
    }
}

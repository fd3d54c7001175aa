//! Text of fixed size, where nothing may be allocated; and the hash of a name.

use hash32::{FnvHasher, Hasher as _};

/// As much of `text` as fits into `max_bytes`, cut between characters.
pub(crate) fn prefix(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// A number for a name, which many names share.
pub(crate) fn hash(name: &str) -> u32 {
    let mut hasher = FnvHasher::default();
    core::hash::Hasher::write(&mut hasher, name.as_bytes());
    hasher.finish32()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_prefix_is_the_longest_that_fits(text in ".{0,12}", max in 0..20_usize) {
            let cut = prefix(&text, max);
            prop_assert!(text.starts_with(cut) && cut.len() <= max);
            let next = text[cut.len()..].chars().next();
            prop_assert!(next.is_none_or(|next| cut.len() + next.len_utf8() > max));
        }
    }
}

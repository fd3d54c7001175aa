//! What a number is that is not the handle that is wanted.

use crate::slot::Stale;
use core::fmt;

/// Where the tag is in a number.
pub(crate) const TAG_SHIFT: u32 = 24;
/// The bits of a number that are the tag.
pub(crate) const TAG_MASK: u64 = 0xff << TAG_SHIFT;
/// The kinds, by their tags.
const KINDS: [&str; 8] = ["", "registry", "plugin", "function", "call", "lease", "cancel", "bytes"];

/// Why a number is not the handle that is wanted. It is put in words where someone reads them: a signal handler whose
/// handle is stale allocates nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoHandle {
    pub(crate) id: u64,
    pub(crate) wanted: &'static str,
    /// Nothing if it is of another kind.
    pub(crate) stale: Option<Stale>,
}

impl fmt::Display for NoHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = usize::try_from((self.id & TAG_MASK) >> TAG_SHIFT).unwrap_or(0);
        let wanted = self.wanted;
        match (self.stale, self.id, KINDS.get(tag)) {
            (Some(Stale::Released), ..) => write!(f, "the {wanted} handle was released"),
            (None, 0, _) => write!(f, "the {wanted} handle is 0: it was never set"),
            (None, _, Some(&kind)) if !kind.is_empty() => {
                write!(f, "a {kind} handle was given where a {wanted} handle is wanted")
            }
            _ => write!(f, "this {wanted} handle was never given out"),
        }
    }
}

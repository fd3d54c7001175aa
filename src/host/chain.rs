//! Which plugins are on the native stack, so that none is entered twice.

use crate::{MAX_CALL_DEPTH, cancel::CancelCell, sync::Arc};
use alloc::vec::Vec;

/// The calls that led to a call, outermost first; the one that is running now is not among them.
/// Empty for a call that the host made.
#[derive(Debug, Clone, Default)]
// Most sandboxes are called by hosts alone; the others have room for the longest from the first such call on.
pub(crate) struct Chain(Vec<Link>);

/// A call that made another, and waits for it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// The number of its plugin.
    pub(crate) plugin: u64,
    /// Where it is cancelled.
    pub(crate) cancel: Arc<CancelCell>,
}

/// Why a chain cannot get longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainEnd {
    TooDeep,
    Cycle,
}

impl Chain {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of its calls is cancelled.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.iter().any(|call| call.cancel.is_cancelled())
    }

    /// Whether `caller`, at the end of this one, may call the plugin `callee`, where there may be
    /// `max_depth` plugins in all.
    pub(crate) fn check(&self, caller: &Link, callee: u64, max_depth: u32) -> Result<(), ChainEnd> {
        if callee == caller.plugin || self.0.iter().any(|call| call.plugin == callee) {
            return Err(ChainEnd::Cycle);
        }
        // The caller and its callee come behind those that are here.
        match u32::try_from(self.0.len().saturating_add(2)) {
            Ok(depth) if depth <= max_depth.min(MAX_CALL_DEPTH) => Ok(()),
            _ => Err(ChainEnd::TooDeep),
        }
    }

    /// Makes this the chain of a call that `caller` makes, at the end of `outer`, which has
    /// [checked](Self::check) that it may; returns whether there was memory for it.
    #[must_use]
    pub(crate) fn set(&mut self, outer: &Self, caller: &Link) -> bool {
        self.0.clear();
        let has_room = self.0.try_reserve_exact(MAX_CALL_DEPTH as usize).is_ok();
        if has_room {
            self.0.extend(outer.0.iter().chain([caller]).cloned());
        }
        has_room
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(plugin: u64) -> Link {
        Link { plugin, cancel: Arc::default() }
    }

    fn behind(outer: &Chain, caller: &Link) -> Chain {
        let mut chain = Chain::default();
        assert!(chain.set(outer, caller));
        chain
    }

    #[test]
    fn a_chain_ends_at_its_depth() {
        let host = Chain::default();
        assert_eq!(host.check(&link(1), 2, 1), Err(ChainEnd::TooDeep));
        assert_eq!(host.check(&link(1), 2, 2), Ok(()));
        assert_eq!(behind(&host, &link(1)).check(&link(2), 3, 2), Err(ChainEnd::TooDeep));
        let mut chain = host;
        for caller in 1..u64::from(MAX_CALL_DEPTH) {
            assert_eq!(chain.check(&link(caller), caller + 1, u32::MAX), Ok(()));
            chain = behind(&chain, &link(caller));
            assert_eq!(chain.0.len() as u64, caller);
        }
        let last = u64::from(MAX_CALL_DEPTH);
        assert_eq!(chain.check(&link(last), last + 1, u32::MAX), Err(ChainEnd::TooDeep));
    }

    #[test]
    fn a_chain_never_comes_back() {
        let two = behind(&Chain::default(), &link(1));
        assert_eq!(two.check(&link(2), 1, 8), Err(ChainEnd::Cycle));
        assert_eq!(two.check(&link(2), 2, 8), Err(ChainEnd::Cycle));
    }

    #[test]
    fn a_chain_is_cancelled_with_any_of_its_calls() {
        let callers = [link(1), link(2)];
        let two = behind(&Chain::default(), &callers[0]);
        let three = behind(&two, &callers[1]);
        callers[1].cancel.begin();
        assert!(!three.is_cancelled());
        assert!(callers[1].cancel.cancel_running());
        assert!(three.is_cancelled());
        assert!(!two.is_cancelled());
    }
}

//! Which plugins are on the native stack, so that none is entered twice.

use crate::{MAX_CALL_DEPTH, cancel::CancelCell, sync::Arc};

/// The calls that led to a call, outermost first; the one that is running now is not among them.
/// Empty for a call that the host made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain(heapless::Vec<Link, { MAX_CALL_DEPTH as usize }>);

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

    /// The chain of a call that `caller`, at the end of this one, makes to the plugin `callee`; there
    /// may be `max_depth` plugins in all.
    pub(crate) fn extend(
        &self,
        caller: &Link,
        callee: u64,
        max_depth: u32,
    ) -> Result<Self, ChainEnd> {
        if callee == caller.plugin || self.0.iter().any(|call| call.plugin == callee) {
            return Err(ChainEnd::Cycle);
        }
        let mut longer = self.clone();
        longer.0.push(caller.clone()).map_err(|_| ChainEnd::TooDeep)?;
        match u32::try_from(longer.0.len()) {
            Ok(outer) if outer < max_depth.min(MAX_CALL_DEPTH) => Ok(longer),
            _ => Err(ChainEnd::TooDeep),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(plugin: u64) -> Link {
        Link { plugin, cancel: Arc::default() }
    }

    #[test]
    fn a_chain_ends_at_its_depth() {
        let host = Chain::default();
        assert_eq!(host.extend(&link(1), 2, 1).unwrap_err(), ChainEnd::TooDeep);
        let two = host.extend(&link(1), 2, 2).unwrap();
        assert_eq!(two.extend(&link(2), 3, 2).unwrap_err(), ChainEnd::TooDeep);
        let mut chain = host;
        for caller in 1..u64::from(MAX_CALL_DEPTH) {
            chain = chain.extend(&link(caller), caller + 1, u32::MAX).unwrap();
        }
        let last = u64::from(MAX_CALL_DEPTH);
        assert_eq!(chain.extend(&link(last), last + 1, u32::MAX).unwrap_err(), ChainEnd::TooDeep);
    }

    #[test]
    fn a_chain_never_comes_back() {
        let two = Chain::default().extend(&link(1), 2, 8).unwrap();
        assert_eq!(two.extend(&link(2), 1, 8).unwrap_err(), ChainEnd::Cycle);
        assert_eq!(two.extend(&link(2), 2, 8).unwrap_err(), ChainEnd::Cycle);
    }

    #[test]
    fn a_chain_is_cancelled_with_any_of_its_calls() {
        let callers = [link(1), link(2)];
        let two = Chain::default().extend(&callers[0], 2, 8).unwrap();
        let three = two.extend(&callers[1], 3, 8).unwrap();
        callers[1].cancel.begin();
        assert!(!three.is_cancelled());
        assert!(callers[1].cancel.cancel_running());
        assert!(three.is_cancelled());
        assert!(!two.is_cancelled());
    }
}

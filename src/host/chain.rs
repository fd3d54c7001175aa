//! Which plugins are on the native stack, so that none is entered twice.

use crate::MAX_CALL_DEPTH;

/// The plugins that called one another to get to a call, by their number, outermost first; the one
/// that is running now is not among them. Empty for a call that the host made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain(heapless::Vec<u64, { MAX_CALL_DEPTH as usize }>);

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

    /// The chain of a call that `caller`, at the end of this one, makes to `callee`; there may be
    /// `max_depth` plugins in all.
    pub(crate) fn extend(
        &self,
        caller: u64,
        callee: u64,
        max_depth: u32,
    ) -> Result<Self, ChainEnd> {
        if callee == caller || self.0.contains(&callee) {
            return Err(ChainEnd::Cycle);
        }
        let mut longer = self.clone();
        longer.0.push(caller).map_err(|_| ChainEnd::TooDeep)?;
        match u32::try_from(longer.0.len()) {
            Ok(outer) if outer < max_depth.min(MAX_CALL_DEPTH) => Ok(longer),
            _ => Err(ChainEnd::TooDeep),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_ends_at_its_depth() {
        let host = Chain::default();
        assert_eq!(host.extend(1, 2, 1).unwrap_err(), ChainEnd::TooDeep);
        let two = host.extend(1, 2, 2).unwrap();
        assert_eq!(two.extend(2, 3, 2).unwrap_err(), ChainEnd::TooDeep);
        let mut chain = host;
        for caller in 1..u64::from(MAX_CALL_DEPTH) {
            chain = chain.extend(caller, caller + 1, u32::MAX).unwrap();
        }
        let last = u64::from(MAX_CALL_DEPTH);
        assert_eq!(chain.extend(last, last + 1, u32::MAX).unwrap_err(), ChainEnd::TooDeep);
    }

    #[test]
    fn a_chain_never_comes_back() {
        let two = Chain::default().extend(1, 2, 8).unwrap();
        assert_eq!(two.extend(2, 1, 8).unwrap_err(), ChainEnd::Cycle);
        assert_eq!(two.extend(2, 2, 8).unwrap_err(), ChainEnd::Cycle);
    }
}

//! Which plugins are on the native stack, so that none is entered twice.

use crate::MAX_CALL_DEPTH;

/// The plugins that called one another to get here, by their number, outermost first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain(heapless::Vec<u64, { MAX_CALL_DEPTH as usize }>);

/// Why a chain cannot get longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainEnd {
    TooDeep,
    Cycle,
}

impl Chain {
    /// How many plugins there are.
    pub(crate) fn depth(&self) -> usize {
        self.0.len()
    }

    /// The chain with one more plugin, of at most `max_depth` in all.
    pub(crate) fn with(&self, plugin: u64, max_depth: u32) -> Result<Self, ChainEnd> {
        if self.0.contains(&plugin) {
            return Err(ChainEnd::Cycle);
        }
        if u32::try_from(self.depth()).map_or(true, |depth| depth >= max_depth) {
            return Err(ChainEnd::TooDeep);
        }
        let mut longer = self.clone();
        longer.0.push(plugin).map_err(|_| ChainEnd::TooDeep)?;
        Ok(longer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_ends_at_its_depth_and_never_comes_back() {
        let one = Chain::default().with(1, 2).unwrap();
        assert_eq!(one.with(1, 2).unwrap_err(), ChainEnd::Cycle);
        let two = one.with(2, 2).unwrap();
        assert_eq!(two.with(3, 2).unwrap_err(), ChainEnd::TooDeep);
        assert_eq!(two.with(1, 9).unwrap_err(), ChainEnd::Cycle);
        let full = (1..=u64::from(MAX_CALL_DEPTH))
            .try_fold(Chain::default(), |chain, n| chain.with(n, u32::MAX))
            .unwrap();
        assert_eq!(full.with(99, u32::MAX).unwrap_err(), ChainEnd::TooDeep);
    }
}

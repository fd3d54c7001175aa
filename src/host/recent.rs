//! The last host calls of a call, for the report if it is stopped.

/// How many are remembered.
pub(crate) const RECENT_CALLS: usize = 8;

/// A host call that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RecentCall {
    /// The function's index in the registry's table.
    // Not a `usize`: no table has as many, and every sandbox keeps eight of these.
    pub(crate) function: u32,
    pub(crate) status: i32,
}

/// The last host calls. Every host call goes here, so it is a store and an addition.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    calls: [RecentCall; RECENT_CALLS],
    count: usize,
}

impl Recent {
    #[inline]
    pub(crate) fn push(&mut self, function: usize, status: i32) {
        if let Some(oldest) = self.calls.get_mut(self.count % RECENT_CALLS) {
            *oldest = RecentCall { function: function as u32, status };
        }
        // As many more as there are places: the next place is the same.
        self.count = self.count.checked_add(1).unwrap_or(RECENT_CALLS);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// The calls, the latest last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = RecentCall> {
        let first = self.count.saturating_sub(RECENT_CALLS);
        (first..self.count).filter_map(|at| self.calls.get(at % RECENT_CALLS).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_last_eight_are_kept_in_their_order_until_it_is_cleared() {
        let mut recent = Recent::default();
        for round in 0..20 {
            let kept: Vec<_> = recent.iter().map(|call| call.status).collect();
            assert_eq!(kept, (0.max(round - 8)..round).collect::<Vec<_>>());
            recent.push(3, round);
        }
        recent.clear();
        assert_eq!(recent.iter().count(), 0);
    }
}

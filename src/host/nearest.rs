//! The nearest hits of a search, kept in the guest's own memory.

use super::{Host, HostCall, HostError, Output};
use core::cmp::Ordering;

/// The most hits a search can ask for: 1,024.
pub const MAX_K: usize = 1_024;

/// A hit on the wire: a row id and a distance, little-endian.
type Hit = [u8; HIT_BYTES];
const HIT_BYTES: usize = 12;

/// The hits of a search: of all that are offered, the nearest that were asked for and have room.
///
/// Hits are ordered by distance ([`f32::total_cmp`]) and then by row id, so that the same offers in
/// any order give the same answer. They are kept in the guest's memory, which also means that a
/// search which fails after its first offer may leave some there.
#[derive(Debug)]
pub struct Nearest<'o> {
    /// Room for the hits that are kept; the first `len` of them are a binary heap whose first is the
    /// farthest.
    hits: &'o mut [Hit],
    len: usize,
    k: usize,
    offered: usize,
}

impl<'o> Nearest<'o> {
    /// Begins a search for the `k` nearest hits.
    pub(crate) fn new(output: Output<'o>, k: usize) -> Self {
        let (room, _) = output.into_bytes().as_chunks_mut::<HIT_BYTES>();
        let kept = k.min(room.len());
        Self { hits: room.get_mut(..kept).unwrap_or_default(), len: 0, k, offered: 0 }
    }

    /// Returns how many hits the guest wants: 1 to 1,024.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Takes in one hit, if it is among the nearest so far. A row is to be offered once.
    ///
    /// That takes up to 3 ns for `k` of 1, and 80 ns for 1,024 where each hit is nearer than all
    /// before it (x86-64): a host charges for it, since a guest may choose its query so.
    #[inline]
    pub fn offer(&mut self, row_id: u64, distance: f32) {
        self.offered = self.offered.saturating_add(1);
        let hit = encode(row_id, distance);
        if let Some(free) = self.hits.get_mut(self.len) {
            *free = hit;
            self.len += 1;
            self.sift_up();
        } else if self.hits.first().is_some_and(|farthest| order(&hit, farthest).is_lt()) {
            self.replace_first(hit);
        }
    }

    /// Charges for the hits, puts them in order, and returns how many there are.
    ///
    /// What is charged is the hits that were found and wanted, whatever room there is for them.
    pub(crate) fn finish<H: Host>(self, call: &mut HostCall<'_, H>) -> Result<usize, HostError> {
        let found = self.offered.min(self.k);
        call.charge_bytes(found.saturating_mul(HIT_BYTES))?;
        if found > 0 && self.hits.is_empty() {
            return Err(HostError::LimitReached);
        }
        Ok(self.sort())
    }

    /// Puts the hits in order and returns how many there are.
    fn sort(self) -> usize {
        self.hits.get_mut(..self.len).unwrap_or_default().sort_unstable_by(order);
        self.len
    }

    /// Moves the last hit up to its place.
    fn sift_up(&mut self) {
        let mut at = self.len.saturating_sub(1);
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.is_farther(at, parent) {
                return;
            }
            self.hits.swap(at, parent);
            at = parent;
        }
    }

    /// Takes out the first hit and puts `hit` where it belongs.
    fn replace_first(&mut self, hit: Hit) {
        let mut free = 0;
        while let Some((child, farther)) = self.farther_child(free)
            && order(&farther, &hit).is_gt()
        {
            self.put(free, farther);
            free = child;
        }
        self.put(free, hit);
    }

    /// The farther of the two hits below one, and where it is.
    fn farther_child(&self, parent: usize) -> Option<(usize, Hit)> {
        let left = 2 * parent + 1;
        match *self.hits.get(left..)? {
            [a, b, ..] if order(&b, &a).is_gt() => Some((left + 1, b)),
            [a, ..] => Some((left, a)),
            [] => None,
        }
    }

    fn put(&mut self, at: usize, hit: Hit) {
        if let Some(place) = self.hits.get_mut(at) {
            *place = hit;
        }
    }

    /// Whether there is a hit at `a` and it is farther than the one at `b`.
    fn is_farther(&self, a: usize, b: usize) -> bool {
        match (self.hits.get(a), self.hits.get(b)) {
            (Some(a), Some(b)) => order(a, b).is_gt(),
            _ => false,
        }
    }
}

/// Nearest first, and in row-id order where the distance is the same.
fn order(a: &Hit, b: &Hit) -> Ordering {
    let ((a_id, a), (b_id, b)) = (decode(a), decode(b));
    a.total_cmp(&b).then(a_id.cmp(&b_id))
}

fn encode(row_id: u64, distance: f32) -> Hit {
    let [a, b, c, d, e, f, g, h] = row_id.to_le_bytes();
    let [i, j, k, l] = distance.to_le_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

fn decode(hit: &Hit) -> (u64, f32) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *hit;
    (u64::from_le_bytes([a, b, c, d, e, f, g, h]), f32::from_le_bytes([i, j, k, l]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    /// What is kept of the offers, and the bytes behind it.
    fn keep(offers: &[(u64, f32)], k: usize, room: usize) -> (Vec<(u64, u32)>, Vec<u8>) {
        let mut memory = vec![0xaa; room];
        let mut nearest = Nearest::new(Output::new(&mut memory), k);
        for (row_id, distance) in offers {
            nearest.offer(*row_id, *distance);
        }
        let len = nearest.sort();
        let (hits, _) = memory[..len * HIT_BYTES].as_chunks();
        let hits = hits.iter().map(decode).map(|(id, distance)| (id, distance.to_bits())).collect();
        (hits, memory.split_off(len * HIT_BYTES))
    }

    fn distance() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => (-3..4_i8).prop_map(f32::from),
            2 => any::<f32>(),
            1 => prop::sample::select(vec![-0.0, f32::NAN, -f32::NAN, f32::INFINITY]),
        ]
    }

    proptest! {
        #[test]
        fn the_nearest_are_what_sorting_and_truncating_leaves(
            offers in prop::collection::vec((0..20_u64, distance()), 0..60),
            k in 1..20_usize,
            room in 0..300_usize,
        ) {
            let (hits, behind) = keep(&offers, k, room);
            let mut expected = offers;
            expected.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            expected.truncate(k.min(room / HIT_BYTES));
            let expected: Vec<_> =
                expected.into_iter().map(|(id, distance)| (id, distance.to_bits())).collect();
            prop_assert_eq!(hits, expected);
            prop_assert!(behind.iter().all(|byte| *byte == 0xaa));
        }
    }

    #[test]
    fn any_order_of_many_offers_gives_the_same_hits() {
        let offers: Vec<_> = (0..5_000_u64).map(|id| (id, (id * 7_919 % 613) as f32)).collect();
        let (expected, _) = keep(&offers, MAX_K, MAX_K * HIT_BYTES);
        assert_eq!(expected.len(), MAX_K);
        let mut sorted = offers.clone();
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
        assert_eq!(keep(&sorted, MAX_K, MAX_K * HIT_BYTES).0, expected);
        sorted.reverse();
        assert_eq!(keep(&sorted, MAX_K, MAX_K * HIT_BYTES).0, expected);
    }

    #[test]
    fn a_hit_is_a_row_id_and_a_distance_little_endian() {
        let hit = encode(0x0102_0304_0506_0708, 1.0);
        assert_eq!(hit, [8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0x80, 0x3f]);
        assert_eq!(decode(&hit), (0x0102_0304_0506_0708, 1.0));
    }
}

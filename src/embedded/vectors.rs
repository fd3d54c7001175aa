//! Collections of vectors, which are searched from end to end.

use super::usage::{Refusal, Usage};
use crate::{
    Host, HostCall, HostError, MAX_DIMS, Nearest, Query, host::valid_squared_length, kernel,
};
use alloc::vec::Vec;
use hashbrown::HashMap;

/// How far apart two vectors of a collection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Distance {
    /// One less the cosine of the angle between them: 0 for the same direction, 2 for the opposite.
    Cosine,
    /// The dot product, negated, so that the largest product is the nearest.
    Dot,
    /// The Euclidean distance.
    L2,
}

/// What each row of a search costs beside its components, in fuel.
const ROW_FUEL: usize = 16;
/// And for each step that a hit may have to go in a heap of `k`: a guest can choose a query to which
/// each row is nearer than all before it.
const STEP_FUEL: usize = 8;
/// A search looks at the clock after so many rows or bytes, whichever is less.
const ROWS_BETWEEN_CHECKPOINTS: usize = 1_024;
const BYTES_BETWEEN_CHECKPOINTS: usize = 64 << 10;

/// Vectors of one length, one for each row that has one.
#[derive(Debug)]
pub(super) struct Collection {
    /// 1 to [`MAX_DIMS`].
    dims: usize,
    distance: Distance,
    /// The components of one vector after the other.
    components: Vec<f32>,
    /// Each vector's length, in the same order.
    lengths: Vec<f32>,
    /// Each vector's row, in the same order.
    rows: Vec<u64>,
    /// Where in that order a row's vector is.
    places: HashMap<u64, usize>,
}

impl Collection {
    pub(super) fn new(dims: usize, distance: Distance) -> Result<Self, Refusal> {
        if !(1..=MAX_DIMS).contains(&dims) {
            return Err(Refusal::Dims(dims));
        }
        let (components, lengths, rows) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { dims, distance, components, lengths, rows, places: HashMap::new() })
    }

    /// Checks a vector and returns its length.
    pub(super) fn check(&self, vector: &[f32]) -> Result<f32, Refusal> {
        if vector.len() != self.dims {
            return Err(Refusal::OtherDims { given: vector.len(), expected: self.dims });
        }
        valid_squared_length(vector)
            .map(libm::sqrtf)
            .ok_or_else(|| Refusal::Length(kernel::squared_length(vector)))
    }

    /// Whether a row has a vector.
    pub(super) fn has(&self, row: u64) -> bool {
        self.places.contains_key(&row)
    }

    /// What a vector takes: its components and its row's id.
    pub(super) fn usage_of_one(&self) -> Usage {
        Usage::of_bytes(self.dims * size_of::<f32>() + size_of::<u64>())
    }

    /// Stores a vector that was checked; returns whether it replaced one.
    pub(super) fn insert(&mut self, row: u64, vector: &[f32], length: f32) -> bool {
        let Some(at) = self.places.get(&row) else {
            self.places.insert(row, self.rows.len());
            self.rows.push(row);
            self.lengths.push(length);
            self.components.extend_from_slice(vector);
            return false;
        };
        for (kept, new) in self.lengths.iter_mut().skip(*at).zip([length]) {
            *kept = new;
        }
        for (kept, new) in self.components.chunks_exact_mut(self.dims).skip(*at).zip([vector]) {
            kept.copy_from_slice(new);
        }
        true
    }

    /// Removes a row's vector, if it has one. The last vector takes its place.
    pub(super) fn remove(&mut self, row: u64) {
        let Some(at) = self.places.remove(&row) else {
            return;
        };
        let last = self.rows.len().saturating_sub(1);
        self.rows.swap_remove(at);
        self.lengths.swap_remove(at);
        self.components.copy_within(last * self.dims.., at * self.dims);
        self.components.truncate(last * self.dims);
        if let Some(moved) = self.rows.get(at) {
            self.places.insert(*moved, at);
        }
    }

    /// Charges for a search, and offers every row.
    pub(super) fn search<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        query: Query<'_>,
        hits: &mut Nearest<'_>,
    ) -> Result<(), HostError> {
        if query.dims() != self.dims {
            return Err(HostError::InvalidArguments);
        }
        let steps = hits.k().checked_ilog2().unwrap_or(0) as usize;
        let row_fuel = self.dims + ROW_FUEL + steps * STEP_FUEL;
        call.charge_items(self.rows.len().saturating_mul(row_fuel))?;
        let components = query.le_components();
        let query_length = libm::sqrtf(query.squared_length());
        match self.distance {
            Distance::Cosine => self.offer_all(call, hits, |vector, length| {
                let cosine = kernel::dot(vector, components) / (length * query_length);
                (1.0 - cosine).clamp(0.0, 2.0)
            }),
            // Not the negation, which would make a zero of two kinds of two products that are zero.
            Distance::Dot => {
                self.offer_all(call, hits, |vector, _| 0.0 - kernel::dot(vector, components))
            }
            Distance::L2 => self.offer_all(call, hits, |vector, _| {
                libm::sqrtf(kernel::squared_distance(vector, components))
            }),
        }
    }

    /// Offers each row with the distance that a vector and its length have.
    fn offer_all<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        hits: &mut Nearest<'_>,
        distance: impl Fn(&[f32], f32) -> f32,
    ) -> Result<(), HostError> {
        let rows = (BYTES_BETWEEN_CHECKPOINTS / (self.dims * size_of::<f32>()))
            .clamp(1, ROWS_BETWEEN_CHECKPOINTS);
        let parts = self.components.chunks(rows * self.dims).zip(self.lengths.chunks(rows));
        for ((components, lengths), ids) in parts.zip(self.rows.chunks(rows)) {
            call.checkpoint()?;
            let vectors = components.chunks_exact(self.dims).zip(lengths);
            for ((vector, length), id) in vectors.zip(ids) {
                hits.offer(*id, distance(vector, *length));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Collection {
        /// A row's vector and its length, for the tests of what keeps them.
        pub(in crate::embedded) fn vector(&self, row: u64) -> Option<(&[f32], f32)> {
            let at = *self.places.get(&row)?;
            assert_eq!(self.rows[at], row);
            assert_eq!(self.places.len(), self.rows.len());
            self.components.chunks_exact(self.dims).nth(at).zip(self.lengths.get(at).copied())
        }
    }

    #[test]
    fn a_vector_that_is_replaced_stays_in_its_place_with_its_new_length() {
        let mut collection = Collection::new(2, Distance::Cosine).unwrap();
        for (row, vector, replaces) in
            [(5, [3.0, 4.0], false), (6, [0.0, 2.0], false), (5, [5.0, 12.0], true)]
        {
            let length = collection.check(&vector).unwrap();
            assert_eq!(collection.insert(row, &vector, length), replaces);
        }
        assert_eq!(collection.vector(5), Some((&[5.0, 12.0][..], 13.0)));
        assert_eq!(collection.vector(6), Some((&[0.0, 2.0][..], 2.0)));
    }

    #[test]
    fn the_last_vector_takes_the_place_of_one_that_is_removed() {
        for gone in 0..4_u64 {
            let mut collection = Collection::new(1, Distance::L2).unwrap();
            for row in 0..4 {
                collection.insert(row, &[row as f32], row as f32);
            }
            collection.remove(gone);
            collection.remove(9);
            for row in 0..4 {
                let expected = [row as f32];
                let expected = (row != gone).then_some((&expected[..], row as f32));
                assert_eq!(collection.vector(row), expected);
            }
        }
    }
}

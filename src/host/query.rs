//! The vector that a guest searches for.

use super::HostError;
use crate::kernel;

/// The most components of a vector: 4,096.
pub const MAX_DIMS: usize = 4_096;

/// The squares of the lengths that a vector may have. Within them no sum over two vectors
/// overflows, and no length is zero.
const SQUARED_LENGTHS: core::ops::RangeInclusive<f32> = f32::MIN_POSITIVE..=f32::MAX / 4.0;

/// Returns the square of a vector's length if the vector is valid: 1 to 4,096 components, all
/// finite, whose squares sum up to [`f32::MIN_POSITIVE`] at least and [`f32::MAX`]` / 4` at most.
pub(crate) fn valid_squared_length<C: kernel::Component>(vector: &[C]) -> Option<f32> {
    if vector.len() > MAX_DIMS {
        return None;
    }
    let squared_length = kernel::squared_length(vector);
    SQUARED_LENGTHS.contains(&squared_length).then_some(squared_length)
}

/// The vector that a guest searches for: 1 to 4,096 finite components, not all zero.
///
/// Its squared length is at least [`f32::MIN_POSITIVE`] and at most [`f32::MAX`]` / 4`, so that
/// distances to vectors for which the same holds are finite.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    components: &'a [[u8; 4]],
    squared_length: f32,
}

impl<'a> Query<'a> {
    /// Checks the bytes of a query: whole components, and a valid vector.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, HostError> {
        match bytes.as_chunks::<4>() {
            (components, []) => valid_squared_length(components)
                .map(|squared_length| Self { components, squared_length })
                .ok_or(HostError::InvalidArguments),
            _ => Err(HostError::InvalidArguments),
        }
    }

    /// Returns how many components the query has: 1 to 4,096.
    pub fn dims(&self) -> usize {
        self.components.len()
    }

    /// Iterates over the components.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = f32> + use<'a> {
        self.components.iter().map(|component| f32::from_le_bytes(*component))
    }

    /// Returns the components as the guest has them: little-endian bytes, at any alignment.
    pub fn le_components(&self) -> &'a [[u8; 4]] {
        self.components
    }

    /// Returns the sum of the squares of the components: `f32::MIN_POSITIVE` to `f32::MAX / 4`.
    pub fn squared_length(&self) -> f32 {
        self.squared_length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn parse(components: &[f32]) -> Option<Vec<f32>> {
        let bytes: Vec<u8> = components.iter().flat_map(|c| c.to_le_bytes()).collect();
        Query::parse(&bytes).ok().map(|query| query.iter().collect())
    }

    #[test]
    fn a_query_has_the_components_that_the_guest_wrote() {
        for components in [&[1.0][..], &[0.0, -2.5], &[3.0; 4_096]] {
            assert_eq!(parse(components).as_deref(), Some(components));
        }
    }

    #[test]
    fn a_query_that_has_no_direction_or_no_finite_distances_is_invalid() {
        let invalid: [&[f32]; 8] = [
            &[],
            &[0.0, -0.0],
            &[1.0, f32::NAN],
            &[f32::INFINITY, 1.0],
            &[1.0, f32::NEG_INFINITY],
            &[1e-20],
            &[1e19],
            &[1.0; 4_097],
        ];
        for components in invalid {
            assert_eq!(parse(components), None, "{components:?}");
        }
    }

    #[test]
    fn a_squared_length_may_be_anything_from_the_smallest_normal_to_a_quarter_of_the_largest() {
        let (low, high) = (2_f32.powi(-63), 2_f32.powi(63));
        assert_eq!(low * low, f32::MIN_POSITIVE);
        assert!(high * high > f32::MAX / 4.0);
        assert!(parse(&[low]).is_some() && parse(&[high.next_down()]).is_some());
        assert!(parse(&[low.next_down()]).is_none() && parse(&[high]).is_none());
    }

    #[test]
    fn part_of_a_component_is_invalid() {
        for len in [1, 2, 3, 5, 6, 7] {
            assert_eq!(Query::parse(&[1; 8][..len]).unwrap_err(), HostError::InvalidArguments);
        }
    }
}

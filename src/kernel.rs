//! Sums over pairs of vector components, in an order that lets the compiler use vector
//! instructions.
//!
//! Component `i` is added up in lane `i % 16`; at the end the lanes are added up one after the other,
//! and then the components behind the last whole 16. So a sum depends on nothing but the two vectors,
//! and needs no permission to reorder floating-point additions.

/// How many sums are kept side by side: four registers of four, so that four additions are under way
/// at once.
const LANES: usize = 16;

/// A component of a vector: a number, or its bytes as a guest has them.
pub(crate) trait Component: Copy {
    fn value(self) -> f32;
}

impl Component for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }
}

/// Little-endian bytes, at any alignment.
impl Component for [u8; 4] {
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from_le_bytes(self)
    }
}

/// Returns the dot product. What one vector is longer by is left out.
// A symbol of its own: `test.sh` looks for vector instructions in it.
#[inline(never)]
pub(crate) fn dot(vector: &[f32], query: &[[u8; 4]]) -> f32 {
    sum(vector, query, |a, b| a * b)
}

/// Returns the square of the Euclidean distance. What one vector is longer by is left out.
#[inline(never)]
pub(crate) fn squared_distance(vector: &[f32], query: &[[u8; 4]]) -> f32 {
    sum(vector, query, |a, b| (a - b) * (a - b))
}

/// Returns the square of the length: NaN or infinite if a component is.
pub(crate) fn squared_length<C: Component>(vector: &[C]) -> f32 {
    sum(vector, vector, |a, b| a * b)
}

#[inline(always)]
fn sum<A: Component, B: Component>(a: &[A], b: &[B], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += term(a.value(), b.value());
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| term(a.value(), b.value()));
    // Not pairwise: the compiler would fill its registers by halves to save a step here.
    lanes.into_iter().sum::<f32>() + rest.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn bytes(vector: &[f32]) -> Vec<[u8; 4]> {
        vector.iter().map(|component| component.to_le_bytes()).collect()
    }

    fn pairs() -> impl Strategy<Value = Vec<(f32, f32)>> {
        prop::collection::vec((-1e3_f32..1e3, -1e3_f32..1e3), 0..200)
    }

    /// Integers, whose sums are exact in any order.
    fn exact_pairs() -> impl Strategy<Value = Vec<(f32, f32)>> {
        let number = || (-40_i8..=40).prop_map(f32::from);
        prop::collection::vec((number(), number()), 0..200)
    }

    proptest! {
        #[test]
        fn sums_of_integers_are_those_of_a_plain_loop(pairs in exact_pairs()) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let (mut product, mut distance, mut length) = (0.0, 0.0, 0.0);
            for (a, b) in pairs {
                product += a * b;
                distance += (a - b) * (a - b);
                length += a * a;
            }
            prop_assert_eq!(dot(&a, &bytes(&b)), product);
            prop_assert_eq!(squared_distance(&a, &bytes(&b)), distance);
            prop_assert_eq!(squared_length(&a), length);
            prop_assert_eq!(squared_length(&bytes(&a)), length);
        }

        #[test]
        fn sums_are_close_to_those_in_double_precision(pairs in pairs()) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let wide = |term: fn(f64, f64) -> f64| -> f64 {
                pairs.iter().map(|(a, b)| term(f64::from(*a), f64::from(*b))).sum()
            };
            let magnitude = wide(|a, b| (a * b).abs());
            let error = (f64::from(dot(&a, &bytes(&b))) - wide(|a, b| a * b)).abs();
            prop_assert!(error <= 1e-5 * magnitude, "{error} of {magnitude}");
            let distance = wide(|a, b| (a - b) * (a - b));
            let error = (f64::from(squared_distance(&a, &bytes(&b))) - distance).abs();
            prop_assert!(error <= 1e-5 * distance, "{error} of {distance}");
        }

        #[test]
        fn bytes_at_any_alignment_are_the_same_components(pairs in pairs(), shift in 0..4_usize) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let mut shifted = std::vec![0; shift];
            shifted.extend(bytes(&b).as_flattened());
            let (query, _) = shifted[shift..].as_chunks::<4>();
            prop_assert_eq!(dot(&a, query).to_bits(), dot(&a, &bytes(&b)).to_bits());
        }
    }

    #[test]
    fn a_component_that_is_no_finite_number_shows_in_the_length() {
        for (at, odd) in (0..40).flat_map(|at| [(at, f32::NAN), (at, f32::INFINITY)]) {
            let mut vector = [1.0; 40];
            vector[at] = odd;
            assert!(!squared_length(&vector).is_finite(), "{odd} at {at}");
        }
    }
}

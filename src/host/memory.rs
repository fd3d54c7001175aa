//! The trust boundary of bytes: which part of guest memory a host function may touch.
//!
//! A guest names a range by two `i32` that are read as `u32`. Here, and nowhere else, they become
//! slices. Nothing is copied or allocated before both ends are known to lie inside.

use super::HostError;

/// A range that lies inside a memory of the size it was checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    start: usize,
    len: usize,
}

impl Range {
    /// The range that nothing overlaps.
    pub(crate) const EMPTY: Self = Self { start: 0, len: 0 };

    /// Checks a pointer and a length from a guest against a memory of `size` bytes.
    ///
    /// An empty range is valid where its pointer is at most `size`.
    #[inline]
    pub(crate) fn check(size: usize, ptr: i32, len: i32) -> Result<Self, HostError> {
        let start = u64::from(ptr.cast_unsigned());
        let len = u64::from(len.cast_unsigned());
        // Two u32 cannot overflow a u64.
        if start + len > size as u64 {
            return Err(HostError::InvalidArguments);
        }
        match (usize::try_from(start), usize::try_from(len)) {
            (Ok(start), Ok(len)) => Ok(Self { start, len }),
            _ => Err(HostError::InvalidArguments),
        }
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Whether the two share a byte.
    #[inline]
    pub(crate) fn overlaps(self, other: Self) -> bool {
        // Both lie inside a memory, so neither sum overflows.
        self.len > 0
            && other.len > 0
            && self.start < other.start + other.len
            && other.start < self.start + self.len
    }

    /// Returns the bytes of the range, to be written.
    pub(crate) fn of_mut(self, memory: &mut [u8]) -> Result<&mut [u8], HostError> {
        memory
            .get_mut(self.start..)
            .and_then(|tail| tail.get_mut(..self.len))
            .ok_or(HostError::InvalidArguments)
    }

    /// Returns the bytes of the range.
    #[inline]
    pub(crate) fn of(self, memory: &[u8]) -> Result<&[u8], HostError> {
        memory
            .get(self.start..)
            .and_then(|tail| tail.get(..self.len))
            .ok_or(HostError::InvalidArguments)
    }
}

/// A memory with its output split off: what is left can be read while the output is written.
#[derive(Debug)]
pub(crate) struct Split<'m> {
    before: &'m [u8],
    after: &'m [u8],
    after_start: usize,
}

impl<'m> Split<'m> {
    /// Splits `output` off `memory`.
    #[inline]
    pub(crate) fn new(
        memory: &'m mut [u8],
        output: Range,
    ) -> Result<(Self, &'m mut [u8]), HostError> {
        if output.len == 0 {
            return Ok((Self { before: memory, after: &[], after_start: usize::MAX }, &mut []));
        }
        let (before, rest) =
            memory.split_at_mut_checked(output.start).ok_or(HostError::InvalidArguments)?;
        let (out, after) =
            rest.split_at_mut_checked(output.len).ok_or(HostError::InvalidArguments)?;
        Ok((Self { before, after, after_start: output.start + output.len }, out))
    }

    /// Returns the bytes of an input. Inputs may overlap one another; a non-empty one that overlaps
    /// the output is invalid.
    #[inline]
    pub(crate) fn input(&self, range: Range) -> Result<&'m [u8], HostError> {
        if range.len == 0 {
            // Of the memory, not `&[]`: hashing or comparing that loads ahead from an address that
            // is never mapped, which was seen to cost 80 ns.
            return Range::EMPTY.of(self.before);
        }
        match range.start.checked_sub(self.after_start) {
            Some(start) => Range { start, ..range }.of(self.after),
            None => range.of(self.before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Pointers and lengths near everything that matters.
    fn edge(size: usize) -> impl Strategy<Value = i32> {
        let size = i32::try_from(size).unwrap();
        prop_oneof![
            Just(0),
            Just(-1),
            Just(i32::MIN),
            Just(i32::MAX),
            (-3..4_i32).prop_map(move |d| size.wrapping_add(d)),
            0..size.max(1),
            any::<i32>(),
        ]
    }

    /// What the range should be, in numbers that cannot overflow.
    fn model(size: usize, ptr: i32, len: i32) -> Option<(u128, u128)> {
        let start = u128::from(ptr as u32);
        let end = start + u128::from(len as u32);
        (end <= size as u128).then_some((start, end))
    }

    fn overlap(a: (u128, u128), b: (u128, u128)) -> bool {
        a.0 < a.1 && b.0 < b.1 && a.0 < b.1 && b.0 < a.1
    }

    proptest! {
        #[test]
        fn a_range_is_valid_exactly_where_the_model_says(
            (size, ptr, len) in (0..300_usize).prop_flat_map(|s| (Just(s), edge(s), edge(s))),
        ) {
            let memory: Vec<u8> = (0..size).map(|i| i as u8).collect();
            match (Range::check(size, ptr, len), model(size, ptr, len)) {
                (Ok(range), Some((start, end))) => prop_assert_eq!(
                    range.of(&memory).unwrap(),
                    &memory[start as usize..end as usize]
                ),
                (Err(HostError::InvalidArguments), None) => {}
                (found, expected) => prop_assert!(false, "{found:?} instead of {expected:?}"),
            }
        }

        #[test]
        fn a_split_gives_the_model_s_bytes_and_refuses_every_overlap(
            (size, numbers) in (1..80_usize).prop_flat_map(|size| {
                let range = (0..=size).prop_flat_map(move |ptr| (Just(ptr), 0..=size - ptr));
                (Just(size), prop::collection::vec(range, 3))
            }),
        ) {
            let mut memory: Vec<u8> = (0..size).map(|i| i as u8).collect();
            let copy = memory.clone();
            let numbers: Vec<_> = numbers.iter().map(|&(ptr, len)| (ptr as i32, len as i32)).collect();
            let ranges: Vec<_> = numbers
                .iter()
                .map(|&(ptr, len)| Range::check(size, ptr, len).unwrap())
                .collect();
            let spans: Vec<_> =
                numbers.iter().map(|&(ptr, len)| model(size, ptr, len).unwrap()).collect();
            let (split, output) = Split::new(&mut memory, ranges[2]).unwrap();
            prop_assert_eq!(&*output, &copy[spans[2].0 as usize..spans[2].1 as usize]);
            for i in 0..2 {
                let overlapping = overlap(spans[i], spans[2]);
                prop_assert_eq!(ranges[i].overlaps(ranges[2]), overlapping);
                match split.input(ranges[i]) {
                    Ok(input) => {
                        prop_assert!(!overlapping);
                        prop_assert_eq!(input, &copy[spans[i].0 as usize..spans[i].1 as usize]);
                    }
                    Err(error) => {
                        prop_assert_eq!(error, HostError::InvalidArguments);
                        prop_assert!(overlapping);
                    }
                }
            }
            output.fill(0xff);
            let written = spans[2].0 as usize..spans[2].1 as usize;
            for (i, byte) in memory.iter().enumerate() {
                prop_assert_eq!(*byte == 0xff, written.contains(&i));
            }
        }
    }
}

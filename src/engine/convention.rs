//! The byte convention: how a host hands bytes to a guest and gets bytes back.
//!
//! Nothing the guest answers is believed: each pointer and length is checked against its memory as
//! it is at that moment.

use super::{
    failure::{BadAnswer, Failure},
    run::run_typed,
    store::StoreData,
};
use wasmi::{Instance, Memory, Store, TypedFunc};

/// The smallest status; a lower answer is a pointer and a length.
const MIN_STATUS: i64 = -4095;

/// What a host hands to a guest: bytes, or something that can write itself as bytes.
pub(crate) trait Input {
    /// How many bytes it takes.
    fn len(&self) -> usize;

    /// Writes it to `room`, which has as many bytes as [`len`](Self::len) said.
    fn write_to(&self, room: &mut [u8]);
}

impl Input for [u8] {
    #[inline]
    fn len(&self) -> usize {
        self.len()
    }

    #[inline]
    fn write_to(&self, room: &mut [u8]) {
        room.copy_from_slice(self);
    }
}

/// The exports that the convention is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convention {
    memory: Memory,
    alloc: TypedFunc<i32, i32>,
    free: Option<TypedFunc<(i32, i32), ()>>,
}

impl Convention {
    /// Finds them, if the plugin follows the convention.
    pub(super) fn find<H>(store: &Store<StoreData<H>>, instance: &Instance) -> Option<Self> {
        Some(Self {
            memory: store.data().memory?,
            alloc: instance.get_typed_func(store, "soch_alloc").ok()?,
            free: instance.get_typed_func(store, "soch_free").ok(),
        })
    }

    /// Hands `input` to a function, hands its answer to `take`, and frees both.
    pub(super) fn exchange<H, T>(
        &self,
        store: &mut Store<StoreData<H>>,
        function: TypedFunc<(i32, i32), i64>,
        input: &(impl Input + ?Sized),
        take: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (input_ptr, input_len) = self.place(store, input)?;
        let answer = run_typed(store, function, (input_ptr, input_len))?;
        if (MIN_STATUS..0).contains(&answer) {
            self.free(store, input_ptr, input_len)?;
            // -4095..=-1 fits.
            return Err(Failure::Status(i32::try_from(answer).unwrap_or(-1)));
        }
        let [ptr, len] = halves(answer);
        let taken = take(self.answer(store, ptr, len)?);
        self.free(store, input_ptr, input_len)?;
        if ptr.cast_signed() != input_ptr {
            self.free(store, ptr.cast_signed(), len.cast_signed())?;
        }
        taken
    }

    /// Puts the input where the guest wants it. An empty input is placed nowhere: pointer 0.
    fn place<H>(
        &self,
        store: &mut Store<StoreData<H>>,
        input: &(impl Input + ?Sized),
    ) -> Result<(i32, i32), Failure> {
        let len = input.len();
        if len == 0 {
            return Ok((0, 0));
        }
        let Ok(size) = i32::try_from(len) else {
            return Err(Failure::BadAnswer(BadAnswer::InputTooLong { len }));
        };
        let ptr = run_typed(store, self.alloc, size)?;
        if ptr == 0 {
            return Err(Failure::BadAnswer(BadAnswer::AllocationRefused { len }));
        }
        let memory = self.memory.data_mut(store);
        let memory_size = memory.len();
        let start = ptr.cast_unsigned();
        let room = usize::try_from(start)
            .ok()
            .and_then(|start| memory.get_mut(start..))
            .and_then(|rest| rest.get_mut(..len));
        match room {
            Some(room) => {
                input.write_to(room);
                Ok((ptr, size))
            }
            None => Err(Failure::BadAnswer(BadAnswer::AllocationOutside {
                ptr: start,
                len,
                size: memory_size,
            })),
        }
    }

    /// The bytes that the guest points at.
    fn answer<'s, H>(
        &self,
        store: &'s Store<StoreData<H>>,
        ptr: u32,
        len: u32,
    ) -> Result<&'s [u8], Failure> {
        let memory = self.memory.data(store);
        let size = memory.len();
        usize::try_from(ptr)
            .ok()
            .and_then(|start| memory.get(start..))
            .and_then(|rest| rest.get(..usize::try_from(len).ok()?))
            .ok_or(Failure::BadAnswer(BadAnswer::AnswerOutside { ptr, len, size }))
    }

    fn free<H>(&self, store: &mut Store<StoreData<H>>, ptr: i32, len: i32) -> Result<(), Failure> {
        match self.free {
            Some(free) if ptr != 0 => run_typed(store, free, (ptr, len)),
            _ => Ok(()),
        }
    }
}

/// The upper and lower 32 bits.
fn halves(answer: i64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = answer.to_be_bytes();
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

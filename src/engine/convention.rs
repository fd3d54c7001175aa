//! The byte convention: how a host hands bytes to a guest and gets bytes back.
//!
//! Nothing the guest answers is believed: each pointer and length is checked against its memory as
//! it is at that moment.

use super::{
    failure::{BadAnswer, Failure},
    run::{Answer, At, AtTyped, Stop, Typed, run_typed, step},
    store::StoreData,
};
use alloc::vec::Vec;
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
        let len = input_len(input.len())?;
        let ptr = match len {
            0 => 0,
            len => {
                let ptr = run_typed(store, self.alloc, len)?;
                self.place(store, ptr, input)?;
                ptr
            }
        };
        let answer = run_typed(store, function, (ptr, len))?;
        if let Some(status) = status(answer) {
            self.free(store, ptr, len)?;
            return Err(Failure::Status(status));
        }
        let answer = halves(answer);
        let taken = take(self.answer(store, answer)?);
        self.free(store, ptr, len)?;
        let (answer_ptr, answer_len) = (answer[0].cast_signed(), answer[1].cast_signed());
        if answer_ptr != ptr {
            self.free(store, answer_ptr, answer_len)?;
        }
        taken
    }

    /// Begins the same, to be left between its functions and inside of them: `input_len` bytes will be
    /// handed to `function`.
    pub(super) fn begin(
        self,
        function: TypedFunc<(i32, i32), i64>,
        input_len: usize,
    ) -> Result<Exchange, Failure> {
        let len = self::input_len(input_len)?;
        let stage = match len {
            // An empty input is placed nowhere.
            0 => Stage::Call(Typed::new(function, (0, 0)), At::Begin),
            len => Stage::Allocate(Typed::new(self.alloc, len), At::Begin),
        };
        Ok(Exchange { convention: self, function, stage, input: (0, len), ended: Ok(()) })
    }

    /// Puts the input where the guest wants it.
    fn place<H>(
        &self,
        store: &mut Store<StoreData<H>>,
        ptr: i32,
        input: &(impl Input + ?Sized),
    ) -> Result<(), Failure> {
        let len = input.len();
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
                Ok(())
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
        [ptr, len]: [u32; 2],
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

/// An exchange that is left and gone on with between its functions, and inside of them.
pub(super) struct Exchange {
    convention: Convention,
    function: TypedFunc<(i32, i32), i64>,
    stage: Stage,
    /// Where the guest has the input, and how long it is.
    input: (i32, i32),
    /// How the exchange ends once everything is freed.
    ended: Result<(), Failure>,
}

/// Which function of an exchange is called.
enum Stage {
    Allocate(Typed<i32, i32>, AtTyped<i32>),
    Call(Typed<(i32, i32), i64>, AtTyped<i64>),
    /// Frees something; behind it, this.
    Free(Typed<(i32, i32), ()>, AtTyped<()>, (i32, i32)),
}

impl Exchange {
    pub(super) fn has_placed_input(&self) -> bool {
        !matches!(self.stage, Stage::Allocate(..))
    }

    /// Runs until the exchange is through, has to wait, or has spent what it may.
    pub(super) fn advance<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        answer: &mut Answer,
        bytes: &mut Bytes<'_>,
    ) -> Result<Stop, Failure> {
        loop {
            let stop = match &mut self.stage {
                Stage::Allocate(call, at) => step(store, call, at, answer)?,
                Stage::Call(call, at) => step(store, call, at, answer)?,
                Stage::Free(call, at, _) => step(store, call, at, answer)?,
            };
            if stop != Stop::Finished {
                return Ok(stop);
            }
            if !self.next(store, bytes)? {
                return core::mem::replace(&mut self.ended, Ok(())).map(|()| stop);
            }
        }
    }

    /// Takes what the function has returned, and goes on to the next; `false` if there is none.
    fn next<H>(
        &mut self,
        store: &mut Store<StoreData<H>>,
        bytes: &mut Bytes<'_>,
    ) -> Result<bool, Failure> {
        match &self.stage {
            Stage::Allocate(call, _) => {
                let ptr = call.result.unwrap_or(0);
                self.convention.place(store, ptr, bytes.input)?;
                self.input.0 = ptr;
                self.stage = Stage::Call(Typed::new(self.function, self.input), At::Begin);
                Ok(true)
            }
            Stage::Call(call, _) => {
                let answer = call.result.unwrap_or(0);
                let to_free = match status(answer) {
                    Some(status) => {
                        self.ended = Err(Failure::Status(status));
                        NOTHING
                    }
                    None => {
                        let [ptr, len] = halves(answer);
                        self.ended = bytes.keep(self.convention.answer(store, [ptr, len])?);
                        // One that is the input is freed once.
                        match ptr.cast_signed() == self.input.0 {
                            true => NOTHING,
                            false => (ptr.cast_signed(), len.cast_signed()),
                        }
                    }
                };
                Ok(self.free(self.input, to_free))
            }
            Stage::Free(_, _, next) => {
                let next = *next;
                Ok(self.free(next, NOTHING))
            }
        }
    }

    /// Goes on to freeing something, and then something else; `false` if there is nothing to free.
    fn free(&mut self, first: (i32, i32), then: (i32, i32)) -> bool {
        let (range, then) = match first.0 {
            0 => (then, NOTHING),
            _ => (first, then),
        };
        let Some(free) = self.convention.free.filter(|_| range.0 != 0) else {
            return false;
        };
        self.stage = Stage::Free(Typed::new(free, range), At::Begin, then);
        true
    }
}

/// A range that is not freed.
const NOTHING: (i32, i32) = (0, 0);

/// What an exchange takes and gives.
pub(crate) struct Bytes<'b> {
    pub(crate) input: &'b [u8],
    pub(crate) answer: &'b mut Vec<u8>,
    pub(crate) max_answer_bytes: usize,
}

impl Bytes<'_> {
    /// Appends a guest's answer.
    fn keep(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let (len, room) = (bytes.len(), self.max_answer_bytes);
        if self.answer.is_empty() && self.answer.capacity() < len {
            // The old space goes first, and no more is taken than is paid for.
            *self.answer = Vec::new();
        }
        if len > room || self.answer.try_reserve_exact(len).is_err() {
            return Err(Failure::AnswerTooLong { len, room });
        }
        self.answer.extend_from_slice(bytes);
        Ok(())
    }
}

/// The length of an input as a guest is told it.
fn input_len(len: usize) -> Result<i32, Failure> {
    i32::try_from(len).map_err(|_| Failure::BadAnswer(BadAnswer::InputTooLong { len }))
}

/// The status that a guest answers instead of a pointer and a length, if it does.
fn status(answer: i64) -> Option<i32> {
    // -4095..=-1 fits.
    (MIN_STATUS..0).contains(&answer).then(|| i32::try_from(answer).unwrap_or(-1))
}

/// The upper and lower 32 bits.
fn halves(answer: i64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = answer.to_be_bytes();
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

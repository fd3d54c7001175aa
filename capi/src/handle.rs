//! Handles of the API: which number stands for what.

use crate::{
    code::{Failure, wpr_code_t},
    no_handle::{NoHandle, TAG_MASK},
    table::{Stale, Table, Used},
};
use alloc::format;

/// A kind of handle: where what it stands for is kept, and how it is told from the others.
pub(crate) trait Handle: Copy {
    type Value: Send + Sync + 'static;

    const NAME: &'static str;
    /// In the bits of the number that the table has no use for.
    const TAG: u64;

    fn table() -> &'static Table<Self::Value>;
    fn id(self) -> u64;
    fn from_id(id: u64) -> Self;
}

/// Makes a struct of one number a handle: its name in errors, its tag, and what it stands for.
macro_rules! handle {
    ($name:ident, $text:literal, $tag:literal, $value:ty) => {
        impl $crate::handle::Handle for $name {
            type Value = $value;

            const NAME: &'static str = $text;
            const TAG: u64 = $tag << $crate::no_handle::TAG_SHIFT;

            fn table() -> &'static $crate::table::Table<$value> {
                static TABLE: $crate::table::Table<$value> = $crate::table::Table::new();
                &TABLE
            }

            #[inline]
            fn id(self) -> u64 {
                self.id
            }

            fn from_id(id: u64) -> Self {
                Self { id }
            }
        }
    };
}

pub(crate) use handle;

/// Gives out a handle.
pub(crate) fn give<T: Handle>(value: T::Value) -> Result<T, Failure> {
    match T::table().insert(value) {
        Ok(id) => Ok(T::from_id(id | T::TAG)),
        Err(_) => {
            let what = format!("there are 16,777,216 {} handles", T::NAME);
            Err(Failure::misuse(wpr_code_t::WPR_TOO_MANY_HANDLES, what))
        }
    }
}

/// Finds what a handle stands for.
#[inline]
pub(crate) fn take<T: Handle>(handle: T) -> Result<Used<'static, T::Value>, Failure> {
    let id = handle.id();
    if id & TAG_MASK != T::TAG {
        return Err(of_another_kind(handle));
    }
    T::table().get(id & !TAG_MASK).map_err(|stale| invalid::<T>(stale))
}

/// Releases a handle.
pub(crate) fn release<T: Handle>(handle: T) -> Result<(), Failure> {
    let id = handle.id();
    if id & TAG_MASK != T::TAG {
        return Err(of_another_kind(handle));
    }
    T::table().release(id & !TAG_MASK).map_err(|stale| invalid::<T>(stale))
}

#[cold]
fn of_another_kind<T: Handle>(handle: T) -> Failure {
    Failure::Handle(NoHandle { id: handle.id(), wanted: T::NAME, stale: None })
}

#[cold]
fn invalid<T: Handle>(stale: Stale) -> Failure {
    Failure::Handle(NoHandle { id: 0, wanted: T::NAME, stale: Some(stale) })
}

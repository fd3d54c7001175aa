//! Maps a module's file into memory. The one place with `unsafe` code.

use crate::{Error, file::unreadable};
use memmap2::Mmap;
use std::{fs::File, path::Path};

/// Maps a file for reading. Its caller documents that the file must not change meanwhile.
#[allow(unsafe_code)]
pub(crate) fn map(path: &Path) -> Result<Mmap, Error> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    // SAFETY: the map is read only; that no process changes the file while it is mapped is what
    // `load_from_mapped_file` asks of whoever calls it.
    unsafe { Mmap::map(&file) }.map_err(|error| unreadable(path, error))
}

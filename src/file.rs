//! Reads a module from a file.

use crate::{Error, ErrorKind};
use alloc::{format, vec::Vec};
use std::{fs::File, io::Read, path::Path};

/// Reads a private copy of a file of at most `max` bytes.
pub(crate) fn read(path: &Path, max: u64) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| unreadable(path, error);
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too long, even if it grows meanwhile.
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max {
        let what = format!("`{}` is longer than `max_module_bytes` {max}", path.display());
        return Err(Error::configuration(ErrorKind::LimitExceeded, what));
    }
    Ok(bytes)
}

pub(crate) fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let what = format!("`{}` cannot be read: {error}", path.display());
    Error::host(ErrorKind::Io, what).with_source(error)
}

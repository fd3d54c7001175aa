//! What a module's name section calls its functions.

use wasmparser::{BinaryReader, CustomSectionReader};

/// The number of the subsection that names functions.
const FUNCTIONS: u8 = 1;

/// Hands each function's index and name in the name section to `take`. As with every custom section,
/// what is malformed is passed over.
pub(super) fn function_names<'w>(
    section: &CustomSectionReader<'w>,
    mut take: impl FnMut(u32, &'w str),
) {
    // Read here: the parser's own reader brings those of the eleven other subsections.
    let mut reader = BinaryReader::new(section.data(), section.data_offset());
    while let Ok((id, content)) = subsection(&mut reader) {
        if id == FUNCTIONS {
            let mut names = BinaryReader::new(content, 0);
            let count = names.read_var_u32().unwrap_or(0);
            (0..count).map_while(|_| naming(&mut names).ok()).for_each(|(at, name)| take(at, name));
        }
    }
}

fn subsection<'w>(reader: &mut BinaryReader<'w>) -> wasmparser::Result<(u8, &'w [u8])> {
    let (id, len) = (reader.read_u8()?, reader.read_var_u32()?);
    Ok((id, reader.read_bytes(len as usize)?))
}

fn naming<'w>(names: &mut BinaryReader<'w>) -> wasmparser::Result<(u32, &'w str)> {
    Ok((names.read_var_u32()?, names.read_string()?))
}

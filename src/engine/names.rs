//! What a module's name section calls its functions.

use wasmparser::{BinaryReader, CustomSectionReader, Name, NameSectionReader};

/// Hands each function's index and name in the name section to `take`. As with every custom section,
/// what is malformed is passed over.
pub(super) fn function_names<'w>(
    section: &CustomSectionReader<'w>,
    mut take: impl FnMut(u32, &'w str),
) {
    // By itself: `as_known` brings the parsers of every custom section that there is.
    let subsections = BinaryReader::new(section.data(), section.data_offset());
    for names in NameSectionReader::new(subsections).map_while(Result::ok) {
        if let Name::Function(names) = names {
            names
                .into_iter()
                .map_while(Result::ok)
                .for_each(|naming| take(naming.index, naming.name));
        }
    }
}

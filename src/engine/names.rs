//! What a module's name section calls its functions.

use wasmparser::{CustomSectionReader, KnownCustom, Name};

/// Hands each function's index and name to `take`, if the section is the name section. As with every
/// custom section, what is malformed is passed over.
pub(super) fn function_names<'w>(
    section: &CustomSectionReader<'w>,
    mut take: impl FnMut(u32, &'w str),
) {
    let KnownCustom::Name(subsections) = section.as_known() else {
        return;
    };
    for names in subsections.into_iter().map_while(Result::ok) {
        if let Name::Function(names) = names {
            names
                .into_iter()
                .map_while(Result::ok)
                .for_each(|naming| take(naming.index, naming.name));
        }
    }
}

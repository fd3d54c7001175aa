//! The rules of the house that the compiler does not check, read off the sources.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of the library.
struct Source {
    /// Its path below `src`, such as `engine/run.rs`.
    path: String,
    /// Its text up to its unit tests.
    text: String,
    /// The same without comments and the contents of strings; lines stay where they were.
    code: String,
}

impl Source {
    /// The lines that break a rule, with where they are.
    fn breaches<'s>(
        &'s self,
        breaks: impl Fn(&str) -> bool + 's,
    ) -> impl Iterator<Item = String> + 's {
        let lines = self.code.lines().enumerate().filter(move |(_, line)| breaks(line));
        lines.map(|(at, line)| format!("src/{}:{}: {}", self.path, at + 1, line.trim()))
    }

    /// Every path that the file imports or uses, in full: `alloc::sync::Arc`.
    fn paths(&self) -> Vec<String> {
        let mut paths: Vec<_> = words(&self.code).map(str::to_string).collect();
        let in_a_word =
            |at: usize| self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        for (at, _) in self.code.match_indices("use ").filter(|(at, _)| !in_a_word(*at)) {
            let tree = self.code[at + 4..].split(';').next().unwrap_or_default();
            expand("", tree.trim(), &mut paths);
        }
        paths
    }
}

/// Takes an import apart: `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let Some(open) = tree.find('{') else {
        paths.push(format!("{prefix}{tree}"));
        return;
    };
    let prefix = format!("{prefix}{}", &tree[..open]);
    let inside = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut begin) = (0, 0);
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, inside[begin..at].trim(), paths);
                begin = at + 1;
            }
            _ => {}
        }
    }
}

fn sources() -> Vec<Source> {
    sources_in("src")
}

fn sources_in(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let source = |file: &PathBuf| {
        let text = before_tests(&fs::read_to_string(file).unwrap());
        let path = file.strip_prefix(&root).unwrap().display().to_string().replace('\\', "/");
        Source { path, code: code_of(&text), text }
    };
    files.iter().map(source).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false if path.ends_with("tests.rs") => {}
            false => files.push(path),
        }
    }
}

/// Unit tests stand at the end of a file, in `mod tests`, or in a file `tests.rs`.
fn before_tests(text: &str) -> String {
    match text.find("#[cfg(test)]\nmod tests {") {
        Some(end) => text[..end].to_string(),
        None => text.to_string(),
    }
}

/// Blanks out comments, and what is inside of strings and character literals.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            raw_string(rest)
        } else if c == '"' {
            quoted(rest)
        } else if c == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped > 0 {
            code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            rest = &rest[skipped..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            // An identifier that ends in `r` begins no raw string.
            if c.is_alphanumeric() || c == '_' {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                code.push_str(word);
                rest = after;
            }
        }
    }
    code
}

/// The length of the raw string at the beginning; 0 if it is a raw identifier.
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].bytes().take_while(|byte| *byte == b'#').count();
    if text.as_bytes().get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = 2 + hashes;
    text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len())
}

/// The length of the string at the beginning.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the character literal at the beginning; 0 if it is a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => text[3..].find('\'').map_or(text.len(), |at| at + 4),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// The words of a line: identifiers and keywords, paths kept whole (`core::sync::atomic`).
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
        .map(|word| word.trim_matches(':'))
        .filter(|word| !word.is_empty())
}

/// Whether a path is `other` or something below it.
fn is_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The paths below one of `forbidden` that files other than those of `allowed` name.
fn named(forbidden: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let elsewhere = sources().into_iter().filter(|source| !allowed(&source.path));
    let is_forbidden = |path: &String| forbidden.iter().any(|other| is_below(path, other));
    elsewhere
        .flat_map(|source| {
            let paths = source.paths().into_iter().filter(is_forbidden);
            paths.map(|path| format!("src/{}: {path}", source.path)).collect::<Vec<_>>()
        })
        .collect()
}

const NONE: [String; 0] = [];

#[test]
fn wasmi_is_named_in_the_engine_only() {
    let theirs = ["wasmi", "wasmi_core", "wasmparser", "wasm_encoder"];
    assert_eq!(named(&theirs, |path| path.starts_with("engine/")), NONE);
}

#[test]
fn shared_ownership_locks_and_atomics_are_named_in_sync_only() {
    let theirs = ["alloc::sync", "std::sync", "core::sync", "alloc::rc", "spin", "portable_atomic"];
    assert_eq!(named(&theirs, |path| path == "sync.rs" || path.starts_with("sync/")), NONE);
}

#[test]
fn there_is_no_unsafe_code_but_for_mapping_files() {
    assert_eq!(named(&["unsafe"], |path| path == "mmap.rs"), NONE);
    let manifest = fs::read_to_string(file_of("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"deny\""), "the lint is on");
}

#[test]
fn nothing_in_the_library_panics_on_purpose() {
    let markers = [
        ".unwrap()",
        ".expect(",
        "panic!(",
        "todo!(",
        "unimplemented!(",
        "unreachable!(",
        "assert!(",
        "assert_eq!(",
    ];
    let panics = |line: &str| markers.iter().any(|marker| line.contains(marker));
    let found: Vec<_> =
        sources().iter().flat_map(|source| source.breaches(panics).collect::<Vec<_>>()).collect();
    assert_eq!(found, NONE);
}

#[test]
fn no_file_is_longer_than_500_lines_before_its_tests() {
    const MAX: usize = 500;
    let long: Vec<_> = sources()
        .iter()
        .chain(&sources_in("capi/src"))
        .map(|source| (source.path.clone(), source.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX)
        .collect();
    assert_eq!(long, [], "files and their lines");
    let root = sources().into_iter().find(|source| source.path == "lib.rs").unwrap();
    assert!(root.text.lines().count() < 150, "lib.rs");
}

/// The functions of the C API: name, and body without comments.
fn c_functions() -> Vec<(String, String)> {
    let mut functions = Vec::new();
    for source in sources_in("capi/src") {
        for (at, _) in source.text.match_indices("pub extern \"C\" fn ") {
            let text = &source.text[at + 18..];
            let (name, body) = text.split_once('(').unwrap();
            let end = body.find("\n}").unwrap();
            functions.push((name.trim().to_string(), body[..end].to_string()));
        }
    }
    functions
}

#[test]
fn every_function_of_the_c_api_that_can_fail_goes_through_the_boundary() {
    let functions = c_functions();
    assert!(functions.len() > 80, "{}", functions.len());
    let outside: Vec<_> = functions
        .iter()
        .filter(|(_, body)| body.contains("-> wpr_code_t") && !body.contains("boundary(error, ||"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(outside, Vec::<&String>::new());
}

#[test]
fn every_function_of_the_c_api_that_runs_a_plugin_refuses_to_in_a_callback() {
    let runs = [
        "call(",
        "call_with(",
        "call_bytes(",
        "call_bytes_into(",
        ".load(",
        "load_file(",
        "lease_owned(",
        "start_with(",
        "start_bytes(",
        ".run(",
        "reload_with(",
        "rollback(",
    ];
    let open: Vec<_> = c_functions()
        .into_iter()
        .filter(|(_, body)| body.contains("-> wpr_code_t"))
        .filter(|(_, body)| runs.iter().any(|run| body.contains(run)))
        .filter(|(_, body)| !body.contains("may_run_plugins()?"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn pointers_of_other_languages_are_followed_in_one_file() {
    let raw = ["ptr::read(", "ptr::write(", "from_raw_parts", "copy_nonoverlapping"];
    // Of the others, each has its own reason: a slot's value, arguments that were written before.
    let allowed = ["pointers.rs", "value.rs", "thread.rs"];
    let found: Vec<_> = sources_in("capi/src")
        .iter()
        .filter(|source| !allowed.contains(&source.path.as_str()))
        .flat_map(|source| {
            source.breaches(|line| raw.iter().any(|raw| line.contains(raw))).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, NONE);
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    // A file of one host function has its function's documentation instead.
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! ") && !source.text.contains("\n/// "))
        .map(|source| source.path)
        .collect();
    assert_eq!(silent, NONE);
}

fn file_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn these_rules_see_what_they_look_for() {
    let text = r##"
//! wasmi in a comment
use wasmi::Engine; // spin
let text = "unsafe \" wasmi"; let raw = r#"a "wasmi" b"#;
let quote = '"'; let wasmi_like = '\''; fn f<'a>(x: &'a str) { x.unwrap() }
/* alloc::sync */ use core::sync::atomic::Ordering;
#[cfg(test)]
mod tests { todo!() }"##;
    let code = code_of(&before_tests(text));
    let lines: Vec<_> = code.lines().map(str::trim_end).collect();
    assert_eq!(
        lines,
        [
            "",
            "",
            "use wasmi::Engine;",
            "let text = ; let raw = ;",
            "let quote = ; let wasmi_like = ; fn f<'a>(x: &'a str) { x.unwrap() }",
            " use core::sync::atomic::Ordering;",
        ]
    );
    let source = Source { path: "it.rs".into(), text: text.into(), code };
    let paths = source.paths();
    let names = |other: &str| paths.iter().any(|path| is_below(path, other));
    assert!(names("wasmi") && names("core::sync") && !names("alloc::sync") && !names("spin"));
    let found: Vec<_> = source.breaches(|line| line.contains(".unwrap()")).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("src/it.rs:5: let quote"), "{found:?}");
    let mut paths = Vec::new();
    expand("", "alloc::{boxed::Box, sync::{self, Arc as Shared}, vec::Vec}", &mut paths);
    let expected =
        ["alloc::boxed::Box", "alloc::sync::self", "alloc::sync::Arc as Shared", "alloc::vec::Vec"];
    assert_eq!(paths, expected);
    assert!(is_below(&paths[1], "alloc::sync") && !is_below("wasmi_like", "wasmi"));
    assert!(sources().len() > 40, "all of the library is read");
    for source in sources() {
        let tests = source.text.matches("mod tests;").count();
        let for_tests_only = source.text.matches("#[cfg(test)]\nmod tests;").count();
        assert_eq!(tests, for_tests_only, "src/{}", source.path);
    }
}

#[test]
fn dispatch_is_taken_for_portable_exactly_where_the_manifest_makes_it_so() {
    let read = |file: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        fs::read_to_string(path).unwrap().split_whitespace().collect::<String>()
    };
    let manifest = read("Cargo.toml");
    let (before, after) = manifest.split_once("dependencies]wasmi={").unwrap();
    assert!(after.contains("portable-dispatch"), "{after}");
    let (_, condition) = before.rsplit_once("[target.'cfg(").unwrap();
    let condition = condition.strip_suffix(")'.").unwrap();
    let expected = format!("cfg!(any(feature=\"portable-dispatch\",{condition}))");
    assert!(read("src/engine/dispatch.rs").contains(&expected), "{expected}");
}

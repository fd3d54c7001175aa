//! The data set of `fixtures/data`: whole, and good enough that a person agrees with its answers.

#[path = "../../fixtures/data/emoji.rs"]
pub mod emoji;

use self::emoji::{DIMS, Emoji, embed};

/// The names of the `k` emoji nearest to a text, nearest first, found by looking at every row.
pub fn nearest(rows: &[Emoji], text: &str, k: usize) -> Vec<&'static str> {
    let query = embed(text);
    let mut rows: Vec<_> = rows.iter().map(|row| (cosine(&row.vector, &query), row.name)).collect();
    rows.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    rows.iter().take(k).map(|(_, name)| *name).collect()
}

/// Of two vectors of length 1.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

#[test]
fn every_row_has_an_emoji_a_name_and_a_vector() {
    let rows = emoji::emoji();
    assert_eq!(rows.len(), 1_715);
    for row in &rows {
        assert!(!row.emoji.is_ascii() || row.name.starts_with("keycap"), "{}", row.name);
        assert!((1..=128).contains(&row.name.len()));
        assert_eq!(row.vector.len(), DIMS);
        assert!(row.vector.iter().all(|x| x.is_finite()));
    }
    let without: Vec<_> = rows
        .iter()
        .filter(|row| row.vector.iter().all(|x| *x == 0.0))
        .map(|row| row.name)
        .collect();
    assert_eq!(without, [""; 0]);
}

#[test]
fn each_word_has_its_vector_and_the_frequent_ones_tell_little() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/data");
    let words = std::fs::read_to_string(format!("{folder}/words.txt")).unwrap();
    let words: Vec<_> = words.lines().collect();
    let vectors = std::fs::read(format!("{folder}/vectors.i8")).unwrap();
    assert_eq!(vectors.len(), words.len() * DIMS);
    assert!(words.is_sorted_by(|a, b| a < b));
    assert!(cosine(&embed("the ocean"), &embed("ocean")) > 0.98);
    assert_eq!(embed("OCEAN!"), embed("ocean"));
    assert_eq!(embed("xyzzy"), [0.0; DIMS]);
}

#[test]
fn the_nearest_emoji_are_those_a_person_would_pick() {
    let rows = emoji::emoji();
    let expected: [(&str, &[&str]); 10] = [
        ("birthday party", &["wrapped gift", "birthday cake", "party popper"]),
        ("i am tired", &["tired face", "weary face"]),
        ("ocean animal", &["whale", "squid", "shark", "dolphin", "octopus"]),
        ("bad weather", &["fog", "cloud with snow"]),
        ("fruit", &["mango", "pear", "grapes", "pineapple"]),
        ("musical instrument", &["musical keyboard", "violin", "trumpet", "guitar"]),
        ("romantic love", &["heart with arrow", "kiss mark", "couple with heart"]),
        ("fast vehicle", &["high-speed train", "delivery truck"]),
        ("doctor", &["health worker", "stethoscope", "hospital"]),
        ("scary monster", &["ghost", "ogre", "zombie"]),
    ];
    for (query, names) in expected {
        let found = nearest(&rows, query, 6);
        assert!(names.iter().all(|name| found.contains(name)), "{query}: {found:?}");
    }
}

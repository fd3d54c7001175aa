//! `soch_scan`: records in key order, page by page.

use crate::probe::{OUT, Probe, SIZE, TABLE};
use std::collections::BTreeMap;

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn scan(probe: &Probe, from: &[u8], limit: i32, cap: i32) -> i32 {
    let (from, from_len) = probe.put(2048, from);
    probe.call("soch_scan", &[TABLE.0, TABLE.1, from, from_len, limit, OUT.0, cap])
}

fn field<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let (len, rest) = bytes.split_first_chunk::<4>().unwrap();
    let (field, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
    *bytes = rest;
    field
}

/// The records that a scan wrote.
fn records(probe: &Probe, written: i32) -> Rows {
    let bytes = probe.bytes((OUT.0, written));
    let mut rest = &*bytes;
    let mut rows = Vec::new();
    while !rest.is_empty() {
        rows.push((field(&mut rest).to_vec(), field(&mut rest).to_vec()));
    }
    rows
}

fn with_rows(rows: &[(&str, &str)]) -> Probe {
    let probe = Probe::new();
    for (key, value) in rows {
        probe.registry.host().put("default", "users", key.as_bytes(), value.as_bytes()).unwrap();
    }
    probe
}

fn owned(rows: &[(&str, &str)]) -> Rows {
    rows.iter().map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec())).collect()
}

#[test]
fn a_scan_gives_whole_records_in_key_order_from_a_key_on() {
    let probe = with_rows(&[("c", "3"), ("a", ""), ("bb", "two"), ("b", "1")]);
    let all = [("a", ""), ("b", "1"), ("bb", "two"), ("c", "3")];
    for (from, expected) in [("", &all[..]), ("a", &all), ("b", &all[1..]), ("ba", &all[2..])] {
        let written = scan(&probe, from.as_bytes(), 10, 4096);
        assert_eq!(records(&probe, written), owned(expected), "from {from:?}");
    }
}

#[test]
fn a_scan_past_the_last_key_or_of_an_absent_table_is_at_its_end() {
    let probe = with_rows(&[("a", "1")]);
    assert_eq!(scan(&probe, b"b", 10, 64), 0);
    assert_eq!(scan(&probe, b"a\0", 10, 64), 0);
    let (nobody, len) = probe.put(4096, b"nobody");
    assert_eq!(probe.call("soch_scan", &[nobody, len, 0, 0, 10, OUT.0, OUT.1]), 0);
}

#[test]
fn a_scan_stops_at_its_limit_which_is_unsigned_and_may_be_zero() {
    let probe = with_rows(&[("a", "1"), ("b", "2"), ("c", "3")]);
    for (limit, rows) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (-1, 3)] {
        assert_eq!(scan(&probe, b"", limit, 4096), rows * 10, "limit {limit}");
    }
    assert_eq!(scan(&probe, b"", 0, 0), 0);
}

#[test]
fn a_first_record_that_does_not_fit_is_minus_5_and_a_later_one_ends_the_page() {
    let probe = with_rows(&[("a", "1"), ("b", "2")]);
    probe.put(OUT.0, &[0xaa; 64]);
    for cap in [0, 1, 9] {
        assert_eq!(scan(&probe, b"", 10, cap), -5);
        assert_eq!(probe.bytes((OUT.0, 64)), [0xaa; 64]);
    }
    for cap in [10, 19] {
        assert_eq!(scan(&probe, b"", 10, cap), 10);
        assert_eq!(probe.bytes((OUT.0 + 10, 54)), [0xaa; 54]);
    }
    assert_eq!(scan(&probe, b"", 10, 20), 20);
}

#[test]
fn pages_of_any_size_give_every_row_once() {
    let rows: BTreeMap<String, String> =
        (0..300).map(|i| (format!("{i:03}"), "x".repeat(i % 40))).collect();
    let probe = Probe::new();
    for (key, value) in &rows {
        probe.registry.host().put("default", "users", key.as_bytes(), value.as_bytes()).unwrap();
    }
    let expected: Rows = rows.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
    for (limit, cap) in [(10, 4096), (1, 64), (1_000, 60), (1_000, SIZE - OUT.0)] {
        let mut found = Rows::new();
        loop {
            let from = found.last().map(|(key, _)| [key, &b"\0"[..]].concat()).unwrap_or_default();
            let written = scan(&probe, &from, limit, cap);
            if written == 0 {
                break;
            }
            let page = records(&probe, written);
            assert!(page.len() <= usize::try_from(limit).unwrap());
            found.extend(page);
        }
        assert_eq!(found, expected, "limit {limit}, room {cap}");
    }
}

//! `index_lookup` and `index_range`: the rows that an index has under a key, or under a range.

use crate::{
    probe::{Probe, ordinary},
    support::{StepClock, all_granted, assert_error, config},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use wasm_runtime::{
    DenyPolicy, EmbeddedHost, ErrorKind, Host, HostCall, HostError, HostQuota, IndexKey, Output,
    WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

/// Where the searches here have their arguments, and all of the second page for answers.
const NAME: i32 = 2_048;
const LOW: i32 = 16_384;
const HIGH: i32 = 32_768;
const OUT: i32 = 65_536;
const ROOM: i32 = 65_536;

/// A probe over a host in which the index `i` orders the table `t` by the first two bytes.
fn probe() -> Probe {
    let host = EmbeddedHost::new();
    host.create_index("default", "i", "t", IndexKey::field(0, 2)).unwrap();
    Probe::on(WasmPluginRegistry::with_host(host), ordinary())
}

fn put(probe: &Probe, row: u64, value: &[u8]) {
    probe.registry.host().put("default", "t", &row.to_be_bytes(), value).unwrap();
}

fn delete(probe: &Probe, row: u64) {
    assert!(probe.registry.host().delete("default", "t", &row.to_be_bytes()));
}

/// The ids that an answer says are there.
fn ids<H: Host>(probe: &Probe<H>, count: i32) -> Vec<u64> {
    assert!(count >= 0, "{count}");
    let bytes = probe.bytes((OUT, count * 8));
    bytes.chunks(8).map(|id| u64::from_le_bytes(id.try_into().unwrap())).collect()
}

fn lookup_status<H: Host>(probe: &Probe<H>, index: &str, key: &[u8], room: i32) -> i32 {
    let ((name, name_len), (key, key_len)) =
        (probe.put(NAME, index.as_bytes()), probe.put(LOW, key));
    probe.call("index_lookup", &[name, name_len, key, key_len, OUT, room])
}

fn lookup<H: Host>(probe: &Probe<H>, key: &[u8]) -> Vec<u64> {
    ids(probe, lookup_status(probe, "i", key, ROOM))
}

fn range_status<H: Host>(
    probe: &Probe<H>,
    (low, high): (&[u8], &[u8]),
    limit: i32,
    room: i32,
) -> i32 {
    let (name, name_len) = probe.put(NAME, b"i");
    let ((low, low_len), (high, high_len)) = (probe.put(LOW, low), probe.put(HIGH, high));
    let args = [name, name_len, low, low_len, high, high_len, limit, OUT, room];
    probe.call("index_range", &args)
}

fn range<H: Host>(probe: &Probe<H>, low: &[u8], high: &[u8]) -> Vec<u64> {
    ids(probe, range_status(probe, (low, high), -1, ROOM))
}

/// Everything there is: no key of two bytes is above.
fn all<H: Host>(probe: &Probe<H>) -> Vec<u64> {
    range(probe, b"", b"\xff\xff\xff")
}

#[test]
fn a_lookup_gives_the_rows_of_exactly_that_key_in_id_order() {
    let probe = probe();
    for (row, value) in [(9, "red"), (2, "rex"), (5, "re"), (1, "rf"), (u64::MAX, "re!"), (0, "r")]
    {
        put(&probe, row, value.as_bytes());
    }
    assert_eq!(lookup(&probe, b"re"), [2, 5, 9, u64::MAX]);
    assert_eq!(lookup(&probe, b"rf"), [1]);
    for absent in [&b""[..], b"r", b"rg", b"red", b"\xff\xff"] {
        assert_eq!(lookup(&probe, absent), [], "{absent:?}");
    }
}

#[test]
fn a_range_gives_the_rows_from_its_low_end_to_below_its_high_end_in_key_order() {
    let probe = probe();
    for (row, value) in [(1, "cc"), (2, "aa"), (3, "bb"), (4, "aa"), (5, "dd")] {
        put(&probe, row, value.as_bytes());
    }
    assert_eq!(range(&probe, b"aa", b"cc"), [2, 4, 3]);
    assert_eq!(range(&probe, b"a", b"cc\0"), [2, 4, 3, 1]);
    assert_eq!(range(&probe, b"", b"\xff"), [2, 4, 3, 1, 5]);
    assert_eq!(range(&probe, b"ab", b"bb"), []);
    // Nothing is between an end and itself, or the wrong way round.
    for (low, high) in [("bb", "bb"), ("cc", "aa"), ("b", ""), ("", ""), ("bb\0", "bb")] {
        assert_eq!(range(&probe, low.as_bytes(), high.as_bytes()), [], "{low} to {high}");
    }
}

#[test]
fn a_range_stops_at_its_limit_which_is_unsigned_and_may_be_zero() {
    let probe = probe();
    (0..5).for_each(|row| put(&probe, row, b"aa"));
    for (limit, count) in [(0, 0), (1, 1), (4, 4), (5, 5), (6, 5), (-1, 5), (i32::MIN, 5)] {
        assert_eq!(range_status(&probe, (b"a", b"b"), limit, ROOM), count, "limit {limit}");
        assert_eq!(ids(&probe, count), (0..count as u64).collect::<Vec<_>>());
    }
}

#[test]
fn ids_are_all_written_or_none_and_in_either_case_counted() {
    let probe = probe();
    (0..3).for_each(|row| put(&probe, row, b"aa"));
    for room in [0, 1, 8, 16, 23] {
        probe.put(OUT, &[0xaa; 32]);
        assert_eq!(lookup_status(&probe, "i", b"aa", room), 3);
        assert_eq!(range_status(&probe, (b"a", b"b"), 9, room), 3);
        assert_eq!(probe.bytes((OUT, 32)), [0xaa; 32], "{room} bytes of room");
    }
    for room in [24, 25, 32] {
        probe.put(OUT, &[0xaa; 32]);
        assert_eq!(lookup_status(&probe, "i", b"aa", room), 3);
        assert_eq!(ids(&probe, 3), [0, 1, 2]);
        assert_eq!(probe.bytes((OUT + 24, 8)), [0xaa; 8]);
    }
    // What a limit leaves is what must fit.
    assert_eq!(range_status(&probe, (b"a", b"b"), 2, 16), 2);
    assert_eq!(ids(&probe, 2), [0, 1]);
}

#[test]
fn an_index_covers_rows_with_keys_of_8_bytes_whose_values_are_long_enough() {
    let probe = probe();
    let host = probe.registry.host();
    for key in [&b""[..], b"seven b", b"nine byte"] {
        host.put("default", "t", key, b"aa").unwrap();
    }
    host.put("default", "other", &1_u64.to_be_bytes(), b"aa").unwrap();
    host.put("elsewhere", "t", &1_u64.to_be_bytes(), b"aa").unwrap();
    put(&probe, 1, b"");
    put(&probe, 2, b"a");
    put(&probe, 0x0102_0304_0506_0708, b"aa");
    assert_eq!(all(&probe), [0x0102_0304_0506_0708]);
    assert_eq!(host.get("default", "t", b"\x01\x02\x03\x04\x05\x06\x07\x08").unwrap(), b"aa");
}

#[test]
fn an_index_follows_the_rows_whoever_changes_them() {
    let probe = probe();
    put(&probe, 1, b"aa");
    put(&probe, 2, b"aa, but longer");
    put(&probe, 1, b"bb");
    assert_eq!((lookup(&probe, b"aa"), lookup(&probe, b"bb")), (vec![2], vec![1]));
    // A value too short for the index, and one that is long enough again.
    put(&probe, 1, b"b");
    assert_eq!(all(&probe), [2]);
    put(&probe, 1, b"bb");
    delete(&probe, 2);
    assert_eq!(all(&probe), [1]);
    // The plugin itself: a new row, one replaced, one deleted.
    let (table, len) = probe.put(4_096, b"t");
    let row = |row: u64| probe.put(5_120, &row.to_be_bytes());
    let write = |id: u64, value: &[u8]| {
        let ((key, key_len), (value, value_len)) = (row(id), probe.put(6_144, value));
        probe.call("soch_write", &[table, len, key, key_len, value, value_len])
    };
    assert_eq!((write(7, b"cc"), write(1, b"cd")), (0, 1));
    assert_eq!(range(&probe, b"cc", b"ce"), [7, 1]);
    let (key, key_len) = row(7);
    assert_eq!(probe.call("soch_delete", &[table, len, key, key_len]), 1);
    assert_eq!(all(&probe), [1]);
    delete(&probe, 1);
    assert_eq!(all(&probe), []);
    assert_eq!(probe.registry.host().scan("default", "t", b"", 9), []);
}

#[test]
fn an_index_that_comes_later_covers_the_rows_that_are_there() {
    let probe = probe();
    (0..100).for_each(|row| put(&probe, row, &[b'a', (row % 10) as u8, b'z']));
    let host = probe.registry.host();
    host.put("default", "t", b"short", b"aaz").unwrap();
    host.create_index("default", "later", "t", IndexKey::field(1, 2)).unwrap();
    let count = lookup_status(&probe, "later", b"\x03z", ROOM);
    assert_eq!(ids(&probe, count), (0..10).map(|n| n * 10 + 3).collect::<Vec<_>>());
    // Both follow from now on.
    put(&probe, 3, b"bbb");
    assert_eq!((lookup(&probe, b"a\x03").len(), lookup(&probe, b"bb")), (9, vec![3]));
    assert_eq!(lookup_status(&probe, "later", b"\x03z", ROOM), 9);
    assert_eq!(lookup_status(&probe, "later", b"bb", ROOM), 1);
}

/// The part of a value before the first comma; rows without one are left out.
fn before_comma(value: &[u8]) -> Option<&[u8]> {
    value.iter().position(|byte| *byte == b',').map(|at| &value[..at])
}

#[test]
fn a_function_of_the_embedder_s_finds_the_key_or_leaves_the_row_out() {
    let host = EmbeddedHost::new();
    host.create_index("default", "i", "t", IndexKey::function(before_comma)).unwrap();
    let probe = Probe::on(WasmPluginRegistry::with_host(host), ordinary());
    put(&probe, 1, b"ada,36");
    put(&probe, 2, b"ada,41");
    put(&probe, 3, b",");
    put(&probe, 4, b"nobody");
    put(&probe, 5, &[vec![b'x'; 4_096], vec![b',']].concat());
    put(&probe, 6, &[vec![b'x'; 4_097], vec![b',']].concat());
    assert_eq!((lookup(&probe, b"ada"), lookup(&probe, b"")), (vec![1, 2], vec![3]));
    assert_eq!(lookup(&probe, &[b'x'; 4_096]), [5]);
    assert_eq!(all(&probe), [3, 1, 2, 5]);
    // No key is longer than a guest may ask for.
    assert_eq!(lookup_status(&probe, "i", &[b'x'; 4_097], ROOM), -3);
    put(&probe, 1, b"ada");
    put(&probe, 6, b"ada,");
    assert_eq!(all(&probe), [3, 2, 6, 5]);
}

#[test]
fn a_tenant_whose_storage_is_locked_keeps_no_other_waiting_not_even_a_new_one() {
    let host = Arc::new(EmbeddedHost::new());
    let handle = Arc::downgrade(&host);
    // While the function runs, its tenant's storage is locked.
    let key = IndexKey::function(move |value| {
        let host = handle.upgrade().unwrap();
        host.put("new", "t", b"key", value).unwrap();
        assert_eq!(host.get("new", "t", b"key").as_deref(), Some(value));
        Some(value)
    });
    host.create_index("acme", "i", "t", key).unwrap();
    host.put("acme", "t", &1_u64.to_be_bytes(), b"row").unwrap();
    assert_eq!(host.get("new", "t", b"key").as_deref(), Some(&b"row"[..]));
}

#[test]
fn a_function_that_panics_leaves_rows_indexes_and_quota_as_they_were() {
    let armed = Arc::new(AtomicBool::new(false));
    let arms = Arc::clone(&armed);
    let panics = move |value: &[u8]| -> bool { arms.load(Ordering::Relaxed) && value == b"bang" };
    let host = EmbeddedHost::with_quota(HostQuota { max_bytes: 100, ..HostQuota::default() });
    host.create_index("default", "before", "t", IndexKey::field(0, 1)).unwrap();
    let key = IndexKey::function(move |value| {
        assert!(!panics(value), "bang");
        value.get(..2)
    });
    host.create_index("default", "i", "t", key).unwrap();
    let probe = Probe::on(WasmPluginRegistry::with_host(host), ordinary());
    put(&probe, 1, b"aa");
    put(&probe, 2, b"bang");
    armed.store(true, Ordering::Relaxed);
    let host = probe.registry.host();
    let bang = |row: u64| catch_unwind(AssertUnwindSafe(|| put(&probe, row, b"bang")));
    assert!(bang(1).is_err() && bang(3).is_err());
    // Taking a row out asks the function too, and so does covering what is there.
    let deletion = || host.delete("default", "t", &2_u64.to_be_bytes());
    assert!(catch_unwind(AssertUnwindSafe(deletion)).is_err());
    let other = || {
        host.create_index("default", "late", "t", IndexKey::function(|_| panic!("bang"))).unwrap();
    };
    assert!(catch_unwind(AssertUnwindSafe(other)).is_err());
    assert_eq!(lookup_status(&probe, "late", b"", ROOM), -2);
    // A plugin that brings the panic about.
    let (table, len) = probe.put(4_096, b"t");
    let ((key, key_len), (value, value_len)) =
        (probe.put(5_120, &1_u64.to_be_bytes()), probe.put(6_144, b"bang"));
    let args = [table, len, key, key_len, value, value_len].map(WasmValue::I32);
    assert!(catch_unwind(AssertUnwindSafe(|| probe.call_values("soch_write", &args))).is_err());
    armed.store(false, Ordering::Relaxed);

    assert_eq!(all(&probe), [1, 2]);
    assert_eq!((lookup(&probe, b"aa"), lookup(&probe, b"ba")), (vec![1], vec![2]));
    let count = lookup_status(&probe, "before", b"a", ROOM);
    assert_eq!(ids(&probe, count), [1]);
    let rows: Vec<_> = host.scan("default", "t", b"", 9).into_iter().map(|row| row.1).collect();
    assert_eq!(rows, [b"aa".to_vec(), b"bang".to_vec()]);
    // 8 + 2 and 8 + 4 bytes of rows; twice 1 + 8 and twice 2 + 8 of entries: 40 are left.
    let key = [0; 9];
    assert!(host.put("default", "t", &key, &[0; 32]).is_err());
    host.put("default", "t", &key, &[0; 31]).unwrap();
}

#[test]
fn index_entries_count_towards_the_quota_and_a_write_over_it_changes_nothing() {
    let host = EmbeddedHost::with_quota(HostQuota { max_bytes: 60, ..HostQuota::default() });
    host.create_index("default", "i", "t", IndexKey::function(before_comma)).unwrap();
    let probe = Probe::on(WasmPluginRegistry::with_host(host), ordinary());
    let host = probe.registry.host();
    let write = |row: u64, value: &[u8]| {
        let ((table, len), (key, key_len)) =
            (probe.put(4_096, b"t"), probe.put(5_120, &row.to_be_bytes()));
        let (value, value_len) = probe.put(6_144, value);
        probe.call("soch_write", &[table, len, key, key_len, value, value_len])
    };
    // 8 + 4 of the row, 3 + 8 of its entry.
    assert_eq!((write(1, b"abc,"), write(2, b"abc,")), (0, 0));
    // 14 are left: a row fits, but not its entry; a longer value, but not its longer key.
    for (row, value, status) in
        [(3, &b","[..], -5), (3, b".......", -5), (1, b"abcdefgh,", 1), (2, b"abcdefg,", -5)]
    {
        let before = (host.scan("default", "t", b"", 9), all(&probe));
        assert_eq!(write(row, value), status, "{value:?}");
        if status == -5 {
            assert_eq!((host.scan("default", "t", b"", 9), all(&probe)), before);
            let over = host.put("default", "t", &row.to_be_bytes(), value).unwrap_err();
            assert_error(&over, ErrorKind::QuotaExceeded, &["`default`", "`t`", "`max_bytes`"]);
        }
    }
    // A key that goes makes room.
    assert_eq!((write(1, b"abcdefgh"), write(3, b"...")), (1, 0));
    // An index over what is there counts as well.
    let late = host.create_index("default", "late", "t", IndexKey::field(0, 1)).unwrap_err();
    assert_error(&late, ErrorKind::QuotaExceeded, &["`default`", "`late`", "`max_bytes`"]);
    assert_eq!(lookup_status(&probe, "late", b"a", ROOM), -2);
}

#[test]
fn what_cannot_be_an_index_is_refused_naming_what_and_why() {
    let quota = HostQuota { max_tables: 1, ..HostQuota::default() };
    let host = EmbeddedHost::with_quota(quota);
    let create =
        |name: &str, table: &str| host.create_index("acme", name, table, IndexKey::field(0, 1));
    for n in 0..16 {
        create(&format!("i{n}"), "t").unwrap();
    }
    let taken = create("i3", "t").unwrap_err();
    assert_error(&taken, ErrorKind::AlreadyLoaded, &["tenant `acme`", "index `i3`"]);
    let full = create("i16", "t").unwrap_err();
    assert_error(&full, ErrorKind::LimitExceeded, &["tenant `acme`", "index `i16`", "16"]);
    // A table that has nothing but an index is a table.
    let table = create("i16", "u").unwrap_err();
    assert_error(&table, ErrorKind::QuotaExceeded, &["`acme`", "`i16`", "`max_tables`"]);
}

#[test]
fn both_grants_are_needed_and_without_one_nothing_is_told() {
    let halves = [
        WasmPluginCapabilities { can_index_search: false, ..all_granted() },
        WasmPluginCapabilities { can_read_table: vec!["users".into()], ..all_granted() },
    ];
    for capabilities in halves {
        for on_denied in [DenyPolicy::Status, DenyPolicy::Trap] {
            let config = WasmInstanceConfig { on_denied, ..config(capabilities.clone()) };
            let config = WasmInstanceConfig { max_instances: 1, ..config };
            let host = EmbeddedHost::new();
            host.create_index("default", "i", "t", IndexKey::field(0, 1)).unwrap();
            let probe = Probe::on(WasmPluginRegistry::with_host(host), config);
            // What comes behind the grant is not looked at.
            for wild in [LOW, -1] {
                let (name, len) = probe.put(NAME, b"i");
                let calls = [
                    ("index_lookup", vec![name, len, wild, 1, OUT, ROOM]),
                    ("index_range", vec![name, len, wild, 1, HIGH, 1, 9, OUT, ROOM]),
                ];
                for (function, args) in calls {
                    probe.put(NAME, b"i");
                    let args: Vec<_> = args.into_iter().map(WasmValue::I32).collect();
                    match (on_denied, probe.call_values(function, &args)) {
                        (DenyPolicy::Status, answer) => assert_eq!(answer.unwrap(), -1),
                        (DenyPolicy::Trap, answer) => {
                            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Denied);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn an_index_that_is_not_there_or_another_tenant_s_is_not_found() {
    let probe = probe();
    put(&probe, 1, b"aa");
    let elsewhere = WasmInstanceConfig { tenant: "elsewhere".into(), ..ordinary() };
    let stranger = Probe::beside(&probe.registry, "stranger", elsewhere);
    assert_eq!(lookup_status(&probe, "j", b"aa", ROOM), -2);
    // The table's name is not the index's.
    assert_eq!(lookup_status(&probe, "t", b"aa", ROOM), -2);
    assert_eq!(lookup_status(&stranger, "i", b"aa", ROOM), -2);
    assert_eq!(range_status(&stranger, (b"b", b"a"), 0, ROOM), -2);
    probe.registry.host().create_index("elsewhere", "i", "t", IndexKey::field(0, 2)).unwrap();
    assert_eq!((all(&stranger), all(&probe)), (vec![], vec![1]));
}

#[test]
fn an_index_search_is_charged_for_the_keys_it_brings_and_for_each_id() {
    let probe = probe();
    (0..3_000).for_each(|row| put(&probe, row, b"aa"));
    let charged = |call: &dyn Fn() -> i32| {
        let before = probe.fuel();
        let answer = call();
        (answer, probe.fuel() - before)
    };
    let bytes = |n: u64| n.div_ceil(64) * 2;
    // Nothing found: base, key, and what the guest spends on calling.
    let (_, none) = charged(&|| lookup_status(&probe, "i", b"zz", ROOM));
    for room in [0, ROOM] {
        let found = charged(&|| lookup_status(&probe, "i", b"aa", room));
        assert_eq!(found, (3_000, none + 3_000 * 20 + bytes(24_000)), "{room} bytes of room");
    }
    let long = charged(&|| lookup_status(&probe, "i", &[b'z'; 65], ROOM));
    assert_eq!(long, (0, none + 2 + 1));

    let (_, none) = charged(&|| range_status(&probe, (b"b", b"a"), 9, ROOM));
    for count in [1, 8, 9, 1_023, 1_024, 1_025, 2_048, 3_000] {
        let found = charged(&|| range_status(&probe, (b"a", b"b"), count, ROOM));
        let ids = u64::try_from(count).unwrap();
        assert_eq!(found, (count, none + ids * 20 + bytes(ids * 8)));
    }
    let long = charged(&|| range_status(&probe, (&[b'z'; 65], &[b'z'; 129]), 9, ROOM));
    assert_eq!(long, (0, none + 2 + 1 + 4 + 33));
}

#[test]
fn a_write_is_charged_for_what_follows_it() {
    let probe = probe();
    let host = probe.registry.host();
    host.create_collection("default", "c", "t", 1, wasm_runtime::Distance::L2).unwrap();
    host.insert_vector("default", "c", 1, &[1.0]).unwrap();
    let (table, len) = probe.put(NAME, b"t");
    let change = |function: &str, key: &[u8], value: Option<&[u8]>| {
        let (key, key_len) = probe.put(LOW, key);
        let mut args = vec![table, len, key, key_len];
        args.extend(value.map(|value| probe.put(HIGH, value)).into_iter().flat_map(|v| [v.0, v.1]));
        let before = probe.fuel();
        probe.call(function, &args);
        probe.fuel() - before
    };
    let row = 1_u64.to_be_bytes();
    // A row that nothing follows, and what the guest spends on calling.
    let plain = change("soch_write", b"short", Some(b"aa"));
    let write = |value: &[u8]| change("soch_write", &row, Some(value)) - plain;
    // An index and a collection are asked; an entry comes; goes and comes; stays; goes; stays away.
    assert_eq!(write(b"aa"), 200 + 1_000);
    assert_eq!(write(b"bb"), 200 + 2_000);
    assert_eq!(write(b"bb, and more"), 200);
    assert_eq!(write(b"b"), 200 + 1_000);
    assert_eq!(write(b""), 200 - 2);
    write(b"aa");
    let plain = change("soch_delete", b"short", None);
    // The entry and the vector go.
    assert_eq!(change("soch_delete", &row, None), plain + 200 + 2_000);
    assert_eq!(change("soch_delete", &row, None), plain);
}

#[test]
fn a_write_is_charged_for_long_keys_of_indexes() {
    let probe = Probe::new();
    let host = probe.registry.host();
    host.create_index("default", "i", "t", IndexKey::function(|value| Some(value))).unwrap();
    let (table, len) = probe.put(NAME, b"t");
    let (key, key_len) = probe.put(LOW, &1_u64.to_be_bytes());
    let write = |value: &[u8]| {
        let (value, value_len) = probe.put(HIGH, value);
        let before = probe.fuel();
        probe.call("soch_write", &[table, len, key, key_len, value, value_len]);
        probe.fuel() - before
    };
    write(b"a");
    let stays = write(b"a");
    let (short, long) = ([b'x'; 64], [b'x'; 127]);
    assert_eq!(write(&short), stays + 2_000);
    assert_eq!(write(&short), stays);
    // 63 bytes beyond the 64th, and 2 for the value's second 64.
    assert_eq!(write(&long), stays + 2 + 2_000 + 3 * 32);
    assert_eq!(write(&long), stays + 2 + 32);
    assert_eq!(write(b"a"), stays + 2_000 + 3 * 32);
}

#[test]
fn a_write_that_cannot_pay_for_what_follows_it_changes_nothing() {
    let capabilities = WasmPluginCapabilities { fuel_limit: 1_500, ..all_granted() };
    let probe = Probe::with(WasmInstanceConfig { capabilities, ..ordinary() });
    let host = probe.registry.host();
    for n in 0..2 {
        host.create_index("default", &format!("i{n}"), "t", IndexKey::field(n, 1)).unwrap();
    }
    let (table, len) = probe.put(NAME, b"t");
    let ((key, key_len), (value, value_len)) =
        (probe.put(LOW, &1_u64.to_be_bytes()), probe.put(HIGH, b"aa"));
    let args = [table, len, key, key_len, value, value_len].map(WasmValue::I32);
    let error = probe.call_values("soch_write", &args).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfFuel);
    assert_eq!(host.scan("default", "t", b"", 9), []);
    assert_eq!(lookup_status(&probe, "i0", b"a", ROOM), 0);
}

#[test]
fn a_long_range_ends_at_its_deadline_and_where_its_fuel_does() {
    let registry = || {
        let registry = WasmPluginRegistry::builder().clock(StepClock::new(1_000)).build().unwrap();
        let host = registry.host();
        host.create_index("default", "i", "t", IndexKey::field(0, 1)).unwrap();
        for row in 0..50_000_u64 {
            host.put("default", "t", &row.to_be_bytes(), b"a").unwrap();
        }
        registry
    };
    // Each checkpoint reads the clock, a millisecond later: there is one each 1,024 ids.
    let cases = [
        (u64::MAX, 30, Some(ErrorKind::Deadline)),
        (u64::MAX, 60, None),
        (900_000, 60, Some(ErrorKind::OutOfFuel)),
    ];
    for (fuel_limit, timeout_ms, end) in cases {
        let capabilities = WasmPluginCapabilities { fuel_limit, timeout_ms, ..all_granted() };
        let probe = Probe::on(registry(), WasmInstanceConfig { capabilities, ..ordinary() });
        let ((name, len), (key, key_len)) = (probe.put(NAME, b"i"), probe.put(LOW, b"a"));
        let args = [name, len, key, key_len, OUT, ROOM].map(WasmValue::I32);
        match (probe.call_values("index_lookup", &args), end) {
            (Ok(count), None) => assert_eq!(count, 50_000),
            (answer, end) => assert_eq!(answer.unwrap_err().kind(), end.unwrap()),
        }
    }
}

/// A host of an embedder's own, whose index `i` has the numbers below a key's length.
struct Counting;

impl Host for Counting {
    fn index_table(&self, _: &HostCall<'_, Self>, index: &str) -> Result<Arc<str>, HostError> {
        if index == "i" { Ok("t".into()) } else { Err(HostError::NotFound) }
    }

    fn index_lookup(
        &self,
        call: &mut HostCall<'_, Self>,
        _: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        out.write_row_ids(call, 0..key.len() as u64)
    }

    fn index_range(
        &self,
        call: &mut HostCall<'_, Self>,
        _: &str,
        low: &[u8],
        high: &[u8],
        limit: u32,
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        assert!(low < high && limit > 0);
        // Twice: ids are appended.
        let ids = (low.len() as u64..high.len() as u64).take(limit as usize);
        Ok(out.write_row_ids(call, ids.clone())? + out.write_row_ids(call, ids)?)
    }
}

#[test]
fn a_host_of_one_s_own_writes_the_ids_that_it_has() {
    let probe = Probe::on(WasmPluginRegistry::with_host(Counting), ordinary());
    assert_eq!(lookup(&probe, b"abc"), [0, 1, 2]);
    assert_eq!(range(&probe, b"a", b"bcd"), [1, 2, 1, 2]);
    // No range that is empty reaches the host.
    assert_eq!(range(&probe, b"b", b"a"), []);
    assert_eq!(range_status(&probe, (b"a", b"b"), 0, ROOM), 0);
    assert_eq!(lookup_status(&probe, "j", b"", ROOM), -2);
    // It has no collections.
    let (name, len) = probe.put(NAME, b"i");
    assert_eq!(probe.call("vector_search", &[name, len, LOW, 1, 1, OUT, ROOM]), -6);
}

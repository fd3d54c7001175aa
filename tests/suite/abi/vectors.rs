//! `vector_search`: the nearest rows of a collection.

use crate::{
    probe::{ROW_ID, TABLE, ordinary},
    support::{StepClock, all_granted, config},
};
use std::sync::Arc;
use wasm_runtime::{
    DenyPolicy, Distance, EmbeddedHost, ErrorKind, Host, HostCall, HostError, HostQuota, MAX_DIMS,
    MAX_K, Nearest, Query, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry,
};

type Probe<H = EmbeddedHost> = crate::probe::Probe<H>;
type Hits = Vec<(u64, f32)>;

/// Where the searches here have their arguments, and all of the second page for answers.
const NAME: i32 = 2_048;
const QUERY: i32 = 16_384;
const OUT: i32 = 65_536;
const ROOM: i32 = 65_536;
const HIT: i32 = 12;

const DISTANCES: [(&str, Distance); 3] =
    [("cosine", Distance::Cosine), ("dot", Distance::Dot), ("l2", Distance::L2)];

/// Enough fuel for any search.
fn unlimited() -> WasmInstanceConfig {
    let capabilities = WasmPluginCapabilities { fuel_limit: u64::MAX, ..all_granted() };
    WasmInstanceConfig { capabilities, ..ordinary() }
}

fn bytes(query: &[f32]) -> Vec<u8> {
    query.iter().flat_map(|component| component.to_le_bytes()).collect()
}

/// Searches with room for so many bytes, and returns the status.
fn status<H: Host>(probe: &Probe<H>, name: &str, query: &[f32], k: i32, room: i32) -> i32 {
    let (name, name_len) = probe.put(NAME, name.as_bytes());
    probe.put(QUERY, &bytes(query));
    let dims = i32::try_from(query.len()).unwrap();
    probe.call("vector_search", &[name, name_len, QUERY, dims, k, OUT, room])
}

/// The hits that were written.
fn hits<H: Host>(probe: &Probe<H>, count: i32) -> Hits {
    let bytes = probe.bytes((OUT, count * HIT));
    let hit = |hit: &[u8]| {
        let (id, distance) = hit.split_at(8);
        let distance = f32::from_le_bytes(distance.try_into().unwrap());
        (u64::from_le_bytes(id.try_into().unwrap()), distance)
    };
    bytes.chunks(HIT as usize).map(hit).collect()
}

fn search<H: Host>(probe: &Probe<H>, name: &str, query: &[f32], k: i32) -> Hits {
    let count = status(probe, name, query, k, ROOM);
    assert!(count >= 0, "{count}");
    hits(probe, count)
}

/// A collection of its own name for each distance, with these vectors.
fn with_vectors(config: WasmInstanceConfig, dims: usize, vectors: &[(u64, Vec<f32>)]) -> Probe {
    let host = EmbeddedHost::new();
    for (name, distance) in DISTANCES {
        host.create_collection("default", name, "places", dims, distance).unwrap();
        for (row, vector) in vectors {
            assert!(!host.insert_vector("default", name, *row, vector).unwrap());
        }
    }
    Probe::on(WasmPluginRegistry::with_host(host), config)
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Whole numbers, of which sums of products are exact in any order.
    fn whole(&mut self, dims: usize) -> Vec<f32> {
        loop {
            let vector: Vec<_> = (0..dims).map(|_| self.below(9) as f32 - 4.0).collect();
            if vector.iter().any(|component| *component != 0.0) {
                return vector;
            }
        }
    }

    fn real(&mut self, dims: usize) -> Vec<f32> {
        (0..dims).map(|_| self.below(1 << 20) as f32 / 1_000.0 - 500.0).collect()
    }
}

/// The distance of vectors of whole numbers, as it is documented.
fn distance(kind: Distance, a: &[f32], b: &[f32]) -> f32 {
    let sum = |term: fn(i64, i64) -> i64| -> f32 {
        a.iter().zip(b).map(|(a, b)| term(*a as i64, *b as i64)).sum::<i64>() as f32
    };
    match kind {
        Distance::Dot => sum(|a, b| -a * b),
        Distance::L2 => sum(|a, b| (a - b) * (a - b)).sqrt(),
        Distance::Cosine => {
            let lengths = sum(|a, _| a * a).sqrt() * sum(|_, b| b * b).sqrt();
            (1.0 - sum(|a, b| a * b) / lengths).clamp(0.0, 2.0)
        }
    }
}

/// What computing every distance, sorting and truncating gives.
fn brute_force(kind: Distance, vectors: &[(u64, Vec<f32>)], query: &[f32], k: usize) -> Hits {
    let mut all: Hits =
        vectors.iter().map(|(row, vector)| (*row, distance(kind, vector, query))).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    all.truncate(k);
    all
}

/// Hits with distances that compare bit by bit.
fn exact(hits: &[(u64, f32)]) -> Vec<(u64, u32)> {
    hits.iter().map(|(row, distance)| (*row, distance.to_bits())).collect()
}

#[test]
fn a_search_of_ten_thousand_vectors_gives_the_very_hits_of_brute_force() {
    let mut numbers = Numbers(1);
    let mut vectors: Vec<_> =
        (0..10_000).map(|row| (row * 7_919 % 10_007, numbers.whole(128))).collect();
    // Every tenth vector has a double.
    for at in (0..5_000).step_by(10) {
        vectors[at + 5_000].1 = vectors[at].1.clone();
    }
    let probe = with_vectors(unlimited(), 128, &vectors);
    let queries = [vectors[0].1.clone(), vectors[9_999].1.clone(), numbers.whole(128)];
    for (name, kind) in DISTANCES {
        for (query, k) in queries.iter().zip([1_024, 100, 1]) {
            let found = search(&probe, name, query, k);
            let expected = brute_force(kind, &vectors, query, k as usize);
            assert_eq!(exact(&found), exact(&expected), "{name}, k = {k}");
        }
        // The double of the query's own vector is as near, and comes behind it or before.
        let twins = search(&probe, name, &queries[0], 2);
        assert_eq!(twins[0].1.to_bits(), twins[1].1.to_bits(), "{name}");
        assert!(twins[0].0 < twins[1].0, "{name}");
    }
}

#[test]
fn distances_of_any_numbers_are_close_to_those_in_double_precision() {
    for dims in [1, 3, 16, 17, 100, 257] {
        let mut numbers = Numbers(2);
        let vectors: Vec<_> = (0..50).map(|row| (row, numbers.real(dims))).collect();
        let probe = with_vectors(unlimited(), dims, &vectors);
        let query = numbers.real(dims);
        let wide = |a: &[f32], term: fn(f64, f64) -> f64| -> f64 {
            a.iter().zip(&query).map(|(a, b)| term(f64::from(*a), f64::from(*b))).sum()
        };
        for (name, kind) in DISTANCES {
            let found = search(&probe, name, &query, 50);
            assert_eq!(found.len(), 50);
            assert!(found.is_sorted_by(|a, b| a.1 <= b.1));
            for (row, distance) in found {
                let vector = &vectors[row as usize].1;
                let lengths = (wide(vector, |a, _| a * a) * wide(vector, |_, b| b * b)).sqrt();
                let dot = wide(vector, |a, b| a * b);
                let (expected, scale) = match kind {
                    Distance::Dot => (-dot, lengths),
                    Distance::L2 => (wide(vector, |a, b| (a - b) * (a - b)).sqrt(), lengths.sqrt()),
                    Distance::Cosine => (1.0 - dot / lengths, 1.0),
                };
                let error = (f64::from(distance) - expected).abs();
                assert!(error <= 1e-4 * scale, "{name} of {dims}: {distance}, not {expected}");
            }
        }
    }
}

#[test]
fn vectors_at_the_ends_of_what_is_allowed_have_finite_distances() {
    // Just below the largest length that there is, and just above the smallest.
    let (large, small) = (2_f32.powi(63).next_down(), 2_f32.powi(-63));
    for (a, b) in [(large, -large), (large, large), (small, -small), (small, large)] {
        let probe = with_vectors(ordinary(), 1, &[(1, vec![a])]);
        for (name, _) in DISTANCES {
            let found = search(&probe, name, &[b], 1);
            assert!(found[0].1.is_finite(), "{name} of {a} and {b}: {}", found[0].1);
        }
    }
}

#[test]
fn rows_at_the_same_distance_come_in_the_order_of_their_ids_however_they_were_inserted() {
    let rows = [5, u64::MAX, 0, 3, 1 << 40, 4];
    let vectors: Vec<_> = rows.iter().map(|row| (*row, vec![1.5, -2.25])).collect();
    let probe = with_vectors(ordinary(), 2, &vectors);
    for (name, _) in DISTANCES {
        for k in 1..=8 {
            let found = search(&probe, name, &[0.5, 0.25], k);
            let ids: Vec<_> = found.iter().map(|hit| hit.0).collect();
            let expected = [0, 3, 4, 5, 1 << 40, u64::MAX];
            assert_eq!(ids, expected[..(k as usize).min(6)], "{name}");
        }
    }
}

#[test]
fn a_search_gives_as_many_hits_as_are_wanted_and_there_and_have_room() {
    let mut numbers = Numbers(3);
    let vectors: Vec<_> = (0..20).map(|row| (row, numbers.whole(4))).collect();
    let probe = with_vectors(ordinary(), 4, &vectors);
    let query = numbers.whole(4);
    let all = brute_force(Distance::L2, &vectors, &query, 20);
    for k in [1, 5, 19, 20, 21, 1_024] {
        for room in [HIT, HIT + 11, 7 * HIT, 20 * HIT, 21 * HIT] {
            probe.put(OUT, &[0xaa; 300]);
            let count = status(&probe, "l2", &query, k, room);
            assert_eq!(count, k.min(20).min(room / HIT), "k = {k} in {room} bytes");
            assert_eq!(exact(&hits(&probe, count)), exact(&all[..count as usize]));
            let behind = probe.bytes((OUT + count * HIT, 300 - count * HIT));
            assert!(behind.iter().all(|byte| *byte == 0xaa));
        }
    }
}

#[test]
fn without_room_for_one_hit_a_search_that_has_one_answers_minus_5() {
    let probe = with_vectors(ordinary(), 1, &[(1, vec![1.0])]);
    probe.registry.host().create_collection("default", "empty", "places", 1, Distance::L2).unwrap();
    probe.put(OUT, &[0xaa; 16]);
    for room in [0, 1, 11] {
        assert_eq!(status(&probe, "l2", &[1.0], 1, room), -5);
        assert_eq!(status(&probe, "l2", &[1.0], 0, room), 0);
        assert_eq!(status(&probe, "empty", &[1.0], 1, room), 0);
    }
    assert_eq!(probe.bytes((OUT, 16)), [0xaa; 16]);
}

#[test]
fn the_number_of_hits_wanted_is_0_to_1024() {
    let probe = with_vectors(ordinary(), 1, &[(1, vec![1.0])]);
    assert_eq!(MAX_K, 1_024);
    for (k, expected) in [(0, 0), (1, 1), (1_024, 1), (1_025, -3), (-1, -3), (i32::MIN, -3)] {
        assert_eq!(status(&probe, "l2", &[1.0], k, ROOM), expected, "{k}");
    }
}

#[test]
fn a_query_without_a_direction_or_with_other_dimensions_is_invalid() {
    let probe = with_vectors(ordinary(), 2, &[(1, vec![1.0, 2.0])]);
    let invalid: [&[f32]; 12] = [
        &[],
        &[1.0],
        &[1.0, 2.0, 3.0],
        &[0.0, 0.0],
        &[0.0, -0.0],
        &[f32::NAN, 1.0],
        &[1.0, -f32::NAN],
        &[f32::INFINITY, 1.0],
        &[1.0, f32::NEG_INFINITY],
        &[1e-20, 0.0],
        &[1e19, 1e19],
        &[f32::MAX, f32::MAX],
    ];
    for (name, _) in DISTANCES {
        for query in invalid {
            assert_eq!(status(&probe, name, query, 1, ROOM), -3, "{name}: {query:?}");
        }
        assert_eq!(status(&probe, name, &[1e9, -1e9], 1, ROOM), 1);
    }
}

#[test]
fn a_vector_has_up_to_4096_components() {
    assert_eq!(MAX_DIMS, 4_096);
    let probe = with_vectors(ordinary(), 4_096, &[(9, vec![0.5; 4_096])]);
    assert_eq!(search(&probe, "l2", &[0.75; 4_096], 1), [(9, 16.0)]);
    assert_eq!(status(&probe, "l2", &[0.5; 4_097], 1, ROOM), -3);
    // So many components that their bytes would overflow, to those of one.
    probe.registry.host().create_collection("default", "one", "places", 1, Distance::L2).unwrap();
    assert_eq!(status(&probe, "one", &[0.5], 1, ROOM), 0);
    let (name, len) = probe.put(NAME, b"one");
    for dims in [4_097, 1 << 30, (1 << 30) + 1, i32::MAX, i32::MIN, -1, -(1 << 30)] {
        assert_eq!(
            probe.call("vector_search", &[name, len, QUERY, dims, 1, OUT, 64]),
            -3,
            "{dims}"
        );
    }
}

#[test]
fn a_query_may_lie_at_any_address_and_share_its_bytes_with_the_name() {
    let vector = f32::from_le_bytes(*b"BBBB");
    let probe = with_vectors(ordinary(), 1, &[(3, vec![vector])]);
    probe.registry.host().create_collection("default", "BBBB", "places", 1, Distance::L2).unwrap();
    probe.registry.host().insert_vector("default", "BBBB", 3, &[vector]).unwrap();
    for at in QUERY..QUERY + 8 {
        probe.put(at, b"BBBB");
        assert_eq!(probe.call("vector_search", &[at, 4, at, 1, 5, OUT, ROOM]), 1);
        assert_eq!(hits(&probe, 1), [(3, 0.0)]);
    }
}

#[test]
fn both_grants_are_needed_and_without_one_nothing_is_told() {
    let halves = [
        WasmPluginCapabilities { can_vector_search: false, ..all_granted() },
        WasmPluginCapabilities { can_read_table: vec!["users".into()], ..all_granted() },
    ];
    for capabilities in halves {
        for on_denied in [DenyPolicy::Status, DenyPolicy::Trap] {
            let config = WasmInstanceConfig { on_denied, ..config(capabilities.clone()) };
            let config = WasmInstanceConfig { max_instances: 1, ..config };
            let probe = with_vectors(config, 1, &[(1, vec![1.0])]);
            let (name, len) = probe.put(NAME, b"l2");
            // What comes behind the grant is not looked at.
            for query in [QUERY, -1] {
                let args = [name, len, query, 1, 1, OUT, ROOM].map(wasm_runtime::WasmValue::I32);
                let answer = probe.call_values("vector_search", &args);
                match on_denied {
                    DenyPolicy::Status => assert_eq!(answer.unwrap(), -1),
                    DenyPolicy::Trap => {
                        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Denied);
                        probe.put(NAME, b"l2");
                    }
                }
            }
        }
    }
    let capabilities =
        WasmPluginCapabilities { can_read_table: vec!["pla*".into()], ..all_granted() };
    let probe = with_vectors(config(capabilities), 1, &[(1, vec![1.0])]);
    assert_eq!(search(&probe, "l2", &[1.0], 1), [(1, 0.0)]);
}

#[test]
fn a_collection_that_is_not_there_or_another_tenant_s_is_not_found() {
    let probe = with_vectors(ordinary(), 1, &[(1, vec![1.0])]);
    let elsewhere = WasmInstanceConfig { tenant: "elsewhere".into(), ..ordinary() };
    let stranger = Probe::beside(&probe.registry, "stranger", elsewhere);
    assert_eq!(status(&probe, "l3", &[1.0], 1, ROOM), -2);
    // The table's name is not the collection's.
    assert_eq!(status(&probe, "places", &[1.0], 1, ROOM), -2);
    assert_eq!(status(&stranger, "l2", &[1.0], 1, ROOM), -2);
    // A tenant that has something, but not that.
    probe.registry.host().put("elsewhere", "l2", b"key", b"row").unwrap();
    assert_eq!(status(&stranger, "l2", &[1.0], 1, ROOM), -2);
    probe.registry.host().create_collection("elsewhere", "l2", "t", 1, Distance::L2).unwrap();
    assert_eq!(search(&stranger, "l2", &[1.0], 9), []);
    assert_eq!(search(&probe, "l2", &[1.0], 9), [(1, 0.0)]);
}

#[test]
fn a_vector_may_be_replaced_and_goes_with_its_row() {
    let probe = Probe::new();
    let host = probe.registry.host();
    host.create_collection("default", "c", "t", 1, Distance::L2).unwrap();
    host.create_collection("default", "d", "t", 1, Distance::Dot).unwrap();
    for row in 0..5_u64 {
        host.put("default", "t", &row.to_be_bytes(), b"").unwrap();
        assert!(!host.insert_vector("default", "c", row, &[row as f32 + 1.0]).unwrap());
    }
    host.insert_vector("default", "d", 2, &[1.0]).unwrap();
    assert!(host.insert_vector("default", "c", 4, &[2.5]).unwrap());
    let found = |name: &str| -> Vec<u64> {
        search(&probe, name, &[1.0], 9).iter().map(|hit| hit.0).collect()
    };
    assert_eq!(found("c"), [0, 1, 4, 2, 3]);
    // By the host program, by the plugin; the first, the last, one that is not there.
    assert!(host.delete("default", "t", &0_u64.to_be_bytes()));
    assert_eq!(found("c"), [1, 4, 2, 3]);
    let (table, len) = probe.put(NAME, b"t");
    for (row, answer) in [(2_u64, 1), (4, 1), (4, -2), (99, -2)] {
        let (key, key_len) = probe.put(QUERY, &row.to_be_bytes());
        assert_eq!(probe.call("soch_delete", &[table, len, key, key_len]), answer);
    }
    assert_eq!((found("c"), found("d")), (vec![1, 3], vec![]));
    // Writing a row again does not bring its vector back, and replacing one leaves it.
    host.put("default", "t", &2_u64.to_be_bytes(), b"").unwrap();
    host.put("default", "t", &1_u64.to_be_bytes(), b"again").unwrap();
    assert_eq!(found("c"), [1, 3]);
    // A row of another table, or one whose key is not 8 bytes, is another row.
    host.put("default", "users", &1_u64.to_be_bytes(), b"").unwrap();
    host.delete("default", "users", &1_u64.to_be_bytes());
    host.put("default", "t", &1_u32.to_be_bytes(), b"").unwrap();
    host.delete("default", "t", &1_u32.to_be_bytes());
    assert_eq!(found("c"), [1, 3]);
}

#[test]
fn a_vector_needs_no_row() {
    let probe = with_vectors(ordinary(), 1, &[(77, vec![1.0])]);
    assert_eq!(search(&probe, "l2", &[1.0], 1), [(77, 0.0)]);
    assert_eq!(probe.registry.host().scan("default", "places", b"", 9), []);
}

#[test]
fn what_cannot_be_a_collection_or_a_vector_is_refused_naming_what_and_why() {
    let host = EmbeddedHost::new();
    let named = |error: wasm_runtime::Error, kind: ErrorKind, parts: &[&str]| {
        crate::support::assert_error(&error, kind, &["tenant `acme`", "collection `c`"]);
        crate::support::assert_error(&error, kind, parts);
    };
    let create = |dims| host.create_collection("acme", "c", "t", dims, Distance::Cosine);
    for dims in [0, 4_097, usize::MAX] {
        let parts = ["4096", &dims.to_string()];
        named(create(dims).unwrap_err(), ErrorKind::LimitExceeded, &parts);
    }
    let insert = |vector: &[f32]| host.insert_vector("acme", "c", 1, vector);
    named(insert(&[1.0]).unwrap_err(), ErrorKind::NotFound, &["no such collection"]);
    create(2).unwrap();
    named(create(2).unwrap_err(), ErrorKind::AlreadyLoaded, &[]);
    named(insert(&[1.0]).unwrap_err(), ErrorKind::Host, &["2 components", "has 1"]);
    for (vector, value) in
        [([0.0, 0.0], "0e0"), ([f32::NAN, 1.0], "NaN"), ([1e30, 1.0], "inf"), ([1e-30, 0.0], "0e0")]
    {
        named(insert(&vector).unwrap_err(), ErrorKind::Host, &["1.1754944e-38", "8.5070", value]);
    }
    assert!(!insert(&[1.0, 2.0]).unwrap());
    assert!(insert(&[2.0, 1.0]).unwrap());
}

#[test]
fn vectors_count_towards_the_quota_of_bytes() {
    // Two vectors of 8 + 8 bytes, and a row of 8 + 2.
    let host = EmbeddedHost::with_quota(HostQuota { max_bytes: 42, ..HostQuota::default() });
    host.create_collection("acme", "c", "t", 2, Distance::L2).unwrap();
    let insert = |row| host.insert_vector("acme", "c", row, &[1.0, 1.0]);
    let put = |row: u64, value: &[u8]| host.put("acme", "t", &row.to_be_bytes(), value);
    insert(1).unwrap();
    insert(2).unwrap();
    put(1, b"ab").unwrap();
    for error in [insert(3).unwrap_err(), put(1, b"abc").unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
        assert!(error.to_string().contains("max_bytes"), "{error}");
    }
    // Replacing takes nothing; a row that is deleted gives back its own bytes and its vector's.
    assert!(insert(2).unwrap());
    assert!(host.delete("acme", "t", &1_u64.to_be_bytes()));
    assert!(!insert(3).unwrap());
    put(3, b"ab").unwrap();
    assert_eq!(insert(1).unwrap_err().kind(), ErrorKind::QuotaExceeded);
}

#[test]
fn a_search_is_charged_for_each_row_and_component_and_for_the_hits_that_are_wanted() {
    let vectors: Vec<_> = (0..30).map(|row| (row, vec![1.0; 20])).collect();
    let probe = with_vectors(ordinary(), 20, &vectors);
    let charged = |k: i32, room: i32| {
        let before = probe.fuel();
        let answer = status(&probe, "l2", &[1.0; 20], k, room);
        (answer, probe.fuel() - before)
    };
    // No search at all: base, and 80 bytes of query; and what the guest spends on calling.
    let (answer, free) = charged(0, ROOM);
    assert_eq!(answer, 0);
    let rows = |k: i32| 30 * (20 + 16 + 8 * u64::from(k.ilog2()));
    for (k, room, answer, hit_bytes) in [
        (1, ROOM, 1, 12),
        (5, ROOM, 5, 60),
        (6, ROOM, 6, 72),
        (1_024, ROOM, 30, 360),
        // Whatever room there is.
        (6, 60, 5, 72),
        (6, 0, -5, 72),
    ] {
        let hits = (hit_bytes as u64).div_ceil(64) * 2;
        assert_eq!(charged(k, room), (answer, free + rows(k) + hits), "{k} hits in {room} bytes");
    }
}

#[test]
fn a_search_that_cannot_be_paid_for_ends_the_call_before_it_computes() {
    let vectors: Vec<_> = (0..10_000).map(|row| (row, vec![1.0; 100])).collect();
    // 1,240,000 for the rows.
    for (fuel_limit, is_enough) in [(1_230_000, false), (1_250_000, true)] {
        let capabilities = WasmPluginCapabilities { fuel_limit, ..all_granted() };
        let probe = with_vectors(WasmInstanceConfig { capabilities, ..ordinary() }, 100, &vectors);
        let (name, len) = probe.put(NAME, b"l2");
        probe.put(QUERY, &bytes(&[1.0; 100]));
        let args = [name, len, QUERY, 100, 3, OUT, ROOM].map(wasm_runtime::WasmValue::I32);
        match probe.call_values("vector_search", &args) {
            Ok(count) => assert!(is_enough && count == 3),
            Err(error) => {
                assert!(!is_enough && error.kind() == ErrorKind::OutOfFuel, "{error}");
                assert!(probe.fuel() < 1_000);
            }
        }
    }
}

#[test]
fn a_long_search_ends_at_its_deadline() {
    // Every reading of the clock is a millisecond: a search of 10,000 vectors of 512 bytes reads it
    // once each 64 KiB.
    for (timeout_ms, is_enough) in [(30, false), (90, true)] {
        let registry = WasmPluginRegistry::builder().clock(StepClock::new(1_000)).build().unwrap();
        let host = registry.host();
        host.create_collection("default", "c", "t", 128, Distance::L2).unwrap();
        for row in 0..10_000 {
            host.insert_vector("default", "c", row, &[1.0; 128]).unwrap();
        }
        let capabilities =
            WasmPluginCapabilities { fuel_limit: u64::MAX, timeout_ms, ..all_granted() };
        let probe = Probe::on(registry, WasmInstanceConfig { capabilities, ..ordinary() });
        let (name, len) = probe.put(NAME, b"c");
        probe.put(QUERY, &bytes(&[1.0; 128]));
        let args = [name, len, QUERY, 128, 3, OUT, ROOM].map(wasm_runtime::WasmValue::I32);
        match probe.call_values("vector_search", &args) {
            Ok(count) => assert!(is_enough && count == 3),
            Err(error) => assert!(!is_enough && error.kind() == ErrorKind::Deadline, "{error}"),
        }
    }
}

/// A host of an embedder's own, whose collection `users` has its rows in a list.
struct Listed(Vec<(u64, f32)>);

impl Host for Listed {
    fn collection_table(
        &self,
        call: &HostCall<'_, Self>,
        collection: &str,
    ) -> Result<Arc<str>, HostError> {
        assert_eq!(call.tenant(), "default");
        if collection == "users" { Ok("people".into()) } else { Err(HostError::NotFound) }
    }

    fn vector_search(
        &self,
        call: &mut HostCall<'_, Self>,
        collection: &str,
        query: Query<'_>,
        hits: &mut Nearest<'_>,
    ) -> Result<(), HostError> {
        assert_eq!((collection, query.dims(), hits.k()), ("users", 2, 3));
        assert_eq!(query.iter().collect::<Vec<_>>(), [3.0, 4.0]);
        assert_eq!((query.le_components().len(), query.squared_length()), (2, 25.0));
        call.charge_items(self.0.len())?;
        self.0.iter().for_each(|(row, distance)| hits.offer(*row, *distance));
        Ok(())
    }
}

#[test]
fn a_host_of_one_s_own_offers_its_hits_in_any_order() {
    let rows = vec![(4, 2.0), (9, 0.5), (2, 0.5), (ROW_ID, -1.0), (1, f32::NAN), (3, 0.75)];
    let people = WasmPluginCapabilities { can_read_table: vec!["people".into()], ..all_granted() };
    let config = WasmInstanceConfig { capabilities: people, ..ordinary() };
    let probe = Probe::on(WasmPluginRegistry::with_host(Listed(rows)), config);
    assert_eq!(search(&probe, "users", &[3.0, 4.0], 3), [(ROW_ID, -1.0), (2, 0.5), (9, 0.5)]);
    assert_eq!(status(&probe, "others", &[3.0, 4.0], 3, ROOM), -2);
    // It has no indexes.
    assert_eq!(probe.call("index_lookup", &[TABLE.0, TABLE.1, 0, 0, OUT, 64]), -6);
}

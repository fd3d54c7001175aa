//! What idle plugins take, each runtime in a process of its own.

use super::{
    child, heap,
    measure::{Effort, median},
    table::time,
};
use crate::{case::Line, groups};
use std::{
    error::Error,
    fmt::{self, Write},
    fs,
    time::Instant,
};

/// What such a process is asked for, with a peer and how many plugins.
pub(super) const TASK: &str = "tenants";

/// What so many idle plugins take, a plugin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tenants {
    pub(super) line: Line,
    pub(super) count: u32,
    /// Bytes that the allocator gave.
    pub(super) heap: f64,
    /// Bytes that the operating system backs with memory; none where it does not tell.
    pub(super) resident: f64,
    load_ns: f64,
}

/// In how many processes each is measured: memory that another process has just given back can take
/// several times as long to get.
const PROCESSES: usize = 3;

/// Starts this program again for each runtime and count.
pub(super) fn measure(effort: Effort) -> Result<Vec<Tenants>, Box<dyn Error>> {
    let most = if effort == Effort::QUICK { 1_000 } else { u32::MAX };
    let mut all = Vec::new();
    for count in groups::TENANTS.into_iter().filter(|count| *count <= most) {
        for (at, peer) in groups::tenant_peers().iter().enumerate() {
            let processes: Vec<[f64; 3]> =
                (0..PROCESSES).map(|_| of_process(at, count)).collect::<Result<_, _>>()?;
            let middle = |at: usize| median(processes.iter().map(|numbers| numbers[at]).collect());
            let (heap, resident, load_ns) = (middle(0), middle(1), middle(2));
            all.push(Tenants { line: peer.line(), count, heap, resident, load_ns });
        }
    }
    Ok(all)
}

fn of_process(peer: usize, count: u32) -> Result<[f64; 3], Box<dyn Error>> {
    let text = child::start(TASK, &[peer.to_string(), count.to_string()])?;
    let numbers: Vec<f64> = text.split_whitespace().flat_map(str::parse).collect();
    <[f64; 3]>::try_from(numbers).map_err(|_| text.into())
}

/// What the plugins of one runtime take, in this process; nothing if it is asked for in another way.
pub(super) fn show_one(args: &[String]) -> Option<String> {
    let [peer, count] = args else { return None };
    let (peer, count) = (peer.parse::<usize>().ok()?, count.parse::<u32>().ok()?);
    let peers = groups::tenant_peers();
    let peer = peers.get(peer)?;
    // What the first plugin of a process brings with it is not a plugin's. Of one plugin the time is
    // the median of several, as there are no others to even out what disturbs.
    let several = if count == 1 { 21 } else { 1 };
    let first: Vec<_> = (0..several).map(|_| timed(|| peer.tenants(1))).collect();
    heap::start();
    let (bytes, resident) = (heap::live_bytes(), resident_bytes());
    let (took, tenants) = timed(|| peer.tenants(count));
    let each = |after: i64, before: i64| (after - before) as f64 / f64::from(count);
    let (heap, resident) = (each(heap::live_bytes(), bytes), each(resident_bytes(), resident));
    let took =
        if count == 1 { median(first.iter().map(|(took, _)| *took).collect()) } else { took };
    drop((first, tenants));
    Some(format!("{heap} {resident} {}", took / f64::from(count)))
}

/// The nanoseconds that something takes, and what it makes.
fn timed<T>(make: impl FnOnce() -> T) -> (f64, T) {
    let began = Instant::now();
    let made = make();
    (began.elapsed().as_secs_f64() * 1e9, made)
}

/// On Linux; 0 elsewhere.
fn resident_bytes() -> i64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<i64>().ok());
    pages.unwrap_or_default() * 4_096
}

/// Writes the table.
pub(super) fn table(text: &mut String, all: &[Tenants]) -> fmt::Result {
    writeln!(
        text,
        "What a plugin takes, the median of {PROCESSES} processes: heap as the allocator counts it, which leaves out what wasmtime maps \
         by itself, and what the operating system had to back with memory. The memory of an \
         instance is 64 KiB.\n"
    )?;
    writeln!(text, "| a plugin | of | heap | resident | load, instance and first call |")?;
    writeln!(text, "|---|--:|--:|--:|--:|")?;
    for one in all {
        let kib = |bytes: f64| format!("{:.1} KiB", bytes / 1_024.0);
        // A page more or less says nothing of one plugin.
        let resident = if one.count > 1 { kib(one.resident) } else { "–".to_owned() };
        let (heap, load) = (kib(one.heap), time(one.load_ns));
        writeln!(text, "| {} | {} | {heap} | {resident} | {load} |", one.line, one.count)?;
    }
    writeln!(text)
}

//! What the report was made with.

use super::measure::Effort;
use std::{
    env,
    fmt::{self, Write},
    fs, thread,
    time::{SystemTime, UNIX_EPOCH},
};

const LOCK: &str = include_str!("../../Cargo.lock");
const MANIFEST: &str = include_str!("../../Cargo.toml");
const PACKAGES: [&str; 6] =
    ["wasm-plugin-runtime", "wasmi", "wasmtime", "tinywasm", "wasm3x-sys", "wamrx-sys"];

/// Writes the report's header.
pub(super) fn header(text: &mut String, effort: Effort) -> fmt::Result {
    writeln!(text, "# What an interpreter costs\n")?;
    writeln!(
        text,
        "Written by `cargo run --release --bin report` in `benches/`; do not edit. Each number is \
         the median of {} to {} rounds in which everything that is compared had its turn, but for \
         the film, which says how it was measured. Ratios are times over those of raw wasmi with \
         fuel, the first line of each table: less is faster.\n",
        effort.rounds.0, effort.rounds.1
    )?;
    writeln!(text, "| | |\n|---|---|")?;
    let cores = thread::available_parallelism().map_or(0, usize::from);
    writeln!(text, "| device | {}, {cores} cores |", cpu())?;
    writeln!(text, "| system | {} {}, {} |", env::consts::OS, kernel(), env::consts::ARCH)?;
    writeln!(text, "| compiler | {} |", env!("BENCHES_RUSTC"))?;
    #[cfg(feature = "c-peers")]
    writeln!(text, "| compiler of wasm3 and WAMR | {} |", peer_wasm3::COMPILER)?;
    writeln!(text, "| profile | {} |", profile())?;
    for package in PACKAGES {
        writeln!(text, "| {package} | {} |", version(package))?;
    }
    writeln!(text, "| date | {} |\n", date())
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    model.map_or("unknown", |(_, name)| name).trim().to_owned()
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

/// The profile's name and what the manifest says of it.
fn profile() -> String {
    let name = env!("BENCHES_PROFILE");
    let section = format!("[profile.{name}]");
    let lines = MANIFEST.lines().skip_while(|line| *line != section).skip(1);
    let lines: Vec<_> = lines.take_while(|line| !line.trim().is_empty()).collect();
    let flags = match env!("BENCHES_RUSTFLAGS") {
        "" => "no other flags",
        flags => flags,
    };
    format!("{name}: {}; {flags}", lines.join(", "))
}

/// The version of a package in the lock file.
fn version(package: &str) -> &'static str {
    let wanted = format!("name = \"{package}\"");
    let mut lines = LOCK.lines().skip_while(|line| *line != wanted);
    let version = lines.nth(1).and_then(|line| line.split('"').nth(1));
    version.unwrap_or("unknown")
}

/// Today, or the day that `SOURCE_DATE_EPOCH` says, as ISO 8601 has it.
fn date() -> String {
    let told = env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil((told.unwrap_or_else(now) / 86_400) as i64);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The year, month and day of a number of days since 1970, by the usual sums over eras of 400 years.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[test]
fn days_become_dates() {
    assert_eq!(civil(0), (1970, 1, 1));
    assert_eq!(civil(11_016), (2000, 2, 29));
    assert_eq!(civil(20_783), (2026, 11, 26));
}

//! Holds the instruction counts of the hot paths against recorded ones.
//!
//! ```text
//! cargo run -p guard               counts, and fails if one is off by more than 3%, up or down
//! cargo run -p guard -- --record   counts, and records what it counted
//! ```
//!
//! The counts are Callgrind's, through gungraun: they do not depend on how busy the machine is, but
//! they do depend on the compiler, so it is recorded with them. Needs valgrind, and gungraun-runner in
//! the version of gungraun in `Cargo.toml`.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

/// How far from the recorded count one may be.
const TOLERANCE: f64 = 0.03;
/// How often the benchmark does each operation.
const TIMES: f64 = 1_024.0;
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

/// Instructions of one turn, by the name of the operation.
type Counts = BTreeMap<String, f64>;

fn main() -> ExitCode {
    match run(std::env::args().nth(1).as_deref()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("guard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(option: Option<&str>) -> Result<ExitCode, String> {
    match option {
        None => compare(&count()?),
        Some("--record") => record(&count()?).map(|()| ExitCode::SUCCESS),
        Some(other) => Err(format!("unknown option `{other}`; the only one is --record")),
    }
}

/// Runs the benchmark and reads what it says.
fn count() -> Result<Counts, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["bench", "--package", "guard", "--bench", "hot_paths", "--"]);
    cargo.arg("--output-format=json").current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    let output = cargo.stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("the benchmark failed: {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let counts: Counts = text.lines().map(read).collect::<Result<_, _>>()?;
    match counts.is_empty() {
        true => Err("the benchmark counted nothing".into()),
        false => Ok(counts),
    }
}

fn read(line: &str) -> Result<(String, f64), String> {
    let summary: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
    let name = summary["id"].as_str().ok_or("a count without a name")?;
    let values = &summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"];
    // With the count of the last run, if there was one.
    let count = values["new"].as_f64().or(values["both"][0].as_f64());
    let count = count.ok_or_else(|| format!("no count for `{name}` in {values}"))?;
    Ok((name.into(), count / TIMES))
}

/// Prints the counts beside the recorded ones, and fails if one is off.
fn compare(counts: &Counts) -> Result<ExitCode, String> {
    let recorded = recorded()?;
    let mut wrong = 0;
    println!(
        "{:26} {:>9} {:>9} {:>8} {:>9}",
        "instructions of", "counted", "recorded", "change", "over raw"
    );
    for (name, count) in counts {
        let Some(known) = recorded.get(name) else {
            println!("{name:26} {count:9.1} NOT RECORDED");
            wrong += 1;
            continue;
        };
        let change = count / known - 1.0;
        let verdict = match change {
            change if change > TOLERANCE => "MORE THAN RECORDED",
            change if change < -TOLERANCE => "FEWER: record it",
            _ => "",
        };
        wrong += usize::from(!verdict.is_empty());
        let over = raw_of(name, counts).map_or(String::new(), |raw| format!("{:9.2}", count / raw));
        println!("{name:26} {count:9.1} {known:9.1} {:7.1}% {over:>9} {verdict}", change * 100.0);
    }
    for name in recorded.keys().filter(|name| !counts.contains_key(*name)) {
        println!("{name:26} NOT COUNTED");
        wrong += 1;
    }
    match wrong {
        0 => Ok(ExitCode::SUCCESS),
        _ => Err(format!(
            "{wrong} counts differ from {RECORDED}; if they are meant to, `cargo run -p guard -- --record`"
        )),
    }
}

/// The count of the same by hand.
fn raw_of(name: &str, counts: &Counts) -> Option<f64> {
    let by_hand = match name.strip_prefix("ours_")? {
        "lease_no_timeout" | "pool" => "raw_call",
        "lease" => "raw_resumable",
        "denied" | "soch_read" => return None,
        same => return counts.get(&format!("raw_{same}")).copied(),
    };
    counts.get(by_hand).copied()
}

fn recorded() -> Result<Counts, String> {
    let text = fs::read_to_string(RECORDED).map_err(|error| format!("{RECORDED}: {error}"))?;
    text.lines().filter(|line| !line.starts_with('#')).map(recorded_line).collect()
}

fn recorded_line(line: &str) -> Result<(String, f64), String> {
    let wrong = || format!("{RECORDED}: not a name and a count: {line}");
    let (name, count) = line.split_once(' ').ok_or_else(wrong)?;
    Ok((name.into(), count.trim().parse().map_err(|_| wrong())?))
}

fn record(counts: &Counts) -> Result<(), String> {
    let rustc = Command::new("rustc").arg("-V").output().map_err(|error| error.to_string())?;
    let rustc = String::from_utf8_lossy(&rustc.stdout);
    let mut text = format!(
        "# Instructions of one turn of each operation of `film`, by `cargo run -p guard -- --record`.\n\
         # {}\n",
        rustc.trim()
    );
    for (name, count) in counts {
        writeln!(text, "{name:26} {count:.1}").map_err(|error| error.to_string())?;
    }
    fs::write(RECORDED, text).map_err(|error| format!("{RECORDED}: {error}"))?;
    println!("recorded {} counts in {RECORDED}", counts.len());
    Ok(())
}

//! Prints the film's ratios.
use std::time::Instant;
fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let operations = film::rows::OPERATIONS;
    if let [name, n] = &only[..] {
        let n: u32 = n.parse().unwrap();
        let op = operations.iter().find(|op| op.name == name).unwrap();
        (op.make)()(n);
        return;
    }
    let n = 4_000;
    let mut samples = vec![Vec::new(); operations.len()];
    let mut runs: Vec<_> = operations.iter().map(|op| (op.make)()).collect();
    for run in &mut runs {
        run(n);
    }
    for _ in 0..151 {
        for (run, samples) in runs.iter_mut().zip(&mut samples) {
            let began = Instant::now();
            run(n);
            samples.push(began.elapsed().as_secs_f64() * 1e9 / f64::from(n));
        }
    }
    let mut of = std::collections::HashMap::new();
    for (op, samples) in operations.iter().zip(&mut samples) {
        samples.sort_by(f64::total_cmp);
        let (min, median) = (samples[0], samples[samples.len() / 2]);
        println!("{:28} {median:8.1} ns  min {min:8.1}", op.name);
        of.insert(op.name, median);
    }
    let r = |name: &str, a: f64, b: f64, goal: f64| {
        println!(
            "{name:40} {:6.3}  goal {goal}  {}",
            a / b,
            if a / b <= goal { "ok" } else { "MISSED" }
        )
    };
    r("raw call / bare", of["raw call"], of["raw bare"], 1.1);
    r("lease, no timeout / raw call", of["ours lease, no timeout"], of["raw call"], 1.05);
    r("lease / raw resumable", of["ours lease"], of["raw resumable"], 1.10);
    r("pool / raw call", of["ours pool"], of["raw call"], 1.25);
    r("by name / raw by name", of["ours by name"], of["raw by name"], 1.25);
    let (rl, ol) = (of["raw loop"], of["ours loop"]);
    r("nothing", of["ours nothing"] - ol, of["raw nothing"] - rl, 1.15);
    r("next", of["ours next"] - ol, of["raw next"] - rl, 1.15);
    r("emit_metric", of["ours emit_metric"] - ol, of["raw emit_metric"] - rl, 1.5);
    r("emit_metric, labels", of["ours emit_metric, labels"] - ol, of["raw emit_metric, labels"] - rl, 1.5);
    r("soch_read", of["ours soch_read"] - ol, of["raw look-up"] + of["raw nothing"] - rl, 1.3);
}

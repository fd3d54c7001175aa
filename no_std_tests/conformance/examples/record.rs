//! Writes the transcript as this machine makes it: what `src/transcript.txt` is to be.
//!
//! `cargo run --release -p conformance --example record >conformance/src/transcript.txt`

fn main() {
    print!("{}", conformance::transcript());
}

//! The group `threads` through criterion.

use benches::case::Group;

fn main() {
    benches::criterion::run(&[Group::Threads]);
}

//! The group `compute` through criterion.

use benches::case::Group;

fn main() {
    benches::criterion::run(&[Group::Compute]);
}

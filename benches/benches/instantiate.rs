//! The group `instantiate` through criterion.

use benches::case::Group;

fn main() {
    benches::criterion::run(&[Group::Instantiate]);
}

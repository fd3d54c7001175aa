//! The group `slicing` through criterion.

use benches::case::Group;

fn main() {
    benches::criterion::run(&[Group::Slicing]);
}

//! The group `load` through criterion.

use benches::case::Group;

fn main() {
    benches::criterion::run(&[Group::Load]);
}

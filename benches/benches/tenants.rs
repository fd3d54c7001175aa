//! The group `tenants` through criterion.

use benches::case::Group;

fn main() {
    benches::criterion::run(&[Group::Tenants]);
}

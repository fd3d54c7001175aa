//! The group `guest_call` through criterion.

use benches::case::Group;

fn main() {
    benches::criterion::run(&[Group::GuestCall]);
}

//! The groups `host_call` and `host_functions` through criterion.

use benches::case::Group;

fn main() {
    benches::criterion::run(&[Group::HostCall, Group::HostFunctions]);
}

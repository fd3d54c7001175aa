//! The list of all cases.

use crate::{
    case::{Case, Group, Run},
    host_functions, kernels,
    modules::Module,
    runtimes::{
        Peer,
        native::Native,
        ours::Ours,
        raw::Raw,
        tinywasm::Tinywasm,
        wasmtime::{Target, Wasmtime},
    },
    threads,
};
use std::rc::Rc;

/// How many bytes are handed to a guest and back.
const SIZES: [(usize, &str); 4] =
    [(0, "0 bytes"), (64, "64 bytes"), (4_096, "4 KiB"), (65_536, "64 KiB")];
/// How many idle plugins there are.
pub const TENANTS: [u32; 3] = [1, 100, 10_000];
/// The task whose time is taken off every other one of [`Group::HostCall`].
pub const LOOP: &str = "turn of an empty loop";

type Peers = Vec<Rc<dyn Peer>>;

/// The cases of a group, by tasks. Nothing is loaded before a case is made.
pub fn cases(group: Group) -> Vec<Case> {
    match group {
        Group::GuestCall => guest_call(),
        Group::HostCall => host_call(),
        Group::HostFunctions => host_functions::cases(),
        Group::Instantiate => instantiate(),
        Group::Load => load(),
        Group::Compute => compute(),
        Group::Slicing => slicing(),
        Group::Tenants => tenants(),
        Group::Threads => threads::cases(),
    }
}

fn guest_call() -> Vec<Case> {
    let mut peers: Peers = vec![
        Rc::new(Raw::Fuel),
        Rc::new(Raw::Bare),
        Rc::new(Raw::Resumable),
        Rc::new(Raw::ByName),
        Rc::new(Ours::LeaseUntimed),
        Rc::new(Ours::Lease),
        Rc::new(Ours::PoolUntimed),
        Rc::new(Ours::Pool),
        Rc::new(Ours::ByName),
        Rc::new(Ours::ByNames),
        wasmtime(Target::Pulley, true),
        Rc::new(Tinywasm),
        wasmtime(Target::Cranelift, true),
    ];
    peers.extend(c_peers());
    let mut cases = each(Group::GuestCall, "nop(i32)", &peers, |peer| peer.nop());
    cases.extend(each(Group::GuestCall, "add(i32, i32)", &peers, |peer| peer.add()));
    for (bytes, task) in SIZES {
        cases.extend(each(Group::GuestCall, task, &peers, move |peer| peer.echo(bytes)));
    }
    cases
}

fn host_call() -> Vec<Case> {
    let mut peers: Peers = vec![
        Rc::new(Raw::Fuel),
        Rc::new(Ours::Default),
        wasmtime(Target::Pulley, true),
        Rc::new(Tinywasm),
        wasmtime(Target::Cranelift, true),
    ];
    peers.extend(c_peers());
    let tasks = [(LOOP, "empty"), ("nothing()", "nothing"), ("next(i32)", "next")];
    let mut cases = Vec::new();
    for (task, name) in tasks {
        cases.extend(each(Group::HostCall, task, &peers, move |peer| peer.turns(name)));
    }
    for case in cases.iter_mut().filter(|case| case.task != LOOP) {
        case.less = Some(LOOP);
    }
    cases
}

fn instantiate() -> Vec<Case> {
    let peers: Peers = vec![
        Rc::new(Raw::Fuel),
        Rc::new(Ours::Fresh),
        wasmtime(Target::Pulley, true),
        Rc::new(Tinywasm),
        wasmtime(Target::Cranelift, true),
    ];
    let mut cases = Vec::new();
    for module in [Module::pages(1), Module::pages(17), Module::workload()] {
        let task = module.name.clone();
        cases
            .extend(each(Group::Instantiate, &task, &peers, move |peer| peer.instantiate(&module)));
    }
    cases
}

fn load() -> Vec<Case> {
    let mut peers: Peers = vec![
        Rc::new(Raw::Fuel),
        Rc::new(Raw::LazilyTranslated),
        Rc::new(Raw::Lazy),
        Rc::new(Ours::Eager),
        Rc::new(Ours::Lazy),
        wasmtime(Target::Pulley, true),
        Rc::new(Tinywasm),
        wasmtime(Target::Cranelift, true),
    ];
    peers.extend(c_peers());
    let mut cases = Vec::new();
    for module in [Module::pages(1), Module::metrics(), Module::workload()] {
        let (task, kilobytes) = (module.name.clone(), module.kilobytes());
        let mut of_module = each(Group::Load, &task, &peers, move |peer| peer.load(&module));
        of_module.iter_mut().for_each(|case| case.units = kilobytes);
        cases.extend(of_module);
    }
    cases
}

fn compute() -> Vec<Case> {
    let mut peers: Peers = vec![
        Rc::new(Raw::Fuel),
        Rc::new(Raw::Unmetered),
        Rc::new(Ours::Long),
        wasmtime(Target::Pulley, true),
        wasmtime(Target::Pulley, false),
        Rc::new(Tinywasm),
        wasmtime(Target::Cranelift, true),
        wasmtime(Target::Cranelift, false),
        Rc::new(Native),
    ];
    peers.extend(c_peers());
    let mut cases = Vec::new();
    for kernel in kernels::all() {
        cases.extend(each(Group::Compute, kernel.name, &peers, move |peer| peer.kernel(&kernel)));
    }
    cases
}

fn slicing() -> Vec<Case> {
    let peers: Peers = vec![
        Rc::new(Raw::Fuel),
        Rc::new(Ours::LongUntimed),
        Rc::new(Ours::Long),
        Rc::new(Ours::Pieces(100_000)),
        Rc::new(Ours::Pieces(10_007)),
    ];
    let mut cases = Vec::new();
    for kernel in kernels::all() {
        cases.extend(each(Group::Slicing, kernel.name, &peers, move |peer| peer.kernel(&kernel)));
    }
    cases
}

/// The peers whose tenants are compared.
pub fn tenant_peers() -> Peers {
    vec![
        Rc::new(Raw::Fuel),
        Rc::new(Ours::Default),
        wasmtime(Target::Pulley, true),
        Rc::new(Tinywasm),
    ]
}

fn tenants() -> Vec<Case> {
    let peers = tenant_peers();
    let mut cases = Vec::new();
    for count in TENANTS {
        let task = format!("{count} idle");
        cases.extend(each(Group::Tenants, &task, &peers, move |peer| peer.tenants(count)));
    }
    cases
}

/// The peers written in C, where they are built.
fn c_peers() -> Peers {
    #[cfg(feature = "c-peers")]
    return vec![Rc::new(crate::runtimes::c::Wasm3), Rc::new(crate::runtimes::c::Wamr)];
    #[cfg(not(feature = "c-peers"))]
    Vec::new()
}

fn wasmtime(target: Target, metered: bool) -> Rc<dyn Peer> {
    Rc::new(Wasmtime::new(target, metered))
}

/// The same task for each peer.
fn each(
    group: Group,
    task: &str,
    peers: &Peers,
    make: impl Fn(&dyn Peer) -> Option<Run> + Clone + 'static,
) -> Vec<Case> {
    let case = |peer: &Rc<dyn Peer>| {
        let (line, peer, make) = (peer.line(), Rc::clone(peer), make.clone());
        Case::new(group, task, line, move || make(&*peer))
    };
    peers.iter().map(case).collect()
}

//! Plugins run in a process that can never have executable memory beyond what it was started with.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "no_exec/ban.rs"]
#[allow(unsafe_code)] // system calls that std does not have
mod ban;
#[allow(dead_code)] // part of what it offers
#[path = "allocations/heap.rs"]
mod heap;
#[path = "conformance/here.rs"]
mod here;

use ban::{Ban, Gain, executable_mappings};
use here::Here;
use std::{
    env, io,
    os::unix::process::ExitStatusExt,
    process::{Command, Output},
};

/// What a process of its own is to do, since a ban holds for ever: `BAN TASK`.
const TASK: &str = "NO_EXEC_TASK";
/// Set to `1` where the kernel is older than MDWE and the seccomp filter shall be enough.
const WITHOUT_MDWE: &str = "NO_EXEC_WITHOUT_MDWE";
/// In [`TASK`]: no ban.
const NONE: &str = "none";
/// In [`TASK`]: [`run_plugins`]. Everything else is a [`Gain`].
const PLUGINS: &str = "plugins";

/// What such a process says last, so that one that did nothing is not taken for a success.
const DONE: &str = "task done";
const REFUSED: &str = "task refused by the kernel";
const NOT_RUN: &str = "task NOT RUN";

#[test]
fn plugins_run_where_the_kernel_refuses_executable_memory() {
    let name = "plugins_run_where_the_kernel_refuses_executable_memory";
    if let Some(output) = in_process(name, Ban::Mdwe.name(), PLUGINS) {
        assert_says(&output, DONE);
    }
}

#[test]
fn plugins_run_where_it_is_death_to_ask_for_executable_memory() {
    let name = "plugins_run_where_it_is_death_to_ask_for_executable_memory";
    if let Some(output) = in_process(name, Ban::Seccomp.name(), PLUGINS) {
        assert_says(&output, DONE);
    }
}

/// Without this the tests above would prove nothing.
#[test]
fn each_ban_stops_the_ways_to_executable_memory() {
    let name = "each_ban_stops_the_ways_to_executable_memory";
    for ban in Ban::ALL {
        for gain in Gain::ALL.into_iter().filter(|gain| ban.stops(*gain)) {
            let Some(output) = in_process(name, ban.name(), &gain.name()) else { return };
            match ban {
                Ban::Mdwe => assert_says(&output, REFUSED),
                Ban::Seccomp => {
                    assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{gain:?}: {output:?}");
                }
            }
        }
    }
}

/// And without this they could be stopped by something else. Containers forbid the last two of [`Gain`].
#[test]
fn without_a_ban_executable_memory_is_to_be_had() {
    let name = "without_a_ban_executable_memory_is_to_be_had";
    for gain in [Gain::Map, Gain::MapReadOnly, Gain::Protect, Gain::PkeyProtect, Gain::Memfd] {
        let Some(output) = in_process(name, NONE, &gain.name()) else { return };
        assert_says(&output, DONE);
    }
}

/// All that the processes under a ban do with the library: what every device does, all fixtures included.
fn run_plugins() {
    assert!(conformance::run(&mut Here).is_pass());
}

/// Begins the test `name` anew in another process, to do `task` under `ban`. In that process it does the
/// task and is `None`: the test is over there.
fn in_process(name: &str, ban: &str, task: &str) -> Option<Output> {
    if let Ok(given) = env::var(TASK) {
        let (ban, task) = given.split_once(' ').unwrap();
        println!("{}", perform(Ban::from_name(ban), task));
        return None;
    }
    let output = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(TASK, format!("{ban} {task}"))
        .output()
        .unwrap();
    Some(output)
}

/// Does the task under the ban and returns what came of it.
fn perform(ban: Option<Ban>, task: &str) -> &'static str {
    if let Some(Err(error)) = ban.map(Ban::impose) {
        let unsupported = error.kind() == io::ErrorKind::Unsupported;
        assert!(unsupported && may_do_without_mdwe(), "{error} ({WITHOUT_MDWE}=1 does without)");
        return NOT_RUN;
    }
    if task != PLUGINS {
        return match Gain::from_name(task).unwrap().attempt() {
            Ok(()) => DONE,
            Err(error) if error.raw_os_error() == Some(libc::EACCES) => REFUSED,
            Err(error) => panic!("{task}: {error}"),
        };
    }
    let before = executable_mappings().unwrap();
    assert!(!before.is_empty(), "the list of mappings lacks this program");
    run_plugins();
    assert_eq!(executable_mappings().unwrap(), before);
    DONE
}

fn assert_says(output: &Output, expected: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    if may_do_without_mdwe() && said.contains(NOT_RUN) {
        return eprintln!("{NOT_RUN}: this kernel has no MDWE");
    }
    assert!(
        output.status.success() && said.contains(expected),
        "expected `{expected}`: {output:?}"
    );
}

fn may_do_without_mdwe() -> bool {
    env::var(WITHOUT_MDWE).is_ok_and(|value| value == "1")
}

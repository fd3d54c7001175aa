//! This program, started again: what must be measured in a process of its own.

use super::{film, tenants};
use std::{env, error::Error, process::Command};

/// What tells this program to be one of those processes.
const FLAG: &str = "--child";

/// Starts this program again to do a task, and returns what it says.
pub(super) fn start(task: &str, args: &[String]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(env::current_exe()?).args([FLAG, task]).args(args).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Is one of those processes, if the command line says so, and prints what it measured.
pub fn show_one(args: &[String]) -> bool {
    let [flag, task, args @ ..] = args else { return false };
    let measured = match task.as_str() {
        _ if flag != FLAG => None,
        film::TASK => film::show_one(args),
        tenants::TASK => tenants::show_one(args),
        _ => None,
    };
    measured.inspect(|text| println!("{text}")).is_some()
}

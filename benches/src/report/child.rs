//! This program, started again: what must be measured in a process of its own.

use std::{env, error::Error, process::Command};

/// What tells this program to be one of those processes.
pub(super) const FLAG: &str = "--child";

/// Starts this program again to do a task, and returns what it says.
pub(super) fn start(task: &str, args: &[String]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(env::current_exe()?).args([FLAG, task]).args(args).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

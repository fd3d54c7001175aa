//! Writes `REPORT.md` and `plots/`: `report [--quick] [--only GROUP]`.

use benches::{
    case::Group,
    report::{self, Counting, Effort, Options},
};
use std::{env, path::Path, process::ExitCode};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if report::show_one(&args) {
        return ExitCode::SUCCESS;
    }
    let done = options(&args).and_then(|options| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        report::run(folder, &options).map_err(|error| error.to_string())
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options(args: &[String]) -> Result<Options, String> {
    let mut options = Options { effort: Effort::FULL, only: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.effort = Effort::QUICK,
            "--only" => options.only = Some(group(args.next())?),
            _ => return Err(format!("`{arg}`? usage: report [--quick] [--only GROUP]")),
        }
    }
    Ok(options)
}

fn group(name: Option<&String>) -> Result<Group, String> {
    let found = Group::ALL.into_iter().find(|group| Some(group.name()) == name.map(String::as_str));
    let names = Group::ALL.map(Group::name).join(", ");
    found.ok_or_else(|| format!("--only takes one of {names}"))
}

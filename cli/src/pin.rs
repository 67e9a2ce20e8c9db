//! `dlmanager pin` and `dlmanager unpin`

use std::path::Path;

use dlmanager::{Directory, Fault, FileName, StorePath};

use crate::args::{PinArgs, UnpinArgs};
use crate::exit::Exit;
use crate::misuse::Misuse;
use crate::open::existing;
use crate::out;

pub(crate) fn pin(args: &PinArgs) -> Result<Exit, Misuse> {
    let names = names(&args.names)?;
    let directory = directory(&args.dir)?;
    Ok(each(&names, "pin", |path| directory.pin(path)))
}

pub(crate) fn unpin(args: &UnpinArgs) -> Result<Exit, Misuse> {
    let names = names(&args.names)?;
    let directory = directory(&args.dir)?;
    Ok(each(&names, "unpin", |path| {
        if !directory.unpin(path)? {
            out::say(&format!("{path} was not pinned"));
        }
        Ok(())
    }))
}

fn each(names: &[FileName], what: &str, mut work: impl FnMut(&StorePath) -> Result<(), Fault>) -> Exit {
    let mut exit = Exit::Success;
    for name in names {
        if let Err(fault) = work(&StorePath::from(name)) {
            out::say(&format!("error: cannot {what} {name}: {fault}"));
            exit = Exit::Failure;
        }
    }
    exit
}

pub(crate) fn names(names: &[String]) -> Result<Vec<FileName>, Misuse> {
    let mut valid = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        match FileName::new(name) {
            Ok(name) => valid.push(name),
            Err(error) => problems.push(error.to_string()),
        }
    }
    Misuse::check(problems).map(|()| valid)
}

pub(crate) fn directory(path: &Path) -> Result<Directory, Misuse> {
    existing(path)?;
    Directory::open(path).map_err(|fault| Misuse::new(format!("cannot read the directory {}: {fault}", path.display())))
}

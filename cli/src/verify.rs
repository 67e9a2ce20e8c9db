//! `dlmanager verify`

use std::path::Path;

use dlmanager::core::FaultKind;
use dlmanager::{Digests, Directory, StorePath, Verified};
use serde_json::json;

use crate::args::VerifyArgs;
use crate::directory;
use crate::exit::Exit;
use crate::misuse::Misuse;
use crate::out::{self, Out};
use crate::pin::{self, names};

pub(crate) fn verify(args: &VerifyArgs) -> Result<Exit, Misuse> {
    let named = names(&args.names)?;
    let directory = pin::directory(&args.dir)?;
    let mut verifier = Verifier { args, directory, out: Out::default(), tally: Tally::default(), failed: false };
    if named.is_empty() {
        verifier.all()?;
    } else {
        for path in named.iter().map(StorePath::from) {
            let result = verifier.directory.verify(&path).map_err(|fault| fault.to_string());
            verifier.tell(path.as_str(), &result);
        }
    }
    let Verifier { out, tally, failed, .. } = verifier;
    let Tally { matching, differing, unrecorded, unreadable } = tally;
    note(args, &format!("{matching} match, {differing} differ, {unrecorded} unrecorded, {unreadable} unreadable"));
    match out.finish() {
        Ok(()) if !failed => Ok(Exit::Success),
        Ok(()) => Ok(Exit::Failure),
        Err(error) => {
            out::say(&format!("error: cannot write to standard output: {error}"));
            Ok(Exit::Failure)
        }
    }
}

struct Verifier<'a> {
    args: &'a VerifyArgs,
    directory: Directory,
    out: Out,
    tally: Tally,
    failed: bool,
}

/// Each file is one of these.
#[derive(Debug, Default)]
struct Tally {
    matching: u64,
    differing: u64,
    unrecorded: u64,
    unreadable: u64,
}

impl Verifier<'_> {
    /// All that may have been fetched into the directory.
    fn all(&mut self) -> Result<(), Misuse> {
        let root = &self.args.dir;
        let tree = directory::walk(root)
            .map_err(|error| Misuse::new(format!("cannot read the directory {}: {error}", root.display())))?;
        for file in &tree.files {
            let result = match directory::store_path(file).map(|path| self.directory.verify(&path)) {
                // It is gone meanwhile.
                Some(Err(fault)) if fault.kind() == FaultKind::NotFound => continue,
                Some(result) => result.map_err(|fault| fault.to_string()),
                // No file that is fetched has such a name.
                None => Ok(Verified::NoDigest),
            };
            self.tell(&shown(file), &result);
        }
        for (folder, error) in &tree.unreadable {
            self.tell(&shown(folder), &Err(format!("cannot read the folder: {error}")));
        }
        Ok(())
    }

    fn tell(&mut self, name: &str, result: &Result<Verified, String>) {
        if self.args.json {
            self.out.json(&object(name, result));
        }
        let problem = match result {
            Ok(Verified::Matches(digests)) => {
                self.tally.matching += 1;
                return note(self.args, &format!("{name}: {}", words(digests)));
            }
            Ok(Verified::NoDigest) => {
                self.tally.unrecorded += 1;
                if self.args.names.is_empty() {
                    return;
                }
                "nothing is recorded of it".to_owned()
            }
            Ok(Verified::Differs { expected, actual }) => {
                self.tally.differing += 1;
                format!("it is {}, and was {}", words(actual), words(expected))
            }
            Err(error) => {
                self.tally.unreadable += 1;
                error.clone()
            }
        };
        self.failed = true;
        out::say(&format!("error: {name}: {problem}"));
    }
}

/// A path in the directory, as names are written.
fn shown(path: &Path) -> String {
    directory::store_path(path).map_or_else(|| path.display().to_string(), |path| path.as_str().to_owned())
}

fn object(name: &str, result: &Result<Verified, String>) -> serde_json::Value {
    let digests = |digests: &Digests| digests.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (outcome, expected, actual, error) = match result {
        Ok(Verified::Matches(expected)) => ("matches", Some(digests(expected)), Some(digests(expected)), None),
        Ok(Verified::Differs { expected, actual }) => ("differs", Some(digests(expected)), Some(digests(actual)), None),
        Ok(Verified::NoDigest) => ("unknown", None, None, None),
        Err(error) => ("failed", None, None, Some(error)),
    };
    json!({ "name": name, "outcome": outcome, "expected": expected, "actual": actual, "error": error })
}

fn words(digests: &Digests) -> String {
    digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn note(args: &VerifyArgs, line: &str) {
    if !args.quiet {
        out::say(line);
    }
}

//! `dlmanager verify`

use dlmanager::{Digests, Fault, FileName, StorePath, Verified};
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
    let paths = if named.is_empty() { all(args)? } else { named.iter().map(StorePath::from).collect() };
    let mut out = Out::default();
    let mut tally = Tally::default();
    for path in &paths {
        let result = directory.verify(path);
        let is_named = !named.is_empty();
        if args.json {
            out.json(&object(path, &result));
        }
        match &result {
            Ok(Verified::Matches(digests)) => {
                tally.right += 1;
                note(args, &format!("{path}: {}", words(digests)));
            }
            Ok(Verified::NoDigest) => {
                tally.unknown += 1;
                if is_named {
                    tally.failed += 1;
                    out::say(&format!("error: {path}: nothing is recorded of it"));
                }
            }
            Ok(Verified::Differs { expected, actual }) => {
                tally.failed += 1;
                out::say(&format!("error: {path}: it is {}, and was {}", words(actual), words(expected)));
            }
            Err(fault) => {
                tally.failed += 1;
                out::say(&format!("error: {path}: {fault}"));
            }
        }
    }
    let Tally { right, unknown, failed } = tally;
    note(args, &format!("{right} as recorded, {failed} not, {unknown} of which nothing is recorded"));
    match out.finish() {
        Ok(()) if failed == 0 => Ok(Exit::Success),
        Ok(()) => Ok(Exit::Failure),
        Err(error) => {
            out::say(&format!("error: cannot write to standard output: {error}"));
            Ok(Exit::Failure)
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    right: u64,
    unknown: u64,
    failed: u64,
}

/// All files that count for a limit, by their names.
fn all(args: &VerifyArgs) -> Result<Vec<StorePath>, Misuse> {
    let content = directory::read(&args.dir)
        .map_err(|error| Misuse::new(format!("cannot read the directory {}: {error}", args.dir.display())))?;
    let names = content.files.iter().filter_map(|file| file.name.to_str());
    // One that dlmanager has fetched has a valid name.
    Ok(names.filter_map(|name| FileName::new(name).ok()).map(|name| StorePath::from(&name)).collect())
}

fn object(path: &StorePath, result: &Result<Verified, Fault>) -> serde_json::Value {
    let digests = |digests: &Digests| digests.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (outcome, expected, actual, error) = match result {
        Ok(Verified::Matches(expected)) => ("matches", Some(digests(expected)), Some(digests(expected)), None),
        Ok(Verified::Differs { expected, actual }) => ("differs", Some(digests(expected)), Some(digests(actual)), None),
        Ok(Verified::NoDigest) => ("unknown", None, None, None),
        Err(fault) => ("failed", None, None, Some(fault.to_string())),
    };
    json!({ "name": path.as_str(), "outcome": outcome, "expected": expected, "actual": actual, "error": error })
}

fn words(digests: &Digests) -> String {
    digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn note(args: &VerifyArgs, line: &str) {
    if !args.quiet {
        out::say(line);
    }
}

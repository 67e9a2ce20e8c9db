//! Every file: small, finished, and at home anywhere.

use crate::Tree;
use crate::code;

const LINES_MAX: usize = 700;

/// The one file that may be longer: all transitions of a download stand in it, beside their diagram.
const TRANSITIONS: (&str, usize) = ("core/src/download.rs", 1_350);

/// A Rust file has at most 700 lines.
#[must_use]
pub fn files_are_small(tree: &Tree) -> Vec<String> {
    let counted = tree.rust_files("").map(|(path, text)| (path, text.lines().count()));
    let lines_max = |path: &str| if path == TRANSITIONS.0 { TRANSITIONS.1 } else { LINES_MAX };
    counted
        .filter(|(path, lines)| *lines > lines_max(path))
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect()
}

/// Nothing waits to be done, and no test is left out.
#[must_use]
pub fn nothing_is_left_undone(tree: &Tree) -> Vec<String> {
    // Put together here, so that this file does not find itself.
    let marks = [concat!("FIX", "ME"), concat!("XX", "X")];
    let mut broken = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| is_source(path)) {
        for (number, line) in text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| has_word(line, mark)) {
                broken.push(format!("{path}:{}: {mark}", number + 1));
            }
            if line.contains(concat!("```", "ignore")) {
                broken.push(format!("{path}:{}: an example that is ignored", number + 1));
            }
        }
    }
    for (path, text) in tree.rust_files("") {
        let code = match code::tokens(path, text) {
            Ok(code) => code,
            Err(error) => {
                broken.push(error);
                continue;
            }
        };
        for name in ["todo", "unimplemented", "dbg"] {
            broken.extend(code::macro_call(&code, name).into_iter().map(|line| format!("{path}:{line}: {name}!")));
        }
        broken.extend(code::attribute(&code, "ignore").into_iter().map(|line| format!("{path}:{line}: ignored")));
    }
    broken
}

/// No file names a place on the machine where it was written.
#[must_use]
pub fn paths_of_machines_are_absent(tree: &Tree) -> Vec<String> {
    let places = [concat!("/wo", "rk"), concat!("/ro", "ot"), concat!("/t", "mp")];
    let mut broken = Vec::new();
    // What a fuzzer found is not what somebody wrote.
    for (path, text) in tree.texts().filter(|(path, _)| !path.starts_with("fuzz/corpus/")) {
        for (number, line) in text.lines().enumerate() {
            for place in places.iter().filter(|place| has_path(line, place)) {
                broken.push(format!("{path}:{}: {place}", number + 1));
            }
        }
    }
    broken
}

fn is_source(path: &str) -> bool {
    [".rs", ".toml", ".sh", ".yml", ".yaml"].iter().any(|end| path.ends_with(end)) || path == ".ci/run"
}

/// Whether the word stands in the line by itself.
fn has_word(line: &str, word: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(inner) && !line[at + word.len()..].starts_with(inner))
}

/// Whether an absolute path that begins with this folder stands in the line.
fn has_path(line: &str, folder: &str) -> bool {
    let before = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '~' | '}' | ')');
    let after = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    line.match_indices(folder).any(|(at, _)| {
        let begins = !line[..at].ends_with(before) || line[..at].ends_with("file://");
        begins && !line[at + folder.len()..].starts_with(after)
    })
}

//! Small workspaces, each with one wall broken: every wall falls when it should, and only then.

use std::collections::{BTreeMap, BTreeSet};

use dlmanager_tidy::{Tree, walls};

const ROOT: &str = r#"
[workspace]
members = ["core", "transports/exchange", "transports/hyper", "transports/smol", "transports/tls", "fs-backends/std", "dlmanager", "cli", "tests/origin", "tests/world"]
exclude = ["fuzz"]
[workspace.package]
license = "MIT OR Apache-2.0"
[workspace.dependencies]
tokio = { version = "1", features = ["net"] }
"#;

/// A manifest with these dependencies; the first line of `dependencies` may be a section of its own.
fn manifest(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\ndescription = \"d\"\nlicense.workspace = true\n[lints]\nworkspace = true\n\
        [dependencies]\n{dependencies}"
    )
}

type Files = BTreeMap<String, String>;

/// A workspace in which every wall stands.
fn sound() -> Files {
    let core = ["arbitrary", "base64", "blake3", "bytes", "http", "md-5", "sha1", "sha2", "thiserror", "url"];
    let core: String = core.iter().map(|name| format!("{name} = \"1\"\n")).collect();
    let exchange = "bytes = \"1\"\ndlmanager-core = \"0\"\nhyper = \"1\"\n[dev-dependencies]\nx = \"1\"\n";
    let hyper = "dlmanager-exchange = \"0\"\nhttp = \"1\"\nhyper-util = \"1\"\ntokio.workspace = true\n\
        [dev-dependencies]\ndlmanager-origin = \"0\"\n";
    let tls =
        "dlmanager-core = \"0\"\nrustls = \"0\"\nrustls-platform-verifier = \"0\"\n[dev-dependencies]\nx = \"1\"\n";
    let std = "dlmanager-core = \"0\"\n[dev-dependencies]\ntempfile = \"3\"\n";
    let dlmanager = "bytes = \"1\"\ndlmanager-core = \"0\"\ndlmanager-hyper = \"0\"\ndlmanager-fs = \"0\"\n\
        [dev-dependencies]\nsmol = \"2\"\ndlmanager-origin = \"0\"\n";
    let cli = "dlmanager = \"0\"\ndlmanager-origin = \"0\"\ntempfile = \"3\"\n";
    let world = "dlmanager-core = \"0\"\n[dev-dependencies]\nproptest = \"1\"\n";
    let lib = "#![no_std]\n#![forbid(unsafe_code)]\n#![deny(clippy::wildcard_enum_match_arm)]\n\
        use bytes::Bytes;\nuse http::Uri;\n// HashMap, std::fs\n";
    let files = [
        ("Cargo.toml", ROOT.to_owned()),
        ("LICENSE-MIT", "Permission is hereby granted".to_owned()),
        ("LICENSE-APACHE", "Apache License".to_owned()),
        ("core/Cargo.toml", manifest("dlmanager-core", &core)),
        ("core/src/lib.rs", lib.to_owned()),
        ("core/tests/model.rs", "use std::collections::HashMap;".to_owned()),
        ("transports/exchange/Cargo.toml", manifest("dlmanager-exchange", exchange)),
        ("transports/exchange/src/lib.rs", "use bytes::Bytes; use hyper::body;".to_owned()),
        ("transports/hyper/Cargo.toml", manifest("dlmanager-hyper", hyper)),
        ("transports/hyper/src/lib.rs", "use http::Uri; use hyper_util::rt; use std::{io, net};".to_owned()),
        ("transports/tls/Cargo.toml", manifest("dlmanager-tls", tls)),
        ("transports/tls/src/lib.rs", "use rustls::Error; use rustls_platform_verifier::Verifier;".to_owned()),
        ("transports/tls/src/read.rs", "use std::fs::File; fn f() { File::open(x) }".to_owned()),
        ("transports/smol/Cargo.toml", manifest("dlmanager-smol", "dlmanager-exchange = \"0\"\nsmol = \"2\"\n")),
        ("transports/smol/src/lib.rs", "use smol::Async;".to_owned()),
        ("fs-backends/std/Cargo.toml", manifest("dlmanager-fs", std)),
        ("fs-backends/std/src/lib.rs", "use std::fs; fn f() { tempfile::tempdir(); }".to_owned()),
        ("dlmanager/Cargo.toml", manifest("dlmanager", dlmanager)),
        ("dlmanager/src/lib.rs", "use bytes::Bytes; fn f() { smol::block_on(x) }".to_owned()),
        ("cli/Cargo.toml", manifest("dlmanager-cli", cli)),
        ("cli/src/main.rs", "fn main() { tempfile::tempdir(); }".to_owned()),
        ("tests/origin/Cargo.toml", manifest("dlmanager-origin", "")),
        ("tests/world/Cargo.toml", manifest("dlmanager-world", world)),
        ("tests/world/tests/model.rs", "use proptest::prelude::*;".to_owned()),
        ("fuzz/Cargo.toml", manifest("dlmanager-fuzz", "").replace("[lints]\nworkspace = true\n", "")),
        ("fuzz/fuzz_targets/steps.rs", "fn main() {}".to_owned()),
        ("fuzz/corpus/steps/one", "x".to_owned()),
    ];
    files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect()
}

/// The names of the walls that are broken, with the places.
fn broken(files: &Files) -> BTreeMap<&'static str, Vec<String>> {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let tree = Tree::of(&files);
    let asked = walls::ALL.iter().map(|(name, wall)| (*name, wall(&tree)));
    asked.filter(|(_, places)| !places.is_empty()).collect()
}

#[test]
fn a_sound_workspace_breaks_no_wall() {
    assert_eq!(broken(&sound()), BTreeMap::new());
}

/// What is done to a file of the sound workspace.
enum Change {
    /// The first text becomes the second.
    Replace(&'static str, &'static str),
    /// The text comes at the end of the file, which may be a new one.
    Append(&'static str),
    Remove,
}

use Change::{Append, Remove, Replace};

/// Walls, and what breaks them.
const BREACHES: &[(&str, &str, Change)] = &[
    ("core_is_pure", "core/src/lib.rs", Replace("#![no_std]", "#![cfg_attr(unix, no_std)]")),
    ("core_is_pure", "core/src/lib.rs", Replace("#![forbid(unsafe_code)]", "#![deny(unsafe_code)]")),
    ("core_is_pure", "core/src/lib.rs", Replace("#![deny(clippy::wildcard_enum_match_arm)]", "")),
    ("core_is_pure", "core/src/lib.rs", Append("extern crate std;")),
    ("core_is_pure", "core/src/lib.rs", Append("#[allow(clippy::wildcard_enum_match_arm)] fn f() {}")),
    ("core_is_pure", "core/src/a.rs", Append("#[expect(clippy::wildcard_enum_match_arm)] fn f() {}")),
    ("core_is_pure", "core/src/a.rs", Append("#[cfg(test)] extern crate std as real;")),
    ("core_has_the_dependencies_it_is_known_for", "core/Cargo.toml", Append("rand = \"1\"\n")),
    ("core_has_the_dependencies_it_is_known_for", "core/Cargo.toml", Replace("url = \"1\"", "")),
    ("core_has_the_dependencies_it_is_known_for", "core/Cargo.toml", Append("[build-dependencies]\ncc = \"1\"")),
    (
        "core_has_the_dependencies_it_is_known_for",
        "core/Cargo.toml",
        Append("[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\""),
    ),
    (
        "core_has_the_dependencies_it_is_known_for",
        "core/Cargo.toml",
        Replace("url = \"1\"", "url = { package = \"x\" }"),
    ),
    ("core_iterates_nothing_unordered", "core/src/a.rs", Append("use hash::HashMap;")),
    ("core_iterates_nothing_unordered", "core/src/a.rs", Append("fn f() { let x = a::HashSet::new(); }")),
    ("arrows_point_downwards", "transports/hyper/Cargo.toml", Replace("[dev-", "dlmanager-fs = \"0\"\n[dev-")),
    ("arrows_point_downwards", "transports/exchange/Cargo.toml", Replace("[dev-", "dlmanager-hyper = \"0\"\n[dev-")),
    ("arrows_point_downwards", "transports/smol/Cargo.toml", Append("dlmanager-hyper = \"0\"\n")),
    ("arrows_point_downwards", "fs-backends/std/Cargo.toml", Replace("[dev-", "dlmanager-hyper = \"0\"\n[dev-")),
    ("arrows_point_downwards", "fs-backends/std/Cargo.toml", Replace("[dev-", "dlmanager-exchange = \"0\"\n[dev-")),
    ("arrows_point_downwards", "transports/tls/Cargo.toml", Replace("[dev-", "dlmanager-exchange = \"0\"\n[dev-")),
    ("arrows_point_downwards", "fs-backends/std/Cargo.toml", Replace("[dev-", "dlmanager-tls = \"0\"\n[dev-")),
    ("arrows_point_downwards", "fs-backends/std/Cargo.toml", Replace("[dev-", "dlmanager = \"0\"\n[dev-")),
    ("arrows_point_downwards", "dlmanager/Cargo.toml", Replace("[dev-", "dlmanager-cli = \"0\"\n[dev-")),
    ("arrows_point_downwards", "dlmanager/Cargo.toml", Append("[build-dependencies]\ndlmanager-cli = \"0\"")),
    ("arrows_point_downwards", "dlmanager/Cargo.toml", Replace("[dev-", "dlmanager-origin = \"0\"\n[dev-")),
    ("arrows_point_downwards", "cli/Cargo.toml", Append("dlmanager-world = \"0\"")),
    ("arrows_point_downwards", "tests/origin/Cargo.toml", Append("dlmanager-cli = \"0\"")),
    ("arrows_point_downwards", "cli/Cargo.toml", Remove),
    ("transports_know_no_file_system", "transports/hyper/src/a.rs", Append("use std::{io, fs::File};")),
    (
        "transports_know_no_file_system",
        "transports/hyper/src/a.rs",
        Append("async fn f() { tokio::fs::read(x).await; }"),
    ),
    ("transports_know_no_file_system", "transports/tls/src/a.rs", Append("use std::fs::File;")),
    ("transports_know_no_file_system", "transports/tls/src/read.rs", Append("fn g() { std::fs::remove_file(x) }")),
    ("transports_know_no_file_system", "transports/tls/src/read.rs", Append("fn g() { File::create(x) }")),
    ("transports_know_no_file_system", "transports/hyper/src/read.rs", Append("use std::fs::File;")),
    ("transports_know_no_file_system", "transports/hyper/Cargo.toml", Replace("[dev-", "tempfile = \"3\"\n[dev-")),
    (
        "transports_know_no_file_system",
        "transports/hyper/Cargo.toml",
        Replace("tokio.workspace = true", "tokio = { workspace = true, features = [\"fs\"] }"),
    ),
    (
        "mistakes_are_planted_in_simulations_alone",
        "dlmanager/Cargo.toml",
        Replace("dlmanager-core = \"0\"", "dlmanager-core = { version = \"0\", features = [\"planted-bugs\"] }"),
    ),
    (
        "mistakes_are_planted_in_simulations_alone",
        "tests/world/Cargo.toml",
        Replace("proptest", "dlmanager-core = { version = \"0\", features = [\"planted-bugs\"] }\nproptest"),
    ),
    ("backends_know_no_http", "fs-backends/std/src/a.rs", Append("use http::StatusCode;")),
    ("backends_know_no_http", "fs-backends/std/src/a.rs", Append("fn f() { hyper::x() }")),
    ("backends_know_no_http", "fs-backends/std/src/a.rs", Append("use std::net::TcpStream;")),
    ("backends_know_no_http", "fs-backends/std/Cargo.toml", Replace("[dev-", "hyper-util = \"1\"\n[dev-")),
    ("backends_know_no_http", "fs-backends/std/Cargo.toml", Replace("[dev-", "tokio.workspace = true\n[dev-")),
    ("named_packages_are_used_where_they_belong", "dlmanager/Cargo.toml", Replace("smol = \"2\"", "")),
    ("named_packages_are_used_where_they_belong", "dlmanager/src/lib.rs", Replace("smol::block_on(x)", "")),
    ("named_packages_are_used_where_they_belong", "transports/smol/Cargo.toml", Replace("smol = \"2\"", "")),
    ("named_packages_are_used_where_they_belong", "transports/exchange/src/lib.rs", Replace("use hyper::body;", "")),
    (
        "named_packages_are_used_where_they_belong",
        "cli/Cargo.toml",
        Replace("tempfile", "[dev-dependencies]\ntempfile"),
    ),
    ("nothing_is_left_undone", "cli/src/a.rs", Append(concat!("fn f() { to", "do!() }"))),
    ("nothing_is_left_undone", "cli/src/a.rs", Append("fn f() { unimplemented!(\"x\") }")),
    ("nothing_is_left_undone", "cli/src/a.rs", Append("fn f() { g(dbg!(x)) }")),
    ("nothing_is_left_undone", "cli/src/a.rs", Append("#[test]\n#[ignore]\nfn f() {}")),
    ("nothing_is_left_undone", "cli/src/a.rs", Append("#[cfg_attr(not(unix), ignore)] fn f() {}")),
    ("nothing_is_left_undone", "cli/src/a.rs", Append(concat!("// FIX", "ME: later"))),
    ("nothing_is_left_undone", ".ci/run", Append(concat!("# XX", "X"))),
    ("nothing_is_left_undone", "cli/src/a.rs", Append(concat!("/// ```", "ignore\n/// ```\nfn f() {}"))),
    ("paths_of_machines_are_absent", "README.md", Append(concat!("see /wo", "rk/x"))),
    ("paths_of_machines_are_absent", "cli/src/a.rs", Append(concat!("const A: &str = \"/t", "mp\";"))),
    ("paths_of_machines_are_absent", "cli/src/a.rs", Append(concat!("const A: &str = \"file:///ro", "ot/x\";"))),
    ("crates_are_complete", "cli/Cargo.toml", Replace("license.workspace = true", "")),
    ("crates_are_complete", "cli/Cargo.toml", Replace("description = \"d\"", "description = \" \"")),
    ("crates_are_complete", "cli/Cargo.toml", Replace("[lints]\nworkspace = true", "")),
    ("crates_are_complete", "Cargo.toml", Replace("\"cli\", ", "")),
    ("crates_are_complete", "fuzz/Cargo.toml", Replace("license.workspace = true", "")),
    ("licences_are_there", "LICENSE-MIT", Remove),
    ("licences_are_there", "LICENSE-APACHE", Replace("Apache", "Another")),
    ("fuzz_targets_have_a_corpus", "fuzz/corpus/steps/one", Remove),
    ("fuzz_targets_have_a_corpus", "fuzz/corpus/steps/one", Replace("x", "")),
    ("fuzz_targets_have_a_corpus", "fuzz/fuzz_targets/other.rs", Append("fn main() {}")),
    ("fuzz_targets_have_a_corpus", "fuzz/corpus/gone/one", Append("x")),
];

#[test]
fn every_breach_is_found() {
    let mut walls_broken = BTreeSet::new();
    for (number, (wall, path, change)) in BREACHES.iter().enumerate() {
        let mut files = sound();
        match change {
            Replace(from, to) => {
                let text = files.get_mut(*path).expect("a file of the sound workspace");
                assert!(text.contains(from), "breach {number} has nothing to replace in {path}");
                *text = text.replacen(from, to, 1);
            }
            Append(text) => files.entry((*path).to_owned()).or_default().push_str(text),
            Remove => assert!(files.remove(*path).is_some(), "breach {number} has nothing to remove"),
        }
        let found = broken(&files);
        assert!(found.contains_key(wall), "breach {number} of {wall} in {path} was not found, but {found:?}");
        walls_broken.insert(*wall);
    }
    let long = "//\n".repeat(701);
    let mut files = sound();
    files.insert("cli/src/long.rs".to_owned(), long[..2100].to_owned());
    assert_eq!(broken(&files), BTreeMap::new());
    files.insert("cli/src/long.rs".to_owned(), long);
    assert_eq!(broken(&files)["files_are_small"], ["cli/src/long.rs: 701 lines"]);
    walls_broken.insert("files_are_small");
    assert_eq!(walls_broken, walls::ALL.iter().map(|(name, _)| *name).collect(), "walls that no breach tries");
}

#[test]
fn words_within_words_and_relative_paths_are_harmless() {
    let mut files = sound();
    let text = concat!(
        "// mktemp x.XX",
        "XX, PREFIX",
        "MES, https://example.org/t",
        "mp/x, ./t",
        "mp, {folder}/t",
        "mp, /t",
        "mpfs\n",
        "fn f() { todo(); let ignore = [ignore]; }\n"
    );
    files.insert("cli/src/a.rs".to_owned(), text.to_owned());
    assert_eq!(broken(&files), BTreeMap::new());
}

//! The core: no std, no unsafe, no order that could differ from run to run.

use crate::Tree;
use crate::code;
use crate::manifest::{self, Kind};

const LIB: &str = "core/src/lib.rs";
const WILDCARD: &str = "wildcard_enum_match_arm";

/// All that the core may depend on: none of these does IO or looks at a clock.
const DEPENDENCIES: [&str; 10] =
    ["arbitrary", "base64", "blake3", "bytes", "http", "md-5", "sha1", "sha2", "thiserror", "url"];

/// The core is `no_std`, forbids unsafe code and denies wildcard arms, without exception.
#[must_use]
pub fn core_is_pure(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    let Some(lib) = tree.text(LIB) else { return vec![format!("{LIB}: missing")] };
    match code::tokens(LIB, lib) {
        Ok(code) => {
            for attribute in ["#![no_std]", "#![forbid(unsafe_code)]", "#![deny(clippy::wildcard_enum_match_arm)]"] {
                if !code::has_inner_attribute(&code, attribute) {
                    broken.push(format!("{LIB}: {attribute} is missing"));
                }
            }
        }
        Err(error) => broken.push(error),
    }
    for (path, text) in tree.rust_files("core/src") {
        match code::tokens(path, text) {
            Ok(code) => {
                for line in code::words(&code, &["extern", "crate", "std"]) {
                    broken.push(format!("{path}:{line}: the core uses std"));
                }
                let denied = usize::from(path == LIB);
                for line in code::identifier(&code, WILDCARD).into_iter().skip(denied) {
                    broken.push(format!("{path}:{line}: {WILDCARD} has an exception"));
                }
            }
            Err(error) => broken.push(error),
        }
    }
    broken
}

/// The core's normal dependencies are those named here, and it has no build script's.
#[must_use]
pub fn core_has_the_dependencies_it_is_known_for(tree: &Tree) -> Vec<String> {
    let packages = match manifest::packages(tree) {
        Ok(packages) => packages,
        Err(error) => return vec![error],
    };
    let Some(core) = packages.iter().find(|package| package.folder == "core") else {
        return vec!["core/Cargo.toml: missing".to_owned()];
    };
    let mut found: Vec<&str> = core.of_kind(Kind::Normal).map(|dependency| dependency.package.as_str()).collect();
    found.sort_unstable();
    let mut broken = Vec::new();
    if found != DEPENDENCIES {
        broken.push(format!("core/Cargo.toml: the dependencies are {found:?}, not {DEPENDENCIES:?}"));
    }
    for build in core.of_kind(Kind::Build) {
        broken.push(format!("core/Cargo.toml: {} is a build dependency", build.package));
    }
    broken
}

/// The mistakes that tests can have the core make, and the one package that turns them on.
const PLANTED: (&str, &str) = ("planted-bugs", "tests/sim");

/// No package but the simulator has the core make mistakes, and it in its tests alone: no build of a program has them.
#[must_use]
pub fn mistakes_are_planted_in_simulations_alone(tree: &Tree) -> Vec<String> {
    let packages = match manifest::packages(tree) {
        Ok(packages) => packages,
        Err(error) => return vec![error],
    };
    let (feature, simulator) = PLANTED;
    let mut broken = Vec::new();
    for package in &packages {
        let plants = |dependency: &&manifest::Dependency| dependency.features.iter().any(|found| found == feature);
        let mut found = package.dependencies.iter().filter(plants);
        if found.any(|dependency| dependency.kind != Kind::Dev || package.folder != simulator) {
            broken.push(format!("{}/Cargo.toml: turns on {feature}", package.folder));
        }
    }
    broken
}

/// The core names no collection whose order differs from run to run.
#[must_use]
pub fn core_iterates_nothing_unordered(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.rust_files("core/src") {
        match code::tokens(path, text) {
            Ok(code) => {
                for word in ["HashMap", "HashSet", "RandomState"] {
                    for line in code::identifier(&code, word) {
                        broken.push(format!("{path}:{line}: {word}"));
                    }
                }
            }
            Err(error) => broken.push(error),
        }
    }
    broken
}

//! Who may know whom.

use crate::Tree;
use crate::code;
use crate::manifest::{self, Kind, Package};

/// How high a crate stands: it may depend on what stands lower. The folder `tests/` stands beside the tower.
fn storey(folder: &str) -> Option<u8> {
    match folder.split('/').next() {
        Some("core") => Some(0),
        // What the transports have in common.
        Some("transports") if folder == "transports/tls" => Some(1),
        Some("transports") if folder == "transports/exchange" => Some(2),
        Some("transports" | "fs-backends") => Some(3),
        Some("dlmanager") => Some(4),
        Some("cli") => Some(CLI),
        _ => None,
    }
}

const CLI: u8 = 5;

/// Backends share nothing with transports but the core.
fn is_backend_on_transport(upper: &str, lower: &str) -> bool {
    upper.starts_with("fs-backends/") && lower.starts_with("transports/")
}

/// The one crate of `tests/` that something else may depend on, and the one that may.
const ORIGIN: (&str, &str) = ("cli", "tests/origin");

/// Normal and build dependencies within the workspace point downwards, and into `tests/` only from the program to the origin.
#[must_use]
pub fn arrows_point_downwards(tree: &Tree) -> Vec<String> {
    let packages = match manifest::packages(tree) {
        Ok(packages) => packages,
        Err(error) => return vec![error],
    };
    let mut broken = Vec::new();
    for package in &packages {
        let arrows = package.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev);
        for arrow in arrows {
            let Some(other) = packages.iter().find(|other| other.name == arrow.package) else { continue };
            let allowed = match (storey(&package.folder), storey(&other.folder)) {
                (Some(upper), Some(lower)) => lower < upper && !is_backend_on_transport(&package.folder, &other.folder),
                (Some(_), None) => (package.folder.as_str(), other.folder.as_str()) == ORIGIN,
                // Tests may use anything but the program, which is run and not linked.
                (None, Some(lower)) => lower < CLI,
                (None, None) => true,
            };
            if !allowed {
                broken.push(format!("{}/Cargo.toml: depends on {}", package.folder, other.folder));
            }
        }
    }
    let tower =
        ["core", "transports/tls", "transports/exchange", "transports/hyper", "transports/smol", "fs-backends/std"];
    if !tower.iter().chain(&["dlmanager", "cli"]).all(|folder| packages.iter().any(|package| package.folder == *folder))
    {
        broken.push("Cargo.toml: a folder of the tower is missing or was renamed".to_owned());
    }
    broken
}

/// The one file of the transports that reads files, namely certificates and keys, and what it must not name: whatever
/// else `std::fs` can do.
const READS_FILES: &str = "transports/tls/src/read.rs";
const WRITES_FILES: [&str; 8] =
    ["OpenOptions", "create", "create_new", "options", "write", "write_all", "set_len", "set_permissions"];

/// No transport uses or depends on what reaches a file system, but for the one file that reads certificates.
#[must_use]
pub fn transports_know_no_file_system(tree: &Tree) -> Vec<String> {
    let roots = ["async_fs", "cap_std", "fs_err", "memmap2", "tempfile", "rustix"];
    let members = ["std", "tokio", "smol", "rustix"].map(|root| (root, "fs"));
    let mut broken = forbidden_code(tree, "transports", &roots, &members);
    let import = format!("{READS_FILES}:");
    if let Some(place) = broken.iter().position(|place| place.starts_with(&import) && place.ends_with(": std::fs")) {
        broken.remove(place);
    }
    for (path, text) in tree.rust_files("transports/tls").filter(|(path, _)| *path == READS_FILES) {
        match code::tokens(path, text) {
            Ok(code) => {
                for word in WRITES_FILES {
                    broken.extend(code::identifier(&code, word).iter().map(|line| format!("{path}:{line}: {word}")));
                }
            }
            Err(error) => broken.push(error),
        }
    }
    broken.extend(forbidden_packages(tree, "transports", &roots, Some("fs")));
    broken
}

/// No backend uses or depends on what speaks HTTP.
#[must_use]
pub fn backends_know_no_http(tree: &Tree) -> Vec<String> {
    let roots = ["http", "http_body", "http_body_util", "httparse", "hyper", "hyper_util", "reqwest", "ureq", "url"];
    let mut broken = forbidden_code(tree, "fs-backends", &roots, &[("std", "net"), ("tokio", "net")]);
    broken.extend(forbidden_packages(tree, "fs-backends", &roots, Some("net")));
    broken
}

fn forbidden_code(tree: &Tree, folder: &str, roots: &[&str], members: &[(&str, &str)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.rust_files(folder).filter(|(path, _)| path.contains("/src/")) {
        let code = match code::tokens(path, text) {
            Ok(code) => code,
            Err(error) => {
                broken.push(error);
                continue;
            }
        };
        for root in roots {
            broken.extend(code::path_root(&code, root).into_iter().map(|line| format!("{path}:{line}: {root}")));
        }
        for (root, member) in members {
            let lines = code::path(&code, root, member);
            broken.extend(lines.into_iter().map(|line| format!("{path}:{line}: {root}::{member}")));
        }
    }
    broken
}

fn forbidden_packages(tree: &Tree, folder: &str, roots: &[&str], feature: Option<&str>) -> Vec<String> {
    let packages = match manifest::packages(tree) {
        Ok(packages) => packages,
        Err(error) => return vec![error],
    };
    let mut broken = Vec::new();
    for package in packages.iter().filter(|package| package.folder.starts_with(&format!("{folder}/"))) {
        for dependency in package.of_kind(Kind::Normal) {
            let path = format!("{}/Cargo.toml", package.folder);
            if roots.contains(&dependency.package.replace('-', "_").as_str()) {
                broken.push(format!("{path}: depends on {}", dependency.package));
            }
            if let Some(feature) = feature.filter(|feature| dependency.features.iter().any(|found| found == feature)) {
                broken.push(format!("{path}: {} has its feature {feature}", dependency.package));
            }
        }
    }
    broken
}

/// A package that the product is built on, the crate that depends on it, and how.
const BELONGS: [(&str, &str, Kind); 13] = [
    ("http", "core", Kind::Normal),
    ("http", "transports/hyper", Kind::Normal),
    ("bytes", "core", Kind::Normal),
    ("bytes", "transports/exchange", Kind::Normal),
    ("hyper", "transports/exchange", Kind::Normal),
    ("hyper-util", "transports/hyper", Kind::Normal),
    ("rustls", "transports/tls", Kind::Normal),
    ("rustls-platform-verifier", "transports/tls", Kind::Normal),
    ("smol", "transports/smol", Kind::Normal),
    ("smol", "dlmanager", Kind::Dev),
    ("tempfile", "cli", Kind::Normal),
    ("tempfile", "fs-backends/std", Kind::Dev),
    ("proptest", "tests/world", Kind::Dev),
];

/// The packages that the product is built on are dependencies of the crates where they belong, and are used there.
#[must_use]
pub fn named_packages_are_used_where_they_belong(tree: &Tree) -> Vec<String> {
    let packages = match manifest::packages(tree) {
        Ok(packages) => packages,
        Err(error) => return vec![error],
    };
    let find = |folder: &str| packages.iter().find(|package| package.folder == folder);
    let depends = |package: &Package, name: &str, kind| package.of_kind(kind).any(|found| found.package == name);
    let mut broken = Vec::new();
    for (name, folder, kind) in BELONGS {
        if !find(folder).is_some_and(|package| depends(package, name, kind)) {
            broken.push(format!("{folder}/Cargo.toml: {name} is not among its dependencies ({kind:?})"));
        }
        let root = name.replace('-', "_");
        let used = tree
            .rust_files(folder)
            .any(|(path, text)| code::tokens(path, text).is_ok_and(|code| !code::path_root(&code, &root).is_empty()));
        if !used {
            broken.push(format!("{folder}: depends on {name} and does not use it"));
        }
    }
    broken
}

//! What a crate needs in order to be a crate of this workspace.

use toml::Value;

use crate::Tree;
use crate::manifest;

/// Every crate is a member, has a licence and a description, and takes the workspace's lints.
#[must_use]
pub fn crates_are_complete(tree: &Tree) -> Vec<String> {
    let (root, packages) = match (manifest::root(tree), manifest::packages(tree)) {
        (Ok(root), Ok(packages)) => (root, packages),
        (Err(error), _) | (_, Err(error)) => return vec![error],
    };
    let workspace = root.get("workspace");
    let strings = |key: &str| -> Vec<&str> {
        let list = workspace.and_then(|workspace| workspace.get(key)).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (members, excluded) = (strings("members"), strings("exclude"));
    let shared = workspace.and_then(|workspace| workspace.get("package"));
    let mut broken = Vec::new();
    for package in &packages {
        let path = format!("{}/Cargo.toml", package.folder);
        let own = package.table.get("package");
        let outside = excluded.contains(&package.folder.as_str());
        if !outside && !members.contains(&package.folder.as_str()) {
            broken.push(format!("{path}: not a member of the workspace"));
        }
        for field in ["license", "description"] {
            let value = own.and_then(|own| own.get(field));
            let inherited = value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true);
            let value = if inherited { shared.and_then(|shared| shared.get(field)) } else { value };
            if value.and_then(Value::as_str).is_none_or(|text| text.trim().is_empty()) {
                broken.push(format!("{path}: no {field}"));
            }
        }
        let lints = package.table.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool);
        if !outside && lints != Some(true) {
            broken.push(format!("{path}: the workspace's lints do not hold"));
        }
    }
    broken
}

/// Both licences stand at the root, as the manifests say.
#[must_use]
pub fn licences_are_there(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, words) in [("LICENSE-MIT", "Permission is hereby granted"), ("LICENSE-APACHE", "Apache License")] {
        if !tree.text(path).is_some_and(|text| text.contains(words)) {
            broken.push(format!("{path}: missing, or not that licence"));
        }
    }
    let root = match manifest::root(tree) {
        Ok(root) => root,
        Err(error) => return vec![error],
    };
    let shared = root.get("workspace").and_then(|workspace| workspace.get("package"));
    if shared.and_then(|shared| shared.get("license")).and_then(Value::as_str) != Some("MIT OR Apache-2.0") {
        broken.push("Cargo.toml: the licence is not MIT OR Apache-2.0".to_owned());
    }
    broken
}

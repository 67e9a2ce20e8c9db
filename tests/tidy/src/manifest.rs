//! The manifests of the workspace, as far as the walls ask about them.

use toml::{Table, Value};

use crate::Tree;

/// A crate of the workspace.
#[derive(Debug)]
pub struct Package {
    /// `transports/hyper`.
    pub folder: String,
    /// `dlmanager-hyper`.
    pub name: String,
    /// All that it depends on.
    pub dependencies: Vec<Dependency>,
    /// The manifest.
    pub table: Table,
}

/// A dependency that a manifest names, under whatever condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The package's own name.
    pub package: String,
    /// For what it is needed.
    pub kind: Kind,
    /// Features that are asked for here or in the workspace.
    pub features: Vec<String>,
}

/// For what a dependency is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `[dependencies]`.
    Normal,
    /// `[dev-dependencies]`.
    Dev,
    /// `[build-dependencies]`.
    Build,
}

impl Package {
    /// The dependencies of a kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(move |dependency| dependency.kind == kind)
    }
}

/// The manifest at the root.
///
/// # Errors
///
/// Where it is missing or is not TOML.
pub fn root(tree: &Tree) -> Result<Table, String> {
    parse(tree, "Cargo.toml")
}

/// Every crate of the tree, also one that the workspace does not list.
///
/// # Errors
///
/// Where a manifest cannot be understood.
pub fn packages(tree: &Tree) -> Result<Vec<Package>, String> {
    let root = root(tree)?;
    let shared = root.get("workspace").and_then(|workspace| workspace.get("dependencies")).and_then(Value::as_table);
    let mut packages = Vec::new();
    for file in tree.files() {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else { continue };
        let table = parse(tree, &file.path)?;
        let name = table.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
        let name = name.ok_or_else(|| format!("{}: no package name", file.path))?.to_owned();
        let mut dependencies = Vec::new();
        collect(&table, shared, &mut dependencies);
        for target in table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values) {
            collect(target.as_table().unwrap_or(&Table::new()), shared, &mut dependencies);
        }
        packages.push(Package { folder: folder.to_owned(), name, dependencies, table });
    }
    Ok(packages)
}

fn parse(tree: &Tree, path: &str) -> Result<Table, String> {
    let text = tree.text(path).ok_or_else(|| format!("{path}: missing"))?;
    text.parse().map_err(|error| format!("{path}: {error}"))
}

fn collect(table: &Table, shared: Option<&Table>, into: &mut Vec<Dependency>) {
    let kinds = [("dependencies", Kind::Normal), ("dev-dependencies", Kind::Dev), ("build-dependencies", Kind::Build)];
    for (section, kind) in kinds {
        for (key, own) in table.get(section).and_then(Value::as_table).into_iter().flatten() {
            let inherited = shared.and_then(|shared| shared.get(key));
            let said = |what: &str| own.get(what).or_else(|| inherited.and_then(|inherited| inherited.get(what)));
            let features = |value: Option<&Value>| -> Vec<String> {
                let list = value.and_then(|value| value.get("features")).and_then(Value::as_array);
                list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
            };
            into.push(Dependency {
                package: said("package").and_then(Value::as_str).unwrap_or(key).to_owned(),
                kind,
                features: [features(Some(own)), features(inherited)].concat(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_found_in_every_section_and_under_their_own_name() {
        let root = "[workspace.dependencies]\nnet = { package = \"hyper\", version = \"1\", features = [\"a\"] }\n";
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nnet = { workspace = true, features = [\"b\"] }\n\
            [dev-dependencies]\nplain = \"1\"\n[target.'cfg(unix)'.dependencies]\nlib = { package = \"rustix\", version = \"1\" }\n\
            [build-dependencies]\ncc.workspace = true\n";
        let packages = packages(&Tree::of(&[("Cargo.toml", root), ("a/b/Cargo.toml", manifest)])).unwrap();
        let [package] = packages.as_slice() else { panic!("{packages:?}") };
        assert_eq!((package.folder.as_str(), package.name.as_str()), ("a/b", "x"));
        let found: Vec<_> = package.dependencies.iter().map(|found| (found.package.as_str(), found.kind)).collect();
        assert_eq!(
            found,
            [("hyper", Kind::Normal), ("plain", Kind::Dev), ("cc", Kind::Build), ("rustix", Kind::Normal)]
        );
        assert_eq!(package.dependencies[0].features, ["b", "a"]);
    }
}

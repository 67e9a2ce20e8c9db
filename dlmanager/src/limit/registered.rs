//! What is registered, as the limit of a manager.

use std::path::{self, Path, PathBuf};

use dlmanager_core::{LimitConfig, Pattern};

use super::PersistLimit;
use crate::OpenError;

impl PersistLimit {
    /// Whether something was registered, so that the file system has to be asked about [`config`](Self::config).
    pub(crate) fn has_registered(&self) -> bool {
        !self.contents.is_empty() || !self.files.is_empty()
    }

    /// The limit of a manager for `directory`. The content of that directory having been registered means adoption with
    /// that pattern, beside `pattern` where one was given.
    ///
    /// # Errors
    ///
    /// Something is registered that a manager's limit does not reach. It would be let grow in silence.
    pub(crate) fn config(
        &self,
        directory: &Path,
        pattern: Option<Pattern>,
        adopt: bool,
    ) -> Result<LimitConfig, OpenError> {
        let (mut adopt, mut pattern) = (adopt, pattern);
        let directory = if self.has_registered() { resolved(directory) } else { directory.into() };
        let is_out_of_reach = |name: &str| name.starts_with('.');
        for (path, registered) in &self.contents {
            if resolved(path) != directory || is_out_of_reach(registered.as_str()) {
                return Err(OpenError::Registered { path: path.join(registered.as_str()) });
            }
            adopt = true;
            pattern = Some(match pattern {
                Some(pattern) => pattern.or(registered.clone()),
                None => registered.clone(),
            });
        }
        let mut pattern = pattern.unwrap_or_default();
        for file in self.files.keys() {
            if *file.folder != *directory || is_out_of_reach(file.name.as_str()) {
                return Err(OpenError::Registered { path: file.path() });
            }
            if !pattern.matches(file.name.as_str()) {
                pattern = pattern.or(Pattern::new(&literally(file.name.as_str())));
            }
        }
        Ok(LimitConfig {
            size_limit: self.size_limit,
            file_limit: self.file_limit,
            pattern,
            adopt,
            bounds: self.bounds,
            holds_outcomes: false,
        })
    }
}

/// The path without symlinks; of what is not there, the absolute one.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| path::absolute(path)).unwrap_or_else(|_| path.into())
}

/// The pattern that matches this name alone.
fn literally(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            c => pattern.push(c),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_as_a_pattern_matches_itself_alone() {
        for name in ["a", "*", "a?b", "[ab]", "[", "]", "[!x]", "a-[1]*.zip", "ü*"] {
            let pattern = Pattern::new(&literally(name));
            assert!(pattern.matches(name), "{name}");
            for other in ["a", "b", "x", "ab", "aab", "a-1.zip", "*", "a?b", "[ab]", "üx"] {
                assert_eq!(pattern.matches(other), name == other, "{name}, {other}");
            }
        }
    }
}

//! The seed's rule of eviction, line by line.
//!
//! ```text
//! if self.size_limit <= 0 or self.file_limit <= 0:
//!     return
//! files = sorted(self.files, key=lambda f: f.stat.st_atime)
//! while len(files) > self.file_limit and self._files_size >= self.size_limit:
//!     f = files.pop(0)
//!     fs.remove(f.path)
//!     self._files_size -= f.stat.st_size
//! ```
//!
//! Mended: of equals the one whose name comes first, and files that may not go are passed over.

/// A file as the rule sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuledFile {
    /// Its name.
    pub path: String,
    /// When it was last accessed.
    pub accessed: i64,
    /// Its length in bytes.
    pub length: u64,
    /// It may not go.
    pub spared: bool,
}

/// The files that the rule removes, in the order in which they go.
pub fn removed_by_the_rule(size_limit: u64, file_limit: u64, files: &[RuledFile]) -> Vec<String> {
    let mut removed = Vec::new();
    if size_limit == 0 || file_limit == 0 {
        return removed;
    }
    let mut files = files.to_vec();
    files.sort_by(|a, b| (a.accessed, &a.path).cmp(&(b.accessed, &b.path)));
    let mut files_size: u64 = files.iter().map(|file| file.length).sum();
    while files.len() as u64 > file_limit && files_size >= size_limit {
        let Some(oldest) = files.iter().position(|file| !file.spared) else { break };
        let file = files.remove(oldest);
        files_size -= file.length;
        removed.push(file.path);
    }
    removed
}

//! Patterns for names, as Python's `fnmatch` has them.

use alloc::string::String;
use alloc::vec::Vec;

/// A pattern that names are held against: `*` stands for any characters, `?` for one, `[ab-d]` for one of a set and
/// `[!ab-d]` for one outside it; anything else stands for itself, case included.
///
/// ```
/// use dlmanager_core::Pattern;
///
/// let pattern = Pattern::new("tool-[0-9]*.zip");
/// assert!(pattern.matches("tool-1.2.zip"));
/// assert!(!pattern.matches("tool-x.zip"));
/// assert!(Pattern::default().matches("anything"));
/// ```
///
/// Several can be made one:
///
/// ```
/// # use dlmanager_core::Pattern;
/// let archives = Pattern::new("*.zip").or(Pattern::new("*.tar.*"));
/// assert!(archives.matches("a.zip") && archives.matches("a.tar.xz") && !archives.matches("a.txt"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    alternatives: Vec<Vec<Part>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Char(char),
    Set { outside: bool, ranges: Vec<(char, char)> },
}

impl Default for Pattern {
    /// `*`, which matches every name.
    fn default() -> Self {
        Self::new("*")
    }
}

impl Pattern {
    /// The pattern that the text describes. Every text is one: a `[` without its `]` stands for itself.
    pub fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(&c) = chars.get(at) {
            at += 1;
            match c {
                '*' if parts.last() == Some(&Part::Any) => {}
                '*' => parts.push(Part::Any),
                '?' => parts.push(Part::One),
                '[' => match set(&chars, at) {
                    Some((part, end)) => {
                        parts.push(part);
                        at = end;
                    }
                    None => parts.push(Part::Char('[')),
                },
                _ => parts.push(Part::Char(c)),
            }
        }
        Self { text: text.into(), alternatives: alloc::vec![parts] }
    }

    /// A pattern that matches what either matches.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.text.push_str(" or ");
        self.text.push_str(&other.text);
        self.alternatives.extend(other.alternatives);
        self
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.alternatives.iter().any(|parts| matches(parts, &name))
    }
}

/// Whether the parts match the whole name.
fn matches(parts: &[Part], name: &[char]) -> bool {
    let (mut part, mut at) = (0, 0);
    // Where to go on when a `*` has to take one character more: only the last one ever needs to.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (parts.get(part), name.get(at)) {
            (None, None) => return true,
            (Some(Part::Any), _) => {
                retry = Some((part, at));
                part += 1;
                continue;
            }
            (Some(wanted), Some(&c)) if wanted.accepts(c) => {
                part += 1;
                at += 1;
                continue;
            }
            (None | Some(_), _) => {}
        }
        match retry {
            Some((any, from)) if from < name.len() => {
                retry = Some((any, from + 1));
                part = any + 1;
                at = from + 1;
            }
            Some(_) | None => return false,
        }
    }
}

impl Part {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Char(wanted) => *wanted == c,
            Self::Set { outside, ranges } => ranges.iter().any(|&(low, high)| low <= c && c <= high) != *outside,
        }
    }
}

/// The set whose `[` stands before `from`, and where it ends. A `]` at its beginning belongs to it.
fn set(chars: &[char], from: usize) -> Option<(Part, usize)> {
    let outside = chars.get(from) == Some(&'!');
    let first = from + usize::from(outside);
    let end = (first + 1..chars.len()).find(|&at| chars.get(at) == Some(&']'))?;
    let members = chars.get(first..end)?;
    let mut ranges = Vec::new();
    let mut rest = members;
    while let Some((&low, tail)) = rest.split_first() {
        match tail {
            ['-', high, after @ ..] => {
                ranges.push((low, *high));
                rest = after;
            }
            _ => {
                ranges.push((low, low));
                rest = tail;
            }
        }
    }
    Some((Part::Set { outside, ranges }, end + 1))
}

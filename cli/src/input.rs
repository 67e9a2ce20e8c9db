//! The list of what to fetch, as lines of a file.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::misuse::Misuse;
use crate::text;

/// Something to fetch, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) url: String,
    pub(crate) name: Option<String>,
    pub(crate) checksum: Option<String>,
    pub(crate) place: Place,
}

/// Where a wish was given: shown before what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the command line.
    Argument,
    /// In a line, counted from 1.
    Line { file: Arc<str>, line: usize },
}

/// `list.txt:3: `, or nothing.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => Ok(()),
            Self::Line { file, line } => write!(f, "{file}:{line}: "),
        }
    }
}

/// Reads a file of wishes; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<Wish>, Misuse> {
    let (name, bytes) = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        ("standard input".into(), io::stdin().read_to_end(&mut bytes).map(|_| bytes))
    } else {
        (path.display().to_string(), fs::read(path))
    };
    let bytes = bytes.map_err(|error| Misuse::new(format!("cannot read the input file {name}: {error}")))?;
    parse(&name, &bytes)
}

/// Parses lines of `URL [NAME] [ALGO:HEX]`; a word that begins with `#` starts a comment.
fn parse(file: &str, bytes: &[u8]) -> Result<Vec<Wish>, Misuse> {
    let file: Arc<str> = file.into();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut wishes = Vec::new();
    let mut problems = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let place = Place::Line { file: Arc::clone(&file), line: at + 1 };
        let Ok(line) = str::from_utf8(line) else {
            problems.push(format!("{place}the line is not UTF-8"));
            continue;
        };
        let line = line.strip_suffix('\r').unwrap_or(line);
        let words = line.split(is_blank).filter(|word| !word.is_empty()).take_while(|word| !word.starts_with('#'));
        match wish(words, place.clone()) {
            Ok(wish) => wishes.extend(wish),
            Err(problem) => problems.push(format!("{place}{problem}")),
        }
    }
    Misuse::check(problems)?;
    Ok(wishes)
}

/// Other control characters belong to the word in which they stand, which is wrong then.
fn is_blank(c: char) -> bool {
    c == '\t' || (c.is_whitespace() && !c.is_control())
}

fn wish<'a>(mut words: impl Iterator<Item = &'a str>, place: Place) -> Result<Option<Wish>, String> {
    let Some(url) = words.next().map(String::from) else { return Ok(None) };
    let (mut name, mut checksum) = (None, None);
    for word in words {
        // A name has no colon.
        if word.contains(':') && checksum.is_none() {
            checksum = Some(word.into());
        } else if name.is_none() && checksum.is_none() {
            name = Some(word.into());
        } else {
            return Err(format!(
                "{:?} is too much: a line is a URL, a name and a checksum (ALGO:HEX), in this order",
                text::shortened(word)
            ));
        }
    }
    Ok(Some(Wish { url, name, checksum, place }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_a_url_a_name_and_a_checksum() {
        let text = b"\xef\xbb\xbf# a list\n\nhttp://a/1\r\n  http://a/2\tb.zip\nhttp://a/3#x c.zip sha256:00 # why\nhttp://a/4 md5:1";
        let wishes = parse("list", text).unwrap();
        let wish = |line, url: &str, name: Option<&str>, checksum: Option<&str>| Wish {
            url: url.into(),
            name: name.map(Into::into),
            checksum: checksum.map(Into::into),
            place: Place::Line { file: "list".into(), line },
        };
        assert_eq!(
            wishes,
            [
                wish(3, "http://a/1", None, None),
                wish(4, "http://a/2", Some("b.zip"), None),
                wish(5, "http://a/3#x", Some("c.zip"), Some("sha256:00")),
                wish(6, "http://a/4", None, Some("md5:1")),
            ]
        );
    }

    #[test]
    fn every_bad_line_is_told_with_its_place() {
        let misuse = parse("list", b"http://a/1 b c\nhttp://a/2\n\xff\nhttp://a/4 md5:1 d\n").unwrap_err().to_string();
        let lines: Vec<_> = misuse.lines().collect();
        assert!(lines[0].starts_with("error: list:1: \"c\" is too much"), "{misuse}");
        assert!(lines[1].starts_with("error: list:3: the line is not UTF-8"), "{misuse}");
        assert!(lines[2].starts_with("error: list:4: \"d\" is too much"), "{misuse}");
        assert_eq!(lines.len(), 3);
    }
}

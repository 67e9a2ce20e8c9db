//! Standard output and standard error, either of which may be closed or full at any time.

use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;

use crate::text;

/// Held lines are written once there are so many bytes of them.
const HELD_BYTES_MAX: usize = 16 * 1024;

/// Standard output. After the first failure nothing more is written, and [`finish`](Self::finish) tells of it.
#[derive(Debug, Default)]
pub(crate) struct Out {
    held: Vec<u8>,
    holds: bool,
    failure: Option<io::Error>,
}

impl Out {
    /// One that holds lines until they are [flushed](Self::flush), so that what is told in one go is written in one go.
    pub(crate) fn held() -> Self {
        Self { holds: true, ..Self::default() }
    }

    /// Writes a line of text.
    pub(crate) fn line(&mut self, line: &str) {
        self.write(text::printable(line).as_bytes());
    }

    /// Writes a JSON object as a line.
    pub(crate) fn json(&mut self, object: &Value) {
        self.write(text::printable_json(&object.to_string()).as_bytes());
    }

    /// Writes a path as a line: as it is, for another program to use.
    pub(crate) fn path(&mut self, path: &Path) {
        self.write(path.as_os_str().as_encoded_bytes());
    }

    fn write(&mut self, line: &[u8]) {
        if self.failure.is_none() {
            self.held.extend_from_slice(line);
            self.held.push(b'\n');
            if !self.holds || self.held.len() >= HELD_BYTES_MAX {
                self.flush();
            }
        }
    }

    /// Writes what is held.
    pub(crate) fn flush(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let mut stdout = io::stdout().lock();
        self.failure = stdout.write_all(&self.held).and_then(|()| stdout.flush()).err();
        self.held.clear();
    }

    /// Whether everything was written, as far as somebody read it: who closes the pipe has read enough.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush();
        match self.failure {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// Writes a line to standard error. Where that fails there is nobody to tell.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text::printable(text));
}

/// Writes lines to standard error.
pub(crate) fn say_lines(lines: &str) {
    lines.lines().for_each(say);
}

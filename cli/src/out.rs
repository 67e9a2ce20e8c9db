//! Standard output and standard error, either of which may be closed or full at any time.

use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;

use crate::text;

/// Standard output. After the first failure nothing more is written, and [`finish`](Self::finish) tells of it.
#[derive(Debug, Default)]
pub(crate) struct Out {
    failure: Option<io::Error>,
}

impl Out {
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
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(line).and_then(|()| stdout.write_all(b"\n")).and_then(|()| stdout.flush());
            self.failure = written.err();
        }
    }

    /// Whether everything was written, as far as somebody read it: who closes the pipe has read enough.
    pub(crate) fn finish(self) -> io::Result<()> {
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

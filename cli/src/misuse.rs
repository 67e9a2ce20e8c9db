//! What was wrong with what was asked.

use std::fmt;

/// So many problems are told; of more only the number is.
const TOLD_MAX: usize = 20;

/// Problems that were found before anything was fetched or changed: exit code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misuse(Vec<String>);

impl Misuse {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self(vec![problem.into()])
    }

    /// `Err` where there are problems.
    pub(crate) fn check(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// What an option that is not there yet is answered with.
    pub(crate) fn not_yet(option: &str) -> String {
        format!("{option} is not there yet: leave it out, or wait for a later version")
    }
}

/// One problem a line.
impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.0.len().min(TOLD_MAX);
        for (at, problem) in self.0[..told].iter().enumerate() {
            let end = if at + 1 < told { "\n" } else { "" };
            write!(f, "error: {problem}{end}")?;
        }
        match self.0.len() - told {
            0 => Ok(()),
            more => write!(f, "\nerror: and {more} more like these"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_are_told_in_part() {
        let misuse = Misuse((0..50).map(|n| format!("no. {n}")).collect());
        let text = misuse.to_string();
        assert_eq!(text.lines().count(), TOLD_MAX + 1);
        assert!(text.starts_with("error: no. 0\nerror: no. 1\n") && text.ends_with("\nerror: and 30 more like these"));
        assert_eq!(Misuse::new("one").to_string(), "error: one");
    }
}

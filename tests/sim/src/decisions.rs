//! A run is a list of decisions: a seed fills it, or a file does.
//!
//! Each component draws from a stream of its own, so that one more draw here does not move the others. What is kept of a draw is
//! its outcome, of which 0 is always the one that does no harm: a list that is cut off, or has a number replaced by 0, is a
//! calmer run. That is what makes failing runs small.

use std::fmt::Write;

use dlmanager_world::SplitMix64;

/// Who draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The settings of the run: how many managers, which faults there are and how often.
    Setting,
    /// What the program's users ask for, and when.
    User,
    /// What servers answer.
    Server,
    /// How long things take.
    Time,
    /// What goes wrong with the disk.
    Disk,
    /// When programs and the machine die, and what survives.
    Crash,
    /// What others do in the directory.
    Stranger,
}

const STREAMS: [(Stream, &str); 7] = [
    (Stream::Setting, "setting"),
    (Stream::User, "user"),
    (Stream::Server, "server"),
    (Stream::Time, "time"),
    (Stream::Disk, "disk"),
    (Stream::Crash, "crash"),
    (Stream::Stranger, "stranger"),
];

/// Outcomes by stream.
pub type Lists = [Vec<u32>; STREAMS.len()];

/// Where decisions come from, and which were made.
#[derive(Debug, Clone)]
pub struct Decisions {
    sources: [Source; STREAMS.len()],
}

#[derive(Debug, Clone)]
struct Source {
    /// `None` where the list is all there is.
    random: Option<SplitMix64>,
    list: Vec<u32>,
    at: usize,
}

impl Decisions {
    /// Those that follow from a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let mut root = SplitMix64::new(seed);
        let sources = STREAMS.map(|_| {
            let random = Some(SplitMix64::new(root.next_u64()));
            Source { random, list: Vec::new(), at: 0 }
        });
        Self { sources }
    }

    /// Those in the lists, and 0 behind their ends.
    #[must_use]
    pub fn replayed(lists: Lists) -> Self {
        Self { sources: lists.map(|list| Source { random: None, list, at: 0 }) }
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, stream: Stream, bound: u32) -> u32 {
        let source = &mut self.sources[stream as usize];
        if bound <= 1 {
            return 0;
        }
        let Some(random) = &mut source.random else {
            let taken = source.list.get(source.at).copied().unwrap_or(0).min(bound - 1);
            source.at += 1;
            return taken;
        };
        // The bias of a bound that is no power of two is below one in a million.
        let taken = u32::try_from(((random.next_u64() >> 32) * u64::from(bound)) >> 32).unwrap_or(0);
        source.list.push(taken);
        taken
    }

    /// Whether something happens that does so `per_million` times in a million. Nothing is drawn where it never does.
    pub(crate) fn happens(&mut self, stream: Stream, per_million: u32) -> bool {
        if per_million == 0 {
            return false;
        }
        let source = &mut self.sources[stream as usize];
        let Some(random) = &mut source.random else { return self.below(stream, 2) == 1 };
        let happens = (random.next_u64() >> 32) * 1_000_000 < u64::from(per_million) << 32;
        source.list.push(u32::from(happens));
        happens
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, stream: Stream, items: &[T]) -> T {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        items[self.below(stream, count) as usize]
    }

    /// What was decided, without the zeros at the ends.
    #[must_use]
    pub fn into_lists(self) -> Lists {
        self.sources.map(|Source { random, mut list, at }| {
            if random.is_none() {
                list.truncate(at);
            }
            while list.last() == Some(&0) {
                list.pop();
            }
            list
        })
    }
}

/// The lists as a file holds them: a line for each stream, with `0*12` for twelve zeros.
#[must_use]
pub fn to_text(lists: &Lists) -> String {
    let mut text = String::new();
    for ((_, name), list) in STREAMS.iter().zip(lists) {
        if list.is_empty() {
            continue;
        }
        let _ = write!(text, "{name}:");
        let mut rest = list.as_slice();
        while let Some(&first) = rest.first() {
            let count = rest.iter().take_while(|&&value| value == first).count();
            let _ = if count > 2 { write!(text, " {first}*{count}") } else { write!(text, " {first}") };
            rest = &rest[if count > 2 { count } else { 1 }..];
        }
        text.push('\n');
    }
    text
}

/// Reads what [`to_text`] has written. Empty lines and those that begin with `#` say nothing.
///
/// # Errors
///
/// The line that is none of these.
pub fn from_text(text: &str) -> Result<Lists, String> {
    let mut lists = Lists::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let bad = || format!("not a line of decisions: {line}");
        let (name, values) = line.split_once(':').ok_or_else(bad)?;
        let at = STREAMS.iter().position(|(_, known)| *known == name).ok_or_else(bad)?;
        for word in values.split_whitespace() {
            let (value, count) = word.split_once('*').unwrap_or((word, "1"));
            let (value, count): (u32, usize) = (value.parse().map_err(|_| bad())?, count.parse().map_err(|_| bad())?);
            lists[at].extend(std::iter::repeat_n(value, count));
        }
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_decided_is_decided_again() {
        let mut seeded = Decisions::seeded(7);
        let draw = |decisions: &mut Decisions| {
            let numbers: Vec<u32> = (1..40).map(|bound| decisions.below(Stream::User, bound)).collect();
            let events: Vec<bool> = (0..40).map(|_| decisions.happens(Stream::Disk, 200_000)).collect();
            (numbers, events, decisions.happens(Stream::Disk, 0))
        };
        let first = draw(&mut seeded);
        let lists = seeded.into_lists();
        let text = to_text(&lists);
        assert_eq!(from_text(&format!("# what it is\n\n{text}")).as_ref(), Ok(&lists));
        let mut replayed = Decisions::replayed(lists.clone());
        assert_eq!(draw(&mut replayed), first);
        assert_eq!(replayed.into_lists(), lists);
    }

    #[test]
    fn behind_the_end_nothing_happens() {
        let mut decisions = Decisions::replayed(Lists::default());
        assert_eq!(decisions.below(Stream::Crash, 9), 0);
        assert!(!decisions.happens(Stream::Crash, 999_999));
        assert_eq!(to_text(&decisions.into_lists()), "");
        assert!(from_text("users: 1").is_err() && from_text("user: x").is_err());
    }

    #[test]
    fn a_stream_does_not_depend_on_the_others() {
        let (mut one, mut other) = (Decisions::seeded(3), Decisions::seeded(3));
        for _ in 0..10 {
            let _ = one.below(Stream::Server, 100);
        }
        let numbers =
            |decisions: &mut Decisions| (0..20).map(|_| decisions.below(Stream::Disk, 1000)).collect::<Vec<_>>();
        assert_eq!(numbers(&mut one), numbers(&mut other));
    }
}

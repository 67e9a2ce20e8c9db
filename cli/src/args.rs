//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use dlmanager::{Digest, HeaderName, HeaderValue, PersistLimit};

use crate::values;

const SIZES: &str = "\
Sizes: 4096, 10K, 10KiB (powers of 1024), 10KB (powers of 1000); likewise M, G, T, P.";

const DURATIONS: &str = "Durations: 500ms, 30s, 2m, 1h30m; a bare number is seconds.";

const EXIT_CODES: &str = "\
Exit codes: 0 when every file is there; 1 when at least one is not; 2 when something was wrong with what was asked, and nothing was \
fetched; 130 when interrupted. A second Ctrl-C leaves at once.";

const CHECKSUMS: &str = "\
Checksums: sha256:HEX, sha512:HEX, blake3:HEX; sha1:HEX and md5:HEX tell damage, but no intent.";

const INPUT_FILE: &str = "\
Input file: a URL a line, and after it, if wanted, the name of its file and its checksum (ALGO:HEX). Empty lines are skipped, \
and a word that begins with '#' starts a comment.";

/// Fetches files into a directory, and keeps the directory within its bounds.
#[derive(Debug, Parser)]
#[command(name = "dlmanager", version, args_override_self = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Get(Box<GetArgs>),
    Evict(EvictArgs),
    List(ListArgs),
    Pin(PinArgs),
    Unpin(UnpinArgs),
    Verify(VerifyArgs),
    /// Show the whole job against a server that it brings along, in a temporary folder.
    ///
    /// Several downloads, a connection that is cut and resumed, a download that is joined, a checksum that is right and one that
    /// is wrong, a file that is there already, one that is canceled, and evictions. The closing table compares what was told with the bytes on the disk; exit code 1 where
    /// they differ.
    Demo,
}

/// Fetch files into a directory.
///
/// Every file is absent, or complete and verified, under its final name. One that is there already is left as it is. What is
/// unfinished is kept in DIR/.dlmanager/ when a download fails or is interrupted, and the same command goes on with it.
///
/// With a limit, a file that was fetched may be evicted again by one that is fetched later, also by the same command, which
/// says so. Its path was printed then already. Where the limit cannot be kept, that is a warning.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["urls", "input_file"]))]
#[command(args_override_self = true, after_long_help = format!("{INPUT_FILE}\n\n{CHECKSUMS}\n{SIZES}\n{DURATIONS}\n\n{EXIT_CODES}"))]
pub(crate) struct GetArgs {
    /// What to fetch
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// The directory that the files go into; made where it is missing
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// The name of the file, instead of the URL's last part; only with a single URL
    #[arg(short, long, value_name = "NAME", conflicts_with = "input_file")]
    pub(crate) output: Option<String>,

    /// Read more URLs from a file, or from standard input where it is '-'
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input_file: Option<PathBuf>,

    /// How many downloads run at the same time
    #[arg(short, long, value_name = "N", default_value = "8", value_parser = at_least_one())]
    pub(crate) jobs: usize,

    /// How many of them fetch from the same host
    #[arg(long, value_name = "N", default_value = "6", value_parser = at_least_one())]
    pub(crate) per_host: usize,

    #[command(flatten)]
    pub(crate) limit: OptionalLimit,

    /// The digest that the file must have, also one that is there already; only with a single URL
    #[arg(long, value_name = "ALGO:HEX", conflicts_with = "input_file", value_parser = values::digest_option)]
    pub(crate) checksum: Option<Digest>,

    /// Do not fetch a file that is longer than this
    #[arg(long, value_name = "SIZE", value_parser = values::size_above_zero)]
    pub(crate) max_file_size: Option<u64>,

    /// How often a download is tried again after a failure that may pass
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) retries: u32,

    /// How long a connection may take to be made
    #[arg(long, value_name = "D", default_value = "10s", value_parser = values::duration)]
    pub(crate) connect_timeout: Duration,

    /// A download stalls when a reply does not begin, or yields less than 1 KiB, in this time
    #[arg(long, value_name = "D", default_value = "30s", value_parser = values::duration)]
    pub(crate) stall_timeout: Duration,

    /// How long a download may take, all attempts together [default: unlimited]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    pub(crate) timeout: Option<Duration>,

    /// A header field to send, to the URLs' own hosts only; may be repeated
    #[arg(long = "header", value_name = "K: V", value_parser = values::header)]
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,

    /// What to do where a file is there already ('revalidate' is not there yet)
    #[arg(long, value_name = "HOW", default_value = "skip")]
    pub(crate) if_present: IfPresent,

    /// Certificates (PEM) to trust besides the system's; may be repeated
    #[arg(long = "cacert", value_name = "FILE")]
    pub(crate) ca_files: Vec<PathBuf>,

    /// What is flushed to the disk: nothing; each file before it gets its name; its name as well
    #[arg(long, value_name = "WHAT", default_value = "data")]
    pub(crate) durability: Durability,

    /// Go on with what is unfinished, where the server shows that its file is still the same
    #[arg(long, value_name = "WHEN", default_value = "across-runs")]
    pub(crate) resume: Resume,

    /// What carries the bytes
    #[arg(long, value_name = "NAME", default_value = "hyper")]
    pub(crate) transport: Transport,

    /// Threads that do the network's work; more help where several downloads over TLS come faster than one decrypts
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one())]
    pub(crate) network_threads: usize,

    /// Tell what happens as JSON on standard output, one object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Show and note URLs without their queries, which may hold secrets
    #[arg(long)]
    pub(crate) redact_queries: bool,

    /// Take a file's name from the server (Content-Disposition) where it gives one and none is given here
    #[arg(long)]
    pub(crate) content_disposition: bool,

    #[command(flatten)]
    pub(crate) not_yet: NotYet,
}

/// A bound for the directory, where one is wanted.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("bound").multiple(true).args(["size_limit", "max_age", "min_free"]))]
pub(crate) struct OptionalLimit {
    /// Evict the files accessed longest ago while all have this many bytes or more [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) size_limit: Option<u64>,

    /// Keep this many files whatever their size; 0 is no limit at all
    #[arg(long, value_name = "N", default_value_t = PersistLimit::DEFAULT_FILE_LIMIT, requires = "bound")]
    pub(crate) file_limit: u64,

    /// Let the limit evict files that dlmanager did not put into the directory
    #[arg(long)]
    pub(crate) adopt: bool,

    #[command(flatten)]
    pub(crate) bounds: Bounds,

    /// Make room for a file while it is fetched, and refuse one that can never fit
    #[arg(long, requires = "bound")]
    pub(crate) reserve: bool,
}

impl OptionalLimit {
    pub(crate) fn limit(&self) -> Option<PersistLimit> {
        let size_limit = self.size_limit.or_else(|| self.bounds.is_any().then_some(0))?;
        Some(self.bounds.of(PersistLimit::new(size_limit, self.file_limit)).reserves(self.reserve))
    }
}

/// Bounds beside that of size and number.
#[derive(Debug, Args)]
pub(crate) struct Bounds {
    /// Evict files that were not accessed for longer than this, however few there are [default: no limit]
    #[arg(long, value_name = "D", value_parser = values::age)]
    pub(crate) max_age: Option<Duration>,

    /// Evict the files accessed longest ago while fewer bytes are free on the disk; --file-limit of them are kept [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = values::size_above_zero)]
    pub(crate) min_free: Option<u64>,
}

impl Bounds {
    const fn is_any(&self) -> bool {
        self.max_age.is_some() || self.min_free.is_some()
    }

    /// The limit with these bounds.
    pub(crate) fn of(&self, limit: PersistLimit) -> PersistLimit {
        let limit = limit.free_bytes_min(self.min_free.unwrap_or(0));
        self.max_age.map_or(limit.clone(), |age_max| limit.age_max(age_max))
    }
}

/// Options that are understood, and refused for now.
#[derive(Debug, Args)]
#[command(next_help_heading = "Not there yet")]
pub(crate) struct NotYet {
    /// Fetch through a proxy
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
}

/// Remove the files accessed longest ago until a directory is within its bounds.
///
/// While there are more than --file-limit files and they have --size-limit bytes or more in total, the one accessed longest
/// ago goes. Only regular files that are not hidden count, in the directory itself, not in its folders.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("bounded").required(true).multiple(true).args(["size_limit", "max_age", "min_free"]))]
#[command(args_override_self = true, after_long_help = format!("{SIZES}\n\n{EVICT_EXIT_CODES}"))]
pub(crate) struct EvictArgs {
    /// The directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// Evict while all files have this many bytes or more; 0 is no limit
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) size_limit: Option<u64>,

    /// Keep this many files whatever their size; 0 is no limit
    #[arg(long, value_name = "N", default_value_t = PersistLimit::DEFAULT_FILE_LIMIT)]
    pub(crate) file_limit: u64,

    #[command(flatten)]
    pub(crate) bounds: Bounds,

    /// Only files whose names match count: '*' any characters, '?' one, '[a-z]' one of a set
    #[arg(long, value_name = "GLOB", default_value = "*", value_parser = values::pattern)]
    pub(crate) pattern: String,

    /// Evict files that dlmanager did not put into the directory, too
    #[arg(long)]
    pub(crate) adopt: bool,

    /// Remove nothing, only tell what would go
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Tell of each file why it goes or stays
    #[arg(long)]
    pub(crate) explain: bool,

    /// Tell what goes as JSON on standard output, one object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

const EVICT_EXIT_CODES: &str = "\
Exit codes: 0 when the bounds hold, or --file-limit alone keeps them from it; 1 when a file could not be removed or is in use; \
2 when something was wrong with what was asked, and nothing was touched.";

/// List the files of a directory that count for its limit: size, last access (UTC), how long ago that was, name.
///
/// Behind the age stands L where a program has a lease on the file or is just publishing it, P where it is pinned, and U for what
/// is unfinished, with its URL where that is known instead of a name. Nothing is changed, nor recorded as an access.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct ListArgs {
    /// The directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Keep files from being evicted, by whatever program, until they are unpinned.
///
/// It is the names that are pinned, in DIR/.dlmanager/pins/: a file that takes the place of another is kept as well.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct PinArgs {
    /// The directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// The files, by their names in the directory
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

/// Let files be evicted again.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct UnpinArgs {
    /// The directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// The files, by their names in the directory
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

/// Compare files with the digests that were recorded when they were fetched.
///
/// A digest is recorded where --checksum or the server named one, as an attribute of the file itself
/// (user.dlmanager.digests), which file systems without attributes do not keep. A file without is told as unrecorded. Reading
/// a file here is no access.
#[derive(Debug, Args)]
#[command(args_override_self = true, after_long_help = VERIFY_EXIT_CODES)]
pub(crate) struct VerifyArgs {
    /// The directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// The files, by their names in the directory [default: all of it, sub-folders and hidden files too, no symbolic links]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

const VERIFY_EXIT_CODES: &str = "\
Exit codes: 0 when no file differs from what was recorded of it; 1 when one does, cannot be read, or was named and nothing is \
recorded of it; 2 when something was wrong with what was asked.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfPresent {
    /// Leave it as it is
    Skip,
    /// Fetch, and replace it once the new one is complete
    Replace,
    /// Ask the server whether it changed (not there yet)
    Revalidate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// Nothing is flushed
    None,
    /// After a loss of power a file that is there is complete
    Data,
    /// After a loss of power a file that was reported complete is there
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resume {
    /// Start over each time: remove what is unfinished of the files that are asked for, and keep nothing of them
    Never,
    /// Go on where a broken connection ended; remove what a download that failed has
    WithinRun,
    /// Go on where an earlier run ended, too, however it ended
    AcrossRuns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// hyper on tokio
    Hyper,
    /// hyper on smol
    Smol,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=usize::MAX as u64)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn of_a_repeated_single_valued_option_the_last_wins_and_headers_add_up() {
        let line = "dlmanager get u -d a -d b -j 1 -j 2 --size-limit 1 --size-limit 2 -q -q --timeout 1s --timeout 2s \
                    --resume within-run --resume never -o x -o y --if-present skip --if-present replace \
                    --header a:1 --header b:2";
        // The value of a header field is split off by the shell in real life.
        let parsed = CommandLine::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Get(get) = parsed.command else { panic!("not get") };
        assert_eq!((get.dir, get.jobs, get.limit.size_limit), ("b".into(), 2, Some(2)));
        assert_eq!((get.timeout, get.output.as_deref()), (Some(Duration::from_secs(2)), Some("y")));
        assert_eq!((get.if_present, get.resume, get.headers.len()), (IfPresent::Replace, Resume::Never, 2));
    }
}

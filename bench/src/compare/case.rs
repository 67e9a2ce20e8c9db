//! The kinds of work that are compared, and what is to be reached in each.

use super::Options;
use super::subject::Subject;

/// One kind of work.
#[derive(Debug)]
pub(crate) struct Case {
    /// For `--only`.
    pub(crate) key: &'static str,
    pub(crate) title: String,
    /// How many files, all of one length.
    pub(crate) files: usize,
    pub(crate) bytes_each: u64,
    /// How many at once.
    pub(crate) jobs: usize,
    pub(crate) secure: bool,
    /// How many loops the network has.
    pub(crate) network_threads: usize,
    /// Whether the digest is to be checked.
    pub(crate) sha256: bool,
    /// dlmanager's; the others flush nothing.
    pub(crate) durability: &'static str,
    pub(crate) start: Start,
    /// Whether the files go to a real disk.
    pub(crate) on_disk: bool,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) goals: Vec<Goal>,
}

/// From what the work starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// An empty directory.
    Fresh,
    /// The same, and each connection gives 8 MiB a second.
    Limited,
    /// Half of the file, as an earlier run of the program left it.
    Half,
    /// An origin that refuses every connection.
    Dead,
}

/// Something to be reached, by both transports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) quantity: Quantity,
    /// At most that.
    pub(crate) most: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Quantity {
    /// Wall-clock time, by that of another.
    WallOf(Subject),
    /// CPU time of the whole process, by that of another.
    CpuOf(Subject),
    /// Microseconds of CPU for each file more than the same takes without flushes.
    MicrosMoreThanUnflushed,
    WallSeconds,
    PeakMib,
}

const MIB: u64 = 1024 * 1024;

/// All of them, in the sizes that were asked for.
pub(crate) fn all(options: &Options) -> Vec<Case> {
    use Quantity::{CpuOf, MicrosMoreThanUnflushed, PeakMib, WallOf, WallSeconds};
    use Subject::{
        Aria2, Curl, CurlThenSha256sum, Hyper, HyperOnOneCore, HyperOnOneLoop, HyperWithoutFlushes, Raw, RawContract,
        RawFlushing, Smol, SmolWithoutFlushes, Wget2,
    };
    let large = options.large_mib * MIB;
    let one = Case {
        key: "plain",
        title: format!("1 file of {} MiB", options.large_mib),
        files: 1,
        bytes_each: large,
        jobs: 1,
        secure: false,
        network_threads: 1,
        sha256: false,
        durability: "data",
        start: Start::Fresh,
        on_disk: false,
        subjects: vec![Hyper, Smol, Curl, Wget2, Aria2, Raw],
        goals: Vec::new(),
    };
    let most = |quantity, most| Goal { quantity, most };
    let small = |key, title: &str, durability, on_disk, subjects, goals| Case {
        key,
        title: format!("{} files of 16 KiB, 16 at once, {title}", options.small_files),
        files: options.small_files,
        bytes_each: 16 * 1024,
        jobs: 16,
        durability,
        on_disk,
        subjects,
        goals,
        ..one.clone_shape()
    };
    vec![
        Case {
            goals: vec![most(CpuOf(Curl), 0.95), most(CpuOf(Raw), 1.05), most(WallOf(Curl), 1.05), most(PeakMib, 24.0)],
            subjects: one.subjects.clone(),
            ..one.clone_shape()
        },
        Case {
            key: "tls",
            title: format!("1 file of {} MiB over TLS", options.large_mib),
            secure: true,
            subjects: vec![Hyper, Smol, Curl, Wget2, Aria2],
            goals: vec![most(CpuOf(Curl), 1.0), most(WallOf(Curl), 1.0)],
            ..one.clone_shape()
        },
        Case {
            key: "sha256",
            title: format!("1 file of {} MiB with its SHA-256", options.large_mib),
            sha256: true,
            subjects: vec![Hyper, Smol, CurlThenSha256sum, Aria2],
            goals: vec![most(WallOf(CurlThenSha256sum), 0.8)],
            ..one.clone_shape()
        },
        small(
            "small-none",
            "nothing flushed",
            "none",
            false,
            vec![Hyper, Smol, Curl, Wget2, Aria2, Raw, RawContract],
            vec![most(CpuOf(Curl), 0.75), most(WallOf(Curl), 0.75)],
        ),
        small(
            "small-data",
            "flushed, where a flush is free",
            "data",
            false,
            vec![Hyper, HyperWithoutFlushes, Smol, SmolWithoutFlushes],
            vec![most(MicrosMoreThanUnflushed, 8.0)],
        ),
        small(
            "small-disk",
            "flushed, on a disk",
            "data",
            true,
            vec![Hyper, Smol, RawFlushing],
            vec![most(WallOf(RawFlushing), 0.2)],
        ),
        Case {
            key: "many",
            title: "64 files of 8 MiB at once".to_owned(),
            files: 64,
            bytes_each: 8 * MIB,
            jobs: 64,
            subjects: vec![Hyper, Smol, Curl, Wget2, Aria2],
            goals: vec![most(PeakMib, 64.0)],
            ..one.clone_shape()
        },
        Case {
            key: "tls-cores",
            title: format!("4 files of {} MiB over TLS at once", options.large_mib / 2),
            files: 4,
            bytes_each: large / 2,
            jobs: 4,
            secure: true,
            network_threads: 2,
            subjects: vec![Hyper, Smol, HyperOnOneLoop, HyperOnOneCore, Curl],
            goals: vec![most(WallOf(HyperOnOneCore), 1.0 / 1.5)],
            ..one.clone_shape()
        },
        Case {
            key: "dead",
            title: format!("{} files of an origin that refuses connections", options.queued),
            files: options.queued,
            bytes_each: 0,
            jobs: 8,
            start: Start::Dead,
            subjects: vec![Hyper, Smol, Curl, Wget2, Aria2],
            goals: vec![most(WallSeconds, 10.0), most(PeakMib, 64.0)],
            ..one.clone_shape()
        },
        Case {
            key: "limited",
            title: format!("4 files of {} MiB at 8 MiB/s a connection", options.large_mib / 32),
            files: 4,
            bytes_each: large / 32,
            jobs: 4,
            start: Start::Limited,
            subjects: vec![Hyper, Smol, Curl, Wget2, Aria2],
            ..one.clone_shape()
        },
        Case {
            key: "resume",
            title: format!("the second half of a file of {} MiB", options.large_mib),
            start: Start::Half,
            subjects: vec![Hyper, Smol, Curl, Wget2, Aria2],
            ..one.clone_shape()
        },
    ]
}

impl Case {
    /// The same work for nobody.
    fn clone_shape(&self) -> Self {
        Self { title: self.title.clone(), subjects: Vec::new(), goals: Vec::new(), ..*self }
    }
}

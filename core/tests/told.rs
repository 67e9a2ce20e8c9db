//! What people read of the core and what programs go by: texts, kinds, and names on disk stay as they are.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use dlmanager_core::{
    Action, AdmitError, Algorithm, CancelError, Config, Digest, DirectoryError, DownloadError, DownloadId, Event,
    Fault, FaultKind, FileKind, FileName, FileOp, FileStat, FileStep, Instant, Kept, Manager, NameRule, Opened, Output,
    Pattern, PersistLimit, Probed, Published, Request, Stamp, StorePath, TimeoutKind, Verdict, Why,
};

fn name(text: &str) -> FileName {
    text.parse().unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::new(Algorithm::Md5, &[byte; 16]).unwrap()
}

/// Every error that a download can end with: its kind, its text.
fn errors() -> Vec<(DownloadError, &'static str, &'static str)> {
    let fault = || Fault::new(FaultKind::Io).with_detail("the platter").with_os_code(5);
    let dots = FileName::new("..").unwrap_err();
    let (expected, actual) = (Box::new(digest(1)), Box::new(digest(2)));
    let mismatch =
        "the file is md5:02020202020202020202020202020202, and should be md5:01010101010101010101010101010101";
    let present = "a is there already and is md5:02020202020202020202020202020202, not \
                   md5:01010101010101010101010101010101: remove it, or ask for it to be replaced";
    let not_a_file = |kind| DownloadError::NotAFile { name: name("a"), kind };
    let file = |step| DownloadError::File { step, fault: fault() };
    let publish = |published| DownloadError::Publish { fault: fault(), published };
    vec![
        (DownloadError::Network(fault()), "network", "input/output error: the platter (os error 5)"),
        (DownloadError::Timeout(TimeoutKind::Connect), "timeout", "the connection was not made in time"),
        (DownloadError::Timeout(TimeoutKind::FirstByte), "timeout", "the reply did not begin in time"),
        (DownloadError::Timeout(TimeoutKind::Stall), "timeout", "the body stalled"),
        (DownloadError::Timeout(TimeoutKind::Whole), "timeout", "the download took longer than allowed"),
        (DownloadError::Status { status: 404 }, "status", "the server answered 404 (Not Found)"),
        (DownloadError::Status { status: 799 }, "status", "the server answered 799"),
        (DownloadError::BadReply("no".into()), "bad-reply", "the reply is not acceptable: no"),
        (DownloadError::Truncated { expected: 9, received: 4 }, "truncated", "the body ended after 4 of 9 bytes"),
        (DownloadError::Overlong { expected: 9 }, "overlong", "the body is longer than the 9 bytes announced"),
        (
            DownloadError::TooLarge { length: 9, bytes_max: 4 },
            "too-large",
            "the file has 9 bytes or more, and 4 are allowed",
        ),
        (DownloadError::TooManyRedirects { redirects_max: 3 }, "too-many-redirects", "more than 3 redirects in a row"),
        (
            DownloadError::BadRedirect { location: "ftp:".into(), cause: "no".into() },
            "bad-redirect",
            "the redirect to \"ftp:\" is not followed: no",
        ),
        (
            DownloadError::TooManyRequests {
                requests_max: 7,
                cause: Box::new(DownloadError::Timeout(TimeoutKind::Stall)),
            },
            "too-many-requests",
            "gave up after 7 requests; the last one: the body stalled",
        ),
        (
            DownloadError::ChecksumMismatch { expected: expected.clone(), actual: actual.clone() },
            "checksum-mismatch",
            mismatch,
        ),
        (DownloadError::PresentMismatch { name: name("a"), expected, actual }, "present-mismatch", present),
        (DownloadError::Name(dots), "name", "the file has no name: the name \"..\" has a component '.' or '..'"),
        (
            DownloadError::NameTaken { name: name("a") },
            "name-taken",
            "the server names the file a, and another download has that name",
        ),
        (not_a_file(FileKind::Folder), "not-a-file", "a is there already and is a folder, not a regular file"),
        (not_a_file(FileKind::Symlink), "not-a-file", "a is there already and is a symlink, not a regular file"),
        (not_a_file(FileKind::Other), "not-a-file", "a is there already and is a special file, not a regular file"),
        (file(FileStep::Look), "file", "cannot look for the file: input/output error: the platter (os error 5)"),
        (
            publish(Published::No),
            "publish",
            "cannot give the file its name: input/output error: the platter (os error 5)",
        ),
        (
            publish(Published::Yes),
            "publish",
            "the file is there, but not safely on the disk: input/output error: the platter (os error 5)",
        ),
        (
            publish(Published::Unknown),
            "publish",
            "the file may have its name or not: input/output error: the platter (os error 5)",
        ),
        (
            DownloadError::Directory(DirectoryError::Fault(FaultKind::Denied.into())),
            "directory",
            "the directory cannot be managed: permission denied",
        ),
    ]
}

#[test]
fn each_error_has_its_kind_and_its_text() {
    for (error, kind, text) in errors() {
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        assert_eq!(error.is_timeout(), kind == "timeout", "{error}");
        assert_eq!(error.status().is_some(), kind == "status", "{error}");
        assert!(!error.is_no_space(), "{error}");
    }
    assert_eq!(DownloadError::Status { status: 404 }.status(), Some(404));
    let published = |error: &DownloadError| error.published();
    let told: Vec<_> =
        errors().iter().map(|(error, ..)| published(error)).filter(|told| *told != Published::No).collect();
    assert_eq!(told, [Published::Yes, Published::Unknown]);
}

#[test]
fn no_room_is_told_from_all_other_faults() {
    for kind in FaultKind::ALL {
        let is_no_space = *kind == FaultKind::NoSpace;
        let fault = || Fault::new(*kind);
        assert_eq!(DownloadError::File { step: FileStep::Write, fault: fault() }.is_no_space(), is_no_space);
        let publish = DownloadError::Publish { fault: fault(), published: Published::No };
        assert_eq!(publish.is_no_space(), is_no_space);
        assert!(!DownloadError::Network(fault()).is_no_space(), "that is the transport's, not the disk");
    }
}

#[test]
fn each_fault_and_each_step_has_words_of_its_own() {
    let words: BTreeSet<&str> = FaultKind::ALL.iter().map(|kind| kind.text()).collect();
    assert_eq!(words.len(), FaultKind::ALL.len());
    assert!(words.iter().all(|words| words.len() > 3), "{words:?}");
    use FileStep::{Create, Flush, Folder, Hash, Lock, Look, Rewind, Verify, Write};
    let steps = [Look, Create, Lock, Rewind, Write, Hash, Verify, Flush, Folder].map(FileStep::text);
    assert_eq!(BTreeSet::from(steps).len(), steps.len());
    assert!(steps.iter().all(|words| words.starts_with("cannot ")), "{steps:?}");
    let fault = Fault::new(FaultKind::Busy);
    assert_eq!((fault.kind(), fault.os_code(), fault.detail()), (FaultKind::Busy, None, None));
    let fault = fault.with_detail("a lock").with_os_code(11);
    assert_eq!((fault.kind(), fault.os_code(), fault.detail()), (FaultKind::Busy, Some(11), Some("a lock")));
    assert_eq!(Fault::from(FaultKind::Io).to_string(), FaultKind::Io.text());
    assert!(fault.source().is_none());
}

#[test]
fn each_rule_of_names_says_what_is_wrong() {
    for (text, rule, says) in [
        ("", NameRule::Empty, "has an empty component"),
        ("..", NameRule::Dots, "has a component '.' or '..'"),
        ("a\\b", NameRule::Separator, "has a separator ('/', '\\' or ':') where none may be"),
        ("a\u{7}", NameRule::Control, "has a control character, or one that reorders or hides text"),
        ("a?", NameRule::Reserved, "has one of < > \" | ? *, which Windows does not accept"),
        ("a.", NameRule::TrailingDotOrSpace, "has a component that ends in a dot or a space, which Windows drops"),
        ("con", NameRule::Device, "has a component that is a device name on Windows"),
        (&"x".repeat(256), NameRule::TooLong, "has a component of more than 255 bytes"),
        (
            ".dlmanager",
            NameRule::WorkFolder,
            "has a component that begins with '.dlmanager', where unfinished files live",
        ),
    ] {
        let error = FileName::new(text).unwrap_err();
        assert_eq!((error.name(), error.rule()), (text, rule));
        assert_eq!(error.to_string(), format!("the name {text:?} {says}"));
    }
    for (url, rule, says) in [
        ("http://a/", NameRule::Missing, "is empty: the URL does not end in a file name, so give one"),
        ("http://a/%ff", NameRule::NotUtf8, "is not UTF-8 once decoded"),
        ("http://a/.a", NameRule::Hidden, "begins with a dot, which only a name given by the caller may"),
    ] {
        let refused = Manager::new(Config::default(), 1).download(Instant::ZERO, Request::new(url).unwrap());
        let Err(AdmitError::Name(error)) = refused else { panic!("{url}: {refused:?}") };
        assert_eq!(error.rule(), rule);
        assert!(error.to_string().ends_with(says), "{error}");
    }
}

#[test]
fn a_name_is_its_text_wherever_it_is_read() {
    let file = name("a/b.zip");
    assert_eq!((file.as_str(), file.to_string().as_str()), ("a/b.zip", "a/b.zip"));
    assert_eq!(BTreeMap::from([(file, 1)]).get("a/b.zip"), Some(&1));
    assert_eq!(Borrow::<str>::borrow(&name("a")), "a");
    let path = StorePath::entry("a.zip").unwrap();
    assert_eq!((path.as_str(), path.file_name()), ("a.zip", "a.zip"));
    for none in ["", ".", "..", "a/b", "a\0"] {
        assert_eq!(StorePath::entry(none), None, "{none:?}");
    }
}

/// The path of the unfinished file of that name.
fn unfinished(text: &str) -> String {
    let mut manager = Manager::new(Config::default(), 42);
    let request = Request::new("http://a.example/x").unwrap().name(name(text));
    manager.download(Instant::ZERO, request).unwrap();
    loop {
        let action = match manager.poll() {
            Output::Action(Action::File(action)) => action,
            Output::Notice(_) => continue,
            other => panic!("before anything is opened: {other:?}"),
        };
        let completion = match action.op {
            FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
            FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
            FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
            FileOp::Open { ticket, path, .. } => {
                let _ = ticket.done(Ok(Opened { created: true, length: 0 }));
                return path.as_str().to_owned();
            }
            other => panic!("{other:?}"),
        };
        manager.handle(Instant::ZERO, Event::Completed(completion));
    }
}

#[test]
fn a_later_version_finds_what_this_one_leaves() {
    // The first 128 bits of the BLAKE3 hash of the name in lower case.
    assert_eq!(unfinished("a"), ".dlmanager/17762fddd969a453925d65717ac3eea2.part");
    assert_eq!(unfinished("A"), unfinished("a"), "a file system may take them for one");
    assert_ne!(unfinished("b"), unfinished("a"));
}

#[test]
fn what_is_refused_says_why() {
    let texts = [
        CancelError::Unknown.to_string(),
        CancelError::AlreadyPublishing.to_string(),
        CancelError::AlreadyFailed.to_string(),
        AdmitError::Closed.to_string(),
        AdmitError::Conflict { running: None }.to_string(),
        AdmitError::Conflict { running: Some(Box::new(digest(1))) }.to_string(),
    ];
    let expected = [
        "no such download is running",
        "the file is already being published",
        "the download has already failed",
        "the manager is closed",
        "a download of that name is running, with no checksum",
        "a download of that name is running, with another checksum",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_pattern_of_two_matches_what_either_matches_and_says_so() {
    let pattern = Pattern::new("*.zip").or(Pattern::new("a?"));
    assert_eq!(pattern.as_str(), "*.zip or a?");
    assert!(pattern.matches("x.zip") && pattern.matches("ab") && pattern.matches("a.zip"));
    assert!(!pattern.matches("x.tar") && !pattern.matches("abc") && !pattern.matches("*.zip or a?"));
    assert_eq!(Pattern::new("[").as_str(), "[");
    // A `]` at the beginning of a set belongs to it.
    let (set, others) = (Pattern::new("[]a]"), Pattern::new("[!]a]"));
    assert!(set.matches("]") && set.matches("a") && !set.matches("b") && !set.matches("[]a]"));
    assert!(others.matches("b") && !others.matches("]") && !others.matches("a"));
}

#[test]
fn a_file_counts_from_when_it_is_registered_until_it_is_forgotten() {
    let mut limit = PersistLimit::new(1, 1);
    let path = StorePath::entry("a").unwrap();
    let stamp = Stamp::default();
    assert!(!limit.contains(&path));
    limit.register(path.clone(), &FileStat { kind: FileKind::Regular, length: 1, accessed: stamp, modified: stamp });
    assert!(limit.contains(&path) && !limit.contains(&StorePath::entry("b").unwrap()));
    limit.forget(&path);
    assert!(!limit.contains(&path));
}

#[test]
fn each_verdict_has_words_of_its_own() {
    let whys =
        [(Why::Size, "too many bytes"), (Why::Age, "not accessed for too long"), (Why::Space, "too little free space")];
    for (why, text) in whys {
        assert_eq!((why.text(), why.to_string()), (text, text.to_owned()));
        assert_eq!(Verdict::Goes(why).to_string(), format!("goes: {text}"));
    }
    // Whether it would go but for this.
    let kept = [
        (Kept::WithinBounds, "within the bounds", false),
        (Kept::FileLimit, "so many files are kept", false),
        (Kept::Leased, "leased", true),
        (Kept::Pinned, "pinned", true),
        (Kept::Downloading, "being downloaded", true),
        (Kept::InUse, "in use", true),
        (Kept::Changed, "changing all the time", true),
        (Kept::Denied, "may not be removed", true),
    ];
    for (kept, text, is_wanted) in kept {
        assert_eq!((kept.text(), kept.to_string(), kept.is_wanted()), (text, text.to_owned(), is_wanted));
        assert_eq!(Verdict::Stays(kept).to_string(), format!("stays: {text}"));
    }
}

#[test]
fn what_is_logged_tells_one_from_another() {
    let mut manager = Manager::new(Config::default(), 1);
    let url = |at: u32| format!("http://user@example.org/{at}");
    let ids = [1, 2].map(|at| manager.download(Instant::ZERO, Request::new(&url(at)).unwrap()).unwrap().id());
    assert_eq!(ids.map(DownloadId::serial), [1, 2]);
    let mut actions = Vec::new();
    while let output @ (Output::Action(_) | Output::Notice(_)) = manager.poll() {
        if let Output::Action(Action::File(action)) = output {
            actions.push(action);
        }
    }
    let FileOp::MakeDir { ticket, .. } = &actions[0].op else { panic!("{actions:?}") };
    assert_eq!((actions[0].id().serial(), format!("{ticket:?}")), (1, "Ticket(1)".to_owned()));
    assert_eq!(actions[1].id().serial(), 2);
    assert_eq!(actions[0].op.file(), None, "a folder is none");
}

#[test]
fn digests_that_can_be_made_to_fit_are_told_from_the_others() {
    let weak: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_weak()).collect();
    assert_eq!(weak, [Algorithm::Sha1, Algorithm::Md5]);
}

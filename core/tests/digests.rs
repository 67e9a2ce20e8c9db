//! What a file backend says of digests, and what is made of it.

use bytes::Bytes;
use dlmanager_core::{
    Action, Algorithm, Chunk, Config, Digest, Digests, Event, FileOp, Hasher, Head, Instant, Manager, NetOp, Notice,
    Opened, Outcome, Output, Probed, Request,
};
use http::{HeaderMap, StatusCode, Version};

fn digests(bytes: &[u8], algorithm: Algorithm) -> Digests {
    let mut hasher = Hasher::new([algorithm].into_iter().collect());
    assert!(Algorithm::ALL.into_iter().all(|other| hasher.algorithms().contains(other) == (other == algorithm)));
    hasher.update(bytes);
    hasher.digests()
}

/// Fetches `abc` with this checksum, where the backend answers each `Hash` with `computed`. How it ends, and whether the file
/// got its name.
fn fetch(checksum: Digest, computed: &Digests) -> (Outcome, bool) {
    let mut manager = Manager::new(Config { retries_max: 0, ..Config::default() }, 1);
    let request = Request::new("http://example.org/file").unwrap().checksum(checksum);
    manager.download(Instant::ZERO, request).unwrap();
    let mut is_renamed = false;
    loop {
        let completion = match manager.poll() {
            Output::Action(Action::Net(action)) => match action.op {
                NetOp::Fetch { ticket, .. } => {
                    let mut headers = HeaderMap::new();
                    headers.insert("content-length", 3.into());
                    ticket.done(Ok(Box::new(Head { version: Version::HTTP_11, status: StatusCode::OK, headers })))
                }
                NetOp::ReadBody { ticket, .. } => {
                    ticket.done(Ok(Chunk { data: Bytes::from_static(b"abc"), pinned: 3, last: true }))
                }
                NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
            },
            Output::Action(Action::File(action)) => match action.op {
                FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
                FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
                FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
                FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
                FileOp::Write { ticket, data, .. } => ticket.done(Ok(data)),
                FileOp::Hash { ticket, .. } => ticket.done(Ok(computed.clone())),
                FileOp::Rename { ticket, .. } => {
                    is_renamed = true;
                    ticket.done(Ok(()))
                }
                FileOp::Delete { ticket, .. } => ticket.done(Ok(vec![dlmanager_core::Deleted::Deleted])),
                FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                FileOp::Finish { ticket, .. } => ticket.done(Ok(())),
                FileOp::KeepDigests { ticket, .. } => ticket.done(Ok(())),
                FileOp::Sync { ticket, .. } => ticket.done(Ok(())),
                FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
                FileOp::Close { ticket, .. } => ticket.done(Ok(())),
                other => panic!("{other:?}"),
            },
            Output::Notice(Notice::Finished { outcome, .. }) => return (outcome, is_renamed),
            Output::Action(Action::Abort(_)) | Output::Notice(_) => continue,
            Output::Wait(wait) => panic!("{wait:?}"),
        };
        manager.handle(Instant::ZERO, Event::Completed(completion));
        manager.check_invariants();
    }
}

#[test]
fn a_file_is_right_where_its_digest_was_computed_and_is_the_one_that_was_asked_for() {
    let right = digests(b"abc", Algorithm::Sha256);
    let checksum = *right.get(Algorithm::Sha256).unwrap();
    let (outcome, is_renamed) = fetch(checksum, &right);
    assert!(matches!(outcome, Outcome::Complete(complete) if complete.digests == right) && is_renamed);

    let (outcome, is_renamed) = fetch(checksum, &digests(b"abd", Algorithm::Sha256));
    assert!(matches!(outcome, Outcome::Failed(error) if error.kind() == "checksum-mismatch") && !is_renamed);
}

#[test]
fn a_digest_that_was_not_computed_is_not_taken_for_right() {
    let checksum = *digests(b"abc", Algorithm::Sha256).get(Algorithm::Sha256).unwrap();
    for computed in [Digests::default(), digests(b"abc", Algorithm::Md5)] {
        let (outcome, is_renamed) = fetch(checksum, &computed);
        assert!(matches!(&outcome, Outcome::Failed(error) if error.kind() == "file"), "{outcome:?}");
        assert!(!is_renamed);
    }
}

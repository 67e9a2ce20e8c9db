//! A driver whose network and disk take no time: then a download takes none either.

use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{
    Action, Chunk, Config, Event, FileOp, Head, Instant, Manager, NetOp, Notice, Opened, Output, Probed, Request,
};
use http::{HeaderMap, StatusCode, Version};

const TOTAL: usize = 4 << 20;

/// How much time passes until a file of 4 MiB is there that comes in chunks of `length` bytes, each keeping `pinned` alive.
fn time_taken(config: Config, length: usize, pinned: usize) -> Duration {
    let mut manager = Manager::new(config, 1);
    let (mut now, mut sent) = (Instant::ZERO, 0);
    manager.download(now, Request::new("http://example.org/file").unwrap()).unwrap();
    loop {
        manager.check_invariants();
        let completion = match manager.poll() {
            Output::Action(Action::Net(action)) => match action.op {
                NetOp::Fetch { ticket, .. } => {
                    let mut headers = HeaderMap::new();
                    headers.insert("content-length", TOTAL.into());
                    let head = Head { version: Version::HTTP_11, status: StatusCode::OK, headers };
                    ticket.done(Ok(Box::new(head)))
                }
                NetOp::ReadBody { ticket, .. } => {
                    sent += length;
                    ticket.done(Ok(Chunk { data: Bytes::from(vec![0; length]), pinned, last: sent >= TOTAL }))
                }
                NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
            },
            Output::Action(Action::File(action)) => match action.op {
                FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
                FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
                FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
                FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
                FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
                FileOp::Write { ticket, data, .. } => ticket.done(Ok(data)),
                FileOp::Sync { ticket, .. } => ticket.done(Ok(())),
                FileOp::Finish { ticket, length, .. } => {
                    assert_eq!(length, TOTAL as u64);
                    ticket.done(Ok(()))
                }
                FileOp::Rename { ticket, .. } => ticket.done(Ok(())),
                FileOp::Close { ticket, .. } => ticket.done(Ok(())),
                other => panic!("{other:?}"),
            },
            Output::Notice(Notice::Finished { .. }) => return now.since(Instant::ZERO),
            Output::Action(Action::Abort(_)) | Output::Notice(_) => continue,
            Output::Wait(wait) => {
                now = wait.until.expect("something is under way");
                manager.handle(now, Event::Tick);
                continue;
            }
        };
        manager.handle(now, Event::Completed(completion));
    }
}

#[test]
fn however_much_is_gathered_and_however_large_the_buffers_are_nothing_waits_for_a_timer() {
    for gather_bytes in [0, 1, 32 << 10, 256 << 10, 4 << 20, usize::MAX] {
        for held_bytes_max in [0, 1, 64 << 10, 1 << 20] {
            for pinned in [0, 16 << 10, 256 << 10, 1 << 30, usize::MAX] {
                let config = Config { gather_bytes, held_bytes_max, ..Config::default() };
                let taken = time_taken(config, 16 << 10, pinned);
                assert_eq!(taken, Duration::ZERO, "gather {gather_bytes}, held {held_bytes_max}, pinned {pinned}");
            }
        }
    }
}

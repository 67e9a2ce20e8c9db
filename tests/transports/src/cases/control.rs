//! Ending exchanges: by `DropBody`, by an abort, by dropping the transport.

use std::thread;

use dlmanager_core::{Answer, FaultKind};
use dlmanager_origin::{At, Body, Ended, Reply};

use super::cases;
use crate::bench::Bench;
use crate::subject::Settings;
use crate::world::{DEADLINE, assert_bytes, joined};

cases! {
    dropping_a_stalled_exchange_ends_it_at_once: "DropBody ends an exchange at once, wherever it is",
    any_body_can_be_dropped_any_number_of_times: "DropBody works in any state, any number of times",
    a_body_whose_end_has_come_keeps_its_connection_when_it_is_dropped: "A body whose end has come keeps its connection when it is dropped",
    a_fetch_can_be_aborted_at_any_stage: "A Fetch can be aborted at any stage, and is then answered as aborted",
    an_aborted_read_loses_no_bytes: "An aborted ReadBody loses no bytes",
    what_the_contract_forbids_is_answered_too: "A second read, a second Fetch of a body, and reads of no body are answered too",
    it_rests_while_there_is_nothing_to_do: "It asks for no poll while there is nothing to do",
    a_body_that_has_come_is_read_without_a_wake: "A body that has come is read without a wake",
    dropping_the_transport_closes_all: "Dropping the transport closes all its connections",
    a_transport_can_move_to_another_thread: "A transport can move to another thread in the middle of a body",
}

fn dropping_a_stalled_exchange_ends_it_at_once(bench: &Bench) {
    for at in [At::Start, At::Head(20), At::Body(0), At::Body(500)] {
        let mut world = bench.world();
        world.origin.serve("/a", Reply::body(Body::pattern(1, 1000)).stall_at(at));
        let fetched = world.fetch("/a");
        let has_head = matches!(at, At::Body(_));
        if has_head {
            world.head(fetched.id).unwrap();
        } else {
            world.drive_until(|seen| seen.requests.len() == 1);
        }
        if at == At::Body(500) {
            let first = world.read(fetched.body, 1000);
            assert_eq!(world.chunk(first).unwrap().data.len(), 500);
        }
        let read = world.read(fetched.body, 1000);
        world.assert_comes_to_rest();
        assert!(!world.is_answered(read));

        let dropped = world.drop_body(fetched.body);
        // Already closed: the origin sees it although nobody polls.
        let seen = world.origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
        assert_eq!(seen.connections.total, 1);
        world.poll_once();
        if !has_head {
            world.assert_aborted(fetched.id);
        }
        world.assert_aborted(read);
        assert!(matches!(world.answer(dropped), Answer::DropBody(Ok(()))));
        assert_eq!(world.answered.last(), Some(&dropped));
        let seen = world.origin.wait_for(DEADLINE, |seen| seen.requests[0].sent.is_some()).unwrap();
        assert_eq!(seen.requests[0].sent.unwrap().ended, Ended::ClientLeft);
        world.end();
    }
}

fn any_body_can_be_dropped_any_number_of_times(bench: &Bench) {
    let mut world = bench.world();
    let unknown = world.new_body();
    world.finish(unknown);

    world.origin.serve("/close", Reply::close());
    world.origin.serve("/a", Reply::body("hello"));
    let failed = world.fetch("/close");
    world.head(failed.id).unwrap_err();
    let whole = world.fetch("/a");
    world.read_all(whole.body, 100);
    let early = world.fetch("/a");
    for body in [early.body, failed.body, whole.body] {
        for _ in 0..3 {
            world.finish(body);
        }
    }
    world.assert_aborted(early.id);
    world.end();
}

fn a_body_whose_end_has_come_keeps_its_connection_when_it_is_dropped(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/a", Reply::body("hello"));
    for _ in 0..3 {
        let fetched = world.fetch("/a");
        let read = world.read(fetched.body, 1);
        assert_eq!(world.chunk(read).unwrap().data, "h");
        world.finish(fetched.body);
    }
    assert_eq!(world.origin.records().connections.total, 1);
    world.end();
}

fn a_fetch_can_be_aborted_at_any_stage(bench: &Bench) {
    let mut world = bench.world_with(Settings { connections_per_origin_max: 1, ..Settings::default() });
    world.origin.serve("/stalled", Reply::body("hello").stall_at(At::Start));
    let requesting = world.fetch("/stalled");
    world.drive_until(|seen| seen.requests.len() == 1);
    let waiting = world.fetch("/stalled");
    let read = world.read(waiting.body, 10);
    for fetched in [waiting, requesting] {
        world.abort(fetched.id);
        world.abort(fetched.id);
        world.assert_aborted(fetched.id);
    }
    world.assert_aborted(read);
    let connecting = world.fetch("/stalled");
    world.abort(connecting.id);
    world.assert_aborted(connecting.id);
    world.origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    // Closers still come, and reads are not tried.
    for fetched in [waiting, requesting, connecting] {
        let read = world.read(fetched.body, 10);
        assert_eq!(world.chunk(read).unwrap_err().kind(), FaultKind::Skipped);
        world.finish(fetched.body);
    }
    world.end();
}

fn an_aborted_read_loses_no_bytes(bench: &Bench) {
    let mut world = bench.world();
    let gate = dlmanager_origin::Gate::new();
    let body = Body::pattern(1, 1000);
    world.origin.serve("/a", Reply::body(body.clone()).gate_at(At::Body(500), &gate));
    let fetched = world.fetch("/a");
    let first = world.read(fetched.body, 1000);
    let mut chunks = vec![world.chunk(first).unwrap()];
    let read = world.read(fetched.body, 1000);
    world.poll_once();
    world.abort(read);
    world.assert_aborted(read);
    gate.open();
    chunks.extend(world.read_all(fetched.body, 1000).0);
    assert_bytes(&chunks, &body);
    world.finish(fetched.body);
    world.end();
}

fn what_the_contract_forbids_is_answered_too(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/a", Reply::body("hello").stall_at(At::Start));
    let fetched = world.fetch("/a");
    let first = world.read(fetched.body, 10);
    let second = world.read(fetched.body, 10);
    assert_eq!(world.chunk(second).unwrap_err().kind(), FaultKind::Busy);
    let request = dlmanager_core::FetchRequest::get(world.url("/a")).body(()).unwrap();
    let again = world.fetch_as(fetched.body, request);
    assert_eq!(world.head(again.id).unwrap_err().kind(), FaultKind::Busy);
    world.finish(fetched.body);
    world.assert_aborted(first);

    let unknown = world.new_body();
    let read = world.read(unknown, 10);
    assert_eq!(world.chunk(read).unwrap_err().kind(), FaultKind::Skipped);
    world.origin.serve("/b", Reply::body("hello"));
    let fetched = world.fetch("/b");
    assert_eq!(joined(&world.read_all(fetched.body, 10).0), b"hello");
    let read = world.read(fetched.body, 10);
    let beyond = world.chunk(read).unwrap();
    assert!(beyond.last && beyond.data.is_empty());
    world.finish(fetched.body);
    world.end();
}

fn it_rests_while_there_is_nothing_to_do(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/a", Reply::body(Body::pattern(1, 100 << 20)));
    world.origin.serve("/b", Reply::body("hello"));
    world.assert_comes_to_rest();
    world.assert_get("/b", &Body::from("hello"));
    world.assert_comes_to_rest();
    let unread = world.fetch("/a");
    let read = world.read(unread.body, 10);
    world.chunk(read).unwrap();
    // More has come than anybody asks for.
    world.assert_get("/b", &Body::from("hello"));
    world.assert_comes_to_rest();
    world.finish(unread.body);
    world.assert_comes_to_rest();
    world.end();
}

/// Neither the chunk nor the connection's way back to the pool asks for another poll.
fn a_body_that_has_come_is_read_without_a_wake(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/a", Reply::body("hello"));
    for _ in 0..3 {
        let fetched = world.fetch("/a");
        world.head(fetched.id).unwrap();
        world.wait_until_sent("/a");
        world.assert_comes_to_rest();
        let reads = [3, 10].map(|bytes_max| {
            let read = world.read(fetched.body, bytes_max);
            assert_eq!(world.poll_counting(), 0);
            assert!(world.is_answered(read));
            read
        });
        let chunks = reads.map(|read| world.chunk(read).unwrap());
        assert_eq!(joined(&chunks), b"hello");
        world.finish(fetched.body);
    }
    world.end();
}

fn dropping_the_transport_closes_all(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/stalled", Reply::body("hello").stall_at(At::Body(2)));
    world.origin.serve("/a", Reply::body("hello"));
    world.assert_get("/a", &Body::from("hello"));
    let receiving = world.fetch("/stalled");
    world.head(receiving.id).unwrap();
    let receiving = world.fetch("/stalled");
    world.head(receiving.id).unwrap();
    world.assert_get("/a", &Body::from("hello"));
    assert_eq!(world.origin.records().connections.open, 3);
    world.replace_transport();
    world.origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    world.end();
}

fn a_transport_can_move_to_another_thread(bench: &Bench) {
    let mut world = bench.world();
    let gate = dlmanager_origin::Gate::new();
    let body = Body::pattern(1, 1000);
    world.origin.serve("/a", Reply::body(body.clone()).gate_at(At::Body(500), &gate));
    let fetched = world.fetch("/a");
    let first = world.read(fetched.body, 1000);
    let mut chunks = vec![world.chunk(first).unwrap()];
    let elsewhere = thread::spawn(move || {
        gate.open();
        chunks.extend(world.read_all(fetched.body, 1000).0);
        world.finish(fetched.body);
        world.assert_get("/a", &body);
        assert_bytes(&chunks, &body);
        assert_eq!(world.origin.records().connections.total, 1);
        world.end();
    });
    elsewhere.join().unwrap();
}

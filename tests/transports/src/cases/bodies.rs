//! Requests as they arrive, heads and bodies as they come back.

use dlmanager_core::FetchRequest;
use dlmanager_origin::{At, Body, Ended, Gate, Reply};
use http::Version;

use super::cases;
use crate::bench::Bench;
use crate::subject::Settings;
use crate::world::{assert_bytes, joined};

cases! {
    bodies_of_every_framing_and_length_arrive_byte_for_byte: "Bodies of every framing and length arrive byte for byte",
    no_chunk_is_longer_than_asked_for: "No chunk is longer than asked for, and none that is not the last is empty",
    an_empty_body_is_one_empty_chunk_that_is_the_last: "An empty body is one empty chunk, the last",
    the_last_bytes_say_that_they_are_the_last: "Where the end is known with the last bytes, they say that they are the last",
    many_small_chunks_make_few_events_and_keep_little_alive: "Many small frames come as few chunks, which keep little alive",
    a_chunk_keeps_no_more_alive_than_it_says_and_small_ones_only_themselves: "A chunk says what it keeps alive, which is bounded, and a small one keeps only itself",
    the_request_is_in_origin_form_with_the_given_headers_and_no_others: "The request is in origin-form, with the given header fields and no others",
    the_head_is_as_received_and_interim_ones_are_left_out: "The head is as received; interim ones are left out",
    a_body_can_be_asked_for_before_its_head_has_come: "A body can be asked for before its head has come, and is answered after it",
    what_is_ready_comes_without_waiting_for_more: "What is ready comes without waiting for more",
    a_body_that_is_not_read_holds_its_server_back: "A body that is not read holds its server back",
}

fn bodies_of_every_framing_and_length_arrive_byte_for_byte(bench: &Bench) {
    let mut world = bench.world();
    for (seed, length) in (0..).zip([0, 1, 4095, 4096, 16 * 1024, 300_000, 5_000_000]) {
        let body = Body::pattern(seed, length);
        let whole = || Reply::body(body.clone());
        for (name, reply) in [
            ("length", whole()),
            ("chunked", whole().chunked(&[])),
            ("large-chunks", whole().chunked(&[1, 1_000_000])),
            ("mixed-chunks", whole().chunked(&[100, 5000, 3, 20_000, 4096, 4097])),
            ("until-close", whole().until_close()),
            ("http-1.0", whole().http_1_0()),
        ] {
            let path = format!("/{name}-{length}");
            world.origin.serve(&path, reply);
            world.assert_get(&path, &body);
        }
    }
    world.end();
}

fn no_chunk_is_longer_than_asked_for(bench: &Bench) {
    let mut world = bench.world();
    let body = Body::pattern(1, 20_000);
    world.origin.serve("/length", Reply::body(body.clone()));
    world.origin.serve("/chunked", Reply::body(body.clone()).chunked(&[700]));
    for bytes_max in [1, 7, 1000, 4096, 19_999, 20_000, 20_001] {
        for path in ["/length", "/chunked"] {
            // `get` compares each chunk with what was asked for.
            let (_, chunks) = world.get(path, bytes_max);
            assert_bytes(&chunks, &body);
        }
    }
    // Nothing may be asked for, and one byte is the least that a chunk can hold.
    let fetched = world.fetch("/length");
    let read = world.read(fetched.body, 0);
    assert_eq!(world.chunk(read).unwrap().data, body.to_vec()[..1]);
    world.finish(fetched.body);
    world.end();
}

fn an_empty_body_is_one_empty_chunk_that_is_the_last(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/length", Reply::empty(200));
    world.origin.serve("/chunked", Reply::body("").chunked(&[]));
    world.origin.serve("/until-close", Reply::body("").until_close());
    world.origin.serve("/no-content", Reply::empty(204));
    world.origin.serve("/switching", Reply::empty(101));
    for path in ["/length", "/chunked", "/until-close", "/no-content", "/switching"] {
        let (_, chunks) = world.get(path, 10);
        assert_eq!(chunks.len(), 1, "{path}");
        assert!(chunks[0].last && chunks[0].data.is_empty());
    }
    world.end();
}

fn the_last_bytes_say_that_they_are_the_last(bench: &Bench) {
    let mut world = bench.world();
    let body = Body::pattern(1, 1000);
    for (path, reply) in [
        ("/length", Reply::body(body.clone())),
        ("/chunked", Reply::body(body.clone()).chunked(&[100])),
        ("/until-close", Reply::body(body.clone()).until_close()),
    ] {
        world.origin.serve(path, reply);
        let fetched = world.fetch(path);
        world.head(fetched.id).unwrap();
        world.wait_until_sent(path);
        let (chunks, fault) = world.read_all(fetched.body, 1 << 20);
        assert_eq!(fault, None);
        assert_bytes(&chunks, &body);
        // The end of a connection comes by itself, and may come late.
        if path != "/until-close" {
            assert_eq!(chunks.len(), 1, "{path}: {chunks:?}");
        }
        world.finish(fetched.body);
    }
    world.end();
}

fn many_small_chunks_make_few_events_and_keep_little_alive(bench: &Bench) {
    let mut world = bench.world();
    let body = Body::pattern(1, 40_000);
    world.origin.serve("/a", Reply::body(body.clone()).chunked(&[1]));
    let fetched = world.fetch("/a");
    world.head(fetched.id).unwrap();
    world.wait_until_sent("/a");
    let (chunks, fault) = world.read_all(fetched.body, 1 << 20);
    assert_eq!(fault, None);
    assert_bytes(&chunks, &body);
    assert!(chunks.len() < 1000, "{} events for 40,000 chunks", chunks.len());
    assert!(chunks.iter().all(|chunk| chunk.pinned <= 16 * 1024));
    world.finish(fetched.body);
    world.end();
}

fn a_chunk_keeps_no_more_alive_than_it_says_and_small_ones_only_themselves(bench: &Bench) {
    const BUFFER_BYTES_MAX: usize = 256 * 1024;
    let mut world = bench.world_with(Settings { read_buffer_bytes_max: BUFFER_BYTES_MAX, ..Settings::default() });
    let body = Body::pattern(1, 20_000_000);
    world.origin.serve("/a", Reply::body(body.clone()));
    let fetched = world.fetch("/a");
    world.head(fetched.id).unwrap();
    // Large reads grow the buffer.
    let (mut received, mut largest) = (0, 0);
    while received < 15_000_000 {
        let read = world.read(fetched.body, 1 << 20);
        let chunk = world.chunk(read).unwrap();
        received += chunk.data.len();
        largest = largest.max(chunk.data.len());
        assert!(chunk.pinned <= BUFFER_BYTES_MAX, "{}", chunk.pinned);
        // What is too long to be copied keeps alive what it was read into.
        let may_be_copied = chunk.data.len() < BUFFER_BYTES_MAX / 16;
        assert!(chunk.pinned >= largest || may_be_copied, "{} < {largest}", chunk.pinned);
    }
    let read = world.read(fetched.body, 100);
    let small = world.chunk(read).unwrap();
    // What is left of a large read may be less.
    assert!((1..=100).contains(&small.data.len()), "{}", small.data.len());
    assert_eq!(small.pinned, small.data.len());
    world.finish(fetched.body);
    world.end();
}

fn the_request_is_in_origin_form_with_the_given_headers_and_no_others(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/a b", Reply::empty(200));
    let url = world.url("/some/file.bin?version=1&x=%20");
    let request = FetchRequest::get(url)
        .version(Version::HTTP_2)
        .header("host", "example.org:81")
        .header("accept-encoding", "identity")
        .header("x-twice", "1")
        .header("x-twice", "2")
        .body(())
        .unwrap();
    let fetched = world.fetch_request(request);
    assert_eq!(world.head(fetched.id).unwrap().status, 404);
    world.finish(fetched.body);
    let seen = world.origin.records();
    assert_eq!(seen.requests[0].method, "GET");
    assert_eq!(seen.requests[0].target, "/some/file.bin?version=1&x=%20");
    let headers: Vec<_> = seen.requests[0].headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    assert_eq!(
        headers,
        [("host", "example.org:81"), ("accept-encoding", "identity"), ("x-twice", "1"), ("x-twice", "2")]
    );
    world.end();
}

fn the_head_is_as_received_and_interim_ones_are_left_out(bench: &Bench) {
    let mut world = bench.world();
    let reply = Reply::body("hello")
        .status(206)
        .interim(100, &[])
        .interim(103, &[("Link", "</x>")])
        .header("X-Twice", "1")
        .header("X-Twice", "2");
    world.origin.serve("/a", reply);
    world.origin.serve("/old", Reply::body("hello").http_1_0());
    let (head, chunks) = world.get("/a", 100);
    assert_eq!((head.status.as_u16(), head.version), (206, Version::HTTP_11));
    assert_eq!(head.headers.get_all("x-twice").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(head.headers["content-length"], "5");
    assert!(!head.headers.contains_key("link"));
    assert_eq!(joined(&chunks), b"hello");
    assert_eq!(world.get("/old", 100).0.version, Version::HTTP_10);
    world.end();
}

fn a_body_can_be_asked_for_before_its_head_has_come(bench: &Bench) {
    let mut world = bench.world();
    let gate = Gate::new();
    world.origin.serve("/a", Reply::body("hello").gate_at(At::Start, &gate));
    world.origin.serve("/empty", Reply::empty(200));
    let fetched = world.fetch("/a");
    let read = world.read(fetched.body, 100);
    gate.open();
    assert_eq!(world.chunk(read).unwrap().data, "hello");
    assert_eq!(world.answered, [fetched.id, read]);
    assert_eq!(world.connected[&fetched.id], 1);
    world.head(fetched.id).unwrap();
    world.finish(fetched.body);

    let fetched = world.fetch("/empty");
    let read = world.read(fetched.body, 100);
    assert!(world.chunk(read).unwrap().last);
    world.finish(fetched.body);
    world.end();
}

fn what_is_ready_comes_without_waiting_for_more(bench: &Bench) {
    let mut world = bench.world();
    for (path, reply) in [("/length", Reply::body("onetwo")), ("/chunked", Reply::body("onetwo").chunked(&[3]))] {
        let gate = Gate::new();
        world.origin.serve(path, reply.gate_at(At::Body(3), &gate));
        let fetched = world.fetch(path);
        let read = world.read(fetched.body, 100);
        let first = world.chunk(read).unwrap();
        assert_eq!((&first.data[..], first.last), (&b"one"[..], false));
        gate.open();
        assert_eq!(joined(&world.read_all(fetched.body, 100).0), b"two");
        world.finish(fetched.body);
    }
    world.end();
}

/// The origin sends two bodies as fast as it can. One is read: by the time it has come whole, the other has stopped at
/// what fits into the sockets' buffers.
fn a_body_that_is_not_read_holds_its_server_back(bench: &Bench) {
    const LENGTH: u64 = 128 << 20;
    let mut world = bench.world();
    for path in ["/unread", "/chunked", "/read"] {
        let reply = Reply::body(Body::pattern(1, LENGTH));
        world.origin.serve(path, if path == "/chunked" { reply.chunked(&[]) } else { reply });
    }
    let unread = ["/unread", "/chunked"].map(|path| {
        let fetched = world.fetch(path);
        world.head(fetched.id).unwrap();
        let read = world.read(fetched.body, 1 << 20);
        world.chunk(read).unwrap();
        fetched
    });
    let fetched = world.fetch("/read");
    let mut received = 0;
    loop {
        let read = world.read(fetched.body, 1 << 20);
        let chunk = world.chunk(read).unwrap();
        received += chunk.data.len() as u64;
        if chunk.last {
            break;
        }
    }
    assert_eq!(received, LENGTH);
    world.finish(fetched.body);
    for fetched in unread {
        world.finish(fetched.body);
    }
    let seen = world.drive_until(|seen| seen.requests.iter().all(|request| request.sent.is_some()));
    for path in ["/unread", "/chunked"] {
        let sent = seen.requests_to(path).next().unwrap().sent.unwrap();
        assert_eq!(sent.ended, Ended::ClientLeft);
        assert!(sent.body_bytes < LENGTH / 4, "{path}: {} bytes were taken", sent.body_bytes);
    }
    world.end();
}

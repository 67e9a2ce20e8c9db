//! How files are fetched: replies, lengths, redirects, headers.

use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{Config, DownloadError, FaultKind, Notice, Outcome, Request};
use dlmanager_scripted::{Reply, content};
use dlmanager_world::World;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, HOST, LOCATION, TRANSFER_ENCODING};
use http::{HeaderValue, StatusCode};

const URL: &str = "http://h.example/file";

fn world(reply: Reply) -> World {
    let mut world = World::new(Config::default());
    world.net.script(URL, [reply]);
    world
}

fn fetched(reply: Reply) -> (World, Outcome) {
    let mut world = world(reply);
    let id = world.download(URL);
    world.run();
    let outcome = world.outcome(id).expect("ended").clone();
    world.close();
    assert!(world.unfinished().is_empty(), "{:?}", world.unfinished());
    (world, outcome)
}

/// Why this reply does not become a file; it leaves nothing behind and is asked for as often as said.
fn refused(reply: Reply, requests: usize) -> DownloadError {
    let (world, outcome) = fetched(reply);
    assert!(world.visible().is_empty(), "{:?}", world.visible());
    assert_eq!(world.net.requests_for(URL), requests);
    match outcome {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_fetched_whole() {
    for length in [1, 1_000, 32 * 1024, 1_000_001] {
        let mut world = world(Reply::ok(content(1, length)).pieces(10_000, Duration::from_millis(5)));
        let id = world.download(URL);
        world.run();
        world.assert_complete(id, "file", &content(1, length));
        world.close();
        assert_eq!(world.visible(), ["file"]);
        assert!(!world.directory.list().contains_key(".dlmanager"), "the work folder goes when it is empty");
    }
}

#[test]
fn an_empty_file_is_a_file() {
    for reply in [Reply::ok(Bytes::new()), Reply::ok(Bytes::new()).chunked(), Reply::ok(Bytes::new()).close_delimited()]
    {
        let mut world = world(reply);
        let id = world.download(URL);
        world.run();
        world.assert_complete(id, "file", b"");
    }
}

#[test]
fn a_length_that_nobody_tells_is_found_out() {
    let (world, outcome) = fetched(Reply::ok(content(1, 5_000)).chunked());
    world.assert_file("file", &content(1, 5_000));
    assert!(matches!(outcome, Outcome::Complete(complete) if !complete.length_unverified));

    let (world, outcome) = fetched(Reply::ok(content(1, 5_000)).close_delimited());
    world.assert_file("file", &content(1, 5_000));
    assert!(matches!(outcome, Outcome::Complete(complete) if complete.length_unverified), "it may be cut short");
}

#[test]
fn progress_begins_at_zero_rises_and_ends_at_the_full_count() {
    let mut world = world(Reply::ok(content(1, 1_000_000)).pieces(10_000, Duration::from_millis(20)));
    let id = world.download(URL);
    world.run();
    let told = world.progress(id);
    let counts: Vec<u64> = told.iter().map(|progress| progress.received).collect();
    assert_eq!((counts.first(), counts.last()), (Some(&0), Some(&1_000_000)));
    assert!(counts.is_sorted() && told.iter().all(|progress| progress.total == Some(1_000_000)), "{counts:?}");
    // 2 s at most each 100 ms, the first and the last always.
    assert!((10..=22).contains(&counts.len()), "{counts:?}");
    let speeds: Vec<u64> = told.iter().filter_map(|progress| progress.speed).collect();
    assert!(speeds.iter().any(|speed| (400_000..=600_000).contains(speed)), "500,000 bytes a second: {speeds:?}");
}

#[test]
fn a_body_that_ends_early_is_an_error_and_never_a_file() {
    let mut world = World::new(Config { retries_max: 0, ..Config::default() });
    world.net.script(URL, [Reply::ok(content(1, 5_000)).end_at(4_999)]);
    let id = world.download(URL);
    world.run();
    assert_eq!(*world.error(id), DownloadError::Truncated { expected: 5_000, received: 4_999 });
    assert!(world.visible().is_empty());
}

#[test]
fn a_body_that_goes_on_behind_its_end_is_no_file_or_the_announced_part() {
    let (world, outcome) = fetched(Reply::ok(content(1, 5_000)).announce(4_000));
    match outcome {
        Outcome::Complete(_) => world.assert_file("file", &content(1, 4_000)),
        Outcome::Failed(error) => {
            assert_eq!(error, DownloadError::Overlong { expected: 4_000 });
            assert!(world.visible().is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_status_that_does_not_pass_is_asked_once() {
    for status in [404, 403, 410, 400, 501, 505, 204, 206, 304, 416, 201] {
        let status = StatusCode::from_u16(status).expect("a status");
        let error = refused(Reply::status(status), 1);
        assert_eq!(error, DownloadError::Status { status: status.as_u16() });
    }
}

#[test]
fn a_head_that_contradicts_itself_is_refused() {
    let body = content(1, 10);
    let bad = [
        Reply::ok(body.clone()).also_header(CONTENT_LENGTH, "11"),
        Reply::ok(body.clone()).header(CONTENT_LENGTH, "ten"),
        Reply::ok(body.clone()).header(CONTENT_LENGTH, "-1"),
        Reply::ok(body.clone()).header(CONTENT_LENGTH, "10, 11"),
        Reply::ok(body.clone()).chunked().header(TRANSFER_ENCODING, "gzip, chunked"),
        Reply::ok(body.clone()).chunked().header(TRANSFER_ENCODING, "gzip"),
        Reply::redirect("/a").also_header(LOCATION, "/b"),
    ];
    for reply in bad {
        let error = refused(reply.clone(), 1);
        let is_said = matches!(error, DownloadError::BadReply(_) | DownloadError::BadRedirect { .. });
        assert!(is_said, "{reply:?}: {error:?}");
    }
    // The same length twice is one length (RFC 9112 section 6.3), and chunked overrides it.
    for reply in [
        Reply::ok(body.clone()).also_header(CONTENT_LENGTH, "10"),
        Reply::ok(body.clone()).header(CONTENT_LENGTH, "10, 10"),
        Reply::ok(body.clone()).chunked().header(CONTENT_LENGTH, "999"),
    ] {
        let (world, _) = fetched(reply);
        world.assert_file("file", &body);
    }
}

#[test]
fn a_coding_that_nobody_asked_for_is_stored_as_it_came_and_said() {
    let (world, outcome) = fetched(Reply::ok(content(1, 100)).header(CONTENT_ENCODING, "gzip"));
    world.assert_file("file", &content(1, 100));
    assert!(matches!(outcome, Outcome::Complete(complete) if complete.content_encoding.as_deref() == Some("gzip")));
}

#[test]
fn what_is_not_http_is_an_error() {
    let mut world = World::new(Config { retries_max: 0, ..Config::default() });
    world.net.script(URL, [Reply::garbage()]);
    let id = world.download(URL);
    world.run();
    assert!(matches!(world.error(id), DownloadError::Network(fault) if fault.kind() == FaultKind::Protocol));
}

#[test]
fn a_file_longer_than_allowed_is_refused_by_its_head_and_by_its_bytes() {
    for reply in [Reply::ok(content(1, 1_001)), Reply::ok(content(1, 1_001)).chunked()] {
        let mut world = World::new(Config { file_bytes_max: Some(1_000), ..Config::default() });
        world.net.script(URL, [reply]);
        let id = world.download(URL);
        world.run();
        assert!(matches!(world.error(id), DownloadError::TooLarge { bytes_max: 1_000, .. }), "{:?}", world.error(id));
        assert_eq!(world.net.requests().len(), 1);
        assert!(world.visible().is_empty());
    }
    let mut world = World::new(Config { file_bytes_max: Some(1_000), ..Config::default() });
    world.net.script(URL, [Reply::ok(content(1, 1_000))]);
    let id = world.download(URL);
    world.run();
    world.assert_complete(id, "file", &content(1, 1_000));
}

#[test]
fn each_kind_of_redirect_is_followed_and_told() {
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).expect("a status");
        let mut world = world(Reply::status(status).header(LOCATION, "other?x=1#part"));
        world.net.script("http://h.example/other?x=1", [Reply::ok(content(1, 10))]);
        let id = world.download(URL);
        world.run();
        world.assert_complete(id, "file", &content(1, 10));
        let told = world.notices().iter().any(|(_, notice)| {
            matches!(notice, Notice::Redirected { to, .. } if to.as_str() == "http://h.example/other?x=1")
        });
        assert!(told);
        let Some(Outcome::Complete(complete)) = world.outcome(id) else { unreachable!("checked above") };
        assert_eq!((complete.requests, complete.url.as_str()), (2, "http://h.example/other?x=1"));
    }
}

#[test]
fn a_callers_headers_and_credentials_stay_with_their_origin() {
    let mut world = World::new(Config::default());
    world.net.script("http://h.example/file", [Reply::redirect("http://other.example/a")]);
    world.net.script("http://other.example/a", [Reply::redirect("http://h.example:81/b")]);
    world.net.script("http://h.example:81/b", [Reply::redirect("https://h.example/c")]);
    world.net.script("https://h.example/c", [Reply::ok(content(1, 10))]);
    let request = Request::new("http://user:word@h.example/file").expect("a URL");
    let request = request.header(COOKIE, HeaderValue::from_static("secret"));
    let id = world.admit(request).id();
    world.run();
    world.assert_complete(id, "file", &content(1, 10));
    let seen: Vec<(String, bool, bool, String)> = world
        .net
        .requests()
        .iter()
        .map(|request| {
            let headers = &request.headers;
            let host = headers[HOST].to_str().expect("text").to_owned();
            (request.uri.to_string(), headers.contains_key(COOKIE), headers.contains_key(AUTHORIZATION), host)
        })
        .collect();
    let expected = [
        ("http://h.example/file", true, true, "h.example"),
        ("http://other.example/a", false, false, "other.example"),
        ("http://h.example:81/b", false, false, "h.example:81"),
        ("https://h.example/c", false, false, "h.example"),
    ];
    assert_eq!(seen, expected.map(|(uri, cookie, auth, host)| (uri.to_owned(), cookie, auth, host.to_owned())));
}

#[test]
fn redirects_in_a_loop_come_to_an_end() {
    let mut world = World::new(Config { redirects_max: 3, ..Config::default() });
    world.net.script(URL, [Reply::redirect("/file")]);
    let id = world.download(URL);
    world.run();
    assert_eq!(*world.error(id), DownloadError::TooManyRedirects { redirects_max: 3 });
    assert_eq!(world.net.requests().len(), 4);
}

#[test]
fn a_redirect_from_https_to_http_is_followed_only_when_allowed() {
    for allow_downgrade in [false, true] {
        let mut world = World::new(Config { allow_downgrade, ..Config::default() });
        world.net.script("https://h.example/file", [Reply::redirect("http://h.example/plain")]);
        world.net.script("http://h.example/plain", [Reply::ok(content(1, 10))]);
        let id = world.download("https://h.example/file");
        world.run();
        if allow_downgrade {
            world.assert_complete(id, "file", &content(1, 10));
        } else {
            assert!(matches!(world.error(id), DownloadError::BadRedirect { .. }));
            assert_eq!(world.net.requests().len(), 1);
        }
    }
}

#[test]
fn a_redirect_that_leads_nowhere_is_an_error() {
    for location in ["ftp://h.example/file", "http://[", "file:///etc/passwd"] {
        let error = refused(Reply::redirect(location), 1);
        assert!(
            matches!(&error, DownloadError::BadRedirect { location: said, .. } if **said == *location),
            "{error:?}"
        );
    }
}

#[test]
fn a_redirects_body_is_read_up_to_a_bound_so_that_its_connection_lives() {
    for (length, reusable) in [(16 * 1024, 2), (16 * 1024 + 1, 1), (1_000_000, 1)] {
        let mut world = world(Reply::redirect("/other").body(content(9, length)));
        world.net.script("http://h.example/other", [Reply::ok(content(1, 10))]);
        let id = world.download(URL);
        world.run();
        world.assert_complete(id, "file", &content(1, 10));
        assert_eq!(world.net.reusable_connections(), reusable, "a redirect of {length} bytes");
    }
}

#[test]
fn a_fetch_asks_for_the_file_as_it_is() {
    let mut world = world(Reply::ok(content(1, 10)));
    world.download(URL);
    world.run();
    let headers = &world.net.requests()[0].headers;
    assert_eq!(headers["accept-encoding"], "identity");
    assert_eq!(headers["user-agent"], Config::default().user_agent.as_str());
    assert!(!headers.contains_key("range"));
}

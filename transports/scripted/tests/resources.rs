//! A file that answers requests for a part of it.

use bytes::Bytes;
use dlmanager_core::testing::{Tickets, body_id, lane};
use dlmanager_core::{Answer, Event, Instant, NetAction, NetOp, op};
use dlmanager_scripted::{Resource, ScriptedTransport, content};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED};

const URL: &str = "http://origin.example/file";
const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// Status, range and body of the reply to these header fields, and how many requests the server was told came before.
fn asked(file: &Resource, fields: &[(&str, &str)]) -> (u16, Option<String>, Bytes) {
    let mut net = ScriptedTransport::new();
    let file = file.clone();
    net.serve(URL, move |request, earlier| {
        assert_eq!(earlier, 0);
        file.reply_to(request)
    });
    let (mut tickets, body, lane) = (Tickets::new(), body_id(1), lane(1));
    let mut request = http::Request::get(URL);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let ticket = tickets.ticket::<op::Fetch>();
    let request = Box::new(request.body(()).unwrap());
    net.start(Instant::ZERO, NetAction { lane, op: NetOp::Fetch { ticket, body, request } });
    let ticket = tickets.ticket::<op::ReadBody>();
    net.start(Instant::ZERO, NetAction { lane, op: NetOp::ReadBody { ticket, body, bytes_max: 1_000 } });
    let (mut head, mut chunk) = (None, None);
    while let Some(event) = net.next_event(Instant::ZERO) {
        if let Event::Completed(completion) = event {
            match completion.into_answer() {
                Answer::Fetch(Ok(reply)) => head = Some(reply),
                Answer::ReadBody(Ok(read)) => chunk = Some(read.data),
                other => panic!("{other:?}"),
            }
        }
    }
    let (head, chunk) = (head.unwrap(), chunk.unwrap());
    assert_eq!(net.body_bytes(), chunk.len() as u64);
    assert_eq!(head.headers[CONTENT_LENGTH].to_str().unwrap(), chunk.len().to_string());
    let range = head.headers.get(CONTENT_RANGE).map(|range| range.to_str().unwrap().to_owned());
    (head.status.as_u16(), range, chunk)
}

#[test]
fn a_part_is_given_to_who_has_this_version_or_does_not_say_which_he_has() {
    let file = Resource::new(content(1, 100)).header(ETAG, "\"a\"").header(LAST_MODIFIED, DATE);
    let (whole, rest) = (content(1, 100), content(1, 100).slice(40..));
    let range = ("range", "bytes=40-");
    assert_eq!(asked(&file, &[]), (200, None, whole.clone()));
    for validator in [None, Some("\"a\""), Some(DATE)] {
        let fields: Vec<_> =
            [Some(range), validator.map(|validator| ("if-range", validator))].into_iter().flatten().collect();
        assert_eq!(asked(&file, &fields), (206, Some("bytes 40-99/100".to_owned()), rest.clone()), "{validator:?}");
    }
    for validator in ["\"b\"", "W/\"a\"", "Thu, 01 Jan 2026 00:00:01 GMT"] {
        assert_eq!(asked(&file, &[range, ("if-range", validator)]), (200, None, whole.clone()), "{validator}");
    }
}

#[test]
fn a_weak_tag_tells_no_version() {
    let file = Resource::new(content(1, 100)).header(ETAG, "W/\"a\"");
    assert_eq!(asked(&file, &[("range", "bytes=40-"), ("if-range", "W/\"a\"")]).0, 200);
}

#[test]
fn a_part_that_begins_behind_the_end_is_none() {
    let file = Resource::new(content(1, 100));
    assert_eq!(asked(&file, &[("range", "bytes=99-")]).1.as_deref(), Some("bytes 99-99/100"));
    assert_eq!(asked(&file, &[("range", "bytes=100-")]), (416, Some("bytes */100".to_owned()), Bytes::new()));
}

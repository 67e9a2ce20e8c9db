//! With `--redact-queries`, what a query holds is sent to the server that it is for, and shown and noted nowhere.

use std::fs;

use dlmanager_origin::{At, Cut, Reply, Resource};

use crate::killed::asked_from;
use crate::support::{Bench, TRANSPORTS};

const MIB: u64 = 1 << 20;
const SECRET: &str = "90b7c5";

/// All that is kept in the work folder, as text.
fn noted(bench: &Bench) -> String {
    let entries = fs::read_dir(bench.path(".dlmanager")).unwrap();
    let records =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "rec"));
    records.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect()
}

#[test]
fn queries_are_sent_and_neither_shown_nor_noted_and_what_is_unfinished_is_known_again() {
    for (transport, output) in TRANSPORTS.into_iter().flat_map(|transport| [(transport, ""), (transport, "--json")]) {
        let bench = Bench::new();
        let resource = Resource::new(1, 4 * MIB);
        let cut = || resource.reply(1).cut_at(At::Body(2 * MIB), Cut::Fin);
        bench.origin.script("/a", vec![cut(), cut(), resource.reply(1), resource.reply(1)]);
        bench.origin.serve("/moved", Reply::redirect(302, &format!("{}?sig={SECRET}", bench.origin.url("/a"))));
        let options = format!("get --redact-queries --retries 0 --transport {transport} {output} -o a {{}}");

        let ran = bench.run(&format!("{options}/a?sig={SECRET}")).exits(1);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("/a?redacted") && !told.contains(SECRET), "{told}");
        let record = noted(&bench);
        assert!(record.contains("/a?redacted=") && !record.contains(SECRET), "{record:?}");

        // Another query is another resource.
        bench.run(&format!("{options}/a?sig=other")).exits(1);
        // The same one is gone on with.
        let ran = bench.run(&format!("{options}/moved?sig={SECRET}")).exits(0);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(SECRET), "{ran:?}");
        bench.assert_bytes("a", &resource.body(1));
        let seen = bench.origin.records().requests;
        let asked: Vec<_> =
            seen.iter().map(|request| (request.target.as_str(), asked_from(request).is_some())).collect();
        let (first, second) = (format!("/a?sig={SECRET}"), format!("/moved?sig={SECRET}"));
        assert_eq!(
            asked,
            [(&*first, false), ("/a?sig=other", false), (&*second, false), (&*first, false)],
            "{transport} {output}"
        );
    }
}

#[test]
fn a_signed_url_is_gone_on_with_although_its_query_is_not_noted() {
    for transport in TRANSPORTS {
        let bench = Bench::new();
        let resource = Resource::new(1, 4 * MIB);
        let cut = resource.reply(1).cut_at(At::Body(2 * MIB), Cut::Fin);
        bench.origin.script("/a", vec![cut, resource.reply(1)]);
        let line = format!("get --redact-queries --retries 0 --transport {transport} {{}}/a?sig={SECRET}");
        bench.run(&line).exits(1);
        assert!(!noted(&bench).contains(SECRET));
        bench.run(&line).exits(0);
        bench.assert_bytes("a", &resource.body(1));
        assert!(asked_from(&bench.origin.records().requests[1]).is_some(), "{transport} starts over");
    }
}

#[test]
fn a_url_that_makes_no_sense_is_told_without_its_query() {
    let bench = Bench::new();
    for (line, says) in [
        (format!("get --redact-queries ftp://localhost/a?sig={SECRET}"), "ftp://localhost/a?redacted"),
        (format!("get --redact-queries http://localhost/?sig={SECRET}"), "http://localhost/?redacted"),
    ] {
        let ran = bench.run(&line).exits(2).says(says);
        assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
    }
}

//! Both transports, plain and over TLS: the same program, the same story.

use dlmanager_origin::{At, Body, Cut, Reply, ServerCertificate};

use crate::support::{Bench, TRANSPORTS};

/// What happened, without what depends on time and port.
fn story(bench: &Bench, transport: &str, threads: usize) -> Vec<String> {
    let options = format!("-d {transport}.{threads} --transport {transport} --network-threads {threads}");
    let ran = bench.run(&format!("get --json {options} {{}}/cut {{}}/missing {{}}/whole -j 1"));
    let told = |event: &serde_json::Value| {
        let field = |name: &str| event.get(name).map(ToString::to_string).unwrap_or_default();
        let outcome = event.get("error").map_or_else(|| field("outcome"), |error| error["kind"].to_string());
        format!("{} {} {outcome} {}", field("event"), field("name"), field("bytes"))
    };
    let json = ran.exits(1).json();
    let mut events: Vec<_> = json.iter().filter(|event| event["event"] != "progress").collect();
    // Each download has its own order of events; how they mix is a matter of time.
    events.sort_by_key(|event| event["name"].to_string());
    events.into_iter().map(told).collect()
}

#[test]
fn both_transports_tell_the_same_story_of_the_same_script() {
    let bench = Bench::new();
    let body = bench.serve("/whole", 100_000);
    let cut = || Reply::body(Body::pattern(7, 50_000));
    let script = || vec![cut().cut_at(At::Body(20_000), Cut::Fin), cut()];
    let mut stories = Vec::new();
    for (transport, threads) in TRANSPORTS.into_iter().flat_map(|transport| [(transport, 1), (transport, 3)]) {
        bench.origin.script("/cut", script());
        stories.push(story(&bench, transport, threads));
        bench.assert_bytes(&format!("{transport}.{threads}/whole"), &body);
        bench.assert_bytes(&format!("{transport}.{threads}/cut"), &Body::pattern(7, 50_000));
    }
    assert!(stories.iter().all(|story| *story == stories[0]), "{stories:?}");
    assert!(stories[0].iter().any(|line| line.starts_with("\"retry\"")), "{stories:?}");
    assert!(stories[0].iter().any(|line| line.contains("\"missing\" \"status\"")), "{stories:?}");
}

#[test]
fn a_private_ca_is_trusted_when_it_is_given() {
    for transport in TRANSPORTS.into_iter().flat_map(|name| [name.to_owned(), format!("{name} --network-threads 2")]) {
        let bench = Bench::secured(ServerCertificate::Good);
        let body = bench.serve("/file", 300_000);
        let line = format!("get --transport {transport} --retries 0 {{}}/file");
        bench.run(&line).exits(1).says("--cacert");
        assert!(!bench.path("file").exists());
        bench.run(&format!("{line} --cacert ca.pem")).exits(0);
        bench.assert_bytes("file", &body);
    }
}

#[test]
fn what_does_not_verify_is_said() {
    for transport in TRANSPORTS {
        for (certificate, words) in [
            (ServerCertificate::WrongName, "wrong.example"),
            (ServerCertificate::Expired, "expired"),
            (ServerCertificate::NotYetValid, "not valid"),
            (ServerCertificate::OtherCa, "trust"),
        ] {
            let bench = Bench::secured(certificate);
            bench.serve("/file", 10);
            let line = format!("get --transport {transport} --cacert ca.pem {{}}/file");
            let ran = bench.run(&line).exits(1);
            assert!(ran.stderr.contains(words), "{transport}, {certificate:?}: {:?} is not in {:?}", words, ran.stderr);
            assert_eq!(bench.requests(), 0, "what may pass is tried again, a certificate may not");
        }
    }
}

#[test]
fn a_plain_server_on_the_tls_port_is_said_to_be_one() {
    for transport in TRANSPORTS {
        let bench = Bench::new();
        bench.serve("/file", 10);
        let url = bench.origin.url("/file").replace("http://", "https://");
        bench.run(&format!("get --transport {transport} --retries 0 {url}")).exits(1).says("is it a plain http port?");
    }
}

#[test]
fn a_server_of_tls_on_the_plain_port_is_said_to_be_one() {
    for transport in TRANSPORTS {
        let bench = Bench::secured(ServerCertificate::Good);
        bench.serve("/file", 10);
        let url = bench.origin.url("/file").replace("https://", "http://");
        bench.run(&format!("get --transport {transport} --retries 0 {url}")).exits(1).says("is it an https port?");
    }
}

#[test]
fn a_ca_file_that_is_none_is_said_before_anything_is_fetched() {
    let bench = Bench::secured(ServerCertificate::Good);
    bench.serve("/file", 10);
    bench.write("empty.pem", "");
    bench.write("text.pem", "no certificate");
    for file in ["missing.pem", "empty.pem", "text.pem"] {
        bench.run(&format!("get --cacert {file} {{}}/file")).exits(2).says(file);
    }
    assert_eq!(bench.requests(), 0);
}

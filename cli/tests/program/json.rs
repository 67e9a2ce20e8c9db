//! `--json`: complete, in order, one object a line.

use std::time::Duration;

use dlmanager_origin::{At, Body, Cut, Reply};
use serde_json::Value;

use crate::support::Bench;

fn of<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["name"] == name).collect()
}

fn kinds(events: &[&Value]) -> Vec<String> {
    let mut kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
    kinds.dedup();
    kinds
}

#[test]
fn each_download_is_told_from_its_start_to_its_end() {
    let bench = Bench::new();
    bench.serve("/whole", 700_000);
    bench.write("there", "12345");
    bench.origin.serve("/gone", Reply::empty(410));
    let ran = bench.run("get --json -q {}/whole {}/there {}/gone").exits(1);
    let events = ran.json();
    assert!(events.iter().all(|event| event["url"] == bench.origin.url(event["name"].as_str().unwrap())), "{ran:#?}");

    let whole = of(&events, "whole");
    assert_eq!(kinds(&whole), ["started", "progress", "finished"]);
    let counts: Vec<_> = whole.iter().filter(|event| event["event"] == "progress").collect();
    assert!(counts.iter().all(|event| event["total"] == 700_000), "{ran:#?}");
    let last = counts[counts.len() - 1];
    assert_eq!((&last["bytes"], &last["total"]), (&700_000.into(), &700_000.into()));
    let end = whole[whole.len() - 1];
    assert_eq!((&end["outcome"], &end["bytes"], &end["error"]), (&"complete".into(), &700_000.into(), &Value::Null));
    assert_eq!((&end["path"], &end["requests"]), (&"./whole".into(), &1.into()));
    assert_eq!(end["length_unverified"], false);

    let there = of(&events, "there");
    assert_eq!(kinds(&there), ["started", "finished"]);
    assert_eq!((&there[1]["outcome"], &there[1]["bytes"]), (&"present".into(), &5.into()));

    let gone = of(&events, "gone");
    assert_eq!(kinds(&gone), ["started", "finished"]);
    assert_eq!(
        (&gone[1]["outcome"], &gone[1]["path"], &gone[1]["bytes"]),
        (&"failed".into(), &Value::Null, &Value::Null)
    );
    assert_eq!(gone[1]["error"]["kind"], "status");
    assert_eq!(gone[1]["error"]["message"], "the server answered 410 (Gone)");
    assert_eq!(whole.len() + there.len() + gone.len(), events.len());
}

#[test]
fn a_retry_and_what_it_starts_over_are_told() {
    let bench = Bench::new();
    let body = Body::pattern(1, 100_000);
    // The break gives a progress report time to come.
    let broken = At::Body(60_000);
    let cut = Reply::body(body.clone()).pause_at(broken, Duration::from_millis(300)).cut_at(broken, Cut::Fin);
    bench.origin.script("/a", vec![cut, Reply::body(body.clone())]);
    let ran = bench.run("get --json {}/a").exits(0);
    let events = ran.json();
    let find =
        |kind: &str| events.iter().position(|event| event["event"] == kind).unwrap_or_else(|| panic!("{ran:#?}"));
    let (retry, rewound) = (&events[find("retry")], &events[find("rewound")]);
    assert_eq!((&retry["attempt"], &retry["error"]["kind"]), (&1.into(), &"network".into()));
    assert!(retry["delay_seconds"].as_f64().unwrap() <= 0.5);
    assert_eq!((&rewound["from"], &rewound["bytes"]), (&60_000.into(), &0.into()));
    assert_eq!(events.last().unwrap()["outcome"], "complete");
    bench.assert_bytes("a", &body);
    // The count falls nowhere else.
    let mut count = 0;
    for event in &events {
        match event["event"].as_str().unwrap() {
            "rewound" => count = 0,
            "progress" => {
                assert!(event["bytes"].as_u64().unwrap() >= count, "{ran:#?}");
                count = event["bytes"].as_u64().unwrap();
            }
            _ => {}
        }
    }
}

#[test]
fn evictions_are_told() {
    let bench = Bench::new();
    for name in ["a", "b"] {
        bench.serve(&format!("/{name}"), 100);
        let ran = bench.run(&format!("get --json -d out {{}}/{name} --size-limit 100 --file-limit 1")).exits(0);
        let events = ran.json();
        let evicted: Vec<_> = events.iter().filter(|event| event["event"] == "evicted").collect();
        if name == "a" {
            assert!(evicted.is_empty(), "{ran:#?}");
            continue;
        }
        assert_eq!(evicted.len(), 1, "{ran:#?}");
        let event = evicted[0];
        assert_eq!((&event["name"], &event["path"], &event["bytes"]), (&"a".into(), &"out/a".into(), &100.into()));
        assert_eq!(events.last().unwrap()["event"], "finished", "the end comes after the eviction that it caused");
    }
}

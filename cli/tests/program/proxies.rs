//! Proxies in the environment are not used, and that is said.

use std::net::TcpListener;

use crate::support::{Bench, PROXY_VARIABLES, Ran, TRANSPORTS};

/// How often standard error tells of a proxy.
fn told(ran: &Ran) -> usize {
    ran.stderr.lines().filter(|line| line.contains("proxy")).count()
}

#[test]
fn a_proxy_in_the_environment_is_not_used_and_that_is_said_once() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    for transport in TRANSPORTS {
        for variable in PROXY_VARIABLES {
            let bench = Bench::new();
            let bodies = ["a", "b", "c"].map(|name| (name, bench.serve(&format!("/{name}"), 1_000)));
            let line = format!("get --transport {transport} {{}}/a {{}}/b {{}}/c");
            let ran = Ran::of(bench.command(&line).env(variable, &address)).exits(0);
            assert_eq!(told(&ran), 1, "{ran:#?}");
            let first = ran.stderr.lines().next().unwrap();
            assert!(first.starts_with(&format!("warning: the proxy in {variable} is not used")), "{ran:#?}");
            for (name, body) in bodies {
                bench.assert_bytes(name, &body);
            }
            assert!(proxy.accept().is_err(), "nobody comes to the proxy");
        }
    }
}

#[test]
fn several_variables_are_one_warning_and_empty_ones_none() {
    let bench = Bench::new();
    bench.serve("/a", 10);
    let mut command = bench.command("get {}/a");
    let ran = Ran::of(command.env("https_proxy", "proxy:1").env("all_proxy", "proxy:2").env("http_proxy", "")).exits(0);
    assert_eq!(told(&ran), 1, "{ran:#?}");
    assert!(ran.stderr.contains("warning: the proxy in https_proxy, all_proxy is not used"), "{ran:#?}");
    let ran = Ran::of(bench.command("get {}/a").env("http_proxy", "").env("no_proxy", "*")).exits(0);
    assert_eq!(told(&ran), 0, "{ran:#?}");
}

#[test]
fn who_wants_errors_only_is_told_nothing_and_programs_find_nothing_among_their_events() {
    let bench = Bench::new();
    bench.serve("/a", 10);
    let ran = Ran::of(bench.command("get -q {}/a").env("http_proxy", "proxy:1")).exits(0);
    assert_eq!(ran.stderr, "");
    let ran = Ran::of(bench.command("get --json -d other {}/a").env("http_proxy", "proxy:1")).exits(0);
    assert_eq!(told(&ran), 1, "{ran:#?}");
    assert!(!ran.json().is_empty() && !ran.stdout.contains("proxy"), "{ran:#?}");
}

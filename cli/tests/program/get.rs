//! `get`: files, names, options that change how they are fetched.

use std::fs;
use std::time::{Duration, Instant};

use dlmanager_origin::{At, Body, Cut, Gate, Reply};

use crate::support::{Bench, DEADLINE, Ran};

#[test]
fn urls_become_files_byte_for_byte_and_nothing_else_is_left() {
    let bench = Bench::new();
    let bodies =
        [("/a.bin", 1_000_000), ("/b%20c.txt", 1), ("/empty", 0)].map(|(path, length)| bench.serve(path, length));
    let ran = bench.run("get -d out/deep {}/a.bin {}/b%20c.txt?x=1 {}/empty").exits(0);
    bench.assert_bytes("out/deep/a.bin", &bodies[0]);
    bench.assert_bytes("out/deep/b c.txt", &bodies[1]);
    bench.assert_bytes("out/deep/empty", &bodies[2]);
    assert_eq!(bench.names("out/deep"), ["a.bin", "b c.txt", "empty"]);
    let mut paths: Vec<_> = ran.stdout.lines().collect();
    paths.sort_unstable();
    assert_eq!(paths, ["out/deep/a.bin", "out/deep/b c.txt", "out/deep/empty"]);
}

#[test]
fn on_a_pipe_each_download_has_a_line_for_its_start_and_one_for_its_end() {
    let bench = Bench::new();
    for n in 0..8 {
        bench.serve(&format!("/f{n}"), 300_000);
    }
    let urls: Vec<_> = (0..8).map(|n| format!("{{}}/f{n}")).collect();
    let ran = bench.run(&format!("get {}", urls.join(" "))).exits(0);
    for n in 0..8 {
        let lines: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with(&format!("f{n}: "))).collect();
        assert_eq!(lines.len(), 2, "{ran:#?}");
        assert_eq!(lines[0], format!("f{n}: fetching, 292.97 KiB"));
        assert!(lines[1].starts_with(&format!("f{n}: fetched, 292.97 KiB in ")), "{ran:#?}");
    }
    assert_eq!(ran.stderr.lines().count(), 17);
    assert!(!ran.stderr.contains(['\x1b', '\r']), "{ran:#?}");
}

#[test]
fn output_names_the_file_and_may_hold_a_folder() {
    let bench = Bench::new();
    let body = bench.serve("/", 100);
    bench.run("get -o tools/x/tool.bin {}/").exits(0);
    bench.assert_bytes("tools/x/tool.bin", &body);
}

#[cfg(unix)]
#[test]
fn a_path_that_leads_through_something_else_than_a_folder_is_told_as_such() {
    let bench = Bench::new();
    bench.serve("/a", 100);
    bench.write("file", "mine");
    fs::create_dir(bench.path("folder")).unwrap();
    std::os::unix::fs::symlink("folder", bench.path("link")).unwrap();
    for name in ["file/a", "link/a", "link/below/a"] {
        for how in ["skip", "replace"] {
            let ran = bench.run(&format!("get -o {name} --if-present {how} {{}}/a")).exits(1);
            ran.says("a part of its path is a file, or a symbolic link, which is not followed: choose another name");
        }
    }
    assert!(bench.names("folder").is_empty());
}

#[test]
fn the_server_may_name_a_file_where_that_is_asked_and_no_name_given() {
    let bench = Bench::new();
    let body = Body::pattern(1, 2_000);
    let named = |field: &str| Reply::body(body.clone()).header("Content-Disposition", field);
    bench.origin.serve("/get", named("attachment; filename=\"tool 1.zip\""));
    bench.origin.serve("/bad", named("attachment; filename=\"../../up.zip\""));
    bench.origin.serve("/none", Reply::body(body.clone()));

    let ran = bench.run("get -d out --content-disposition {}/get?id=1 {}/none --json").exits(0);
    assert_eq!(bench.names("out"), ["none", "tool 1.zip"]);
    bench.assert_bytes("out/tool 1.zip", &body);
    let finished = ran.json().into_iter().filter(|event| event["event"] == "finished");
    let mut paths: Vec<_> = finished.map(|event| (event["name"].clone(), event["path"].clone())).collect();
    paths.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(paths, [("none", "out/none"), ("tool 1.zip", "out/tool 1.zip")].map(|(a, b)| (a.into(), b.into())));

    // Known by its URL, it is one download however often it is asked for; there already, it is left.
    bench.run("get -d out --content-disposition {}/get?id=1 {}/get?id=1").exits(0);
    bench.run("get -d out --content-disposition -o mine {}/get?id=1").exits(0);
    assert_eq!(bench.names("out"), ["mine", "none", "tool 1.zip"]);
    let ran = bench.run("get -d out --content-disposition {}/bad").exits(1);
    ran.says("it gets no name that can be used: the name \"../../up.zip\" has a separator").says("--output NAME");
    assert_eq!(bench.names("out"), ["mine", "none", "tool 1.zip"]);
}

#[test]
fn an_input_file_and_standard_input_name_urls_and_files() {
    let bench = Bench::new();
    let bodies = [bench.serve("/a", 10), bench.serve("/b", 20), bench.serve("/c", 30)];
    let url = |path| bench.origin.url(path);
    let list = format!("# a list\r\n{}\r\n\r\n  {} second.bin # b\n{0}", url("/a"), url("/b"));
    bench.write("list.txt", &list);
    bench.run("get -i list.txt {}/c -d out").exits(0);
    assert_eq!(bench.names("out"), ["a", "c", "second.bin"]);
    bench.assert_bytes("out/a", &bodies[0]);
    bench.assert_bytes("out/second.bin", &bodies[1]);
    bench.assert_bytes("out/c", &bodies[2]);
    assert_eq!(bench.requests(), 3, "a line that is repeated is one download");

    Ran::of(bench.command("get -i - -d more").write_stdin(list)).exits(0);
    assert_eq!(bench.names("more"), ["a", "second.bin"]);
    Ran::of(bench.command("get -i - -d none").write_stdin("# nothing\n")).exits(0);
}

#[test]
fn what_is_there_is_left_and_costs_no_request() {
    let bench = Bench::new();
    bench.serve("/a", 100);
    bench.write("a", "mine");
    let ran = bench.run("get {}/a").exits(0).says("a: there already, 4 B");
    assert_eq!(ran.stdout, "./a\n");
    assert_eq!((bench.read("a").as_str(), bench.requests()), ("mine", 0));
    bench.run("get {}/a --if-present skip").exits(0);
    assert_eq!((bench.read("a").as_str(), bench.requests()), ("mine", 0));
}

#[test]
fn replace_replaces_only_by_what_is_complete() {
    let bench = Bench::new();
    bench.write("a", "mine");
    let whole = Body::pattern(1, 100_000);
    for reply in [Reply::empty(404), Reply::body(whole.clone()).cut_at(At::Body(50_000), Cut::Fin), Reply::close()] {
        bench.origin.serve("/a", reply);
        bench.run("get {}/a --if-present replace --retries 0").exits(1).says("error: a: ");
        assert_eq!(bench.read("a"), "mine");
    }
    bench.origin.serve("/a", Reply::body(whole.clone()));
    bench.run("get {}/a --if-present replace").exits(0);
    bench.assert_bytes("a", &whole);
    assert_eq!(bench.names(""), ["a"]);
}

#[test]
fn one_that_fails_is_told_with_its_cause_and_the_others_go_on() {
    let bench = Bench::new();
    let body = bench.serve("/good", 5000);
    let reply = |body: &str| Reply::body(body);
    bench.origin.serve("/gone", Reply::empty(410));
    bench.origin.serve("/made", reply("x").status(201));
    bench.origin.serve("/ssh", Reply::raw("SSH-2.0-OpenSSH_9.9\r\n"));
    bench.origin.serve("/short", reply("0123456789").content_length(20));
    fs::create_dir(bench.path("folder")).unwrap();
    let ran = bench.run("get --retries 0 {}/gone {}/made {}/ssh {}/short {}/folder {}/good").exits(1);
    for text in
        ["gone: the server answered 410 (Gone)", "made: the server answered 201", "ssh: ", "short: ", "folder: "]
    {
        assert!(ran.stderr.contains(&format!("error: {text}")), "{text:?} is not in {ran:#?}");
    }
    assert!(ran.stderr.contains("1 fetched (4.88 KiB), 0 there already, 5 missing"), "{ran:#?}");
    assert_eq!(ran.stdout, "./good\n");
    bench.assert_bytes("good", &body);
    assert_eq!(bench.names(""), ["folder", "good"]);
}

#[test]
fn a_host_that_is_not_there_is_a_failure() {
    let bench = Bench::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    bench.run(&format!("get --retries 0 http://127.0.0.1:{port}/a")).exits(1).says("error: a: ");
    assert!(bench.names("").is_empty());
}

#[test]
fn retries_are_counted_and_told() {
    let bench = Bench::new();
    let body = Body::pattern(1, 10_000);
    let (cut, whole) = (Reply::body(body.clone()).cut_at(At::Body(1), Cut::Reset), Reply::body(body.clone()));
    bench.origin.script("/a", vec![cut.clone(), whole]);
    bench.run("get {}/a --retries 1").exits(0).says("a: attempt 1 failed, the next in ");
    bench.assert_bytes("a", &body);
    assert_eq!(bench.requests(), 2);

    bench.origin.serve("/b", cut);
    bench.run("get {}/b --retries 2").exits(1);
    bench.run("get {}/b --retries 0").exits(1);
    assert_eq!(bench.requests(), 2 + 3 + 1);
    assert_eq!(bench.names(""), ["a"]);
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let bench = Bench::new();
    bench.origin.serve("/head", Reply::body("x").stall_at(At::Start));
    bench.origin.serve("/body", Reply::body(Body::pattern(1, 10_000)).stall_at(At::Body(5_000)));
    let begun = Instant::now();
    let ran = bench.run("get --retries 0 --stall-timeout 300ms {}/head {}/body").exits(1);
    assert!(begun.elapsed() < Duration::from_secs(20), "well below the 30 s that hold where nothing is said");
    assert!(ran.stderr.contains("error: head: the reply did not begin in time"), "{ran:#?}");
    assert!(ran.stderr.contains("error: body: the body stalled"), "{ran:#?}");
    bench.run("get --timeout 300ms {}/body").exits(1).says("error: body: the download took longer than allowed");
    assert!(bench.names("").is_empty());
}

#[test]
fn a_file_that_is_too_long_is_not_fetched() {
    let bench = Bench::new();
    let body = bench.serve("/exact", 10 * 1024);
    bench.serve("/long", 10 * 1024 + 1);
    bench
        .run("get --max-file-size 10K {}/exact {}/long")
        .exits(1)
        .says("error: long: the file has 10241 bytes or more");
    bench.assert_bytes("exact", &body);
    assert_eq!(bench.names(""), ["exact"]);
}

#[test]
fn header_fields_are_sent() {
    let bench = Bench::new();
    bench.serve("/a", 1);
    let url = bench.origin.url("/a");
    let arguments =
        ["get", &url, "--header", "X-One: 1", "--header", "Authorization:Bearer a b", "--header", "User-Agent: me"];
    Ran::of(&mut bench.command_of(arguments)).exits(0);
    let request = bench.origin.records().requests[0].clone();
    assert_eq!(request.header("x-one"), Some("1"));
    assert_eq!(request.header("authorization"), Some("Bearer a b"));
    assert_eq!(request.header("user-agent"), Some("me"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
}

/// The origin holds all replies until so many are under way, and says how many there were at most.
fn peak(options: &str, expected: usize) -> usize {
    let bench = Bench::new();
    let gate = Gate::new();
    let urls: Vec<_> = (0..9).map(|n| format!("{{}}/f{n}")).collect();
    for n in 0..9 {
        bench.origin.serve(&format!("/f{n}"), Reply::body("x").gate_at(At::Start, &gate));
    }
    let mut command = bench.command(&format!("get {options} {}", urls.join(" ")));
    std::thread::scope(|scope| {
        let ran = scope.spawn(|| Ran::of(&mut command));
        assert!(gate.wait_reached(expected, DEADLINE));
        gate.open();
        ran.join().unwrap().exits(0);
    });
    bench.origin.records().connections.peak
}

#[test]
fn jobs_and_per_host_bound_what_runs_at_once() {
    assert_eq!(peak("", 6), 6);
    assert_eq!(peak("--jobs 2", 2), 2);
    assert_eq!(peak("-j 3 --per-host 9", 3), 3);
    assert_eq!(peak("-j 9 --per-host 4", 4), 4);
    assert_eq!(peak("-j 9 --per-host 9", 9), 9);
}

#[test]
fn nothing_unfinished_is_visible_while_a_file_is_fetched() {
    let bench = Bench::new();
    let (gate, body) = (Gate::new(), Body::pattern(1, 1_000_000));
    bench.origin.serve("/a", Reply::body(body.clone()).gate_at(At::Body(900_000), &gate));
    let mut command = bench.command("get {}/a -d out");
    std::thread::scope(|scope| {
        let ran = scope.spawn(|| Ran::of(&mut command));
        assert!(gate.wait_reached(1, DEADLINE));
        assert!(bench.names("out").iter().all(|name| name == ".dlmanager"), "{:?}", bench.names("out"));
        gate.open();
        ran.join().unwrap().exits(0);
    });
    assert_eq!(bench.names("out"), ["a"]);
    bench.assert_bytes("out/a", &body);
}

#[test]
fn quiet_keeps_the_errors_and_the_paths() {
    let bench = Bench::new();
    bench.serve("/a", 1000);
    let ran = bench.run("get -q {}/a").exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("./a\n", ""));
    let ran = bench.run("get --quiet {}/a {}/missing").exits(1);
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:#?}");
    ran.says("error: missing: the server answered 404 (Not Found)");
}

#[test]
fn what_says_nothing_of_its_length_is_taken_with_a_warning() {
    let bench = Bench::new();
    bench.origin.serve("/a", Reply::body("some body").until_close());
    bench.origin.serve("/b", Reply::body("coded").header("Content-Encoding", "gzip"));
    let ran = bench.run("get {}/a {}/b").exits(0).says("warning: a: nothing said how long the file is");
    ran.says("warning: b: the server sent it in the coding \"gzip\"");
    assert_eq!((bench.read("a").as_str(), bench.read("b").as_str()), ("some body", "coded"));
}

#[test]
fn each_durability_and_what_holds_now_are_accepted() {
    let bench = Bench::new();
    for (n, durability) in ["none", "data", "full"].into_iter().enumerate() {
        let body = bench.serve(&format!("/f{n}"), 1000);
        let options = "--resume never --transport hyper --connect-timeout 2m";
        bench.run(&format!("get {{}}/f{n} --durability {durability} {options}")).exits(0);
        bench.assert_bytes(&format!("f{n}"), &body);
    }
}

#[test]
fn what_a_server_says_does_nothing_to_the_terminal() {
    let bench = Bench::new();
    let location = "ftp://\u{1b}]0;x\u{7}/\u{202e}\u{9b}31m";
    bench
        .origin
        .serve("/a", Reply::empty(302).line(format!("Location: {}", location.replace(['\u{1b}', '\u{7}'], ""))));
    bench.origin.serve("/b", Reply::raw("\u{1b}[2J\u{9b}31m\r\n\r\n"));
    let ran = bench.run("get --retries 0 {}/a {}/b").exits(1);
    assert!(!ran.stderr.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{ran:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_is_a_failure_and_a_closed_one_is_not() {
    use std::process::{Command, Stdio};

    use crate::support::program;

    let bench = Bench::new();
    let body = bench.serve("/a", 1000);
    let run = |stdout: Stdio, dir: &str| {
        let mut command = Command::new(program());
        command.current_dir(bench.path("")).args(["get", "--json", "-d", dir, &bench.origin.url("/a")]);
        command.stdout(stdout).output().unwrap()
    };
    let full = run(fs::File::options().write(true).open("/dev/full").unwrap().into(), "full");
    let stderr = String::from_utf8_lossy(&full.stderr);
    assert!(full.status.code() == Some(1) && stderr.contains("cannot write to standard output"), "{full:?}");
    bench.assert_bytes("full/a", &body);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = run(writer.into(), "closed");
    assert_eq!(closed.status.code(), Some(0), "{closed:?}");
    bench.assert_bytes("closed/a", &body);
}

#[test]
fn a_long_list_is_fetched_whole() {
    let bench = Bench::new();
    let body = bench.serve("/f", 2000);
    let list: String =
        (0..500).map(|n| format!("{} d{}/f{n}\n", bench.origin.url(&format!("/f?{n}")), n % 7)).collect();
    let started = Instant::now();
    let ran = Ran::of(bench.command("get -i - -d out").write_stdin(list)).exits(0);
    assert_eq!(ran.stdout.lines().count(), 500);
    for n in 0..500 {
        bench.assert_bytes(&format!("out/d{}/f{n}", n % 7), &body);
    }
    assert_eq!(bench.requests(), 500);
    assert!(started.elapsed() < DEADLINE.min(Duration::from_secs(40)));
}

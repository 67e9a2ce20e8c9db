//! What is known to be wrong before anything is fetched: exit code 2, the cause, the place, and nothing happens.

use crate::support::{Bench, Ran};

/// Arguments of `get`, and what standard error has to say.
const TABLE: &[(&str, &[&str])] = &[
    ("get", &["URL", "--input-file"]),
    ("get {}/", &["the URL does not end in a file name", "(to name the file yourself: --output NAME)"]),
    ("get {}/a {}/", &["(to name the file yourself: a line with a name after the URL, in --input-file)"]),
    ("get -i list {}/", &["(to name the file yourself: a line with a name after the URL, in --input-file)"]),
    ("get -i unnamed", &["unnamed:1: ", "(to name the file yourself: a name after the URL)"]),
    ("get {}/dir/", &["the URL does not end in a file name"]),
    ("get {}", &["the URL does not end in a file name"]),
    ("get ftp://127.0.0.1/a", &["scheme \"ftp\"", "only http"]),
    ("get file:///etc/passwd", &["scheme \"file\""]),
    ("get example.org/a", &["is not a URL", "http://"]),
    ("get localhost:80/a", &["http://"]),
    ("get http://", &["is not a URL"]),
    ("get http://[::1/a", &["is not a URL"]),
    ("get http://127.0.0.1:99999/a", &["is not a URL"]),
    ("get {}/a%2Fb", &["separator"]),
    ("get {}/a%5Cb", &["separator"]),
    ("get {}/a%00b", &["control character"]),
    ("get {}/a%0Ab", &["control character"]),
    ("get {}/%FF", &["not UTF-8"]),
    ("get {}/%2e%2e", &["error: "]),
    ("get {}/.hidden", &["begins with a dot"]),
    ("get {}/NUL.txt", &["device name"]),
    ("get {}/a%20", &["ends in a dot or a space"]),
    ("get {}/.dlmanager", &["unfinished files"]),
    ("get {}/a -o ../b", &["component '.' or '..'"]),
    ("get {}/a -o ..", &["component '.' or '..'"]),
    ("get {}/a -o .", &["component '.' or '..'"]),
    ("get {}/a -o a/../../b", &["component '.' or '..'"]),
    ("get {}/a -o /b", &["empty component", "relative to --dir"]),
    ("get {}/a -o a//b", &["empty component"]),
    ("get {}/a -o b/", &["empty component"]),
    ("get {}/a -o a\\b", &["separator"]),
    ("get {}/a -o C:b", &["separator"]),
    ("get {}/a -o con", &["device name"]),
    ("get {}/a -o .dlmanager/x", &["unfinished files"]),
    ("get {}/a {}/b -o c", &["--output", "several"]),
    ("get -i list -o c", &["--output", "--input-file"]),
    ("get -i missing", &["missing"]),
    ("get {}/x/a {}/y/a", &["\"a\" is taken already", "another name"]),
    ("get -i twice", &["twice:3: ", "\"a\" is taken already, in line 1"]),
    (
        "get -i folders",
        &["folders:2: \"a\" would have to be a folder for \"a/b\", and in line 1, \"a\" is the name of a file: "],
    ),
    ("get -i cased", &["cased:2: the name \"Readme\" differs only in case from \"README\", in line 1, for http://"]),
    ("get {}/x/README {}/y/Readme", &["the name \"Readme\" differs only in case from \"README\", for http://"]),
    (
        "get -i cased-folders",
        &["cased-folders:2: \"A\" would have to be a folder for \"A/b\", and in line 1, \"a\" is the"],
    ),
    (
        "get -i controls",
        &[
            "controls:1: \"http://",
            "/z\\u{1}\" has a control character (U+0001)",
            "controls:2: ",
            "controls:3: ",
            "U+000B",
        ],
    ),
    ("get -i controls", &["controls:4: ", "U+000D", "controls:5: ", "U+000C"]),
    ("get -i bad", &["bad:2: ", "is not a URL", "bad:3: ", "separator", "bad:5: ", "scheme"]),
    ("get -i sums", &["sums:1: ", "sha256 has 64 hexadecimal digits", "sums:2: ", "none of sha256"]),
    ("get -i others", &["others:3: ", "\"a\" has another checksum already, in line 2", "md5:aaaa"]),
    ("get {}/a -d file", &["file is not a directory"]),
    ("get {}/a -d file/below", &["file is not a directory"]),
    ("get {}/a --size-limit 10X", &["--size-limit", "10GiB"]),
    ("get {}/a --size-limit=-1", &["--size-limit"]),
    ("get {}/a --size-limit", &["--size-limit"]),
    ("get {}/a --max-file-size 0", &["--max-file-size", "at least 1 byte"]),
    ("get {}/a --file-limit 3", &["--size-limit"]),
    ("get {}/a --size-limit 1 --file-limit x", &["--file-limit"]),
    ("get {}/a --timeout soon", &["--timeout", "30s"]),
    ("get {}/a --stall-timeout 0s", &["--stall-timeout", "more than zero"]),
    ("get {}/a --connect-timeout=-1s", &["--connect-timeout"]),
    ("get {}/a -j 0", &["--jobs"]),
    ("get {}/a --per-host 0", &["--per-host"]),
    ("get {}/a --jobs many", &["--jobs"]),
    ("get {}/a --retries=-1", &["--retries"]),
    ("get {}/a --header nothing", &["--header", "Name: value"]),
    ("get {}/a --header Range:bytes=0-1", &["--header", "\"range\" cannot be set"]),
    ("get {}/a --if-present maybe", &["--if-present"]),
    ("get {}/a --durability some", &["--durability"]),
    ("get {}/a --checksum sha256:00", &["--checksum", "sha256 has 64 hexadecimal digits"]),
    ("get {}/a --checksum sha256:00", &["'sha256:00' for '--checksum <ALGO:HEX>': sha256 has"]),
    ("get {}/a --max-age 0", &["--max-age", "more than zero"]),
    ("get {}/a --max-age 12345678901234567890w", &["--max-age", "too long"]),
    ("get {}/a --checksum d41d8cd98f00b204e9800998ecf8427e", &["--checksum", "ALGORITHM:HEX"]),
    ("get {}/a {}/b --checksum md5:d41d8cd98f00b204e9800998ecf8427e", &["--checksum", "several", "--input-file"]),
    ("get -i list --checksum md5:d41d8cd98f00b204e9800998ecf8427e", &["--checksum", "--input-file"]),
    ("get {}/a --cacert no-such-file", &["--cacert", "no-such-file"]),
    ("get {}/a --proxy http://127.0.0.1:1", &["--proxy is not there yet"]),
    ("get {}/a --resume sometimes", &["--resume", "across-runs"]),
    ("get {}/a --transport pigeon", &["--transport", "pigeon"]),
    ("get {}/a --if-present revalidate", &["--if-present revalidate is not there yet"]),
    ("get {}/a --no-such-option", &["--no-such-option"]),
    ("fetch {}/a", &["fetch"]),
    ("", &["Usage"]),
];

#[test]
fn each_is_told_and_nothing_is_fetched_or_made() {
    let bench = Bench::new();
    bench.serve("/a", 10);
    bench.write("file", "mine");
    let url = |path: &str| bench.origin.url(path);
    bench.write("list", &url("/a"));
    bench.write("twice", &format!("{}\n# comment\n{}\n", url("/x/a"), url("/y/a")));
    bench.write("folders", &format!("{}\n{} a/b\n", url("/a"), url("/b")));
    bench.write("unnamed", &url("/"));
    bench.write("cased", &format!("{}\n{}\n", url("/README"), url("/Readme")));
    bench.write("cased-folders", &format!("{}\n{} A/b\n", url("/a"), url("/b")));
    let controls = ["z\x01", "z\0", "z\x0b", "z\rz", "z sha256:00\x0c"];
    bench.write("controls", &controls.map(|end| url(&format!("/{end}\r\n"))).concat());
    bench.write("bad", &format!("{}\nnot-a-url\n{1} a\\b\n{1} ok\ngopher://x/a b\n", url("/a"), url("/b")));
    bench.write("sums", &format!("{0} a sha256:00\n{0} b crc:00\n", url("/a")));
    let (a, b) = ("a".repeat(32), "b".repeat(32));
    bench.write("others", &format!("{0}\n{0} md5:{a}\n{0} a md5:{b}\n", url("/a")));
    let names = bench.names("");
    for (line, says) in TABLE {
        // Of a repeated option the last one wins, so that a directory of the line's own stands.
        let line = if line.starts_with("get ") { line.replacen("get ", "get -d out ", 1) } else { (*line).to_owned() };
        let ran = bench.run(&line).exits(2);
        for text in *says {
            assert!(ran.stderr.contains(text), "{line}: {text:?} is not in {ran:#?}");
        }
        assert_eq!(ran.stdout, "", "{line}");
        assert_eq!(bench.names(""), names, "{line}");
    }
    assert_eq!((bench.read("file").as_str(), bench.requests()), ("mine", 0));
}

#[test]
fn what_is_very_long_is_not_told_whole() {
    let bench = Bench::new();
    let long = "x".repeat(1_000_000);
    let lines =
        ["gopher://h/LONG", "http://h/LONG", "http://h/LONG/", "http://h/a LONG", "http://h/a a a:LONG LONG", "LONG"];
    for line in
        lines.into_iter().chain(["http://h/a md5:LONG", "http://h/LONG/a\nhttp://h/LONG/b/a", "http://h/\x01LONG"])
    {
        bench.write("long", &line.replace("LONG", &long));
        let ran = bench.run("get -i long").exits(2);
        assert!(ran.stderr.starts_with("error: long:") && ran.stderr.len() < 2_000, "{line}: {:.3000}", ran.stderr);
    }
    bench.write("long", &bench.origin.url(&format!("/missing?{}", &long[..10_000])));
    let ran = bench.run("get -i long --retries 0").exits(1);
    assert!(ran.stderr.len() < 2_000, "{:.3000}", ran.stderr);
}

#[test]
fn names_of_one_url_may_differ_in_case_and_comments_may_hold_anything() {
    let bench = Bench::new();
    let body = bench.serve("/a", 10);
    bench.write("list", &format!("{0} README # \x01\n{0} readme\n{0}\tb\r\n#\x1b\0\n", bench.origin.url("/a")));
    bench.run("get -d out -i list").exits(0);
    for name in ["README", "readme", "b"] {
        bench.assert_bytes(&format!("out/{name}"), &body);
    }
}

#[test]
fn a_limit_on_this_very_directory_is_refused_with_json_too() {
    let bench = Bench::new();
    bench.write("file", "mine");
    let ran = bench.run("get --json {}/a --size-limit 1").exits(2).says("\"file\" for one");
    assert_eq!((ran.stdout.as_str(), bench.requests()), ("", 0));
    assert_eq!(bench.names(""), ["file"]);
}

#[test]
fn help_and_version_are_no_misuse() {
    let bench = Bench::new();
    for line in ["--help", "-h", "--version", "get --help", "evict --help", "list --help", "demo --help", "help get"] {
        let ran = bench.run(line).exits(0);
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{line}: {ran:#?}");
    }
    let help = bench.run("get --help").stdout;
    for text in ["powers of 1024", "130", "[default: across-runs]", "blake3", "not there yet", "--content-disposition"]
    {
        assert!(help.contains(text), "{text:?} is not in {help}");
    }
}

#[test]
fn of_a_repeated_option_the_last_wins() {
    let bench = Bench::new();
    bench.serve("/a", 10);
    bench.run("get {}/a -d x -d out -o y -o b --retries 1 --retries 0 -q -q --json --json").exits(0);
    assert_eq!((bench.names("out"), bench.path("x").exists()), (vec!["b".to_owned()], false));
}

#[cfg(unix)]
#[test]
fn a_line_and_an_argument_that_are_not_utf_8_are_told() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let bench = Bench::new();
    Ran::of(bench.command("get -i -").write_stdin(b"http://127.0.0.1/a\n\xff\n".as_slice()))
        .exits(2)
        .says("standard input:2:");
    Ran::of(&mut bench.command_of([OsStr::new("get"), OsStr::from_bytes(b"http://127.0.0.1/\xff")])).exits(2);
}

//! `--checksum`, and checksums in an input file.

use dlmanager_origin::Reply;
use serde_json::Value;

use crate::support::Bench;

/// Of `abc`: RFC 1321, FIPS 180-4 and the test vectors of BLAKE3.
const ABC: [&str; 5] = [
    "md5:900150983cd24fb0d6963f7d28e17f72",
    "sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80\
     e2a9ac94fa54ca49f",
    "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
];
const OTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.origin.serve("/abc", Reply::body("abc"));
    bench
}

#[test]
fn each_algorithm_is_verified_in_any_case_of_letters_and_told() {
    let bench = bench();
    for digest in ABC {
        let (algorithm, hex) = digest.split_once(':').unwrap();
        for (given, outcome) in
            [(digest.to_owned(), "complete"), (format!("{algorithm}:{}", hex.to_uppercase()), "present")]
        {
            let ran = bench.run(&format!("get --json {{}}/abc -o {algorithm} --checksum {given}")).exits(0);
            let end = ran.json().pop().unwrap();
            assert_eq!((&end["outcome"], &end["digest"]), (&outcome.into(), &digest.into()), "{ran:#?}");
        }
    }
    assert_eq!(bench.requests(), ABC.len());
    bench
        .run(&format!("get {{}}/abc --checksum {}", ABC[2]))
        .exits(0)
        .says("abc: fetched, 3 B in ")
        .says(", sha256 verified");
    let end = bench.run("get --json {}/abc -o unasked").exits(0).json().pop().unwrap();
    assert_eq!(end["digest"], Value::Null);
}

#[test]
fn a_file_that_is_another_one_is_dropped_and_both_digests_are_shown() {
    let bench = bench();
    let ran = bench.run(&format!("get --json {{}}/abc --checksum {OTHER}")).exits(1);
    let shown = format!("error: abc: what was fetched is {}, not {OTHER}, and was dropped", ABC[2]);
    assert!(ran.stderr.contains(&shown), "{ran:#?}");
    let end = ran.json().pop().unwrap();
    assert_eq!((&end["outcome"], &end["error"]["kind"]), (&"failed".into(), &"checksum-mismatch".into()));
    assert_eq!((&end["digest"], &end["path"]), (&Value::Null, &Value::Null));
    assert!(bench.names("").is_empty());
}

#[test]
fn where_the_server_said_what_the_file_should_be_that_is_told() {
    let bench = Bench::new();
    let zeros = format!("sha-256=:{}=:", "A".repeat(43));
    bench.origin.serve("/abc", Reply::body("abc").header("Repr-Digest", &zeros));
    let shown = format!("what was fetched is {}, not {OTHER} as the server itself said, and was dropped", ABC[2]);
    bench.run("get {}/abc").exits(1).says(&shown);
    bench.run(&format!("get {{}}/abc --checksum {}", ABC[0])).exits(1).says(&shown);
    assert!(bench.names("").is_empty());
}

#[test]
fn a_file_that_is_there_and_another_one_stays_and_it_is_said_how_to_replace_it() {
    let bench = bench();
    bench.write("abc", "mine");
    let line = format!("get --json {{}}/abc --checksum {}", ABC[2]);
    let ran =
        bench.run(&line).exits(1).says("error: abc: the file that is there is sha256:").says("--if-present replace");
    assert!(ran.stderr.contains(ABC[2]), "{ran:#?}");
    assert_eq!(ran.json().pop().unwrap()["error"]["kind"], "present-mismatch");
    assert_eq!((bench.read("abc").as_str(), bench.requests()), ("mine", 0));
    bench.run(&format!("{line} --if-present replace")).exits(0);
    assert_eq!(bench.read("abc"), "abc");
    bench.run(&format!("{line} --if-present replace")).exits(0);
    assert_eq!(bench.requests(), 1, "what is right already is not fetched again");
}

#[test]
fn a_line_of_an_input_file_may_end_in_a_checksum() {
    let bench = bench();
    let url = bench.origin.url("/abc");
    let [md5, .., blake3] = ABC;
    bench.write("list", &format!("{url} {md5}\n{url}\n{url} b {blake3} # named\n{url} c {OTHER}\n"));
    let ran = bench.run("get --json -d out -i list").exits(1);
    let digest = |name: &str| {
        let mut events = ran.json().into_iter();
        events.find(|event| event["event"] == "finished" && event["name"] == name).unwrap()["digest"].clone()
    };
    assert_eq!((digest("abc"), digest("b"), digest("c")), (md5.into(), blake3.into(), Value::Null));
    assert_eq!(bench.names("out"), ["abc", "b"]);
}

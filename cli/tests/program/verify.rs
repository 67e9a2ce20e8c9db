//! `verify`

use std::fs;

use crate::support::Bench;

const DIGEST: &str = "sha256:b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"; // of "foo\n"

fn fetched(bench: &Bench) {
    bench.origin.serve("/a", dlmanager_origin::Reply::body("foo\n"));
    bench.origin.serve("/b", dlmanager_origin::Reply::body("bar"));
    bench.run(&format!("get -d cache --checksum {DIGEST} {{}}/a")).exits(0);
    bench.run("get -d cache {}/b").exits(0);
}

/// Whether the file system keeps attributes of files: some have none, and then nothing is recorded.
fn keeps_attributes(bench: &Bench) -> bool {
    let keeps = bench.run("verify -d cache --json a").json()[0]["outcome"] == "matches";
    if !keeps {
        eprintln!("skipped: {} keeps no attributes of files", bench.path("cache").display());
    }
    keeps
}

#[test]
fn a_file_is_held_to_the_digest_that_it_was_fetched_with() {
    let bench = Bench::new();
    fetched(&bench);
    if !keeps_attributes(&bench) {
        return;
    }
    let ran = bench.run("verify -d cache").exits(0);
    ran.says(&format!("a: {DIGEST}")).says("1 match, 0 differ, 1 unrecorded, 0 unreadable");
    let accessed = fs::metadata(bench.path("cache/a")).unwrap().accessed().unwrap();
    assert_eq!(bench.run("verify -q -d cache").exits(0).stderr, "");
    assert_eq!(fs::metadata(bench.path("cache/a")).unwrap().accessed().unwrap(), accessed, "it is no access");
    // What was named is asked for.
    let ran = bench.run("verify -d cache b").exits(1).says("b: nothing is recorded of it");
    ran.says("0 match, 0 differ, 1 unrecorded, 0 unreadable");

    let mut file = fs::File::options().write(true).open(bench.path("cache/a")).unwrap();
    std::io::Write::write_all(&mut file, b"fob").unwrap();
    let ran = bench.run("verify -d cache").exits(1).says("error: a: it is sha256:").says(&format!("and was {DIGEST}"));
    ran.says("0 match, 1 differ, 1 unrecorded, 0 unreadable");
    let object = &bench.run("verify -d cache --json a").exits(1).json()[0];
    assert_eq!((&object["outcome"], &object["expected"][0]), (&"differs".into(), &DIGEST.into()));
}

#[test]
fn all_is_what_is_hidden_or_in_sub_folders_too_and_nothing_through_links() {
    let bench = Bench::new();
    fetched(&bench);
    if !keeps_attributes(&bench) {
        return;
    }
    for name in ["s/f", "s/.deep/f", ".hid"] {
        bench.run(&format!("get -d cache --checksum {DIGEST} -o {name} {{}}/a")).exits(0);
    }
    bench.write("cache/s/mine", "mine");
    bench.write("cache/.mine", "mine");
    fs::create_dir(bench.path("cache/.dlmanager")).unwrap();
    bench.write("cache/.dlmanager/part", "unfinished");
    fs::create_dir(bench.path("elsewhere")).unwrap();
    bench.write("elsewhere/f", "not below it");
    #[cfg(unix)]
    for (link, target) in [("cache/link", "../elsewhere"), ("cache/s/link", "../a"), ("cache/s/up", "..")] {
        std::os::unix::fs::symlink(target, bench.path(link)).unwrap();
    }
    bench.run("verify -d cache").exits(0).says("4 match, 0 differ, 3 unrecorded, 0 unreadable");
    for name in ["s/f", "s/.deep/f", ".hid"] {
        fs::File::options().write(true).open(bench.path("cache").join(name)).unwrap().set_len(2).unwrap();
    }
    let ran = bench.run("verify -d cache --json").exits(1).says("1 match, 3 differ, 3 unrecorded, 0 unreadable");
    let objects = ran.json();
    let told: Vec<_> =
        objects.iter().map(|object| (object["name"].as_str().unwrap(), object["outcome"].as_str().unwrap())).collect();
    let expected = [
        (".hid", "differs"),
        (".mine", "unknown"),
        ("a", "matches"),
        ("b", "unknown"),
        ("s/.deep/f", "differs"),
        ("s/f", "differs"),
        ("s/mine", "unknown"),
    ];
    assert_eq!(told, expected);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_is_an_error() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    fetched(&bench);
    let locked = bench.path("cache/locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let ran = crate::child::Running::start_bound(&bench, "verify -d cache").end().exits(1);
    ran.says("error: locked: cannot read the folder: ").says("0 differ").says("1 unreadable");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn it_goes_where_the_file_goes_and_ends_with_it() {
    let bench = Bench::new();
    fetched(&bench);
    if !keeps_attributes(&bench) {
        return;
    }
    fs::rename(bench.path("cache/a"), bench.path("cache/c")).unwrap();
    bench.write("cache/a", "another");
    bench.run("verify -d cache c").exits(0);
    bench.run("verify -d cache a").exits(1).says("nothing is recorded");
}

#[test]
fn what_is_not_there_is_an_error_and_what_is_no_name_a_misuse() {
    let bench = Bench::new();
    fetched(&bench);
    bench.run("verify -d cache missing").exits(1).says("error: missing: not found").says("1 unreadable");
    bench.run("verify -d cache ../a").exits(2);
    bench.run("verify -d nowhere").exits(2).says("nowhere");
    for line in ["pin", "unpin"] {
        bench.run(&format!("{line} -d nowhere a")).exits(2).says("nowhere");
        bench.run(&format!("{line} -d cache ../a")).exits(2);
        bench.run(&format!("{line} -d cache")).exits(2).says("NAME");
    }
    bench.run("pin -d cache missing").exits(1).says("cannot pin missing: not found");
    bench.run("unpin -d cache a").exits(0).says("a was not pinned");
}

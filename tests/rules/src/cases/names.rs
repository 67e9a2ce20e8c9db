//! Under what name a file may come to be, and where.

use std::fs;

use dlmanager::{AdmitError, DownloadError, IfPresent, NameRule};
use dlmanager_origin::{Body, Reply};

use crate::bench::{Bench, body, close};
use crate::case::{Case, Rule};
use crate::folder::symlink;

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A file is named by the last segment of the URL, decoded once",
        cases: &[
            Case { name: "a plain name", check: |bench| named(bench, "/a/tool.tar.xz", "tool.tar.xz") },
            Case { name: "an escaped blank", check: |bench| named(bench, "/a%20b", "a b") },
            Case { name: "a plus stays one", check: |bench| named(bench, "/a+b", "a+b") },
            Case { name: "escaped twice", check: |bench| named(bench, "/a%252Fb", "a%2Fb") },
            Case { name: "dots escaped twice", check: |bench| named(bench, "/%252e%252e", "%2e%2e") },
            Case { name: "letters of other scripts", check: |bench| named(bench, "/%E6%96%87%C3%A9", "文é") },
            Case { name: "a query is not part of it", check: |bench| named(bench, "/file?name=../x", "file") },
            Case { name: "a fragment is not part of it", check: |bench| named(bench, "/file#/../x", "file") },
            Case { name: "parameters are", check: |bench| named(bench, "/file;v=1", "file;v=1") },
            Case {
                name: "255 bytes",
                check: |bench| {
                    let name = "x".repeat(255);
                    named(bench, &format!("/{name}"), &name);
                },
            },
        ],
    },
    Rule {
        text: "A URL whose last segment is no name on some system is refused before anything is asked",
        cases: &[
            Case { name: "an escaped slash", check: |bench| refused(bench, "/a%2Fb", NameRule::Separator) },
            Case { name: "an escaped backslash", check: |bench| refused(bench, "/a%5Cb", NameRule::Separator) },
            Case { name: "up, escaped", check: |bench| refused(bench, "/..%2Ffile", NameRule::Separator) },
            Case { name: "a drive", check: |bench| refused(bench, "/C%3Afile", NameRule::Separator) },
            Case { name: "a stream", check: |bench| refused(bench, "/file:stream", NameRule::Separator) },
            Case { name: "none", check: |bench| refused(bench, "/folder/", NameRule::Missing) },
            Case {
                name: "dots, which the URL resolves",
                check: |bench| refused(bench, "/a/%2e%2e", NameRule::Missing),
            },
            Case { name: "a zero byte", check: |bench| refused(bench, "/a%00b", NameRule::Control) },
            Case { name: "a line break", check: |bench| refused(bench, "/a%0Ab", NameRule::Control) },
            Case {
                name: "text that turns around",
                check: |bench| refused(bench, "/a%E2%80%AEfdp.exe", NameRule::Control),
            },
            Case { name: "bytes that are not UTF-8", check: |bench| refused(bench, "/a%FFb", NameRule::NotUtf8) },
            Case { name: "a device", check: |bench| refused(bench, "/NUL", NameRule::Device) },
            Case { name: "a device with an extension", check: |bench| refused(bench, "/com1.txt", NameRule::Device) },
            Case { name: "a dot at the end", check: |bench| refused(bench, "/file.", NameRule::TrailingDotOrSpace) },
            Case {
                name: "a blank at the end",
                check: |bench| refused(bench, "/file%20", NameRule::TrailingDotOrSpace),
            },
            Case { name: "a wildcard", check: |bench| refused(bench, "/fi*le", NameRule::Reserved) },
            Case { name: "a hidden one", check: |bench| refused(bench, "/.bashrc", NameRule::Hidden) },
            Case { name: "the work folder", check: |bench| refused(bench, "/.dlmanager", NameRule::WorkFolder) },
            Case {
                name: "256 bytes",
                check: |bench| refused(bench, &format!("/{}", "x".repeat(256)), NameRule::TooLong),
            },
        ],
    },
    Rule {
        text: "A name that is given is held to the same rules, but may have folders and be hidden",
        cases: &[
            Case { name: "folders", check: |bench| given(bench, "a/b/file") },
            Case { name: "hidden", check: |bench| given(bench, ".config/file") },
            Case { name: "up", check: |bench| given_badly(bench, "../file", NameRule::Dots) },
            Case { name: "up and down", check: |bench| given_badly(bench, "a/../../file", NameRule::Dots) },
            Case { name: "from the root", check: |bench| given_badly(bench, "/etc/file", NameRule::Empty) },
            Case {
                name: "into the work folder",
                check: |bench| given_badly(bench, ".DLmanager/x", NameRule::WorkFolder),
            },
            Case { name: "a device in the middle", check: |bench| given_badly(bench, "a/aux/file", NameRule::Device) },
        ],
    },
    Rule {
        text: "Nothing that a server says renames a file that was asked for by its URL",
        cases: &[
            Case {
                name: "a redirect",
                check: |bench| {
                    bench.origin.serve("/..%2Fother", Reply::body(body()));
                    bench.get(Reply::redirect(302, "/..%2Fother")).complete(&body()).requests(2);
                },
            },
            Case {
                name: "Content-Disposition, where nobody asked for it",
                check: |bench| {
                    let reply = Reply::body(body()).header("Content-Disposition", "attachment; filename=other");
                    bench.get(reply).complete(&body()).requests(1);
                },
            },
        ],
    },
    Rule {
        text: "No file is written outside of the directory, whatever stands in it",
        cases: &[
            Case {
                name: "a symlink to a folder outside",
                check: |bench| {
                    let outside = bench.folder.parent().join("outside");
                    fs::create_dir(&outside).expect("the folder can be made");
                    fs::create_dir(bench.folder.path()).expect("the folder can be made");
                    symlink(&outside, &bench.folder.path().join("sub"));
                    let ended = bench.get_with(Reply::body(body()), |request| {
                        request.name("sub/file").if_present(IfPresent::Replace)
                    });
                    assert_eq!(ended.error().kind(), "file", "{:?}", ended.error());
                    assert_eq!(bench.folder.names(), ["outside/", "sub"]);
                },
            },
            Case {
                name: "a symlink to a file outside has the name",
                check: |bench| {
                    let outside = bench.folder.parent().join("outside");
                    fs::write(&outside, "mine").expect("the file can be written");
                    fs::create_dir(bench.folder.path()).expect("the folder can be made");
                    symlink(&outside, &bench.folder.path().join("file"));
                    let ended = bench.get_with(Reply::body(body()), |request| request.if_present(IfPresent::Replace));
                    assert!(matches!(ended.error(), DownloadError::NotAFile { .. }), "{:?}", ended.error());
                    ended.requests(0);
                    assert_eq!(fs::read(&outside).expect("it is there"), b"mine");
                    assert_eq!(bench.folder.names(), ["file", "outside"]);
                },
            },
            Case {
                name: "the work folder is a symlink",
                check: |bench| {
                    let outside = bench.folder.parent().join("outside");
                    fs::create_dir(&outside).expect("the folder can be made");
                    fs::create_dir(bench.folder.path()).expect("the folder can be made");
                    symlink(&outside, &bench.folder.path().join(".dlmanager"));
                    let ended = bench.get(Reply::body(body()));
                    assert_eq!(ended.error().kind(), "file", "{:?}", ended.error());
                    assert_eq!(bench.folder.names(), [".dlmanager", "outside/"]);
                },
            },
        ],
    },
    Rule {
        text: "A file that is there is left as it is, or replaced as a whole",
        cases: &[
            Case {
                name: "skipped, nothing is asked",
                check: |bench| {
                    bench.folder.put("file", b"mine");
                    bench.get(Reply::body(body())).present().requests(0);
                    bench.folder.assert_holds(&[("file", &Body::from("mine"))]);
                },
            },
            Case {
                name: "replaced",
                check: |bench| {
                    bench.folder.put("file", b"mine");
                    let ended = bench.get_with(Reply::body(body()), |request| request.if_present(IfPresent::Replace));
                    ended.complete(&body()).requests(1);
                },
            },
            Case {
                name: "not replaced by what failed",
                check: |bench| {
                    bench.folder.put("file", b"mine");
                    let ended = bench.get_with(Reply::empty(404), |request| request.if_present(IfPresent::Replace));
                    assert_eq!(ended.error(), &DownloadError::Status { status: 404 });
                    ended.requests(1);
                    bench.folder.assert_holds(&[("file", &Body::from("mine"))]);
                },
            },
        ],
    },
];

fn named(bench: &Bench, path: &str, name: &str) {
    let served = path.split(['?', '#']).next().unwrap_or(path);
    bench.origin.serve(served, Reply::body(body()));
    let ended = bench.fetch(bench.builder(), &bench.origin.url(path), |request| request);
    ended.complete_as(name, &body()).requests(1);
    assert_eq!(ended.file().path, bench.folder.path().join(name));
}

fn refused(bench: &Bench, path: &str, rule: NameRule) {
    bench.origin.serve(path, Reply::body(body()));
    let manager = bench.open();
    match manager.download(bench.origin.url(path)) {
        Err(AdmitError::Name(error)) => assert_eq!(error.rule(), rule, "{error}"),
        other => panic!("{path}: {other:?}"),
    }
    close(&manager);
    nothing_came_of_it(bench);
}

fn given(bench: &Bench, name: &str) {
    bench.get_with(Reply::body(body()), |request| request.name(name)).complete_as(name, &body()).requests(1);
}

fn given_badly(bench: &Bench, name: &str, rule: NameRule) {
    bench.origin.serve("/file", Reply::body(body()));
    let manager = bench.open();
    match manager.request(bench.origin.url("/file")).name(name).start() {
        Err(AdmitError::Name(error)) => assert_eq!(error.rule(), rule, "{error}"),
        other => panic!("{name}: {other:?}"),
    }
    close(&manager);
    nothing_came_of_it(bench);
}

fn nothing_came_of_it(bench: &Bench) {
    assert_eq!(bench.settled().requests.len(), 0, "requests");
    assert_eq!(bench.folder.names(), [""; 0]);
}

//! Names that a server suggests, where the caller asks for them (RFC 6266, RFC 8187).

use dlmanager::RequestBuilder;
use dlmanager_origin::{At, Body, Gate, Reply};

use crate::bench::{Bench, DEADLINE, body, close, end, open};
use crate::case::{Case, Rule};
use crate::ended::Ended;

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A file is named as the server suggests, once its head is there",
        cases: &[
            Case { name: "a token", check: |bench| named(bench, "attachment; filename=tool.zip", "tool.zip") },
            Case {
                name: "in quotes",
                check: |bench| named(bench, "attachment; filename=\"my tool.zip\"", "my tool.zip"),
            },
            Case {
                name: "with an escaped quote",
                check: |bench| named(bench, r#"attachment; filename="it\'s""#, "it's"),
            },
            Case { name: "inline as well", check: |bench| named(bench, "inline; filename=a.zip", "a.zip") },
            Case { name: "in other letters", check: |bench| named(bench, "attachment; FileName=a.zip", "a.zip") },
            Case {
                name: "filename*, UTF-8",
                check: |bench| named(bench, "attachment; filename*=UTF-8''%e2%82%ac%20rates", "€ rates"),
            },
            Case {
                name: "filename* before filename",
                check: |bench| named(bench, "attachment; filename=a; filename*=UTF-8''b", "b"),
            },
            Case { name: "decoded once", check: |bench| named(bench, "attachment; filename*=UTF-8''a%252Fb", "a%2Fb") },
            Case {
                name: "escapes in filename are letters",
                check: |bench| named(bench, "attachment; filename=\"a%20b\"", "a%20b"),
            },
        ],
    },
    Rule {
        text: "Where nothing usable is suggested, the URL names the file",
        cases: &[
            Case {
                name: "no field",
                check: |bench| {
                    suggested(bench, Reply::body(body())).complete(&body());
                },
            },
            Case { name: "no name in it", check: |bench| named(bench, "attachment", "file") },
            Case {
                name: "nobody asked",
                check: |bench| {
                    let reply = Reply::body(body()).header("Content-Disposition", "attachment; filename=other");
                    bench.get(reply).complete(&body());
                },
            },
            Case {
                name: "a name was given",
                check: |bench| {
                    let reply = Reply::body(body()).header("Content-Disposition", "attachment; filename=other");
                    let ended = bench.get_with(reply, |request| ask(request).name("mine"));
                    ended.complete_as("mine", &body());
                },
            },
        ],
    },
    Rule {
        text: "A suggestion that is no name is an error, and nothing is written",
        cases: &[
            Case { name: "up", check: |bench| refused(bench, "attachment; filename=\"../../evil\"") },
            Case { name: "from the root", check: |bench| refused(bench, "attachment; filename=\"/etc/passwd\"") },
            Case { name: "backslashes", check: |bench| refused(bench, r#"attachment; filename="..\\..\\evil""#) },
            Case { name: "a drive", check: |bench| refused(bench, "attachment; filename=\"C:evil\"") },
            Case { name: "an escaped slash", check: |bench| refused(bench, "attachment; filename*=UTF-8''a%2Fb") },
            Case { name: "a zero byte", check: |bench| refused(bench, "attachment; filename*=UTF-8''a%00b") },
            Case { name: "hidden", check: |bench| refused(bench, "attachment; filename=.bashrc") },
            Case { name: "the work folder", check: |bench| refused(bench, "attachment; filename=.dlmanager") },
            Case { name: "a device", check: |bench| refused(bench, "attachment; filename=nul.txt") },
            Case {
                name: "text that turns around",
                check: |bench| refused(bench, "attachment; filename*=UTF-8''a%E2%80%AEb"),
            },
            Case {
                name: "300 bytes",
                check: |bench| refused(bench, &format!("attachment; filename={}", "x".repeat(300))),
            },
        ],
    },
    Rule {
        text: "A suggested name is looked at like any other",
        cases: &[
            Case {
                name: "a file that is there is left as it is",
                check: |bench| {
                    bench.folder.put("other", b"mine");
                    let reply = Reply::body(body()).header("Content-Disposition", "attachment; filename=other");
                    suggested(bench, reply).present().requests(1);
                    bench.folder.assert_holds(&[("other", &Body::from("mine"))]);
                },
            },
            Case {
                name: "one that is being fetched has it",
                check: |bench| {
                    let gate = Gate::new();
                    bench.origin.serve("/other", Reply::body(body()).gate_at(At::Body(10), &gate));
                    let reply = Reply::body("another file").header("Content-Disposition", "attachment; filename=other");
                    bench.origin.serve("/file", reply);
                    let manager = open(bench.builder());
                    let first = manager.download(bench.origin.url("/other")).expect("it is admitted");
                    assert!(gate.wait_reached(1, DEADLINE));
                    let second = ask(manager.request(bench.origin.url("/file"))).start().expect("it is admitted");
                    assert_eq!(end(&second).expect_err("the name is taken").kind(), "name-taken");
                    gate.open();
                    end(&first).expect("nobody disturbs it");
                    close(&manager);
                    bench.folder.assert_holds(&[("other", &body())]);
                },
            },
        ],
    },
];

fn ask(request: RequestBuilder<'_>) -> RequestBuilder<'_> {
    request.content_disposition(true)
}

fn suggested(bench: &Bench, reply: Reply) -> Ended {
    bench.get_with(reply, ask)
}

fn named(bench: &Bench, disposition: &str, name: &str) {
    let ended = suggested(bench, Reply::body(body()).header("Content-Disposition", disposition));
    ended.complete_as(name, &body()).requests(1);
    assert_eq!(ended.file().path, bench.folder.path().join(name));
}

fn refused(bench: &Bench, disposition: &str) {
    let ended = suggested(bench, Reply::body(body()).header("Content-Disposition", disposition));
    assert_eq!(ended.error().kind(), "name", "{:?}", ended.error());
    ended.nothing_is_left().requests(1).retried(&[]);
}

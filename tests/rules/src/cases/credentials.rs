//! What a server is told of the caller, and no other server is.

use dlmanager::{AdmitError, HeaderName, HeaderValue, RequestBuilder};
use dlmanager_origin::{At, Cut, Origin, Reply, Request};

use crate::bench::{Bench, another, another_over_tls, body, close};
use crate::case::{Case, Rule};

/// What a caller may give, each of which must not travel.
const SECRETS: [(&str, &str); 4] = [
    ("authorization", "Bearer secret"),
    ("cookie", "session=secret"),
    ("x-token", "secret"),
    ("proxy-authorization", "Basic c2VjcmV0"),
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "The caller's fields go to the origin of the URL that was asked for",
        cases: &[
            Case {
                name: "each of them, to the first URL",
                check: |bench| {
                    let ended = bench.get_with(Reply::body(body()), with_secrets);
                    ended.complete(&body()).requests(1);
                    assert_eq!(secrets(&ended.requests[0]), names());
                },
            },
            Case {
                name: "and along redirects within it",
                check: |bench| {
                    bench.origin.serve("/b", Reply::redirect(307, &bench.origin.url("/c")));
                    bench.origin.serve("/c", Reply::body(body()));
                    let ended = bench.get_with(Reply::redirect(302, "/b"), with_secrets);
                    ended.complete(&body()).requests(3);
                    assert!(ended.requests.iter().all(|request| secrets(request) == names()));
                },
            },
            Case {
                name: "and with every retry",
                check: |bench| {
                    let ended = bench.get_with([Reply::empty(503), Reply::body(body())], with_secrets);
                    ended.complete(&body()).requests(2);
                    assert!(ended.requests.iter().all(|request| secrets(request) == names()));
                },
            },
        ],
    },
    Rule {
        text: "The caller's fields go to no other origin",
        cases: &[
            Case { name: "another port", check: |bench| stays(bench, &another()) },
            Case {
                name: "another host with the same port",
                check: |bench| {
                    let url = bench.origin.url("/b").replace("127.0.0.1", "localhost");
                    bench.origin.serve("/b", Reply::body(body()));
                    let ended = bench.get_with(Reply::redirect(302, &url), with_secrets);
                    ended.complete(&body()).requests(2);
                    let given: Vec<_> = ended.requests.iter().map(secrets).collect();
                    assert_eq!(given, [names(), Vec::new()]);
                },
            },
            Case { name: "another scheme: http to https", check: |bench| stays(bench, &another_over_tls()) },
            Case {
                name: "another scheme: https to http, where that is allowed",
                check: |bench| {
                    let secure = another_over_tls();
                    secure.serve("/file", Reply::redirect(302, &bench.origin.url("/b")));
                    bench.origin.serve("/b", Reply::body(body()));
                    let builder = bench.configured(|config| config.allow_downgrade = true);
                    let ended = bench.fetch(builder, &secure.url("/file"), with_secrets);
                    ended.complete(&body()).requests(1);
                    assert_eq!(secrets(&ended.requests[0]), [""; 0]);
                    assert_eq!(secrets(&secure.records().requests[0]), names());
                },
            },
            Case {
                name: "one behind a redirect within the origin",
                check: |bench| {
                    let other = another();
                    other.serve("/c", Reply::body(body()));
                    bench.origin.serve("/b", Reply::redirect(302, &other.url("/c")));
                    let ended = bench.get_with(Reply::redirect(302, "/b"), with_secrets);
                    ended.complete(&body()).requests(2);
                    assert_eq!(secrets(&other.records().requests[0]), [""; 0]);
                },
            },
            Case {
                name: "away and home again: only home is told",
                check: |bench| {
                    let other = another();
                    other.serve("/b", Reply::redirect(302, &bench.origin.url("/c")));
                    bench.origin.serve("/c", Reply::body(body()));
                    let ended = bench.get_with(Reply::redirect(302, &other.url("/b")), with_secrets);
                    ended.complete(&body()).requests(2);
                    assert!(ended.requests.iter().all(|request| secrets(request) == names()));
                    assert_eq!(secrets(&other.records().requests[0]), [""; 0]);
                },
            },
            Case {
                name: "when what is behind a redirect is tried again",
                check: |bench| {
                    let other = another();
                    let broken = Reply::body(body()).cut_at(At::Head(5), Cut::Fin);
                    other.script("/b", vec![Reply::empty(503), broken, Reply::body(body())]);
                    let ended = bench.get_with(Reply::redirect(302, &other.url("/b")), with_secrets);
                    ended.complete(&body()).requests(3).retried(&["status", "network"]);
                    let seen = other.records().requests;
                    assert_eq!(seen.iter().map(secrets).collect::<Vec<_>>(), vec![Vec::<&str>::new(); 3]);
                },
            },
            Case {
                name: "fields of the manager neither",
                check: |bench| {
                    let other = another();
                    other.serve("/b", Reply::body(body()));
                    bench.origin.serve("/file", Reply::redirect(302, &other.url("/b")));
                    let fields = SECRETS.map(|(name, value)| field(name, value));
                    let builder =
                        fields.into_iter().fold(bench.builder(), |builder, (name, value)| builder.header(name, value));
                    let ended = bench.fetch(builder, &bench.origin.url("/file"), |request| request);
                    ended.complete(&body()).requests(1);
                    assert_eq!(secrets(&ended.requests[0]), names());
                    assert_eq!(secrets(&other.records().requests[0]), [""; 0]);
                },
            },
        ],
    },
    Rule {
        text: "User info is sent to its own origin, and shown nowhere",
        cases: &[
            Case {
                name: "sent as Basic, decoded once",
                check: |bench| {
                    bench.origin.serve("/file", Reply::body(body()));
                    let ended = bench.fetch(bench.builder(), &with_user(&bench.origin, "/file"), |request| request);
                    ended.complete(&body()).requests(1);
                    // us%er:s:cret
                    assert_eq!(ended.header(0, "Authorization"), Some("Basic dXMlZXI6czpjcmV0"));
                    assert_eq!(ended.file().url.as_str(), bench.origin.url("/file"));
                },
            },
            Case {
                name: "not sent to another origin",
                check: |bench| {
                    let other = another();
                    other.serve("/b", Reply::body(body()));
                    bench.origin.serve("/file", Reply::redirect(302, &other.url("/b")));
                    let ended = bench.fetch(bench.builder(), &with_user(&bench.origin, "/file"), |request| request);
                    ended.complete(&body()).requests(1);
                    assert_eq!(other.records().requests[0].header("Authorization"), None);
                },
            },
            Case {
                name: "that of a Location is for that hop alone",
                check: |bench| {
                    let (second, third) = (another(), another());
                    third.serve("/c", Reply::body(body()));
                    second.serve("/b", Reply::redirect(302, &third.url("/c")));
                    let ended = bench.get(Reply::redirect(302, &with_user(&second, "/b")));
                    ended.complete(&body()).requests(1);
                    let given = second.records().requests[0].header("Authorization").map(str::to_owned);
                    assert_eq!(given.as_deref(), Some("Basic dXMlZXI6czpjcmV0"));
                    assert_eq!(third.records().requests[0].header("Authorization"), None);
                    assert!(ended.notices.iter().all(|notice| !format!("{notice:?}").contains("cret")));
                },
            },
            Case {
                name: "not in what is told of a failure",
                check: |bench| {
                    bench.origin.serve("/file", Reply::empty(404));
                    let ended = bench.fetch(bench.builder(), &with_user(&bench.origin, "/file"), |request| request);
                    ended.status(404).requests(1);
                    assert!(!format!("{:?} {:?}", ended.result, ended.notices).contains("cret"));
                },
            },
        ],
    },
    Rule {
        text: "Servers set nothing that is sent back",
        cases: &[
            Case {
                name: "cookies of a redirect",
                check: |bench| {
                    bench.origin.serve("/b", Reply::body(body()));
                    let ended = bench.get(Reply::redirect(302, "/b").header("Set-Cookie", "a=b; Path=/"));
                    ended.complete(&body()).requests(2);
                    assert_eq!(ended.header(1, "Cookie"), None);
                },
            },
            Case {
                name: "cookies of a failed attempt",
                check: |bench| {
                    let busy = Reply::empty(503).header("Set-Cookie", "a=b; Path=/");
                    let ended = bench.get([busy, Reply::body(body())]);
                    ended.complete(&body()).requests(2);
                    assert_eq!(ended.header(1, "Cookie"), None);
                },
            },
            Case {
                name: "a challenge",
                check: |bench| {
                    let challenge = Reply::empty(401).header("WWW-Authenticate", "Basic realm=\"x\"");
                    bench.get(challenge).status(401).requests(1);
                },
            },
        ],
    },
    Rule {
        text: "No server is told where a request comes from",
        cases: &[Case {
            name: "a redirect to another origin has no Referer and no Origin",
            check: |bench| {
                let other = another();
                other.serve("/b", Reply::body(body()));
                bench.get(Reply::redirect(302, &other.url("/b"))).complete(&body());
                let fields: Vec<String> =
                    other.records().requests[0].headers.iter().map(|(name, _)| name.to_lowercase()).collect();
                assert_eq!(fields, ["user-agent", "accept-encoding", "host"]);
            },
        }],
    },
    Rule {
        text: "A field on which the exchange depends cannot be given",
        cases: &[
            Case { name: "Host", check: |bench| not_taken(bench, "host", "elsewhere.example") },
            Case { name: "Content-Length", check: |bench| not_taken(bench, "content-length", "5") },
            Case { name: "Transfer-Encoding", check: |bench| not_taken(bench, "transfer-encoding", "chunked") },
            Case { name: "Connection", check: |bench| not_taken(bench, "connection", "close") },
            Case { name: "Range", check: |bench| not_taken(bench, "range", "bytes=5-") },
            Case { name: "If-Range", check: |bench| not_taken(bench, "if-range", "\"x\"") },
        ],
    },
];

fn field(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    (name.parse().expect("a name of a field"), value.parse().expect("a value of a field"))
}

fn with_secrets(request: RequestBuilder<'_>) -> RequestBuilder<'_> {
    SECRETS
        .into_iter()
        .map(|(name, value)| field(name, value))
        .fold(request, |request, (name, value)| request.header(name, value))
}

fn names() -> Vec<&'static str> {
    SECRETS.map(|(name, _)| name).into()
}

/// Those of the secrets that a request has, each as it was given.
fn secrets(request: &Request) -> Vec<&'static str> {
    let given = |(name, value): &(&'static str, &str)| request.header(name) == Some(value);
    SECRETS.iter().filter(|secret| given(secret)).map(|(name, _)| *name).collect()
}

/// A redirect from the bench's origin to this one: only the first is told.
fn stays(bench: &Bench, other: &Origin) {
    other.serve("/b", Reply::body(body()));
    let ended = bench.get_with(Reply::redirect(302, &other.url("/b")), with_secrets);
    ended.complete(&body()).requests(1);
    assert_eq!(secrets(&ended.requests[0]), names());
    let seen = &other.records().requests[0];
    let leaked = seen.headers.iter().find(|(_, value)| value.contains("secret") || value.contains("c2VjcmV0"));
    assert_eq!(leaked, None);
}

fn with_user(origin: &Origin, path: &str) -> String {
    origin.url(path).replace("://", "://us%25er:s%3Acret@")
}

fn not_taken(bench: &Bench, name: &str, value: &str) {
    bench.origin.serve("/file", Reply::body(body()));
    let manager = bench.open();
    let (given, value) = field(name, value);
    let refused = manager.request(bench.origin.url("/file")).header(given, value).start();
    match refused {
        Err(AdmitError::Header { name: told }) => assert_eq!(told, name),
        other => panic!("{other:?}"),
    }
    close(&manager);
    assert_eq!(bench.settled().requests.len(), 0, "requests");
    bench.folder.assert_holds(&[]);
}

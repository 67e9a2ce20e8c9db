//! Digests: those that a caller demands, and those that a server sends along (RFC 9530).

use std::fs;

use dlmanager::core::Digest;
use dlmanager::{DownloadError, IfPresent};
use dlmanager_origin::{At, Body, Cut, DigestAlgorithm, Reply, Resource};

use crate::bench::{Bench, body};
use crate::case::{Case, Rule};
use crate::ended::Ended;

/// What `hello world` comes to, by other hands.
const HELLO: [&str; 5] = [
    "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
    "sha512:309ecc489c12d6eb4cc40f50c902f2b4d0ed77ee511a7c7a9bcd3ca86d4cd86f\
     989dd35bc5ff499670da34255b45b0cfd830e81f605dcf7dc5542e93ae9cd76f",
    "blake3:d74981efa70a0c880b8d8c1985d075dbcbf679b99a5f9914e5aaf96b831a9e24",
    "sha1:2aae6c35c94fcfb415dbe95f408b9ce91ee846ed",
    "md5:5eb63bbbe01eeed093cb22bb8f5acdc3",
];

const CUT: u64 = 200_000;

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A file is published only if it comes to the checksum",
        cases: &[
            Case { name: "sha256", check: |bench| hello(bench, HELLO[0]) },
            Case { name: "sha512", check: |bench| hello(bench, HELLO[1]) },
            Case { name: "blake3", check: |bench| hello(bench, HELLO[2]) },
            Case { name: "sha1", check: |bench| hello(bench, HELLO[3]) },
            Case { name: "md5", check: |bench| hello(bench, HELLO[4]) },
            Case {
                name: "an empty file",
                check: |bench| {
                    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
                    checked(bench, Reply::body(""), digest).complete(&Body::from("")).requests(1);
                },
            },
            Case {
                name: "a body that only the connection's end delimits",
                check: |bench| {
                    let ended = checked(bench, Reply::body("hello world").until_close(), HELLO[0]);
                    ended.complete(&Body::from("hello world")).requests(1);
                },
            },
        ],
    },
    Rule {
        text: "What does not come to the checksum is dropped, and fetched once more from its first byte",
        cases: &[
            Case {
                name: "wrong twice: an error that shows both",
                check: |bench| {
                    let ended = checked(bench, Reply::body("Hello world"), HELLO[0]);
                    mismatched(&ended, HELLO[0]).requests(2).asked_from(&[None, None]);
                    ended.nothing_is_left().retried(&["checksum-mismatch"]);
                },
            },
            Case {
                name: "wrong once",
                check: |bench| {
                    let ended = checked(bench, [Reply::body("Hello world"), Reply::body("hello world")], HELLO[0]);
                    ended.complete(&Body::from("hello world")).requests(2).retried(&["checksum-mismatch"]);
                },
            },
            Case {
                name: "wrong twice, although there are retries left",
                check: |bench| {
                    let replies = ["a", "b", "hello world"].map(Reply::body);
                    let ended = checked(bench, replies, HELLO[0]);
                    mismatched(&ended, HELLO[0]).requests(2);
                    ended.nothing_is_left();
                },
            },
            Case {
                name: "wrong by its length",
                check: |bench| {
                    let short = Reply::body(Body::from("hello")).until_close();
                    mismatched(&checked(bench, short, HELLO[0]), HELLO[0]).requests(2);
                },
            },
            Case {
                name: "without retries there is none",
                check: |bench| {
                    bench.origin.serve("/file", Reply::body("Hello world"));
                    let builder = bench.builder().retries(0);
                    let ended =
                        bench.fetch(builder, &bench.origin.url("/file"), |request| request.checksum(digest(HELLO[0])));
                    mismatched(&ended, HELLO[0]).requests(1);
                    ended.nothing_is_left();
                },
            },
        ],
    },
    Rule {
        text: "A checksum finds a version that no validator tells",
        cases: &[
            Case {
                name: "a part of another version under the validator of the first",
                check: |bench| {
                    let liar = resource().reply(2).etag(&resource().etag(1));
                    let replies = [broken(1), liar, resource().reply(1)];
                    let ended = checked(bench, replies, &of_version(1));
                    ended.complete(&resource().body(1)).requests(3).asked_from(&[None, Some(CUT), None]);
                    ended.retried(&["network", "checksum-mismatch"]);
                },
            },
            Case {
                name: "another version as a whole",
                check: |bench| {
                    let ended = checked(bench, [broken(1), resource().reply(2)], &of_version(1));
                    mismatched(&ended, &of_version(1));
                    ended.nothing_is_left();
                },
            },
            Case {
                name: "after going on, all of it is hashed",
                check: |bench| {
                    let ended = checked(bench, [broken(1), resource().reply(1)], &of_version(1));
                    ended.complete(&resource().body(1)).requests(2).asked_from(&[None, Some(CUT)]);
                },
            },
            Case {
                name: "what an earlier run left was changed by hand",
                check: |bench| {
                    let large = Resource::new(12, 2 << 20);
                    let expected = sha256(&large.body(1));
                    let broken = large.reply(1).cut_at(At::Body(1_500_000), Cut::Fin);
                    let ended = bench.get_by(bench.builder().retries(0), broken);
                    assert_eq!(ended.error().kind(), "network");
                    let names = bench.folder.unfinished();
                    let name = names.iter().find(|name| name.ends_with(".part")).expect("it is kept");
                    let path = bench.folder.path().join(name);
                    let mut bytes = fs::read(&path).expect("it is there");
                    bytes[1_000_000] ^= 1;
                    fs::write(&path, bytes).expect("it can be written");
                    let ended = checked(bench, large.reply(1), &expected);
                    ended.complete(&large.body(1)).requests(2).asked_from(&[Some(1_500_000), None]);
                    ended.retried(&["checksum-mismatch"]);
                },
            },
            Case {
                name: "what an earlier run left is hashed as well",
                check: |bench| {
                    let large = Resource::new(12, 2 << 20);
                    let broken = large.reply(1).cut_at(At::Body(1_500_000), Cut::Fin);
                    let ended = bench.get_by(bench.builder().retries(0), broken);
                    assert_eq!(ended.error().kind(), "network");
                    let ended = checked(bench, large.reply(1), &sha256(&large.body(1)));
                    ended.complete(&large.body(1)).requests(1).asked_from(&[Some(1_500_000)]);
                },
            },
        ],
    },
    Rule {
        text: "A file that is there is taken only if it comes to the checksum",
        cases: &[
            Case {
                name: "it does: nothing is asked",
                check: |bench| {
                    bench.folder.put("file", b"hello world");
                    checked(bench, Reply::body("another"), HELLO[0]).present().requests(0);
                    bench.folder.assert_holds(&[("file", &Body::from("hello world"))]);
                },
            },
            Case {
                name: "it does not: it is left as it is, and the error shows both",
                check: |bench| {
                    bench.folder.put("file", b"Hello world");
                    let ended = checked(bench, Reply::body("hello world"), HELLO[0]);
                    match ended.error() {
                        DownloadError::PresentMismatch { expected, actual, .. } => {
                            assert_eq!(expected.to_string(), HELLO[0]);
                            assert_eq!(actual.to_string(), sha256(&Body::from("Hello world")));
                        }
                        other => panic!("{other:?}"),
                    }
                    ended.requests(0);
                    bench.folder.assert_holds(&[("file", &Body::from("Hello world"))]);
                },
            },
            Case {
                name: "it does not, and may be replaced",
                check: |bench| {
                    bench.folder.put("file", b"Hello world");
                    let ended = bench.get_with(Reply::body("hello world"), |request| {
                        request.checksum(digest(HELLO[0])).if_present(IfPresent::Replace)
                    });
                    ended.complete(&Body::from("hello world")).requests(1);
                },
            },
            Case {
                name: "it is not replaced by what does not either",
                check: |bench| {
                    bench.folder.put("file", b"mine");
                    let ended = bench.get_with(Reply::body("Hello world"), |request| {
                        request.checksum(digest(HELLO[0])).if_present(IfPresent::Replace)
                    });
                    mismatched(&ended, HELLO[0]).requests(2);
                    bench.folder.assert_holds(&[("file", &Body::from("mine"))]);
                },
            },
        ],
    },
    Rule {
        text: "A digest that the server sends along has to be that of the file",
        cases: &[
            Case { name: "Repr-Digest, sha-256", check: |bench| sent(bench, right(DigestAlgorithm::Sha256)) },
            Case { name: "Repr-Digest, sha-512", check: |bench| sent(bench, right(DigestAlgorithm::Sha512)) },
            Case {
                name: "Content-Digest of a whole",
                check: |bench| sent(bench, Reply::body(body()).content_digest(DigestAlgorithm::Sha256)),
            },
            Case {
                name: "both, and two algorithms",
                check: |bench| {
                    let reply = right(DigestAlgorithm::Sha256).repr_digest(DigestAlgorithm::Sha512);
                    sent(bench, reply.content_digest(DigestAlgorithm::Sha512));
                },
            },
            Case {
                name: "a wrong Repr-Digest",
                check: |bench| sent_wrong(bench, "Repr-Digest", DigestAlgorithm::Sha256),
            },
            Case {
                name: "a wrong Repr-Digest, sha-512",
                check: |bench| sent_wrong(bench, "Repr-Digest", DigestAlgorithm::Sha512),
            },
            Case {
                name: "a wrong Content-Digest",
                check: |bench| sent_wrong(bench, "Content-Digest", DigestAlgorithm::Sha256),
            },
            Case {
                name: "wrong once",
                check: |bench| {
                    let wrong = Reply::body(body())
                        .header("Repr-Digest", &Body::from("x").digest_field(DigestAlgorithm::Sha256));
                    let ended = bench.get([wrong, right(DigestAlgorithm::Sha256)]);
                    ended.complete(&body()).requests(2).retried(&["checksum-mismatch"]);
                },
            },
            Case {
                name: "one of two wrong",
                check: |bench| {
                    let wrong = Body::from("x").digest_field(DigestAlgorithm::Sha512);
                    let ended = bench.get(right(DigestAlgorithm::Sha256).header("Repr-Digest", &wrong));
                    assert_eq!(ended.error().kind(), "checksum-mismatch");
                    ended.nothing_is_left().requests(2);
                },
            },
        ],
    },
    Rule {
        text: "A digest that cannot be checked says nothing",
        cases: &[
            Case { name: "an unknown algorithm", check: |bench| says_nothing(bench, "unixsum=:AAAA:") },
            Case { name: "one that is deprecated", check: |bench| says_nothing(bench, "crc32c=:AAAAAA==:") },
            Case { name: "no member", check: |bench| says_nothing(bench, "") },
            Case { name: "no base64", check: |bench| says_nothing(bench, "sha-256=:***:") },
            Case { name: "too short", check: |bench| says_nothing(bench, "sha-256=:AAAA:") },
            Case { name: "hexadecimal", check: |bench| says_nothing(bench, "sha-256=b94d27b9934d3e08") },
        ],
    },
    Rule {
        text: "Of a part, Content-Digest is the part's and Repr-Digest the whole's",
        cases: &[
            Case {
                name: "both are right",
                check: |bench| {
                    let part = resource().reply(1).repr_digest(DigestAlgorithm::Sha256);
                    let part = part.content_digest(DigestAlgorithm::Sha256);
                    let ended = bench.get([broken(1), part]);
                    ended.complete(&resource().body(1)).requests(2).asked_from(&[None, Some(CUT)]);
                },
            },
            Case {
                name: "the whole's shows that the parts are of two versions",
                check: |bench| {
                    // The server says the same validator of another version, and betrays itself by the digest.
                    let liar = resource().reply(2).etag(&resource().etag(1)).repr_digest(DigestAlgorithm::Sha256);
                    let ended = bench.get([broken(1), liar, resource().reply(2)]);
                    ended.complete(&resource().body(2)).requests(3).asked_from(&[None, Some(CUT), None]);
                    ended.retried(&["network", "checksum-mismatch"]);
                },
            },
        ],
    },
];

fn digest(text: &str) -> Digest {
    text.parse().expect("a digest")
}

/// By way of the origin, whose digests are tested against constants.
fn sha256(body: &Body) -> String {
    let field = body.digest_field(DigestAlgorithm::Sha256);
    let base64 = field.trim_start_matches("sha-256=:").trim_end_matches(':');
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let bits: String = base64.trim_end_matches('=').bytes().map(|letter| format!("{:06b}", value(letter))).collect();
    let digits = bits.as_bytes()[..256].chunks(4).map(|four| {
        let four = std::str::from_utf8(four).expect("digits");
        format!("{:x}", u8::from_str_radix(four, 2).expect("four bits"))
    });
    format!("sha256:{}", digits.collect::<String>())
}

fn resource() -> Resource {
    Resource::new(15, 300_000)
}

fn of_version(version: u64) -> String {
    sha256(&resource().body(version))
}

fn broken(version: u64) -> Reply {
    resource().reply(version).cut_at(At::Body(CUT), Cut::Fin)
}

fn checked(bench: &Bench, replies: impl Into<crate::bench::Replies>, expected: &str) -> Ended {
    bench.get_with(replies, |request| request.checksum(digest(expected)))
}

fn hello(bench: &Bench, expected: &str) {
    let ended = checked(bench, Reply::body("hello world"), expected);
    ended.complete(&Body::from("hello world")).requests(1).retried(&[]);
}

#[track_caller]
fn mismatched<'a>(ended: &'a Ended, wanted: &str) -> &'a Ended {
    match ended.error() {
        DownloadError::ChecksumMismatch { expected, actual } => {
            assert_eq!(expected.to_string(), wanted);
            assert_ne!(actual, expected);
            let text = ended.error().to_string();
            assert!(text.contains(&expected.to_string()) && text.contains(&actual.to_string()), "{text}");
        }
        other => panic!("{other:?}"),
    }
    ended
}

fn right(algorithm: DigestAlgorithm) -> Reply {
    Reply::body(body()).repr_digest(algorithm)
}

fn sent(bench: &Bench, reply: Reply) {
    bench.get(reply).complete(&body()).requests(1).retried(&[]);
}

fn sent_wrong(bench: &Bench, field: &str, algorithm: DigestAlgorithm) {
    let ended = bench.get(Reply::body(body()).header(field, &Body::from("x").digest_field(algorithm)));
    assert_eq!(ended.error().kind(), "checksum-mismatch", "{:?}", ended.error());
    ended.nothing_is_left().requests(2).retried(&["checksum-mismatch"]);
}

fn says_nothing(bench: &Bench, value: &str) {
    bench.get(Reply::body(body()).header("Repr-Digest", value)).complete(&body()).requests(1).retried(&[]);
}

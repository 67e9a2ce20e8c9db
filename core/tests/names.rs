//! Names: which are accepted, which rule each other one breaks, and that no accepted one can leave the directory.

use dlmanager_core::{FileName, NameError, NameRule, Pattern, Request, UrlError};
use proptest::prelude::*;

/// Where a name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Caller,
    Url,
    Server,
    Sanitized,
}

type Case = (Source, &'static str, Result<&'static str, NameRule>);

const fn given(name: &'static str) -> Case {
    (Source::Caller, name, Ok(name))
}

const fn refused(name: &'static str, rule: NameRule) -> Case {
    (Source::Caller, name, Err(rule))
}

const fn url(url: &'static str, name: &'static str) -> Case {
    (Source::Url, url, Ok(name))
}

const fn bad_url(url: &'static str, rule: NameRule) -> Case {
    (Source::Url, url, Err(rule))
}

const fn suggested(name: &'static str) -> Case {
    (Source::Server, name, Ok(name))
}

const fn bad_suggestion(name: &'static str, rule: NameRule) -> Case {
    (Source::Server, name, Err(rule))
}

const fn sanitized(text: &'static str, name: &'static str) -> Case {
    (Source::Sanitized, text, Ok(name))
}

const fn blank(text: &'static str) -> Case {
    (Source::Sanitized, text, Err(Empty))
}

/// A text that begins and ends so, with a unit repeated in between.
macro_rules! long {
    ($start:literal, $unit:literal * $count:literal, $end:literal) => {{
        const BYTES: &[u8] = &repeated::<{ $start.len() + $unit.len() * $count + $end.len() }>([$start, $unit, $end]);
        match core::str::from_utf8(BYTES) {
            Ok(text) => text,
            Err(_) => unreachable!(),
        }
    }};
}

const fn repeated<const N: usize>([start, unit, end]: [&str; 3]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = if at < start.len() {
            start.as_bytes()[at]
        } else if at < N - end.len() {
            unit.as_bytes()[(at - start.len()) % unit.len()]
        } else {
            end.as_bytes()[at + end.len() - N]
        };
        at += 1;
    }
    bytes
}

use NameRule::{
    Control, Device, Dots, Empty, Hidden, Missing, NotUtf8, Reserved, Separator, TooLong, TrailingDotOrSpace,
    WorkFolder,
};

const TABLE: &[Case] = &[
    // What a caller may give.
    given("a"),
    given("a.zip"),
    given("tool-1.0.tar.xz"),
    given(".hidden"),
    given("..a"),
    given("...a"),
    given("a..b"),
    given("mit leer"),
    given(" a"),
    given("a .b"),
    given("äöü"),
    given("日本語.txt"),
    given("🦀"),
    given("👩\u{200d}🚀"),
    given("می\u{200c}خواهم"),
    given("e\u{301}"),
    given("-rf"),
    given("--help"),
    given("~"),
    given("~root"),
    given("$HOME"),
    given("$(id)"),
    given("`id`"),
    given("a;b"),
    given("a&b"),
    given("a'b"),
    given("#a#"),
    given("+"),
    given("[a]{b}"),
    given("desktop.ini"),
    given("PROGRA~1"),
    // Nothing is decoded, and what looks like a separator is none.
    given("%2e%2e"),
    given("a%2Fb"),
    given("a／b"),
    given("a＼b"),
    given("a∕b"),
    given("a：b"),
    given("‥"),
    // Subfolders.
    given("sub/folder/file"),
    given("a/.b/c"),
    refused("", Empty),
    refused("/", Empty),
    refused("//", Empty),
    refused("/etc/passwd", Empty),
    refused("//server/share", Empty),
    refused("a//b", Empty),
    refused("a/", Empty),
    refused(".", Dots),
    refused("..", Dots),
    refused("./a", Dots),
    refused("../a", Dots),
    refused("a/../b", Dots),
    refused("a/.", Dots),
    refused("a/..", Dots),
    refused("a/../../b", Dots),
    // What HFS+ does not see.
    refused("\u{200c}", Empty),
    refused("a/\u{200d}/b", Empty),
    refused(".\u{200c}./a", Dots),
    refused("..\u{200d}/a", Dots),
    // Separators of other systems, drives and alternate data streams.
    refused("a\\b", Separator),
    refused("\\a", Separator),
    refused("..\\a", Separator),
    refused("\\\\server\\share", Separator),
    refused("\\\\?\\C:\\a", Separator),
    refused("C:", Separator),
    refused("C:a", Separator),
    refused("C:\\a", Separator),
    refused("a:stream", Separator),
    refused("a::$DATA", Separator),
    refused("a:Zone.Identifier", Separator),
    refused("sub/a:b", Separator),
    // Control characters.
    refused("\0", Control),
    refused("a\0b", Control),
    refused("a.zip\0.txt", Control),
    refused("a\nb", Control),
    refused("a\r", Control),
    refused("a\tb", Control),
    refused("\u{1b}[31m", Control),
    refused("\u{7f}", Control),
    refused("\u{80}", Control),
    refused("\u{85}", Control),
    refused("\u{9f}", Control),
    given("\u{a0}"),
    // What reorders text, line by line of Unicode's table.
    refused("a\u{61c}b", Control),
    refused("a\u{200e}b", Control),
    refused("a\u{200f}b", Control),
    refused("a\u{202a}b", Control),
    refused("a\u{202b}b", Control),
    refused("a\u{202c}b", Control),
    refused("a\u{202d}b", Control),
    refused("a\u{202e}gpj.exe", Control),
    refused("\u{2066}a", Control),
    refused("\u{2067}a", Control),
    refused("\u{2068}a", Control),
    refused("a\u{2069}", Control),
    // What breaks a line, and what is not seen.
    refused("a\u{2028}b", Control),
    refused("a\u{2029}b", Control),
    refused("a\u{200b}b", Control),
    refused("a\u{2060}b", Control),
    refused("a\u{2063}b", Control),
    refused("a\u{206a}b", Control),
    refused("a\u{206f}b", Control),
    refused("\u{feff}a", Control),
    given("a\u{2027}b"),
    given("a\u{202f}b"),
    given("a\u{2070}b"),
    // What Windows does not accept.
    refused("a<b", Reserved),
    refused("a>b", Reserved),
    refused("a\"b", Reserved),
    refused("a|b", Reserved),
    refused("a?b", Reserved),
    refused("a*b", Reserved),
    refused("a.", TrailingDotOrSpace),
    refused("a ", TrailingDotOrSpace),
    refused("a..", TrailingDotOrSpace),
    refused("a. .", TrailingDotOrSpace),
    refused("a./b", TrailingDotOrSpace),
    refused("a /b", TrailingDotOrSpace),
    refused("...", TrailingDotOrSpace),
    refused(".. ", TrailingDotOrSpace),
    refused(" ", TrailingDotOrSpace),
    given("a\u{3000}"),
    // Its devices.
    refused("CON", Device),
    refused("con", Device),
    refused("CoN.TxT", Device),
    refused("con.a.b", Device),
    refused("nul.txt", Device),
    refused("Nul.tar.gz", Device),
    refused("aux .txt", Device),
    refused("prn", Device),
    refused("COM0", Device),
    refused("COM1", Device),
    refused("com9.log", Device),
    refused("COM\u{b9}", Device),
    refused("COM\u{b9}.x", Device),
    refused("com\u{b2}", Device),
    refused("LPT0", Device),
    refused("LPT1.", TrailingDotOrSpace),
    refused("lpt\u{b3}", Device),
    refused("CONIN$", Device),
    refused("conout$.txt", Device),
    refused("a/nul/b", Device),
    refused("nul/b", Device),
    refused("nul:", Separator),
    given("con1"),
    given("com"),
    given("com10"),
    given("com\u{2074}"),
    given("lpt"),
    given("ＣＯＮ"),
    given("console.log"),
    given("aux-file"),
    given("nul_"),
    given("null"),
    given("a.nul"),
    given(" nul"),
    given("nul\u{a0}"),
    // The folder of unfinished files, by all its names.
    refused(".dlmanager", WorkFolder),
    refused(".dlmanager/owner", WorkFolder),
    refused(".DLManager", WorkFolder),
    refused(".DLMANAGER", WorkFolder),
    refused(".dLmAnAgEr/a", WorkFolder),
    refused(".dlmanager-x", WorkFolder),
    refused(".dlmanagers", WorkFolder),
    refused("a/.dlmanager", WorkFolder),
    refused(".dl\u{200c}manager", WorkFolder),
    refused("\u{200d}.dlmanager", WorkFolder),
    refused("DLMANA~1", WorkFolder),
    refused("dlmana~2/owner", WorkFolder),
    refused(".dlmanager.", TrailingDotOrSpace),
    given(".dlmanage"),
    given("dlmanager"),
    given("a.dlmanager"),
    given("dlmana~x"),
    given("DLMANAGER~1"),
    // Lengths, in bytes.
    given(long!("", "x" * 254, "")),
    given(long!("", "x" * 255, "")),
    given(long!("", "x" * 255, "/a")),
    given(long!("a/", "x" * 255, "")),
    given(long!("x", "ä" * 127, "")),
    given(long!("", "日" * 85, "")),
    given(long!("xxx", "🦀" * 63, "")),
    refused(long!("", "x" * 256, ""), TooLong),
    refused(long!("", "x" * 256, "/a"), TooLong),
    refused(long!("a/", "x" * 256, ""), TooLong),
    refused(long!("", "ä" * 128, ""), TooLong),
    refused(long!("x", "日" * 85, ""), TooLong),
    refused(long!("", "🦀" * 64, ""), TooLong),
    refused(long!(".dlmanager", "x" * 255, ""), TooLong),
    // What a URL's last segment comes to.
    url("https://example.org/a.zip", "a.zip"),
    url("https://example.org/x/y/a.zip", "a.zip"),
    url("https://example.org//a.zip", "a.zip"),
    url("https://example.org/b%20c", "b c"),
    url("https://example.org/b c", "b c"),
    url("https://example.org/%20a", " a"),
    url("https://example.org/%E6%97%A5", "日"),
    url("https://example.org/日", "日"),
    url("https://example.org/a+b", "a+b"),
    url("https://example.org/a;v=1", "a;v=1"),
    url("https://example.org/a@b", "a@b"),
    url("https://example.org/~a", "~a"),
    url(" https://example.org/a \n", "a"),
    url("https://example.org/a\tb", "ab"),
    url("HTTPS:\\\\example.org\\x\\a", "a"),
    url(long!("https://example.org/", "x" * 255, ""), long!("", "x" * 255, "")),
    url(long!("https://example.org/", "%E6%97%A5" * 85, ""), long!("", "日" * 85, "")),
    bad_url(long!("https://example.org/", "x" * 256, ""), TooLong),
    bad_url(long!("https://example.org/", "%C3%A4" * 128, ""), TooLong),
    // Decoded exactly once.
    url("https://example.org/a%252Fb", "a%2Fb"),
    url("https://example.org/%252e%252e%252fa", "%2e%2e%2fa"),
    url("https://example.org/%25", "%"),
    url("https://example.org/%2500", "%00"),
    url("https://example.org/100%", "100%"),
    url("https://example.org/a%2", "a%2"),
    url("https://example.org/a%zz", "a%zz"),
    url("https://example.org/a%u002Fb", "a%u002Fb"),
    // Queries, fragments, hosts and user info are no part of it.
    url("https://example.org/x/y/a.zip?query=/z#part/w", "a.zip"),
    url("https://example.org/a?/b", "a"),
    url("https://example.org/a#/b", "a"),
    url("https://example.org/a?x=b.zip", "a"),
    url("https://example.org/a#?b", "a"),
    url("https://example.org/a??b", "a"),
    url("https://user:secret@example.org/a", "a"),
    url("https://x/y@example.org/a", "a"),
    url("https://example.org:8080/a", "a"),
    url("http://[::1]/a", "a"),
    url("http://[2001:db8::1]:8080/x/a.zip?b", "a.zip"),
    url("http://user@[::ffff:192.0.2.1]/a", "a"),
    url("http://192.0.2.1/a", "a"),
    url("http://bücher.example/a", "a"),
    bad_url("https://example.org/a%3Fb", Reserved),
    url("https://example.org/a%23b", "a#b"),
    bad_url("https://example.org", Missing),
    bad_url("https://example.org/", Missing),
    bad_url("https://example.org/a/", Missing),
    bad_url("https://example.org/a//", Missing),
    bad_url("https://example.org/?a.zip", Missing),
    bad_url("https://example.org/#a.zip", Missing),
    bad_url("https://example.org?/a.zip", Missing),
    bad_url("https://example.org#/a.zip", Missing),
    bad_url("https://example.org/a\\", Missing),
    bad_url("http://[::1]", Missing),
    bad_url("http://[::1]:80/", Missing),
    bad_url("https://user:secret@example.org", Missing),
    // Dot segments are resolved before there is a name, encoded ones as well.
    url("https://example.org/x/../a", "a"),
    url("https://example.org/../../a", "a"),
    url("https://example.org/x/%2e%2E/a", "a"),
    bad_url("https://example.org/a/.", Missing),
    bad_url("https://example.org/a/..", Missing),
    bad_url("https://example.org/a/%2e", Missing),
    bad_url("https://example.org/a/%2e%2E", Missing),
    bad_url("https://example.org/a/.%2e", Missing),
    // Separators, encoded.
    bad_url("https://example.org/a%2Fb", Separator),
    bad_url("https://example.org/a%2fb", Separator),
    bad_url("https://example.org/%2F", Separator),
    bad_url("https://example.org/%2Fetc%2Fpasswd", Separator),
    bad_url("https://example.org/..%2F..%2Fetc%2Fpasswd", Separator),
    bad_url("https://example.org/%2e%2e%2fa", Separator),
    bad_url("https://example.org/%2E%2E%5Ca", Separator),
    bad_url("https://example.org/a%5Cb", Separator),
    bad_url("https://example.org/a%5cb", Separator),
    bad_url("https://example.org/c%3Aa", Separator),
    bad_url("https://example.org/c:a", Separator),
    bad_url("https://example.org/a%3A%3A$DATA", Separator),
    // Overlong and other broken UTF-8.
    bad_url("https://example.org/%C0%AF", NotUtf8),
    bad_url("https://example.org/..%C0%AFa", NotUtf8),
    bad_url("https://example.org/%E0%80%AF", NotUtf8),
    bad_url("https://example.org/%F0%80%80%AF", NotUtf8),
    bad_url("https://example.org/%C0%AE%C0%AE", NotUtf8),
    bad_url("https://example.org/%C1%9C", NotUtf8),
    bad_url("https://example.org/%C0%80", NotUtf8),
    bad_url("https://example.org/%ED%A0%80", NotUtf8),
    bad_url("https://example.org/%F4%90%80%80", NotUtf8),
    bad_url("https://example.org/%FF%FE", NotUtf8),
    bad_url("https://example.org/a%80", NotUtf8),
    bad_url("https://example.org/%E9t%E9", NotUtf8),
    // Everything else that is refused, encoded.
    bad_url("https://example.org/a%00b", Control),
    bad_url("https://example.org/a.zip%00.txt", Control),
    bad_url("https://example.org/a%0d%0ab", Control),
    bad_url("https://example.org/a%7F", Control),
    bad_url("https://example.org/a%C2%85b", Control),
    bad_url("https://example.org/a%E2%80%AEgpj.exe", Control),
    bad_url("https://example.org/%EF%BB%BFa", Control),
    bad_url("https://example.org/a%E2%80%8Bb", Control),
    bad_url("https://example.org/a%22b", Reserved),
    bad_url("https://example.org/a*b", Reserved),
    bad_url("https://example.org/a|b", Reserved),
    bad_url("https://example.org/%3Ca%3E", Reserved),
    bad_url("https://example.org/a%2e", TrailingDotOrSpace),
    bad_url("https://example.org/a%20", TrailingDotOrSpace),
    bad_url("https://example.org/...", TrailingDotOrSpace),
    bad_url("https://example.org/..%20", TrailingDotOrSpace),
    bad_url("https://example.org/NUL", Device),
    bad_url("https://example.org/x/con.txt", Device),
    bad_url("https://example.org/COM%C2%B9", Device),
    bad_url("https://example.org/.bashrc", Hidden),
    bad_url("https://example.org/%2Ebashrc", Hidden),
    bad_url("https://example.org/x/..%20a", Hidden),
    bad_url("https://example.org/%E2%80%8C.bashrc", Hidden),
    bad_url("https://example.org/.dlmanager", WorkFolder),
    bad_url("https://example.org/%2EDLmanager", WorkFolder),
    bad_url("https://example.org/dlmana~1", WorkFolder),
    // What a server suggests is one component, and nothing is decoded.
    suggested("a b.zip"),
    suggested("a%2Fb"),
    suggested("%2e%2e"),
    bad_suggestion("", Empty),
    bad_suggestion(".", Dots),
    bad_suggestion("..", Dots),
    bad_suggestion("a/b", Separator),
    bad_suggestion("/etc/passwd", Separator),
    bad_suggestion("../a", Separator),
    bad_suggestion("a/", Separator),
    bad_suggestion("a\\b", Separator),
    bad_suggestion("C:\\a", Separator),
    bad_suggestion("a\tb", Control),
    bad_suggestion("=?UTF-8?Q?a?=", Reserved),
    bad_suggestion("a ", TrailingDotOrSpace),
    bad_suggestion("aux", Device),
    bad_suggestion(".bashrc", Hidden),
    bad_suggestion("..a", Hidden),
    bad_suggestion("\u{200c}\u{200d}.a", Hidden),
    bad_suggestion(".dlmanager", WorkFolder),
    bad_suggestion(long!("", "x" * 256, ""), TooLong),
    // What is made of a text where the caller asks for it.
    sanitized("a.zip", "a.zip"),
    sanitized(" a", " a"),
    sanitized("a/b", "a_b"),
    sanitized("a\\b:c", "a_b_c"),
    sanitized("../../etc/passwd", "_._.._etc_passwd"),
    sanitized("/", "_"),
    sanitized(".", "_"),
    sanitized("..", "_"),
    sanitized("...", "_"),
    sanitized("what: now?.txt", "what_ now_.txt"),
    sanitized("a<b>c\"d|e*f", "a_b_c_d_e_f"),
    sanitized("a\0\n\u{202e}b", "a___b"),
    sanitized("  a. . ", "a"),
    sanitized(" ?a", "_a"),
    sanitized("a?.", "a_"),
    sanitized(".bashrc", "_bashrc"),
    sanitized("..a", "_.a"),
    sanitized("\u{200c}.a", "\u{200c}_a"),
    sanitized("..\u{200c}", "_.\u{200c}"),
    sanitized("CON", "_CON"),
    sanitized("con. ", "_con"),
    sanitized("nul.txt", "_nul.txt"),
    sanitized("com\u{b9}", "_com\u{b9}"),
    sanitized("nul:", "nul_"),
    sanitized(".dlmanager", "_dlmanager"),
    sanitized(".DLMANAGER/owner", "_DLMANAGER_owner"),
    sanitized("\u{200c}.dlmanager", "\u{200c}_dlmanager"),
    sanitized("dlmana~1", "_dlmana~1"),
    sanitized(long!("", "x" * 256, ""), long!("", "x" * 255, "")),
    sanitized(long!("", "x" * 300, ".zip"), long!("", "x" * 251, ".zip")),
    sanitized(long!("", "日" * 100, ".zip"), long!("", "日" * 83, ".zip")),
    sanitized(long!("", "🦀" * 64, ""), long!("", "🦀" * 63, "")),
    sanitized(long!("a.", "x" * 300, ""), long!("a.", "x" * 253, "")),
    sanitized(long!("a", " " * 300, "b"), "a"),
    sanitized(long!("con", " " * 300, ".txt"), long!("_con", " " * 247, ".txt")),
    sanitized(long!("con.", "x" * 251, ""), long!("_con.", "x" * 250, "")),
    blank(""),
    blank(" "),
    blank("    "),
    blank("\u{200c}"),
    blank(" \u{200d} "),
];

#[test]
fn each_name_is_accepted_as_it_is_or_breaks_the_rule_that_it_breaks() {
    assert!(TABLE.len() >= 150, "{}", TABLE.len());
    for &(source, text, expected) in TABLE {
        let found = match source {
            Source::Caller => FileName::new(text),
            Source::Url => Request::new(text).expect(text).file_name(),
            Source::Server => FileName::from_suggestion(text),
            Source::Sanitized => FileName::sanitized(text),
        };
        let found = found.as_ref().map(FileName::as_str).map_err(NameError::rule);
        assert_eq!(found, expected, "{source:?} {text:?}");
    }
}

#[test]
fn the_table_has_each_rule_wherever_it_can_be_broken() {
    let breaks = |source: Source, rule: NameRule| {
        TABLE.iter().any(|&(from, _, expected)| from == source && expected == Err(rule))
    };
    for rule in [Separator, Control, Reserved, TrailingDotOrSpace, Device, TooLong, WorkFolder] {
        for source in [Source::Caller, Source::Url, Source::Server] {
            assert!(breaks(source, rule), "{source:?} {rule:?}");
        }
    }
    assert!(breaks(Source::Caller, Empty) && breaks(Source::Server, Empty) && breaks(Source::Sanitized, Empty));
    assert!(breaks(Source::Caller, Dots) && breaks(Source::Server, Dots));
    assert!(breaks(Source::Url, Hidden) && breaks(Source::Server, Hidden));
    assert!(breaks(Source::Url, Missing) && breaks(Source::Url, NotUtf8));
}

#[test]
fn no_case_stands_twice() {
    let mut texts: Vec<_> = TABLE.iter().map(|(source, text, _)| (*source as u8, *text)).collect();
    texts.sort_unstable();
    assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "{texts:?}");
}

#[test]
fn a_url_without_a_path_names_nothing() {
    for url in ["data:,a", "mailto:a@example.org"] {
        assert_eq!(FileName::from_url(&url.parse().unwrap()).unwrap_err().rule(), Missing, "{url}");
    }
}

#[test]
fn urls_that_cannot_be_fetched() {
    for url in ["", "example.org/a", "//example.org/a", "http://", "http://[::1/a", "http://a b/c", "http://:80/a"] {
        assert!(matches!(Request::new(url), Err(UrlError::Invalid { .. })), "{url:?}: {:?}", Request::new(url));
    }
    for url in ["ftp://example.org/a", "file:///etc/passwd", "data:,a", "javascript:a", "HTTPSX://example.org/a"] {
        assert!(matches!(Request::new(url), Err(UrlError::Scheme { .. })), "{url:?}: {:?}", Request::new(url));
    }
}

#[test]
fn user_info_is_shown_nowhere() {
    let request = Request::new("ftp://user:secret@example.org/a").unwrap_err();
    assert!(!request.to_string().contains("secret"), "{request}");
    for url in
        ["https://user:secret@host:99999/a", "https://user:secret@ho st/a", "https://u:secret@a@:x/", "x//u:secret@h"]
    {
        let error = Request::new(url).unwrap_err();
        assert!(!error.to_string().contains("secret") && !format!("{error:?}").contains("secret"), "{error}");
    }
    let request = Request::new("http://user:secret@example.org/a").unwrap();
    assert!(!format!("{request:?}").contains("secret"), "{request:?}");
    assert_eq!(request.url().as_str(), "http://example.org/a");
}

/// A component that would leave the directory, or mean something else, on some system.
fn is_dangerous(component: &str) -> bool {
    component.is_empty()
        || component == "."
        || component == ".."
        || component.contains(['/', '\\', ':', '\0'])
        || component.ends_with(['.', ' '])
        || component.len() > 255
        || component.chars().any(char::is_control)
}

proptest! {
    #[test]
    fn no_accepted_name_can_leave_the_directory(name in "[a-c./\\\\:%20 \u{0}-\u{7f}\u{202e}]{0,12}") {
        if let Ok(name) = FileName::new(&name) {
            prop_assert!(!name.as_str().split('/').any(is_dangerous), "{name:?}");
            prop_assert_eq!(FileName::new(name.as_str()).unwrap(), name);
        }
    }

    #[test]
    fn no_name_from_a_url_can_leave_the_directory(path in "[a-c./\\\\:%20-9A-Fa-f]{0,24}") {
        if let Ok(request) = Request::new(&format!("http://example.org/{path}"))
            && let Ok(name) = request.file_name()
        {
            prop_assert!(!is_dangerous(name.as_str()) && !name.as_str().starts_with('.'), "{name:?}");
        }
    }

    /// Made of any text, and of one whose characters are picked to be trouble.
    #[test]
    fn a_sanitized_name_is_one_and_stays_so(
        text in "\\PC{0,12}", picked in "[a.nulcoNmp1 /\\\\:?\u{0}\u{202e}\u{200c}~é]{0,300}",
    ) {
        for text in [&text, &picked] {
            match FileName::sanitized(text) {
                Ok(name) => {
                    prop_assert_eq!(FileName::from_suggestion(name.as_str()), Ok(name.clone()));
                    prop_assert_eq!(FileName::sanitized(name.as_str()), Ok(name.clone()));
                    let valid = FileName::from_suggestion(text).is_ok();
                    prop_assert_eq!(valid, name.as_str() == text.as_str(), "{:?}", name);
                }
                Err(error) => {
                    prop_assert_eq!(error.rule(), Empty);
                    prop_assert!(text.chars().all(|c| matches!(c, ' ' | '\u{200c}' | '\u{200d}')), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_name_that_is_cut_keeps_its_extension(stem in "\\PC{256,280}", extension in "[a-z0-9]{1,20}") {
        let name = FileName::sanitized(&format!("{stem}.{extension}")).unwrap();
        prop_assert!(name.as_str().len() > 255 - 4 && name.as_str().ends_with(&format!(".{extension}")), "{name}");
    }

    #[test]
    fn a_pattern_matches_what_its_literal_text_is(name in "[a-z0-9.]{0,10}", other in "[a-z0-9.]{0,10}") {
        prop_assert!(Pattern::new(&name).matches(&name));
        prop_assert_eq!(Pattern::new(&name).matches(&other), name == other);
        let wrapped = format!("*{name}*");
        prop_assert_eq!(Pattern::new(&wrapped).matches(&other), other.contains(&name));
        let prefixed = format!("{name}?*");
        prop_assert_eq!(Pattern::new(&prefixed).matches(&other), other.len() > name.len() && other.starts_with(&name));
    }
}

#[test]
fn patterns_as_in_fnmatch() {
    for (pattern, name, matches) in [
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("a*", "a", true),
        ("*.zip", "b.zip", true),
        ("*.zip", "b.zip.part", false),
        ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "aXbYbZ", false),
        ("?", "ä", true),
        ("[ab]c", "bc", true),
        ("[!ab]c", "bc", false),
        ("[!ab]c", "xc", true),
        ("[a-c]", "b", true),
        ("[a-c]", "d", false),
        ("[]]", "]", true),
        ("[!]]", "]", false),
        ("[", "[", true),
        ("[a", "[a", true),
        ("[a-]", "-", true),
        ("A", "a", false),
        ("**a**", "bab", true),
        ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ] {
        assert_eq!(Pattern::new(pattern).matches(name), matches, "{pattern:?} {name:?}");
    }
}

//! Names: which are accepted, which rule each other one breaks, and that no accepted one can leave the directory.

use dlmanager_core::{FileName, NameRule, Pattern, Request, UrlError};
use proptest::prelude::*;

fn rule(name: &str) -> Option<NameRule> {
    FileName::new(name).err().map(|error| error.rule())
}

fn from_url(url: &str) -> Result<String, NameRule> {
    let request = Request::new(url).unwrap();
    request.file_name().map(|name| name.as_str().to_owned()).map_err(|error| error.rule())
}

#[test]
fn names_that_a_caller_may_give() {
    for name in [
        "a",
        "a.zip",
        "tool-1.0.tar.xz",
        ".hidden",
        "sub/folder/file",
        "mit leer",
        "äöü",
        "日本語.txt",
        "a..b",
        "...a",
        "con1",
        "com",
        "com10",
        "lpt",
        "console.log",
        "aux-file",
        "nul_",
        "-rf",
        "~",
        "$HOME",
        "a'b",
        "%2e%2e",
        "a%2Fb",
        "+",
        "🦀",
    ] {
        assert_eq!(rule(name), None, "{name:?}");
    }
    assert_eq!(rule(&"x".repeat(255)), None);
    assert_eq!(rule(&format!("{0}/{0}", "x".repeat(255))), None);
}

#[test]
fn names_that_nobody_may_give() {
    use NameRule::{Control, Device, Dots, Empty, Reserved, Separator, TooLong, TrailingDotOrSpace, WorkFolder};
    for (name, broken) in [
        ("", Empty),
        ("/", Empty),
        ("/etc/passwd", Empty),
        ("a//b", Empty),
        ("a/", Empty),
        (".", Dots),
        ("..", Dots),
        ("../a", Dots),
        ("a/../b", Dots),
        ("a/.", Dots),
        ("a/..", Dots),
        ("a\\b", Separator),
        ("..\\a", Separator),
        ("C:", Separator),
        ("C:\\a", Separator),
        ("a:stream", Separator),
        ("a\0b", Control),
        ("a\nb", Control),
        ("\u{1b}[31m", Control),
        ("\u{7f}", Control),
        ("\u{85}", Control),
        ("a\u{202e}gpj.exe", Control),
        ("\u{2066}a", Control),
        ("a\u{2028}b", Control),
        ("\u{feff}a", Control),
        ("a<b", Reserved),
        ("a>b", Reserved),
        ("a\"b", Reserved),
        ("a|b", Reserved),
        ("a?b", Reserved),
        ("a*b", Reserved),
        ("a.", TrailingDotOrSpace),
        ("a ", TrailingDotOrSpace),
        ("a. .", TrailingDotOrSpace),
        ("a./b", TrailingDotOrSpace),
        ("...", TrailingDotOrSpace),
        (" ", TrailingDotOrSpace),
        ("CON", Device),
        ("con", Device),
        ("nul.txt", Device),
        ("Nul.tar.gz", Device),
        ("aux .txt", Device),
        ("prn", Device),
        ("COM1", Device),
        ("com9.log", Device),
        ("LPT0", Device),
        ("lpt³", Device),
        ("COM¹.x", Device),
        ("CONIN$", Device),
        ("conout$", Device),
        ("a/nul/b", Device),
        (".dlmanager", WorkFolder),
        (".dlmanager/owner", WorkFolder),
        (".DLManager", WorkFolder),
        (".dlmanager-x", WorkFolder),
        ("a/.dlmanager", WorkFolder),
    ] {
        assert_eq!(rule(name), Some(broken), "{name:?}");
    }
    assert_eq!(rule(&"x".repeat(256)), Some(TooLong));
    assert_eq!(rule(&"ä".repeat(128)), Some(TooLong));
}

#[test]
fn names_from_urls_are_one_component_decoded_once() {
    for (url, name) in [
        ("https://example.org/a.zip", "a.zip"),
        ("https://example.org/x/y/a.zip?query=/z#part/w", "a.zip"),
        ("https://example.org/b%20c", "b c"),
        ("https://example.org/%E6%97%A5", "日"),
        ("https://example.org/a%252Fb", "a%2Fb"),
        ("https://example.org/100%", "100%"),
        ("https://example.org/a%zz", "a%zz"),
        ("https://example.org/a+b", "a+b"),
    ] {
        assert_eq!(from_url(url).as_deref(), Ok(name), "{url}");
    }
    use NameRule::{Control, Device, Dots, Hidden, Missing, NotUtf8, Separator, WorkFolder};
    for (url, broken) in [
        ("https://example.org", Missing),
        ("https://example.org/", Missing),
        ("https://example.org/a/", Missing),
        ("https://example.org/?a.zip", Missing),
        ("https://example.org/a%2Fb", Separator),
        ("https://example.org/a%5Cb", Separator),
        ("https://example.org/..%2F..%2Fetc%2Fpasswd", Separator),
        ("https://example.org/%2e%2e%2fa", Separator),
        ("https://example.org/c%3Aa", Separator),
        ("https://example.org/a%00b", Control),
        ("https://example.org/a%0d%0ab", Control),
        ("https://example.org/%FF%FE", NotUtf8),
        ("https://example.org/.bashrc", Hidden),
        ("https://example.org/%2Ebashrc", Hidden),
        ("https://example.org/x/..%20a", Hidden),
        ("https://example.org/.dlmanager", WorkFolder),
        ("https://example.org/NUL", Device),
    ] {
        assert_eq!(from_url(url), Err(broken), "{url}");
    }
    // Dot segments are resolved by the URL standard, also encoded ones, before there is a name.
    assert_eq!(from_url("https://example.org/a/..").unwrap_err(), Missing);
    assert_eq!(from_url("https://example.org/a/%2e%2E").unwrap_err(), Missing);
    assert_ne!(from_url("https://example.org/a/.%2e").unwrap_err(), Dots);
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

//! What a file name is, whatever it was made of.

use dlmanager_core::{FileName, Request, StorePath};

/// Characters that no component has: separators, what Windows reserves, what changes the order of text, and what is not
/// seen.
const REFUSED: &[char] = &[
    '/', '\\', ':', '<', '>', '"', '|', '?', '*', '\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}',
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
    '\u{feff}', '\u{200b}', '\u{2060}', '\u{2061}', '\u{2062}', '\u{2063}', '\u{2064}', '\u{206a}', '\u{206f}',
];

const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// How many of the names were accepted.
#[derive(Debug, Default, Clone, Copy)]
pub struct Named {
    /// A name given by a caller.
    pub given: bool,
    /// A name taken from a URL.
    pub from_url: bool,
}

/// Makes names of the data, as a caller and as a URL give them, and checks what is accepted.
///
/// # Panics
///
/// Where a name is accepted that leads out of the directory, or that some system does not take.
pub fn names_body(data: &[u8]) -> Named {
    let mut named = Named::default();
    let text = String::from_utf8_lossy(data);
    if let Ok(name) = FileName::new(&text) {
        named.given = true;
        assert_eq!(name.as_str(), text, "a name is never changed silently");
        check(&name);
    }
    if let Ok(request) = Request::new(&format!("http://h.example/x/{text}"))
        && let Ok(name) = request.file_name()
    {
        named.from_url = true;
        check(&name);
        assert!(!name.as_str().contains('/'), "one component: {name}");
        assert!(!name.as_str().starts_with('.'), "a server hides a file: {name}");
    }
    // Each byte written as %XX is decoded exactly once.
    let encoded: String = data.iter().map(|byte| format!("%{byte:02X}")).collect();
    if let Ok(request) = Request::new(&format!("http://h.example/{encoded}"))
        && let Ok(name) = request.file_name()
    {
        assert_eq!(name.as_str().as_bytes(), data, "decoded once");
        check(&name);
    }
    named
}

fn check(name: &FileName) {
    let path = StorePath::from(name);
    assert_eq!(path.as_str(), name.as_str());
    for component in name.as_str().split('/') {
        assert!(!component.is_empty() && component != "." && component != "..", "{name:?}");
        assert!(component.len() <= 255, "{name:?}");
        assert!(!component.contains(REFUSED) && !component.contains(char::is_control), "{name:?}");
        assert!(!component.ends_with(['.', ' ']), "{name:?}");
        // As HFS+ compares it, without the joiners.
        let compared = component.to_ascii_lowercase().replace(['\u{200c}', '\u{200d}'], "");
        assert!(
            !compared.is_empty() && !compared.starts_with(".dlmanager") && !compared.starts_with("dlmana~1"),
            "{name:?}"
        );
        let stem = component.split('.').next().unwrap_or_default().trim_end_matches(' ').to_lowercase();
        assert!(!DEVICES.contains(&stem.as_str()), "{name:?}");
        let numbered = stem.strip_prefix("com").or(stem.strip_prefix("lpt"));
        let is_port = numbered.is_some_and(|rest| {
            matches!(rest, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        });
        assert!(!is_port, "{name:?}");
    }
    match FileName::new(name.as_str()) {
        Ok(again) => assert_eq!(again, *name),
        Err(error) => panic!("accepted once and refused then: {error}"),
    }
}

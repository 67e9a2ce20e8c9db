//! Names of files: validated once, under all systems' rules on every system.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use url::Url;

use crate::path::WORK_FOLDER;

/// Greatest length of a component in bytes: what ext4, APFS and NTFS accept (NTFS counts UTF-16 units, of which there
/// are never more than bytes).
const COMPONENT_BYTES_MAX: usize = 255;

/// The name of a download within its directory: a relative path of validated components, separated by `/`.
///
/// A name is valid on every system or on none, so that a directory can be carried from one to another. Each component
///
/// - is not empty, `.` or `..`, and has at most 255 bytes;
/// - has no `/`, `\`, `:`, none of `< > " | ? *`, and no control, bidirectional or line-separating characters;
/// - does not end in a dot or a space, and is no device name of Windows (`CON`, `nul.txt`, `COM1` ...);
/// - does not begin with `.dlmanager`, which is where unfinished files live.
///
/// A name that breaks a rule is an error that says which one, never a silently changed name.
///
/// ```
/// use dlmanager_core::FileName;
///
/// let name = FileName::new("tools/tool-1.0.tar.xz")?;
/// assert_eq!(name.as_str(), "tools/tool-1.0.tar.xz");
/// assert!(FileName::new("../escape").is_err());
/// assert!(FileName::new("nul.txt").is_err());
/// # Ok::<(), dlmanager_core::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<str>);

impl FileName {
    /// A name given by the caller, who may ask for subfolders.
    ///
    /// # Errors
    ///
    /// The first rule that a component breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        for component in name.split('/') {
            check_component(component).map_err(|rule| NameError::new(name, rule))?;
        }
        Ok(Self(name.into()))
    }

    /// The name that a URL suggests: its last path segment, percent-decoded exactly once, as a single component.
    ///
    /// What comes from elsewhere is held to more: a leading dot, which hides a file, is refused as well.
    ///
    /// ```
    /// use dlmanager_core::FileName;
    ///
    /// let name = |url: &str| FileName::from_url(&url.parse().unwrap());
    /// assert_eq!(name("https://example.org/a/b%20c.zip?x=1").unwrap().as_str(), "b c.zip");
    /// assert!(name("https://example.org/a%2Fb").is_err());
    /// assert!(name("https://example.org/").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// The URL has no last segment, it is not UTF-8 once decoded, or the rule that it breaks.
    pub fn from_url(url: &Url) -> Result<Self, NameError> {
        let segment = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or("");
        if segment.is_empty() {
            return Err(NameError::new(segment, NameRule::Missing));
        }
        let decoded = String::from_utf8(percent_decode(segment.as_bytes()))
            .map_err(|_| NameError::new(segment, NameRule::NotUtf8))?;
        let checked = if decoded.contains('/') { Err(NameRule::Separator) } else { check_component(&decoded) };
        checked.map_err(|rule| NameError::new(&decoded, rule))?;
        if decoded.starts_with('.') {
            return Err(NameError::new(&decoded, NameRule::Hidden));
        }
        Ok(Self(decoded.into()))
    }

    /// The name, its components separated by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// What stands for this name among the unfinished files: 128 bits of the BLAKE3 hash of the name in lower case, so
    /// that names which a file system may take for one share it.
    pub(crate) fn key(&self) -> u128 {
        let digest = blake3::hash(self.0.to_lowercase().as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest.as_bytes()[..16]);
        u128::from_be_bytes(key)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names compare as their text does, so that a map of names can be asked for a path.
impl core::borrow::Borrow<str> for FileName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl core::str::FromStr for FileName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

/// A name that is not accepted, and the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name {name:?} {rule}", rule = rule.text())]
pub struct NameError {
    name: String,
    rule: NameRule,
}

impl NameError {
    fn new(name: &str, rule: NameRule) -> Self {
        Self { name: name.into(), rule }
    }

    /// The name that was refused.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rule that it breaks.
    pub const fn rule(&self) -> NameRule {
        self.rule
    }
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameRule {
    /// The URL names no file.
    Missing,
    /// It is not UTF-8 once decoded.
    NotUtf8,
    /// A component is empty.
    Empty,
    /// A component is `.` or `..`.
    Dots,
    /// A component holds a separator: `/`, `\` or `:`.
    Separator,
    /// It holds a control character, or one that changes the order in which text is shown.
    Control,
    /// It holds one of `< > " | ? *`.
    Reserved,
    /// A component ends in a dot or a space.
    TrailingDotOrSpace,
    /// A component is a device name of Windows.
    Device,
    /// A component has more than 255 bytes.
    TooLong,
    /// A component begins with `.dlmanager`.
    WorkFolder,
    /// A name that was not given by the caller begins with a dot.
    Hidden,
}

impl NameRule {
    /// The rule in words, as the end of a sentence that begins with the name.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Missing => "is empty: the URL does not end in a file name, so give one",
            Self::NotUtf8 => "is not UTF-8 once decoded",
            Self::Empty => "has an empty component",
            Self::Dots => "has a component '.' or '..'",
            Self::Separator => "has a separator ('/', '\\' or ':') where none may be",
            Self::Control => "has a control character or one that reorders text",
            Self::Reserved => "has one of < > \" | ? *, which Windows does not accept",
            Self::TrailingDotOrSpace => "has a component that ends in a dot or a space, which Windows drops",
            Self::Device => "has a component that is a device name on Windows",
            Self::TooLong => "has a component of more than 255 bytes",
            Self::WorkFolder => "has a component that begins with '.dlmanager', where unfinished files live",
            Self::Hidden => "begins with a dot, which only a name given by the caller may",
        }
    }
}

fn check_component(component: &str) -> Result<(), NameRule> {
    if component.is_empty() {
        return Err(NameRule::Empty);
    }
    if component == "." || component == ".." {
        return Err(NameRule::Dots);
    }
    if component.contains(['/', '\\', ':']) {
        return Err(NameRule::Separator);
    }
    if component.chars().any(is_control) {
        return Err(NameRule::Control);
    }
    if component.contains(['<', '>', '"', '|', '?', '*']) {
        return Err(NameRule::Reserved);
    }
    if component.ends_with(['.', ' ']) {
        return Err(NameRule::TrailingDotOrSpace);
    }
    if is_device(component) {
        return Err(NameRule::Device);
    }
    if component.len() > COMPONENT_BYTES_MAX {
        return Err(NameRule::TooLong);
    }
    let prefix = component.as_bytes().get(..WORK_FOLDER.len());
    if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(WORK_FOLDER.as_bytes())) {
        return Err(NameRule::WorkFolder);
    }
    Ok(())
}

/// Control characters (C0, DEL, C1), bidirectional marks and the two separators that break a line (Unicode Standard
/// Annex #9 and chapter 23).
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether Windows takes the component for a device: the stem counts, whatever its case or extension.
fn is_device(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component).trim_end_matches(' ');
    let mut letters = ['\0'; 7];
    let mut length = 0;
    for c in stem.chars() {
        let Some(slot) = letters.get_mut(length) else { return false };
        *slot = c.to_ascii_uppercase();
        length += 1;
    }
    match letters.get(..length).unwrap_or(&[]) {
        ['C', 'O', 'N'] | ['P', 'R', 'N'] | ['A', 'U', 'X'] | ['N', 'U', 'L'] => true,
        ['C', 'O', 'N', 'I', 'N', '$'] | ['C', 'O', 'N', 'O', 'U', 'T', '$'] => true,
        ['C', 'O', 'M', digit] | ['L', 'P', 'T', digit] => matches!(digit, '0'..='9' | '¹' | '²' | '³'),
        _ => false,
    }
}

/// Decodes `%XX` once; what is not followed by two hexadecimal digits stays as it is (URL standard, percent-decode).
pub(crate) fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                rest = &tail[2..];
            }
            _ => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    decoded
}

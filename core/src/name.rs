//! Names of files: validated once, under all systems' rules on every system.

use alloc::borrow::Cow;
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
/// - has no `/`, `\`, `:`, none of `< > " | ? *`, and no control, bidirectional, line-separating or invisible characters
///   (the joiners that scripts and emoji need are none);
/// - does not end in a dot or a space, and is no device name of Windows (`CON`, `nul.txt`, `COM1` ...);
/// - does not begin with `.dlmanager`, which is where unfinished files live.
///
/// A name that breaks a rule is an error that says which one, never a silently changed name; who would rather have it
/// changed asks for [`sanitized`](Self::sanitized).
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
        // A URL is ASCII.
        if !segment.contains('%') {
            return Self::from_suggestion(segment);
        }
        let decoded = String::from_utf8(percent_decode(segment.as_bytes()))
            .map_err(|_| NameError::new(segment, NameRule::NotUtf8))?;
        Self::from_suggestion(&decoded)
    }

    /// A name that somebody else suggests, a server by `Content-Disposition` say: a single component, held to the same as
    /// one from a URL. Nothing is decoded, and nothing is cut.
    ///
    /// ```
    /// use dlmanager_core::{FileName, NameRule};
    ///
    /// assert_eq!(FileName::from_suggestion("a b.zip").unwrap().as_str(), "a b.zip");
    /// assert_eq!(FileName::from_suggestion("../a").unwrap_err().rule(), NameRule::Separator);
    /// assert_eq!(FileName::from_suggestion(".bashrc").unwrap_err().rule(), NameRule::Hidden);
    /// ```
    ///
    /// # Errors
    ///
    /// The first rule that it breaks.
    pub fn from_suggestion(name: &str) -> Result<Self, NameError> {
        check_suggestion(name).map_err(|rule| NameError::new(name, rule))?;
        Ok(Self(name.into()))
    }

    /// A name as near to this text as the rules for a suggested one allow, for callers who would rather have another name
    /// than none. A name that is valid stays as it is, so that doing it twice changes nothing more.
    ///
    /// Each character that may not be in a name becomes `_`, as does a dot in front; spaces around it and dots at its end
    /// are dropped; a device name gets a `_` in front; what is too long is cut before its extension.
    ///
    /// Two texts may well come to one name.
    ///
    /// ```
    /// use dlmanager_core::FileName;
    ///
    /// assert_eq!(FileName::sanitized("what: now?.txt")?.as_str(), "what_ now_.txt");
    /// assert_eq!(FileName::sanitized("../../etc/passwd")?.as_str(), "_._.._etc_passwd");
    /// assert_eq!(FileName::sanitized("nul.txt")?.as_str(), "_nul.txt");
    /// # Ok::<(), dlmanager_core::NameError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NameRule::Empty`] where there is nothing to be seen in the text.
    pub fn sanitized(text: &str) -> Result<Self, NameError> {
        if let Ok(name) = Self::from_suggestion(text) {
            return Ok(name);
        }
        let replaced = |c| if is_separator(c) || is_control(c) || is_reserved(c) { '_' } else { c };
        let mut name: String = text.trim_matches(' ').chars().map(replaced).collect();
        if is_hidden(&name) {
            name = name.replacen('.', "_", 1);
        }
        name = capped(name.trim_end_matches(TRAILING));
        if is_device(&name) || is_work_folder(&name) {
            name = capped(&alloc::format!("_{name}"));
        }
        Self::from_suggestion(&name)
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
        let is_lower = self.0.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        let digest = match is_lower {
            true => blake3::hash(self.0.as_bytes()),
            false => blake3::hash(self.0.to_lowercase().as_bytes()),
        };
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
///
/// ```
/// use dlmanager_core::{FileName, NameRule};
///
/// let Err(error) = FileName::new("a//b") else { unreachable!() };
/// assert_eq!((error.name(), error.rule()), ("a//b", NameRule::Empty));
/// assert_eq!(error.to_string(), "the name \"a//b\" has an empty component");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name {name:?} {rule}", name = shortened(name), rule = rule.text())]
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
///
/// ```
/// use dlmanager_core::{FileName, NameRule};
///
/// let broken = |name| FileName::new(name).err().map(|error| error.rule());
/// assert_eq!(broken("../a"), Some(NameRule::Dots));
/// assert_eq!(broken("a?"), Some(NameRule::Reserved));
/// assert_eq!(broken(".bashrc"), None); // `Hidden` holds only for a name that was not given by the caller
/// ```
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
    /// It holds a control character, or one that changes the order in which text is shown or is not seen at all.
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
            Self::Control => "has a control character, or one that reorders or hides text",
            Self::Reserved => "has one of < > \" | ? *, which Windows does not accept",
            Self::TrailingDotOrSpace => "has a component that ends in a dot or a space, which Windows drops",
            Self::Device => "has a component that is a device name on Windows",
            Self::TooLong => "has a component of more than 255 bytes",
            Self::WorkFolder => "has a component that begins with '.dlmanager', where unfinished files live",
            Self::Hidden => "begins with a dot, which only a name given by the caller may",
        }
    }
}

/// The longest name that an error tells whole, in bytes: a component that may be one has fewer.
const TOLD_BYTES_MAX: usize = 300;

/// The text without its middle where it is so long that nobody would read it.
fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= TOLD_BYTES_MAX {
        return text.into();
    }
    let boundary = |from: usize| (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let (head, tail) = (boundary(TOLD_BYTES_MAX * 2 / 3), boundary(text.len() - TOLD_BYTES_MAX / 3));
    alloc::format!("{}…{}", &text[..head], &text[tail..]).into()
}

/// What comes from elsewhere is one component, and hides nothing.
fn check_suggestion(name: &str) -> Result<(), NameRule> {
    if name.contains('/') {
        return Err(NameRule::Separator);
    }
    check_component(name)?;
    if is_hidden(name) { Err(NameRule::Hidden) } else { Ok(()) }
}

fn check_component(component: &str) -> Result<(), NameRule> {
    // Most names are, and cannot break the rules about characters.
    if !is_plain(component) {
        check_characters(component)?;
    }
    if component.ends_with(TRAILING) {
        return Err(NameRule::TrailingDotOrSpace);
    }
    if is_device(component) {
        return Err(NameRule::Device);
    }
    if component.len() > COMPONENT_BYTES_MAX {
        return Err(NameRule::TooLong);
    }
    if is_work_folder(component) {
        return Err(NameRule::WorkFolder);
    }
    Ok(())
}

/// Whether it begins with a letter or a digit, and has only these, dots, `-` and `_`.
fn is_plain(component: &str) -> bool {
    component.starts_with(|c: char| c.is_ascii_alphanumeric())
        && component.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn check_characters(component: &str) -> Result<(), NameRule> {
    if compared(component).next().is_none() {
        return Err(NameRule::Empty);
    }
    if compared(component).eq(".".chars()) || compared(component).eq("..".chars()) {
        return Err(NameRule::Dots);
    }
    if component.contains(is_separator) {
        return Err(NameRule::Separator);
    }
    if component.contains(is_control) {
        return Err(NameRule::Control);
    }
    if component.contains(is_reserved) {
        return Err(NameRule::Reserved);
    }
    Ok(())
}

/// What Windows drops at the end of a component.
const TRAILING: [char; 2] = ['.', ' '];

const fn is_separator(c: char) -> bool {
    matches!(c, '/' | '\\' | ':')
}

/// What Windows does not accept.
const fn is_reserved(c: char) -> bool {
    matches!(c, '<' | '>' | '"' | '|' | '?' | '*')
}

/// Control characters (C0, DEL, C1), bidirectional marks, the two separators that break a line, and what is not seen and
/// has no use in a name (Unicode Standard Annex #9 and chapter 23).
const fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}')
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The characters that a file system compares: HFS+ passes over the two joiners, the only ones of those that it passes
/// over which are allowed.
fn compared(component: &str) -> impl Iterator<Item = char> {
    component.chars().filter(|c| !matches!(c, '\u{200c}' | '\u{200d}'))
}

fn is_hidden(component: &str) -> bool {
    compared(component).next() == Some('.')
}

/// Whether the component may be taken for the work folder or for what belongs beside it. NTFS has a short name for it as
/// well.
fn is_work_folder(component: &str) -> bool {
    let mut characters = compared(component);
    let is_prefix = WORK_FOLDER.chars().all(|c| characters.next().is_some_and(|own| own.eq_ignore_ascii_case(&c)));
    let (stem, number) = component.split_once('~').unwrap_or((component, ""));
    is_prefix || (stem.eq_ignore_ascii_case("dlmana") && number.starts_with(|c: char| c.is_ascii_digit()))
}

/// The longest extension that is kept when a name is cut, with its dot: what is longer is hardly one.
const EXTENSION_BYTES_MAX: usize = 32;

/// The text cut to what a component may have, at its end or before its extension.
fn capped(text: &str) -> String {
    if text.len() <= COMPONENT_BYTES_MAX {
        return text.into();
    }
    let extension = text.rfind('.').map_or("", |dot| &text[dot..]);
    let extension = if extension.len() <= EXTENSION_BYTES_MAX { extension } else { "" };
    let mut end = COMPONENT_BYTES_MAX - extension.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = alloc::format!("{}{extension}", &text[..end]);
    cut.trim_end_matches(TRAILING).into()
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

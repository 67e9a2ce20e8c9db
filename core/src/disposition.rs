//! `Content-Disposition` (RFC 6266): the name that a server suggests for the file.
//!
//! What comes out is raw: a name with a separator is not cut to what seems to be meant, but refused with every other bad
//! one by [`FileName`](crate::FileName).

use alloc::string::String;
use alloc::vec::Vec;

use http::HeaderMap;
use http::header::CONTENT_DISPOSITION;

use crate::field::agreed;

/// The name that the field suggests, whatever its type: `inline` says how to show a file, not how to name it.
///
/// `filename*` stands before `filename` (section 4.3), unless it cannot be decoded. A field that the grammar does not
/// have, or that gives two names alike, suggests none.
pub(crate) fn file_name(headers: &HeaderMap) -> Option<String> {
    let mut reader = Reader { rest: agreed(headers, &CONTENT_DISPOSITION)?.as_bytes() };
    reader.token()?;
    let (mut plain, mut extended) = (None, None);
    while let Some((name, value)) = reader.parameter()? {
        let slot = if name.eq_ignore_ascii_case(b"filename") {
            &mut plain
        } else if name.eq_ignore_ascii_case(b"filename*") {
            &mut extended
        } else {
            continue;
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    let extended = extended.and_then(|value| match value {
        Value::Token(text) => decode_extended(text),
        // The grammar has no quotes here.
        Value::Quoted(_) => None,
    });
    extended.or_else(|| {
        Some(match plain? {
            Value::Token(text) => text_of(text.to_vec()),
            Value::Quoted(text) => text_of(text),
        })
    })
}

enum Value<'a> {
    Token(&'a [u8]),
    /// Without its quotes and escapes.
    Quoted(Vec<u8>),
}

/// What is left of the field to be read. Where a part is missing, it answers `None`.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next parameter; the inner `None` is the end of the field. Spaces are allowed wherever RFC 2616, whose grammar
    /// RFC 6266 is written in, has them.
    fn parameter(&mut self) -> Option<Option<(&'a [u8], Value<'a>)>> {
        loop {
            self.spaces();
            if self.rest.is_empty() {
                return Some(None);
            }
            self.byte(b';')?;
            self.spaces();
            // Nothing between two semicolons, or after the last, is no parameter (RFC 9110 section 5.6.6).
            if !matches!(self.rest.first(), None | Some(b';')) {
                break;
            }
        }
        let name = self.token()?;
        self.spaces();
        self.byte(b'=')?;
        self.spaces();
        let value = match self.rest.first()? {
            b'"' => Value::Quoted(self.quoted()?),
            _ => Value::Token(self.token()?),
        };
        Some(Some((name, value)))
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn byte(&mut self, expected: u8) -> Option<()> {
        let (&first, rest) = self.rest.split_first()?;
        (first == expected).then(|| self.rest = rest)
    }

    /// RFC 9110 section 5.6.2.
    fn token(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&byte| !is_token(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// RFC 9110 section 5.6.4: a backslash makes the next byte stand for itself.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        self.byte(b'"')?;
        let mut text = Vec::new();
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return Some(text),
                b'\\' => {
                    let (&escaped, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    text.push(escaped);
                }
                _ => text.push(byte),
            }
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// An extended value (RFC 8187 section 3.2): `UTF-8'en'caf%C3%A9`, percent-decoded exactly once. ISO-8859-1 is what RFC
/// 5987 had beside UTF-8.
fn decode_extended(text: &[u8]) -> Option<String> {
    let mut parts = text.splitn(3, |&byte| byte == b'\'');
    let (charset, _language, mut rest) = (parts.next()?, parts.next()?, parts.next()?);
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => {
                let (&[high, low], tail) = rest.split_first_chunk()?;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                decoded.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
                rest = tail;
            }
            b'*' | b'\'' => return None,
            _ => decoded.push(first),
        }
    }
    if charset.eq_ignore_ascii_case(b"utf-8") {
        String::from_utf8(decoded).ok()
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        Some(latin(&decoded))
    } else {
        None
    }
}

/// The text of a plain `filename`. Beyond ASCII the standard means ISO-8859-1, but what servers send is UTF-8; text in
/// the one is hardly ever valid in the other.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| latin(error.as_bytes()))
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn suggested(values: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_DISPOSITION, HeaderValue::from_bytes(value).unwrap());
        }
        file_name(&headers)
    }

    #[test]
    fn names_that_are_suggested() {
        for (value, name) in [
            // The examples of RFC 6266 section 5.
            ("Attachment; filename=example.html", "example.html"),
            ("INLINE; FILENAME= \"an example.html\"", "an example.html"),
            ("attachment; filename*= UTF-8''%e2%82%ac%20rates", "€ rates"),
            ("attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates", "€ rates"),
            // The examples of RFC 8187 section 3.2.2, as a name.
            ("attachment; filename*=iso-8859-1'en'%A3%20rates", "£ rates"),
            ("attachment; filename*=UTF-8''%c2%a3%20and%20%e2%82%ac%20rates", "£ and € rates"),
            // Order does not matter, nor does the type, nor do other parameters.
            ("attachment; filename*=UTF-8''b.txt; filename=a.txt", "b.txt"),
            ("attachment; filename=a.txt; filename*=UTF-8''b.txt", "b.txt"),
            ("form-data; name=\"file\"; filename=\"a.txt\"", "a.txt"),
            ("x-unknown;filename=a.txt", "a.txt"),
            ("attachment; size=5; filename=a.txt; creation-date=\"Wed, 12 Feb 1997 16:29:51 -0500\"", "a.txt"),
            ("attachment; foo=\"filename=b\"; filename=a", "a"),
            ("attachment; xfilename=b; filename=a", "a"),
            // Quotes and escapes.
            ("attachment; filename=\"a;b.txt\"", "a;b.txt"),
            ("attachment; filename=\"a; filename=b\"", "a; filename=b"),
            ("attachment; filename=\"a\\\"b.txt\"", "a\"b.txt"),
            ("attachment; filename=\"a\\\\b.txt\"", "a\\b.txt"),
            ("attachment; filename=\"\\a\\;\"", "a;"),
            ("attachment; filename=\"\"", ""),
            ("attachment; filename=\"a\tb\"", "a\tb"),
            // Spaces, and semicolons with nothing between.
            ("attachment;filename=a", "a"),
            ("attachment \t;\t filename \t=\t a \t", "a"),
            ("attachment; filename=a;", "a"),
            ("attachment; ; filename=a;;", "a"),
            // Only an extended value is decoded, and only once.
            ("attachment; filename=a%20b", "a%20b"),
            ("attachment; filename=\"a%2Fb\"", "a%2Fb"),
            ("attachment; filename*=UTF-8''a%252Fb", "a%2Fb"),
            ("attachment; filename=\"=?UTF-8?Q?a?=\"", "=?UTF-8?Q?a?="),
            ("attachment; filename=a+b", "a+b"),
            // What is no good name is for others to refuse: nothing is cut.
            ("attachment; filename=\"../../etc/passwd\"", "../../etc/passwd"),
            ("attachment; filename=\"C:\\\\a\"", "C:\\a"),
            ("attachment; filename*=UTF-8''..%2F..%2Fa", "../../a"),
            ("attachment; filename*=UTF-8''a%00b", "a\0b"),
            ("attachment; filename=.bashrc", ".bashrc"),
            // An extended value that cannot be decoded is as good as none.
            ("attachment; filename=a; filename*=UTF-8''%FF", "a"),
            ("attachment; filename=a; filename*=UTF-8''%c0%af", "a"),
            ("attachment; filename=a; filename*=UTF-8''%", "a"),
            ("attachment; filename=a; filename*=UTF-8''%2", "a"),
            ("attachment; filename=a; filename*=UTF-8''%2g", "a"),
            ("attachment; filename=a; filename*=UTF-8''%+2", "a"),
            ("attachment; filename=a; filename*=UTF-8''b'c", "a"),
            ("attachment; filename=a; filename*=UTF-8''b*c", "a"),
            ("attachment; filename=a; filename*=UTF-8'b", "a"),
            ("attachment; filename=a; filename*=b", "a"),
            ("attachment; filename=a; filename*=UTF-16''b", "a"),
            ("attachment; filename=a; filename*=''b", "a"),
            ("attachment; filename=a; filename*=\"UTF-8''b\"", "a"),
            // A continued parameter of mail (RFC 2231) is another one.
            ("attachment; filename*0=b; filename*1=c; filename=a", "a"),
            ("attachment; filename*0*=UTF-8''b; filename=a", "a"),
            // Beyond ASCII.
            ("attachment; filename=\"naïve.txt\"", "naïve.txt"),
            ("attachment; filename*=UTF-8''%F0%9F%A6%80", "🦀"),
            ("attachment; filename*=ISO-8859-1''%E9%80", "é\u{80}"),
        ] {
            assert_eq!(suggested(&[value.as_bytes()]).as_deref(), Some(name), "{value}");
        }
        assert_eq!(suggested(&[b"attachment; filename=\"na\xefve.txt\""]).as_deref(), Some("naïve.txt"));
        let same: &[u8] = b"attachment; filename=a";
        assert_eq!(suggested(&[same, same]).as_deref(), Some("a"));
    }

    #[test]
    fn fields_that_suggest_nothing() {
        for value in [
            "",
            "attachment",
            "attachment;",
            "inline; size=5",
            "filename=a",
            "\"attachment\"; filename=a",
            "; filename=a",
            "attachment filename=a",
            "attachment, inline; filename=a",
            "attachment; filename",
            "attachment; filename=",
            "attachment; filename=;",
            "attachment; =a",
            "attachment; filename==a",
            "attachment; filename=a b.txt",
            "attachment; filename=a/b",
            "attachment; filename=a, b",
            "attachment; filename=[a]",
            "attachment; filename=naïve",
            "attachment; filename=\"a",
            "attachment; filename=\"a\\",
            "attachment; filename=\"a\\\"",
            "attachment; filename=\"a\"b",
            "attachment; filename=\"a\" b",
            "attachment; filename=a\"b\"",
            "attachment; filename=a; filename=b",
            "attachment; filename=a; FileName=a",
            "attachment; filename*=UTF-8''a; filename*=UTF-8''b",
            "attachment; filename*=UTF-8''a; filename*=UTF-8''b; filename=c",
            "attachment; filename*=UTF-8''%FF",
            "attachment; filename*=UTF-8''a b",
            "attachment; filename*=UTF-8''a/b; filename=a",
            "attachment; filename=a; bro ken",
            "attachment; filename=a; (comment)",
            "attachment; filename=a\u{a0}",
        ] {
            assert_eq!(suggested(&[value.as_bytes()]), None, "{value:?}");
        }
        assert_eq!(suggested(&[]), None);
        assert_eq!(suggested(&[b"attachment; filename=a", b"attachment; filename=b"]), None);
    }

    proptest! {
        #[test]
        fn every_name_survives_either_way_of_writing_it(name in "\\PC{0,12}", language in "[a-zA-Z-]{0,5}") {
            let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
            let quoted = format!("attachment; filename=\"{escaped}\"; x=y");
            prop_assert_eq!(suggested(&[quoted.as_bytes()]), Some(name.clone()));
            let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let extended = format!("attachment; filename=other; filename*=UTF-8'{language}'{encoded}");
            prop_assert_eq!(suggested(&[extended.as_bytes()]), Some(name));
        }

        #[test]
        fn no_field_panics(value in "(attachment|inline|x)?[;= \"\\\\%'*a-fUTF0-8\u{e9}-]{0,40}") {
            suggested(&[value.as_bytes()]);
        }

        #[test]
        fn no_parameters_panic(value in "(filename\\*?|x)[ =]{1,2}(\"|UTF-8'')?[;= \"\\\\%'*a-f0-9]{0,20}") {
            suggested(&[format!("a;{value}").as_bytes()]);
        }
    }
}

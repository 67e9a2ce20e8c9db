//! Header fields that hold one value.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The value of a field that may stand once (RFC 9110 section 5.3). Repeated alike it says the same; repeated with
/// another value it says nothing that could be relied on, and that is the error.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.all(|other| other == first) { Ok(Some(first)) } else { Err(()) }
}

/// The same where a field that contradicts itself is as good as none.
pub(crate) fn agreed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    single(headers, name).ok().flatten()
}

/// A number that is written in decimal digits alone: `u64::from_str` takes a sign as well.
pub(crate) fn digits(text: &[u8]) -> Result<u64, DigitsError> {
    if text.is_empty() {
        return Err(DigitsError::NotDigits);
    }
    let mut number = Some(0_u64);
    for byte in text {
        if !byte.is_ascii_digit() {
            return Err(DigitsError::NotDigits);
        }
        number = number.and_then(|number| number.checked_mul(10)?.checked_add(u64::from(byte - b'0')));
    }
    number.ok_or(DigitsError::TooLarge)
}

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigitsError {
    NotDigits,
    /// Beyond 64 bits, but a number.
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::DATE;

    #[test]
    fn a_repeated_field_counts_where_it_agrees_with_itself() {
        let mut headers = HeaderMap::new();
        assert_eq!(single(&headers, &DATE), Ok(None));
        headers.append(DATE, HeaderValue::from_static("a"));
        headers.append(DATE, HeaderValue::from_static("a"));
        assert_eq!(single(&headers, &DATE), Ok(Some(&HeaderValue::from_static("a"))));
        assert_eq!(agreed(&headers, &DATE), Some(&HeaderValue::from_static("a")));
        headers.append(DATE, HeaderValue::from_static("b"));
        assert_eq!(single(&headers, &DATE), Err(()));
        assert_eq!(agreed(&headers, &DATE), None);
    }

    #[test]
    fn only_digits_are_a_number() {
        assert_eq!(digits(b"0"), Ok(0));
        assert_eq!(digits(b"007"), Ok(7));
        assert_eq!(digits(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(digits(b"18446744073709551616"), Err(DigitsError::TooLarge));
        assert_eq!(digits(b"99999999999999999999999999999999999999999"), Err(DigitsError::TooLarge));
        for text in ["", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x1", "1_0", "99999999999999999999999x", "\u{661}"] {
            assert_eq!(digits(text.as_bytes()), Err(DigitsError::NotDigits), "{text:?}");
        }
    }
}

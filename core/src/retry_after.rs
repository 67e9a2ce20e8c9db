//! `Retry-After` (RFC 9110 section 10.2.3): how long a server asks to be left alone.

use core::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use crate::field::{DigitsError, agreed, digits};
use crate::http_date;

/// Reads the field: a number of seconds, where more than there are is the most there are, or a date.
///
/// A date counts from the reply's own `Date`, since the core has no clock and the server's may be off; without one it
/// says nothing. One that is over asks for no wait.
pub(crate) fn parse(headers: &HeaderMap) -> Option<Duration> {
    let value = agreed(headers, &RETRY_AFTER)?.as_bytes();
    match digits(value) {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(DigitsError::TooLarge) => Some(Duration::from_secs(u64::MAX)),
        Err(DigitsError::NotDigits) => {
            let until = http_date::seconds(value)?;
            let now = http_date::seconds(agreed(headers, &DATE)?.as_bytes())?;
            Some(Duration::from_secs(until.saturating_sub(now)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";

    fn parsed(fields: &[(HeaderName, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        parse(&headers)
    }

    fn asked(value: &str) -> Option<Duration> {
        parsed(&[(RETRY_AFTER, value), (DATE, NOON)])
    }

    #[test]
    fn seconds() {
        assert_eq!(asked("0"), Some(Duration::ZERO));
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("0120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("18446744073709551615"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(asked("99999999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parsed(&[(RETRY_AFTER, "120")]), Some(Duration::from_secs(120)), "needs no Date");
    }

    #[test]
    fn dates_count_from_the_replys_own() {
        assert_eq!(asked("Sun, 06 Nov 1994 12:01:40 GMT"), Some(Duration::from_secs(100)));
        assert_eq!(asked("Sunday, 06-Nov-94 12:01:40 GMT"), Some(Duration::from_secs(100)));
        assert_eq!(asked("Sun Nov  6 12:01:40 1994"), Some(Duration::from_secs(100)));
        assert_eq!(asked("Mon, 07 Nov 1994 12:00:00 GMT"), Some(Duration::from_secs(86_400)));
        assert_eq!(asked(NOON), Some(Duration::ZERO));
        assert_eq!(asked("Sun, 06 Nov 1994 11:59:59 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn what_says_nothing_is_absent() {
        assert_eq!(parsed(&[]), None);
        for value in ["", "-1", "+1", "1.5", "1 s", "120s", "soon", "0x10", "1, 2", " 1", "Sun, 06 Nov 1994"] {
            assert_eq!(asked(value), None, "{value:?}");
        }
        let later = "Sun, 06 Nov 1994 12:01:40 GMT";
        assert_eq!(parsed(&[(RETRY_AFTER, later)]), None);
        assert_eq!(parsed(&[(RETRY_AFTER, later), (DATE, "now")]), None);
        assert_eq!(parsed(&[(RETRY_AFTER, later), (DATE, NOON), (DATE, later)]), None);
        assert_eq!(parsed(&[(RETRY_AFTER, "1"), (RETRY_AFTER, "2")]), None);
        assert_eq!(parsed(&[(RETRY_AFTER, "1"), (RETRY_AFTER, "1")]), Some(Duration::from_secs(1)));
    }

    proptest! {
        #[test]
        fn a_number_is_that_many_seconds(seconds in any::<u64>(), zeros in 0..5_usize) {
            let text = format!("{}{seconds}", "0".repeat(zeros));
            prop_assert_eq!(asked(&text), Some(Duration::from_secs(seconds)));
        }

        #[test]
        fn a_date_is_the_span_from_the_replys_own(now in 0..86_400u64, until in 0..86_400u64) {
            let date = |of_day: u64| {
                format!("Sun, 06 Nov 1994 {:02}:{:02}:{:02} GMT", of_day / 3_600, of_day / 60 % 60, of_day % 60)
            };
            let wait = parsed(&[(RETRY_AFTER, &date(until)), (DATE, &date(now))]);
            prop_assert_eq!(wait, Some(Duration::from_secs(until.saturating_sub(now))));
        }

        #[test]
        fn no_text_panics_and_only_digits_are_a_number(text in "[ -~]{0,40}") {
            let wait = parsed(&[(RETRY_AFTER, &text)]);
            prop_assert_eq!(wait.is_some(), !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
        }
    }
}

//! Dates as HTTP writes them (RFC 9110 section 5.6.7), read without a clock and without std.
//!
//! What is not exactly one of the three forms is no date, and neither is a day that the calendar does not have.

/// Reads a date; seconds since 1970-01-01 UTC, before which there is none.
pub(crate) fn seconds(text: &[u8]) -> Option<u64> {
    imf_fixdate(text).or_else(|| rfc850_date(text)).or_else(|| asctime_date(text))?.seconds()
}

/// As written: only the clock is checked.
struct Date<'a> {
    /// The name of the weekday in full or its first three letters, as the form has it.
    weekday: &'a [u8],
    year: u64,
    month: &'a [u8],
    day: u64,
    second_of_day: u64,
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &[u8]) -> Option<Date<'_>> {
    let (weekday, rest) = text.split_at_checked(3)?;
    let (day, rest) = rest.strip_prefix(b", ")?.split_at_checked(2)?;
    let (month, rest) = rest.strip_prefix(b" ")?.split_at_checked(3)?;
    let (year, rest) = rest.strip_prefix(b" ")?.split_at_checked(4)?;
    let clock = rest.strip_prefix(b" ")?.strip_suffix(b" GMT")?;
    Some(Date { weekday, year: number(year)?, month, day: number(day)?, second_of_day: second_of_day(clock)? })
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850_date(text: &[u8]) -> Option<Date<'_>> {
    let comma = text.iter().position(|&byte| byte == b',')?;
    let (weekday, rest) = text.split_at_checked(comma)?;
    let (day, rest) = rest.strip_prefix(b", ")?.split_at_checked(2)?;
    let (month, rest) = rest.strip_prefix(b"-")?.split_at_checked(3)?;
    let (year, rest) = rest.strip_prefix(b"-")?.split_at_checked(2)?;
    let clock = rest.strip_prefix(b" ")?.strip_suffix(b" GMT")?;
    // The standard has two digits mean the year that is at most 50 years ahead, which takes a clock. Until 2070 the
    // fixed rule gives the same for every date that a server has a reason to send.
    let year = match number(year)? {
        year @ 0..70 => 2000 + year,
        year => 1900 + year,
    };
    // Three letters are the other form's.
    (weekday.len() > 3).then_some(())?;
    Some(Date { weekday, year, month, day: number(day)?, second_of_day: second_of_day(clock)? })
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime_date(text: &[u8]) -> Option<Date<'_>> {
    let (weekday, rest) = text.split_at_checked(3)?;
    let (month, rest) = rest.strip_prefix(b" ")?.split_at_checked(3)?;
    let (day, rest) = rest.strip_prefix(b" ")?.split_at_checked(2)?;
    let (clock, rest) = rest.strip_prefix(b" ")?.split_at_checked(8)?;
    let (year, rest) = rest.strip_prefix(b" ")?.split_at_checked(4)?;
    rest.is_empty().then_some(())?;
    let day = number(day.strip_prefix(b" ").unwrap_or(day))?;
    Some(Date { weekday, year: number(year)?, month, day, second_of_day: second_of_day(clock)? })
}

/// `08:49:37`. A leap second is refused: no day after 1970 has it that could be told from the next.
fn second_of_day(clock: &[u8]) -> Option<u64> {
    let &[hour_tens, hour, b':', minute_tens, minute, b':', second_tens, second] = clock else { return None };
    let below = |limit: u64, digits: [u8; 2]| number(&digits).filter(|number| *number < limit);
    let hour = below(24, [hour_tens, hour])?;
    let minute = below(60, [minute_tens, minute])?;
    let second = below(60, [second_tens, second])?;
    Some(hour * 3_600 + minute * 60 + second)
}

/// At most four digits.
fn number(digits: &[u8]) -> Option<u64> {
    crate::field::digits(digits).ok()
}

/// Monday is the first, as 1970-01-01 was the fourth.
const WEEKDAYS: [&[u8]; 7] = [b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday", b"Sunday"];

/// Each month with the days before it and its own, in a year of 365.
const MONTHS: [(&[u8], u64, u64); 12] = [
    (b"Jan", 0, 31),
    (b"Feb", 31, 28),
    (b"Mar", 59, 31),
    (b"Apr", 90, 30),
    (b"May", 120, 31),
    (b"Jun", 151, 30),
    (b"Jul", 181, 31),
    (b"Aug", 212, 31),
    (b"Sep", 243, 30),
    (b"Oct", 273, 31),
    (b"Nov", 304, 30),
    (b"Dec", 334, 31),
];

impl Date<'_> {
    /// Looks the day up in the calendar; the weekday must be that day's.
    fn seconds(&self) -> Option<u64> {
        let month = MONTHS.iter().position(|(name, ..)| *name == self.month)?;
        let (_, mut before, mut days) = *MONTHS.get(month)?;
        let is_leap = self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        match month {
            0 => {}
            1 => days += u64::from(is_leap),
            _ => before += u64::from(is_leap),
        }
        let leap_years = |year: u64| year / 4 - year / 100 + year / 400;
        let years = self.year.checked_sub(1_970)?;
        let day_of_month = self.day.checked_sub(1).filter(|day| *day < days)?;
        let day = years * 365 + leap_years(self.year - 1) - leap_years(1_969) + before + day_of_month;
        let weekday = WEEKDAYS.get(usize::try_from((day + 3) % 7).ok()?)?;
        let named = *weekday == self.weekday || weekday.get(..3) == Some(self.weekday);
        named.then_some(day * 86_400 + self.second_of_day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use proptest::prelude::*;

    #[test]
    fn the_three_forms_of_the_standard_say_the_same() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(seconds(text.as_bytes()), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn days_that_are_easily_missed() {
        for (text, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
            ("Wed, 01 Mar 2000 00:00:00 GMT", Some(951_868_800)),
            ("Sun, 29 Feb 2100 00:00:00 GMT", None),
            ("Mon, 29 Feb 2100 00:00:00 GMT", None),
            ("Mon, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400)),
            ("Thu, 31 Dec 2099 23:59:59 GMT", Some(4_102_444_799)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Wednesday, 31-Dec-69 23:59:59 GMT", None),
            ("Tuesday, 31-Dec-69 23:59:59 GMT", Some(3_155_759_999)),
            ("Thursday, 01-Jan-70 00:00:00 GMT", Some(0)),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_nearly_a_date_is_none() {
        for text in [
            "",
            "0",
            "784111777",
            "1994-11-06T08:49:37Z",
            "Mon, 06 Nov 1994 08:49:37 GMT", // it was a Sunday
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunda, 06-Nov-94 08:49:37 GMT",
            "sun, 06 nov 1994 08:49:37 gmt",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            " Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMTx",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun,  6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 +8:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Thu, 31 Nov 1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994 ",
            "Sun Nov  0 08:49:37 1994",
            "Sun Nov    08:49:37 1994",
        ] {
            assert_eq!(seconds(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(seconds(b"Sun, 06 Nov 1994 08:49:37 GM\xd4"), None);
    }

    /// What the crate that most of Rust reads dates with makes of it.
    fn by_httpdate(text: &str) -> Option<u64> {
        let epoch = httpdate::parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT").unwrap();
        Some(httpdate::parse_http_date(text).ok()?.duration_since(epoch).unwrap().as_secs())
    }

    /// Dates whose parts are right, and here and there one that is not.
    fn near_dates() -> impl Strategy<Value = String> {
        let weekdays = prop::sample::select(&["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][..]);
        let full = |short| match short {
            "Tue" => "Tuesday",
            "Wed" => "Wednesday",
            "Thu" => "Thursday",
            "Sat" => "Saturday",
            "Mon" => "Monday",
            "Fri" => "Friday",
            _ => "Sunday",
        };
        let months = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][..];
        let years = prop_oneof![1_960..2_120_u32, 0..10_000_u32];
        let clocks = (0..25_u32, 0..61_u32, 0..61_u32);
        (0..3_u8, weekdays, 0..33_u32, prop::sample::select(months), years, clocks).prop_map(
            move |(form, weekday, day, month, year, (hour, minute, second))| {
                let clock = format!("{hour:02}:{minute:02}:{second:02}");
                match form {
                    0 => format!("{weekday}, {day:02} {month} {year:04} {clock} GMT"),
                    1 => format!("{}, {day:02}-{month}-{:02} {clock} GMT", full(weekday), year % 100),
                    _ => format!("{weekday} {month} {day:2} {clock} {year:04}"),
                }
            },
        )
    }

    /// The form that httpdate writes, and the two old ones made of it.
    fn forms_of(second: u64) -> [String; 3] {
        let epoch = httpdate::parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT").unwrap();
        let fixed = httpdate::fmt_http_date(epoch + core::time::Duration::from_secs(second));
        let weekday = WEEKDAYS.iter().find(|name| name.starts_with(&fixed.as_bytes()[..3])).unwrap();
        let weekday = core::str::from_utf8(weekday).unwrap();
        let (day, month, year, clock) = (&fixed[5..7], &fixed[8..11], &fixed[12..16], &fixed[17..25]);
        let padded = day.replace("0", if day.starts_with('0') { " " } else { "0" });
        [
            format!("{weekday}, {day}-{month}-{} {clock} GMT", &year[2..]),
            format!("{} {month} {padded} {clock} {year}", &fixed[..3]),
            fixed,
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn every_date_is_read_in_each_of_its_forms(second in 0..253_402_300_800_u64) {
            let [short, unix, fixed] = forms_of(second);
            prop_assert_eq!(seconds(fixed.as_bytes()), Some(second));
            prop_assert_eq!(seconds(unix.as_bytes()), Some(second), "{}", unix);
            // Two digits of a year tell it between 1970 and 2069 alone.
            if second < 3_155_760_000 {
                prop_assert_eq!(seconds(short.as_bytes()), Some(second), "{}", short);
            }
        }

        #[test]
        fn a_date_is_one_where_httpdate_says_so(text in near_dates()) {
            prop_assert_eq!(seconds(text.as_bytes()), by_httpdate(&text), "{}", text);
        }

        #[test]
        fn a_date_with_one_byte_changed_is_what_httpdate_says(
            second in 0..253_402_300_800_u64, form in 0..3_usize, at in 0..40_usize, byte in b'!'..=b'~',
        ) {
            let mut text = forms_of(second)[form].clone().into_bytes();
            let at = at % text.len();
            // That crate does not look at what stands between a short year and the clock.
            prop_assume!(form != 0 || at != text.len() - 13);
            text[at] = byte;
            let text = String::from_utf8(text).unwrap();
            prop_assert_eq!(seconds(text.as_bytes()), by_httpdate(&text), "{}", text);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
            seconds(&bytes);
        }
    }
}

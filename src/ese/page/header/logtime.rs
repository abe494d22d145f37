//! The engine's eight-byte wall-clock time, and the same as ISO 8601 text. Knows nothing of headers.

use std::fmt;
use std::str::FromStr;

use crate::ese::error::{EseError, EseResult, Refusal};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// A wall-clock time as headers and logs keep it (`LOGTIME`), to the millisecond.
///
/// Text form: `2022-08-19T11:46:33.040Z`, without the `Z` for local time; `never` for eight zero bytes.
/// Source: ese-physical 1.2.
///
/// ```text
/// off size
///   0    5  second, minute, hour, day (1-31), month (1-12)
///   5    1  year - 1900
///   6    1  bit 0: the time is UTC; bits 1-7: the low 7 bits of the milliseconds
///   7    1  bit 0: not part of the time; bits 1-3: the high 3 bits of the milliseconds
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LogTime([u8; 8]);

/// The parts of a time that exists.
struct Parts {
    year: i64,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    millis: u16,
    utc: bool,
}

impl LogTime {
    /// Eight zero bytes: it has not happened.
    pub const NEVER: Self = Self([0; 8]);

    /// The time in these bytes. All are taken: one that cannot exist is shown as such.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes as stored.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// Whether this is [`LogTime::NEVER`].
    pub fn is_never(self) -> bool {
        self == Self::NEVER
    }

    /// The UTC time this many milliseconds after the start of 1970, or `None` before 1970 and from 2156 on.
    pub fn from_unix_millis(millis: u64) -> Option<Self> {
        let millis = i64::try_from(millis).ok()?;
        let (mut days, time) = (millis / MILLIS_PER_DAY, millis % MILLIS_PER_DAY);
        let year = (1970..2156).find(|year| take_whole(&mut days, days_of_year(*year)))?;
        let month = (1..=12).find(|month| take_whole(&mut days, days_of_month(year, *month)))?;
        let seconds = time / 1000;
        Some(Self::of(&Parts {
            year,
            month,
            day: days as u8 + 1,
            hour: (seconds / 3600) as u8,
            minute: (seconds / 60 % 60) as u8,
            second: (seconds % 60) as u8,
            millis: (time % 1000) as u16,
            utc: true,
        }))
    }

    /// Milliseconds since the start of 1970, negative before; local times are taken as they stand.
    ///
    /// `None` for [`LogTime::NEVER`] and for bytes that are no time.
    pub fn unix_millis(self) -> Option<i64> {
        let parts = self.parts()?;
        let days: i64 = if parts.year >= 1970 {
            (1970..parts.year).map(days_of_year).sum()
        } else {
            -(parts.year..1970).map(days_of_year).sum::<i64>()
        };
        let days =
            days + (1..parts.month).map(|month| days_of_month(parts.year, month)).sum::<i64>();
        let days = days + i64::from(parts.day) - 1;
        let minutes = i64::from(parts.hour) * 60 + i64::from(parts.minute);
        let seconds = minutes * 60 + i64::from(parts.second);
        Some(days * MILLIS_PER_DAY + seconds * 1000 + i64::from(parts.millis))
    }

    fn of(parts: &Parts) -> Self {
        let low = (parts.millis & 0x7f) as u8;
        let high = (parts.millis >> 7) as u8;
        Self([
            parts.second,
            parts.minute,
            parts.hour,
            parts.day,
            parts.month,
            (parts.year - 1900) as u8,
            low << 1 | u8::from(parts.utc),
            high << 1,
        ])
    }

    fn parts(self) -> Option<Parts> {
        let [second, minute, hour, day, month, year, low, high] = self.0;
        let millis = u16::from(low >> 1) | u16::from(high >> 1 & 7) << 7;
        let year = i64::from(year) + 1900;
        let parts = Parts { year, month, day, hour, minute, second, millis, utc: low & 1 == 1 };
        parts.exists().then_some(parts)
    }
}

impl Parts {
    fn exists(&self) -> bool {
        (1900..2156).contains(&self.year)
            && (1..=12).contains(&self.month)
            && self.day >= 1
            && i64::from(self.day) <= days_of_month(self.year, self.month)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.millis < 1000
    }
}

/// Takes `unit` days off `days` and says false, or, when there are fewer, leaves them and says true.
fn take_whole(days: &mut i64, unit: i64) -> bool {
    if *days < unit {
        return true;
    }
    *days -= unit;
    false
}

fn days_of_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: i64, month: u8) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("never");
        }
        let Some(parts) = self.parts() else {
            return write!(f, "no time ({:016x})", u64::from_be_bytes(self.0));
        };
        let Parts { year, month, day, hour, minute, second, millis, utc } = parts;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}")?;
        if utc { f.write_str("Z") } else { Ok(()) }
    }
}

impl FromStr for LogTime {
    type Err = EseError;

    /// Reads what `Display` writes; the milliseconds may be missing.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] for everything else.
    fn from_str(text: &str) -> EseResult<Self> {
        if text == "never" {
            return Ok(Self::NEVER);
        }
        parse(text).ok_or_else(|| {
            let reason = format!("{text:?} is no time; write it like 2022-08-19T11:46:33.040Z");
            EseError::refused(Refusal::BadRequest, reason)
        })
    }
}

fn parse(text: &str) -> Option<LogTime> {
    let (text, utc) = match text.strip_suffix('Z') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (date, time) = text.split_once('T')?;
    let (time, millis) = time.split_once('.').unwrap_or((time, "000"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let [millis] = numbers(millis, '.', [3])?;
    let parts = Parts {
        year: i64::from(year),
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
        hour: u8::try_from(hour).ok()?,
        minute: u8::try_from(minute).ok()?,
        second: u8::try_from(second).ok()?,
        millis,
        utc,
    };
    parts.exists().then(|| LogTime::of(&parts))
}

/// Splits `text` into exactly `N` numbers of exactly these many digits.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u16; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vector of ese-physical 1.2.
    const VECTOR: LogTime = LogTime([0x21, 0x2e, 0x0b, 0x13, 0x08, 0x7a, 0x51, 0x00]);

    #[test]
    fn the_vector_of_the_fact_sheet_reads_and_writes() {
        assert_eq!(VECTOR.to_string(), "2022-08-19T11:46:33.040Z");
        assert_eq!("2022-08-19T11:46:33.040Z".parse::<LogTime>().unwrap(), VECTOR);
        assert_eq!(VECTOR.unix_millis(), Some(1_660_909_593_040));
        assert_eq!(LogTime::from_unix_millis(1_660_909_593_040), Some(VECTOR));
    }

    #[test]
    fn all_ten_bits_of_the_milliseconds_count() {
        let time: LogTime = "1999-12-31T23:59:59.999".parse().unwrap();
        // 999 is 111 1100111 in binary; the UTC bit is clear.
        assert_eq!(time.to_bytes(), [59, 59, 23, 31, 12, 99, 0b1100_1110, 0b1110]);
        assert_eq!(time.to_string(), "1999-12-31T23:59:59.999");
    }

    #[test]
    fn every_day_there_can_be_survives_the_way_to_milliseconds_and_back() {
        let mut days = 0;
        while let Some(time) = LogTime::from_unix_millis(days * MILLIS_PER_DAY as u64) {
            assert_eq!(time.unix_millis(), Some(days as i64 * MILLIS_PER_DAY));
            assert_eq!(time.to_string().parse::<LogTime>().unwrap(), time);
            days += 1;
        }
        // 186 years, 45 of them leap years: 1972 to 2152 without 2100.
        assert_eq!(days, 186 * 365 + 45);
    }

    #[test]
    fn times_before_1970_count_backwards() {
        let time: LogTime = "1969-12-31T23:59:59.999Z".parse().unwrap();
        assert_eq!(time.unix_millis(), Some(-1));
    }

    #[test]
    fn bytes_that_are_no_time_are_shown_and_have_no_milliseconds() {
        for bytes in [[0xff; 8], [0, 0, 0, 30, 2, 100, 0, 0], [0, 0, 0, 1, 13, 100, 0, 0]] {
            let time = LogTime::from_bytes(bytes);
            assert!(time.to_string().starts_with("no time ("), "{time}");
            assert_eq!(time.unix_millis(), None);
        }
        assert_eq!(LogTime::NEVER.to_string(), "never");
        assert_eq!(LogTime::NEVER.unix_millis(), None);
        assert!("never".parse::<LogTime>().unwrap().is_never());
    }

    #[test]
    fn text_that_is_no_time_is_refused() {
        for text in [
            "",
            "2022-08-19",
            "2022-02-29T00:00:00Z",
            "1899-12-31T00:00:00Z",
            "2156-01-01T00:00:00Z",
            "2022-08-19T24:00:00Z",
            "2022-08-19T11:46:33.04Z",
            "2022-8-19T11:46:33Z",
            "2022-08-19T+1:46:33Z",
            "2022-08-19-01T11:46:33Z",
        ] {
            assert!(text.parse::<LogTime>().is_err(), "{text:?}");
        }
    }
}

//! FILETIME: the time of every `T` column. Pure arithmetic; the clock is never asked.

use std::fmt;

/// Seconds from 1601-01-01 to 1970-01-01.
const UNIX_EPOCH_SECONDS: i64 = 11_644_473_600;
const TICKS_A_SECOND: i64 = 10_000_000;

/// A time in ticks of 100 nanoseconds since 1601-01-01 UTC, as a 64-bit number (8 bytes little-endian when stored).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub i64);

impl FileTime {
    /// The time of so many seconds since 1970-01-01 UTC. What a FILETIME cannot hold becomes its nearest value.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        let ticks = seconds.saturating_add(UNIX_EPOCH_SECONDS).saturating_mul(TICKS_A_SECOND);
        Self(if ticks < 0 { 0 } else { ticks })
    }

    /// Whole seconds since 1970-01-01 UTC, rounded down.
    pub const fn to_unix_seconds(self) -> i64 {
        self.0.div_euclid(TICKS_A_SECOND).saturating_sub(UNIX_EPOCH_SECONDS)
    }

    /// Year, month and day of the month of the UTC date, and the seconds of that day.
    pub fn to_civil(self) -> (i64, u32, u32, u32) {
        let seconds = self.to_unix_seconds();
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Days are counted from 0000-03-01, so that the leap day ends a year, in eras of 400 years.
        let shifted = days.saturating_add(719_468);
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era.saturating_mul(400) + i64::from(month <= 2);
        let small = |number: i64| u32::try_from(number).unwrap_or_default();
        (year, small(month), small(day), small(second))
    }

    /// Day of the week, 0 for Sunday.
    pub fn weekday(self) -> u32 {
        let days = self.to_unix_seconds().div_euclid(86_400);
        u32::try_from(days.saturating_add(4).rem_euclid(7)).unwrap_or_default()
    }
}

/// Seconds since 1970-01-01 of a UTC date and time; months count from 1. `None` where there is no such date or time.
pub(crate) fn unix_seconds(year: i64, month: u32, day: u32, second_of_day: u32) -> Option<i64> {
    let february = if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 29 } else { 28 };
    let month_days = match month {
        2 => february,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=month_days).contains(&day) || !(1..=9999).contains(&year) || second_of_day > 86_400 {
        return None;
    }
    let (month, day) = (i64::from(month), i64::from(day));
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era - 719_468) * 86_400 + i64::from(second_of_day))
}

impl fmt::Display for FileTime {
    /// `2003-10-21T18:05:09Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, second) = self.to_civil();
        let (hour, minute) = (second / 3_600, second / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
    }
}

impl fmt::Debug for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileTime({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_convert_both_ways() {
        for (seconds, ticks, text) in [
            (0, 116_444_736_000_000_000, "1970-01-01T00:00:00Z"),
            (951_782_400, 125_962_560_000_000_000, "2000-02-29T00:00:00Z"),
            (1_066_759_509, 127_112_331_090_000_000, "2003-10-21T18:05:09Z"),
            (-1, 116_444_735_990_000_000, "1969-12-31T23:59:59Z"),
        ] {
            let time = FileTime::from_unix_seconds(seconds);
            assert_eq!((time.0, time.to_string().as_str()), (ticks, text));
            assert_eq!(time.to_unix_seconds(), seconds);
            let (year, month, day, second) = time.to_civil();
            assert_eq!(unix_seconds(year, month, day, second), Some(seconds));
        }
        assert_eq!(FileTime::from_unix_seconds(0).weekday(), 4);
    }

    #[test]
    fn the_ends_of_the_range_hold() {
        assert_eq!(FileTime::from_unix_seconds(i64::MIN), FileTime(0));
        assert_eq!(FileTime::from_unix_seconds(i64::MAX), FileTime(i64::MAX));
        for ticks in [i64::MIN, -1, 0, i64::MAX] {
            assert!(!FileTime(ticks).to_string().is_empty());
            assert!(FileTime(ticks).weekday() < 7);
        }
    }

    #[test]
    fn dates_that_do_not_exist_are_none() {
        for (year, month, day) in
            [(2003, 2, 29), (1900, 2, 29), (2003, 13, 1), (2003, 4, 31), (0, 1, 1)]
        {
            assert_eq!(unix_seconds(year, month, day, 0), None);
        }
        assert_eq!(unix_seconds(2003, 1, 1, 86_401), None);
    }
}

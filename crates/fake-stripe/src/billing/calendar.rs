//! Billing periods: adding days, weeks, months and years to an instant, in UTC.

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval<'a> {
    pub unit: &'a str,
    pub count: i64,
}

const DAY_S: i64 = 86_400;

/// The end of the `n`th period after `anchor`. Months end on the anchor's day or the month's last.
pub fn after(anchor: i64, interval: Interval<'_>, n: i64) -> i64 {
    let steps = interval.count.max(1) * n;
    match interval.unit {
        "day" => anchor + steps * DAY_S,
        "week" => anchor + steps * 7 * DAY_S,
        "year" => add_months(anchor, 12 * steps),
        _ => add_months(anchor, steps),
    }
}

/// The first end of a period after `start` on the cycle that `anchor` sets.
pub fn next_end(anchor: i64, interval: Interval<'_>, start: i64) -> i64 {
    let mut n = 0;
    while after(anchor, interval, n) <= start {
        n += 1;
    }
    after(anchor, interval, n)
}

fn add_months(instant: i64, months: i64) -> i64 {
    let (days, second) = (instant.div_euclid(DAY_S), instant.rem_euclid(DAY_S));
    let (year, month, day) = civil(days);
    let index = year * 12 + (month - 1) + months;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    days_from_civil(year, month, day.min(month_length(year, month))) * DAY_S + second
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day of a day since the epoch (proleptic Gregorian calendar).
pub fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A short date for descriptions: `21 Nov 2026`.
pub fn date(instant: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = civil(instant.div_euclid(DAY_S));
    let name = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or("?");
    format!("{day} {name} {year}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Interval<'_> = Interval { unit: "month", count: 1 };

    #[test]
    fn a_month_from_the_thirty_first_ends_on_the_last_day_and_comes_back() {
        let anchor = days_from_civil(2026, 1, 31) * DAY_S + 3600;
        let ends: Vec<String> = (1..=3).map(|n| date(after(anchor, MONTH, n))).collect();
        assert_eq!(ends, ["28 Feb 2026", "31 Mar 2026", "30 Apr 2026"]);
    }

    #[test]
    fn leap_days_and_years() {
        let anchor = days_from_civil(2024, 2, 29) * DAY_S;
        let year = Interval { unit: "year", count: 1 };
        assert_eq!(date(after(anchor, year, 1)), "28 Feb 2025");
        assert_eq!(date(after(anchor, year, 4)), "29 Feb 2028");
        assert_eq!(civil(0), (1970, 1, 1));
    }

    #[test]
    fn the_next_end_lies_after_the_start() {
        let anchor = days_from_civil(2026, 1, 15) * DAY_S;
        assert_eq!(next_end(anchor, MONTH, anchor), after(anchor, MONTH, 1));
        assert_eq!(next_end(anchor, MONTH, after(anchor, MONTH, 3)), after(anchor, MONTH, 4));
    }
}

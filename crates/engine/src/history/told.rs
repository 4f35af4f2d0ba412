//! How far reading is, in figures for people: how much, how far back, how long it still takes.

use bursar_domain::time::BusinessTime;
use bursar_store::history::Progress;
use serde::Serialize;

use super::KINDS;
use crate::cards::rfc3339;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindRead {
    pub lane: String,
    pub kind: String,
    pub state: &'static str,
    pub objects: i64,
    pub done_percent: i64,
    /// Read back to.
    pub down_to: Option<String>,
    pub last_error: Option<String>,
}

/// The history that was asked for; `state` is `none`, `reading` or `done`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistoryHealth {
    pub object: &'static str,
    pub state: &'static str,
    pub since: Option<String>,
    pub objects: i64,
    pub done_percent: i64,
    /// By the pace so far; missing while nobody can tell.
    pub remaining_s: Option<i64>,
    pub kinds: Vec<KindRead>,
}

pub(super) fn health(rows: &[Progress]) -> HistoryHealth {
    let at = |second: i64| rfc3339(BusinessTime::from_unix_s(second));
    let place = |row: &Progress| KINDS.iter().position(|kind| *kind == row.kind);
    let mut rows: Vec<&Progress> = rows.iter().collect();
    rows.sort_by_key(|row| (row.lane.clone(), place(row)));
    let percents: i64 = rows.iter().map(|row| percent(row)).sum();
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    HistoryHealth {
        object: "history",
        state: match rows.iter().all(|row| row.is_done) {
            _ if rows.is_empty() => "none",
            true => "done",
            false => "reading",
        },
        since: rows.iter().map(|row| row.since_s).min().map(at),
        objects: rows.iter().map(|row| row.objects).sum(),
        done_percent: if count == 0 { 0 } else { percents / count },
        remaining_s: remaining_s(&rows),
        kinds: rows
            .iter()
            .map(|row| KindRead {
                lane: row.lane.clone(),
                kind: row.kind.clone(),
                state: if row.is_done { "done" } else { "reading" },
                objects: row.objects,
                done_percent: percent(row),
                down_to: row.down_to_s.map(at),
                last_error: row.last_error.clone(),
            })
            .collect(),
    }
}

/// By the time that was walked through, from the newest object back to where it ends. Below a hundred until it is done.
fn percent(row: &Progress) -> i64 {
    match (row.is_done, row.from_s, row.down_to_s) {
        (true, ..) => 100,
        (false, Some(from_s), Some(down_to_s)) if from_s > row.since_s => {
            ((from_s - down_to_s).saturating_mul(100) / (from_s - row.since_s)).clamp(0, 99)
        }
        _ => 0,
    }
}

/// What is left of each kind at its own pace. The kinds of a lane take turns, lanes are read side by side.
fn remaining_s(rows: &[&Progress]) -> Option<i64> {
    let mut longest: Option<i64> = None;
    let mut lane: Option<(&str, i64)> = None;
    for row in rows.iter().filter(|row| !row.is_done) {
        let walked = row.from_s? - row.down_to_s?;
        let left = (row.down_to_s? - row.since_s).max(0);
        let left_us = i128::from(row.spent_us) * i128::from(left) / i128::from(walked.max(1));
        let left_s = i64::try_from(left_us / 1_000_000).unwrap_or(i64::MAX);
        let sum = match lane {
            Some((name, sum)) if name == row.lane => sum.saturating_add(left_s),
            _ => left_s,
        };
        lane = Some((&row.lane, sum));
        longest = Some(longest.map_or(sum, |known| known.max(sum)));
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(lane: &str, kind: &str, walked: Option<(i64, i64)>, spent_s: i64) -> Progress {
        Progress {
            lane: lane.to_owned(),
            kind: kind.to_owned(),
            since_s: 1_000,
            from_s: walked.map(|(from_s, _)| from_s),
            down_to_s: walked.map(|(_, down_to_s)| down_to_s),
            after_id: None,
            objects: 10,
            pages: 1,
            spent_us: spent_s * 1_000_000,
            is_done: false,
            asked_at: 0,
            due_at: 0,
            last_error: None,
        }
    }

    #[test]
    fn what_is_left_follows_from_the_pace_so_far() {
        // Half of each walked in ten seconds: ten more each, and lanes go side by side.
        let half = Some((3_000, 2_000));
        let rows = [row("a", "charge", half, 10), row("a", "refund", half, 10), row("b", "charge", half, 15)];
        let told = health(&rows);
        assert_eq!((told.state, told.objects, told.done_percent), ("reading", 30, 50));
        assert_eq!(told.remaining_s, Some(20));
        let begun = [row("a", "charge", half, 10), row("a", "refund", None, 0)];
        assert_eq!(health(&begun).remaining_s, None, "nobody can tell yet");
        let done = [Progress { is_done: true, ..row("a", "charge", None, 0) }];
        assert_eq!((health(&done).state, health(&done).done_percent), ("done", 100));
        assert_eq!(health(&[]).state, "none");
    }
}

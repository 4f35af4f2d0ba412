//! Where the line of due jobs begins. A claim looks from where the last one found something; now and then, for a small part of
//! the time however long that takes, at all of the line.

use std::time::Duration;

use tokio::time::Instant;

use super::{Clock, Job};

/// Of the time, looking at all of the line takes one part in so many.
const WHOLE_ONE_IN: u32 = 10;
/// At the latest after this the whole line is looked at again.
const WHOLE_EVERY: Duration = Duration::from_secs(1);
/// A job that is due may come into line so much later, microseconds: what brings it is committed first.
const LATE_US: i64 = 5_000_000;

/// Where to look for work next.
#[derive(Debug)]
pub struct Head {
    /// Nothing before this is known to wait, on the machine's clock.
    since: Option<i64>,
    whole_from: Instant,
}

impl Default for Head {
    fn default() -> Self {
        Self { since: None, whole_from: Instant::now() }
    }
}

impl Head {
    /// From when on to look; nothing says the whole line.
    pub fn since(&self) -> Option<i64> {
        self.since.filter(|_| Instant::now() < self.whole_from)
    }

    /// A claim from there, at this moment of the machine's clock, took so long and brought these.
    pub fn looked(&mut self, since: Option<i64>, machine_now: i64, took: Duration, claimed: &[Job]) {
        let of_machine = claimed.iter().filter(|job| job.clock == Clock::Machine);
        let first = of_machine.map(|job| job.due_at).min();
        if since.is_none() {
            self.whole_from = Instant::now() + (took * WHOLE_ONE_IN).min(WHOLE_EVERY);
            self.since = Some(first.unwrap_or(machine_now) - LATE_US);
        } else if let Some(first) = first {
            self.since = self.since.max(Some(first - LATE_US));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(at_s: i64) -> Job {
        Job {
            id: bursar_domain::id::JobId::from_entropy([1; 16]),
            lane: "acct_1/test".to_owned(),
            kind: "decide".to_owned(),
            key: "key".to_owned(),
            payload: serde_json::Value::Null,
            attempts: 1,
            fence: 1,
            created_at: 0,
            due_at: at_s * 1_000_000,
            clock: Clock::Machine,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_line_is_looked_at_first_and_then_for_a_tenth_of_the_time() {
        let mut head = Head::default();
        assert_eq!(head.since(), None);
        head.looked(None, 900_000_000, Duration::from_millis(20), &[due(30), due(20)]);
        assert_eq!(head.since(), Some(15_000_000), "a little before the first that was found");
        tokio::time::advance(Duration::from_millis(199)).await;
        assert_eq!(head.since(), Some(15_000_000));
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!(head.since(), None);
        head.looked(None, 900_000_000, Duration::from_mins(1), &[]);
        assert_eq!(head.since(), Some(895_000_000), "nothing waits");
        tokio::time::advance(WHOLE_EVERY).await;
        assert_eq!(head.since(), None, "however long a look takes");
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_with_what_is_found_and_never_back() {
        let mut head = Head::default();
        head.looked(None, 900_000_000, Duration::from_secs(1), &[due(20)]);
        for (found, since) in [(vec![due(40), due(50)], 35), (vec![due(38)], 35), (Vec::new(), 35)] {
            head.looked(head.since(), 900_000_000, Duration::from_millis(1), &found);
            assert_eq!(head.since(), Some(since * 1_000_000));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn timers_of_simulated_time_say_nothing_about_the_machines_line() {
        let mut head = Head::default();
        let timer = Job { clock: Clock::Business, ..due(1) };
        head.looked(None, 900_000_000, Duration::from_secs(1), &[timer, due(20)]);
        assert_eq!(head.since(), Some(15_000_000));
    }
}

//! The line of events that wait for a commit. It holds so many events and bytes; of what is free a lane may take half, so
//! that one that sends a lot never keeps out the others; and a group is filled in turns, one event of each lane, so that
//! it does not keep them waiting either. Whoever would wait too long is told at once to come back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Events that may wait for a commit.
const EVENTS_MAX: usize = 2_048;
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Who would wait longer comes back instead; an acknowledgement within a quarter of a second is the aim.
const WAIT_MAX: Duration = Duration::from_millis(150);

#[derive(Debug)]
pub(crate) struct Line<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting<T> {
    lanes: HashMap<String, VecDeque<(usize, T)>>,
    /// The lanes that wait, in the order in which they are served next.
    turns: VecDeque<String>,
    events: usize,
    bytes: usize,
    is_closed: bool,
    /// When the last group was taken, and how much was taken at most.
    taken: Option<Instant>,
    group_max: usize,
    /// From one group to the next while there was always work; grows and shrinks by a quarter of the difference.
    cycle: Duration,
}

impl<T> Line<T> {
    pub(crate) fn new() -> Self {
        let waiting = Waiting {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            events: 0,
            bytes: 0,
            is_closed: false,
            taken: None,
            group_max: 1,
            cycle: Duration::ZERO,
        };
        Self { waiting: Mutex::new(waiting), arrived: Notify::new() }
    }

    /// Whether an event of this lane would find room now.
    pub(crate) fn has_room(&self, lane: &str, bytes: usize) -> bool {
        self.waiting().has_room(lane, bytes)
    }

    /// Joins the line; false where there is no room.
    pub(crate) fn join(&self, lane: &str, bytes: usize, item: T) -> bool {
        let mut waiting = self.waiting();
        if !waiting.has_room(lane, bytes) {
            return false;
        }
        waiting.events += 1;
        waiting.bytes += bytes;
        if let Some(own) = waiting.lanes.get_mut(lane) {
            own.push_back((bytes, item));
        } else {
            waiting.turns.push_back(lane.to_owned());
            waiting.lanes.insert(lane.to_owned(), VecDeque::from([(bytes, item)]));
        }
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// Waits for somebody, and takes at most so many. Nobody comes any more when the line is closed and empty.
    pub(crate) async fn take(&self, most: usize, group: &mut Vec<T>) -> usize {
        let mut waited = false;
        loop {
            {
                let mut waiting = self.waiting();
                if waiting.events > 0 {
                    waiting.note_cycle(most, waited);
                    return waiting.take(most, group);
                }
                if waiting.is_closed {
                    return 0;
                }
            }
            waited = true;
            self.arrived.notified().await;
        }
    }

    pub(crate) fn close(&self) {
        self.waiting().is_closed = true;
        self.arrived.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn has_room(&self, lane: &str, bytes: usize) -> bool {
        let own = self.lanes.get(lane).map_or(0, VecDeque::len);
        let ahead = own.saturating_mul(self.lanes.len()).min(self.events);
        let groups = u32::try_from(ahead / self.group_max + 1).unwrap_or(u32::MAX);
        // A group's worth may always wait: a slow disk serves groups too.
        let is_soon = own < self.group_max || self.cycle.saturating_mul(groups) <= WAIT_MAX;
        !self.is_closed
            && own < EVENTS_MAX - self.events.min(EVENTS_MAX)
            && self.bytes.saturating_add(bytes) <= BYTES_MAX
            && is_soon
    }

    fn note_cycle(&mut self, most: usize, waited: bool) {
        let now = Instant::now();
        if let Some(taken) = self.taken.filter(|_| !waited) {
            self.cycle = (self.cycle * 3 + now.saturating_duration_since(taken)) / 4;
        }
        self.taken = Some(now);
        self.group_max = most.max(1);
    }

    fn take(&mut self, most: usize, group: &mut Vec<T>) -> usize {
        let mut taken = 0;
        while taken < most {
            let Some(lane) = self.turns.pop_front() else { break };
            let Some(own) = self.lanes.get_mut(&lane) else { continue };
            if let Some((bytes, item)) = own.pop_front() {
                group.push(item);
                taken += 1;
                self.events -= 1;
                self.bytes -= bytes;
            }
            if own.is_empty() {
                self.lanes.remove(&lane);
            } else {
                self.turns.push_back(lane);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(line: &Line<&'static str>, lane: &'static str, count: usize) -> usize {
        (0..count).filter(|_| line.join(lane, 10, lane)).count()
    }

    #[tokio::test]
    async fn a_lane_takes_at_most_half_of_what_is_free() {
        let line = Line::new();
        assert_eq!(fill(&line, "loud", 5_000), EVENTS_MAX / 2);
        assert_eq!(fill(&line, "quiet", 5_000), EVENTS_MAX / 4);
        assert!(line.has_room("third", 10) && !line.has_room("loud", 10));
    }

    #[tokio::test]
    async fn a_group_is_filled_in_turns() {
        let line = Line::new();
        fill(&line, "loud", 1_000);
        fill(&line, "quiet", 3);
        let mut group = Vec::new();
        assert_eq!(line.take(8, &mut group).await, 8);
        assert_eq!(group, ["loud", "quiet", "loud", "quiet", "loud", "quiet", "loud", "loud"]);
        group.clear();
        assert_eq!(line.take(2_000, &mut group).await, 995);
        assert!(line.waiting().lanes.is_empty() && line.waiting().bytes == 0);
    }

    #[tokio::test]
    async fn bytes_are_counted_too() {
        let line = Line::new();
        let large = BYTES_MAX / 4;
        assert_eq!((0..9).filter(|_| line.join("loud", large, ())).count(), 4);
        assert!(!line.has_room("quiet", 1));
        line.take(1, &mut Vec::new()).await;
        assert!(line.has_room("quiet", 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_too_long_is_told_at_once() {
        let (line, mut group) = (Line::new(), Vec::new());
        fill(&line, "loud", 900);
        // Groups of 100, each of which takes 50 ms: three of them are waited for, more are not.
        for _ in 0..9 {
            line.take(100, &mut group).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            fill(&line, "loud", 100);
        }
        line.take(800, &mut group).await;
        assert_eq!(line.waiting().group_max, 800);
        line.waiting().group_max = 100;
        while line.waiting().events > 0 {
            line.waiting().take(100, &mut group);
        }
        assert_eq!(fill(&line, "loud", 1_000), 300);
        assert_eq!(fill(&line, "quiet", 1_000), 150, "whose turns come as often");
    }

    #[tokio::test]
    async fn a_line_that_is_closed_is_served_to_its_end() {
        let line = Line::new();
        fill(&line, "last", 2);
        line.close();
        assert!(!line.join("late", 1, "late"));
        let mut group = Vec::new();
        assert_eq!(line.take(10, &mut group).await, 2);
        assert_eq!(line.take(10, &mut group).await, 0);
    }

    #[tokio::test]
    async fn whoever_takes_is_woken() {
        let line = std::sync::Arc::new(Line::new());
        let taking = std::sync::Arc::clone(&line);
        let taker = tokio::spawn(async move { taking.take(10, &mut Vec::new()).await });
        tokio::task::yield_now().await;
        assert!(line.join("one", 1, ()));
        assert_eq!(taker.await.unwrap(), 1);
    }
}

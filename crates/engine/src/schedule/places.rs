//! The places of this node's workers and who has them. A lane gets at most half of what the others leave it, rounded up: one
//! whose Stripe is slow never has them all, and whoever has none finds one as long as any is left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bursar_store::jobs::Job;

/// The jobs that somebody here works on.
#[derive(Clone, Default)]
pub(super) struct Hands(Arc<Mutex<InHand>>);

#[derive(Default)]
struct InHand {
    jobs: HashSet<String>,
    /// How many places each lane has. What shares a place has it for each of its lanes.
    places: BTreeMap<String, usize>,
}

/// Jobs in hand, in one place, until this is dropped.
pub(super) struct Held {
    hands: Hands,
    jobs: Vec<String>,
    lanes: BTreeSet<String>,
}

impl Hands {
    pub(super) fn take(&self, jobs: &[Job]) -> Held {
        let lanes: BTreeSet<String> = jobs.iter().map(|job| job.lane.clone()).collect();
        let jobs: Vec<String> = jobs.iter().map(|job| job.id.to_string()).collect();
        let mut in_hand = self.lock();
        in_hand.jobs.extend(jobs.iter().cloned());
        for lane in &lanes {
            *in_hand.places.entry(lane.clone()).or_default() += 1;
        }
        drop(in_hand);
        Held { hands: self.clone(), jobs, lanes }
    }

    pub(super) fn jobs(&self) -> Vec<String> {
        self.lock().jobs.iter().cloned().collect()
    }

    /// Who has what while so many are free.
    pub(super) fn places(&self, free: usize, lanes: Lanes) -> Places {
        let held = match lanes {
            Lanes::One => BTreeMap::new(),
            Lanes::Several => self.lock().places.clone(),
        };
        Places { free, held, lanes }
    }

    fn lock(&self) -> MutexGuard<'_, InHand> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut in_hand = self.hands.lock();
        for job in &self.jobs {
            in_hand.jobs.remove(job);
        }
        for lane in &self.lanes {
            if let Some(places) = in_hand.places.get_mut(lane) {
                *places -= 1;
            }
        }
        in_hand.places.retain(|_, places| *places > 0);
    }
}

/// Whether there is anybody to leave a place to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lanes {
    One,
    Several,
}

#[derive(Clone, Debug)]
pub(super) struct Places {
    free: usize,
    held: BTreeMap<String, usize>,
    lanes: Lanes,
}

impl Places {
    pub(super) fn are_free(&self) -> bool {
        self.free > 0
    }

    /// How many more a lane may take.
    pub(super) fn room(&self, lane: &str) -> usize {
        self.room_beside(self.held.get(lane).copied().unwrap_or(0))
    }

    fn room_beside(&self, held: usize) -> usize {
        match self.lanes {
            Lanes::One => self.free,
            Lanes::Several => (self.free + held).div_ceil(2).saturating_sub(held),
        }
    }

    /// So many may be anybody's who may take one.
    pub(super) fn room_for_any(&self) -> usize {
        let rooms = self.held.values().map(|held| self.room_beside(*held)).filter(|room| *room > 0);
        rooms.min().unwrap_or(usize::MAX).min(self.room_beside(0))
    }

    /// Lanes that may take none.
    pub(super) fn full(&self) -> Vec<String> {
        let full = self.held.iter().filter(|(_, held)| self.room_beside(**held) == 0);
        full.map(|(lane, _)| lane.clone()).collect()
    }

    pub(super) fn give(&mut self, lane: &str, places: usize) {
        self.free = self.free.saturating_sub(places);
        *self.held.entry(lane.to_owned()).or_default() += places;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives places to lanes, in turn, for as long as any of them may take one.
    fn filled(places: usize, lanes: &[&str]) -> Places {
        let mut filled = Hands::default().places(places, Lanes::Several);
        for lane in lanes {
            while filled.room(lane) > 0 {
                filled.give(lane, 1);
            }
        }
        filled
    }

    #[test]
    fn a_lane_leaves_half_of_what_others_leave_it() {
        for (places, expected) in
            [(1, [1, 0, 0]), (2, [1, 1, 0]), (3, [2, 1, 0]), (4, [2, 1, 1]), (8, [4, 2, 1])]
        {
            let filled = filled(places, &["a", "b", "c"]);
            let held = ["a", "b", "c"].map(|lane| filled.held.get(lane).copied().unwrap_or(0));
            assert_eq!(held, expected, "of {places}");
        }
    }

    #[test]
    fn who_has_none_finds_one_while_any_is_left_and_one_lane_never_has_all_of_several() {
        for places in 1..40 {
            let filled = filled(places, &["a"]);
            assert_eq!(filled.are_free(), places > 1, "of {places}");
            assert_eq!(filled.room("b") > 0, filled.are_free(), "of {places}");
            assert_eq!(filled.full(), ["a"]);
        }
    }

    #[test]
    fn what_is_anybodys_is_too_much_for_nobody() {
        for (a, b) in [(0, 0), (1, 0), (1, 1), (2, 1), (3, 1), (4, 2)] {
            let mut places = Hands::default().places(8, Lanes::Several);
            places.give("a", a);
            places.give("b", b);
            let any = places.room_for_any();
            assert!(any > 0, "{places:?}");
            let full = places.full();
            for lane in ["a", "b", "c"] {
                assert_eq!(full.contains(&lane.to_owned()), places.room(lane) == 0, "{lane} of {places:?}");
                assert!(places.room(lane) >= any || places.room(lane) == 0, "{lane} of {places:?}");
            }
        }
    }

    #[test]
    fn where_there_is_one_lane_it_has_them_all() {
        let places = Hands::default().places(8, Lanes::One);
        assert_eq!((places.room_for_any(), places.room("a"), places.full().len()), (8, 8, 0));
    }

    #[test]
    fn a_place_is_free_again_once_nobody_holds_its_jobs() {
        let (hands, job) = (Hands::default(), crate::still::job);
        let shared = hands.take(&[job("a", 1), job("a", 2), job("b", 3)]);
        let own = hands.take(&[job("a", 4)]);
        assert_eq!(hands.jobs().len(), 4);
        let held = |hands: &Hands| hands.places(4, Lanes::Several).held;
        assert_eq!(held(&hands), BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
        drop(shared);
        assert_eq!(held(&hands), BTreeMap::from([("a".to_owned(), 1)]));
        drop(own);
        assert!(held(&hands).is_empty() && hands.jobs().is_empty());
    }
}

//! Who is connected, and who must make room. There are only so many places, in all and for each peer. When they are
//! taken, the newcomer gets the place of whoever has kept us waiting longest: a sender that is slow on purpose is
//! displaced by one that is not, also where both come from one address. Nobody is displaced while being answered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::limits::Limits;

#[derive(Clone, Debug)]
pub struct Crowd(Arc<Mutex<Places>>);

#[derive(Debug)]
struct Places {
    most: usize,
    most_per_peer: usize,
    /// Counts moments: who waits with a smaller number has waited longer.
    now: u64,
    taken: usize,
    waiting: BTreeMap<u64, Waiting>,
    peers: HashMap<IpAddr, Peer>,
}

#[derive(Debug)]
struct Waiting {
    peer: IpAddr,
    standing: Arc<Standing>,
}

#[derive(Debug, Default)]
struct Peer {
    taken: usize,
    waiting: BTreeSet<u64>,
}

/// Of one connection.
#[derive(Debug, Default)]
struct Standing {
    state: Mutex<State>,
    displaced: Notify,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    Waiting(u64),
    #[default]
    Answered,
    Gone,
}

/// A place, given back when this is dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Crowd,
    peer: IpAddr,
    standing: Arc<Standing>,
}

impl Crowd {
    pub fn new(limits: &Limits) -> Self {
        Self(Arc::new(Mutex::new(Places {
            most: limits.connections_max,
            most_per_peer: limits.connections_per_peer_max,
            now: 0,
            taken: 0,
            waiting: BTreeMap::new(),
            peers: HashMap::new(),
        })))
    }

    /// A place for a newcomer, unless all are taken by who is being answered.
    pub fn enter(&self, from: IpAddr) -> Option<Place> {
        let peer = neighbourhood(from);
        let standing = Arc::new(Standing::default());
        let mut places = self.places();
        let is_full_for_peer = places.peers.get(&peer).is_some_and(|peer| peer.taken >= places.most_per_peer);
        let longest = if is_full_for_peer {
            Some(places.peers.get(&peer).and_then(|peer| peer.waiting.first().copied()))
        } else if places.taken >= places.most {
            Some(places.waiting.keys().next().copied())
        } else {
            None
        };
        match longest {
            Some(Some(longest)) => places.displace(longest),
            Some(None) => {
                metrics::counter!("bursar_connections_refused_total").increment(1);
                return None;
            }
            None => {}
        }
        places.taken += 1;
        places.peers.entry(peer).or_default().taken += 1;
        places.wait(peer, &standing);
        drop(places);
        Some(Place { crowd: self.clone(), peer, standing })
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn wait(&mut self, peer: IpAddr, standing: &Arc<Standing>) {
        self.now += 1;
        standing.turn_to(State::Waiting(self.now));
        self.waiting.insert(self.now, Waiting { peer, standing: Arc::clone(standing) });
        self.peers.entry(peer).or_default().waiting.insert(self.now);
    }

    fn wait_no_longer(&mut self, peer: IpAddr, since: u64) {
        self.waiting.remove(&since);
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.waiting.remove(&since);
        }
    }

    fn leave(&mut self, peer: IpAddr) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(found) = self.peers.get_mut(&peer) {
            found.taken = found.taken.saturating_sub(1);
            if found.taken == 0 {
                self.peers.remove(&peer);
            }
        }
    }

    fn displace(&mut self, since: u64) {
        let Some(Waiting { peer, standing }) = self.waiting.remove(&since) else { return };
        self.wait_no_longer(peer, since);
        self.leave(peer);
        standing.turn_to(State::Gone);
        standing.displaced.notify_one();
        metrics::counter!("bursar_connections_displaced_total").increment(1);
    }
}

impl Standing {
    fn now(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes only while the places are locked.
    fn turn_to(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl Place {
    /// Its request is here as a whole: from now on the waiting is ours.
    pub fn is_heard(&self) {
        let mut places = self.crowd.places();
        if let State::Waiting(since) = self.standing.now() {
            places.wait_no_longer(self.peer, since);
            self.standing.turn_to(State::Answered);
        }
    }

    /// Its answer is out: it keeps us waiting again.
    pub fn is_answered(&self) {
        let mut places = self.crowd.places();
        if self.standing.now() == State::Answered {
            places.wait(self.peer, &self.standing);
        }
    }

    /// Waits until somebody else needs the place more.
    pub async fn displaced(&self) {
        self.standing.displaced.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.crowd.places();
        match self.standing.now() {
            State::Gone => return,
            State::Waiting(since) => places.wait_no_longer(self.peer, since),
            State::Answered => {}
        }
        places.leave(self.peer);
        self.standing.turn_to(State::Gone);
    }
}

/// Whoever has one address of IPv6 has the 2^64 beside it.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn crowd(most: usize, per_peer: usize) -> Crowd {
        Crowd::new(&Limits { connections_max: most, connections_per_peer_max: per_peer, ..Limits::default() })
    }

    fn peer(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    fn is_displaced(place: &Place) -> bool {
        place.displaced().now_or_never().is_some()
    }

    #[test]
    fn a_newcomer_gets_the_place_of_whoever_kept_us_waiting_longest() {
        let crowd = crowd(3, 3);
        let places: Vec<Place> = (1..=3).map(|number| crowd.enter(peer(number)).unwrap()).collect();
        // The first has sent its request and has its answer: it waits anew, and the second has waited longest.
        places[0].is_heard();
        places[0].is_answered();
        let fourth = crowd.enter(peer(4)).unwrap();
        assert_eq!(places.iter().map(is_displaced).collect::<Vec<_>>(), [false, true, false]);
        assert!(!is_displaced(&fourth));
        drop(places);
        assert_eq!(crowd.places().taken, 1, "nobody is counted out twice");
        drop(fourth);
        assert!(crowd.places().peers.is_empty() && crowd.places().waiting.is_empty());
    }

    #[test]
    fn who_is_being_answered_keeps_the_place() {
        let crowd = crowd(2, 2);
        let (one, two) = (crowd.enter(peer(1)).unwrap(), crowd.enter(peer(2)).unwrap());
        one.is_heard();
        two.is_heard();
        assert!(crowd.enter(peer(3)).is_none());
        two.is_answered();
        assert!(crowd.enter(peer(3)).is_some());
        assert!(!is_displaced(&one) && is_displaced(&two));
    }

    #[test]
    fn a_peer_with_many_connections_displaces_its_own() {
        let crowd = crowd(10, 3);
        let other = crowd.enter(peer(1)).unwrap();
        let many: Vec<Place> = (0..50).map(|_| crowd.enter(peer(2)).unwrap()).collect();
        assert!(!is_displaced(&other));
        assert_eq!(many.iter().filter(|place| !is_displaced(place)).count(), 3);
        assert_eq!(crowd.places().taken, 4);
    }

    #[test]
    fn a_neighbourhood_of_ipv6_is_one_peer_and_v4_in_v6_is_v4() {
        let same = |one: &str, other: &str| {
            neighbourhood(one.parse().unwrap()) == neighbourhood(other.parse().unwrap())
        };
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.7", "192.0.2.7"));
        assert!(!same("192.0.2.7", "192.0.2.8"));
    }
}

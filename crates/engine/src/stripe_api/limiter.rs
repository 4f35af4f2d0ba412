//! One limiter an account shares its rate limit: interactive, then actions, enrichment, backfill. A 429 slows all but the
//! first.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Interactive,
    Action,
    Enrichment,
    Backfill,
}

impl Class {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Class::Interactive => "interactive",
            Class::Action => "action",
            Class::Enrichment => "enrichment",
            Class::Backfill => "backfill",
        }
    }

    /// The share of the bucket that must be left for those before it, in hundredths.
    fn reserve(self) -> u64 {
        match self {
            Class::Interactive => 0,
            Class::Action => 10,
            Class::Enrichment => 30,
            Class::Backfill => 60,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Limiter {
    per_second: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Thousandths of a request.
    tokens: u64,
    filled_at: Instant,
    slow_until: Option<Instant>,
}

const ONE: u64 = 1_000;
/// How long a turn is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Limiter {
    pub(crate) fn new(per_second: u32) -> Self {
        Self::of_rate(u64::from(per_second.max(1)))
    }

    fn of_rate(per_second: u64) -> Self {
        let state = State { tokens: per_second * ONE, filled_at: Instant::now(), slow_until: None };
        Self { per_second, state: Mutex::new(state) }
    }

    /// A limiter of the same rate for another account.
    pub(crate) fn another(&self) -> Self {
        Self::of_rate(self.per_second)
    }

    /// Waits for a turn, or says how long there is none. Whoever holds a worker waits for seconds only: the others of the
    /// pool work for other accounts.
    pub(crate) async fn turn(&self, class: Class) -> Result<(), Duration> {
        let give_up = Instant::now() + PATIENCE;
        while let Err(wait) = self.take(class, Instant::now()) {
            if class != Class::Backfill && Instant::now() + wait > give_up {
                return Err(wait);
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Stripe said 429: everybody but people waits.
    pub(crate) fn slow_down(&self, span: Duration) {
        let until = Instant::now() + span.min(Duration::from_mins(5));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.slow_until = Some(state.slow_until.map_or(until, |known| known.max(until)));
    }

    fn take(&self, class: Class, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if class != Class::Interactive
            && let Some(until) = state.slow_until
        {
            if now < until {
                return Err(until - now);
            }
            state.slow_until = None;
        }
        let elapsed =
            u64::try_from(now.saturating_duration_since(state.filled_at).as_micros()).unwrap_or(u64::MAX);
        let earned = elapsed.saturating_mul(self.per_second) / 1_000;
        if earned > 0 {
            state.tokens = state.tokens.saturating_add(earned).min(self.per_second * ONE);
            state.filled_at = now;
        }
        let needed = ONE + self.per_second * ONE * class.reserve() / 100;
        if state.tokens < needed.min(self.per_second * ONE) {
            let missing = needed - state.tokens.min(needed);
            return Err(Duration::from_micros(missing.saturating_mul(1_000) / self.per_second + 1_000));
        }
        state.tokens -= ONE;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_lower_classes_leave_room_for_the_higher() {
        let limiter = Limiter::new(10);
        let now = Instant::now();
        let mut backfill = 0;
        while limiter.take(Class::Backfill, now).is_ok() {
            backfill += 1;
        }
        assert_eq!(backfill, 4, "six of ten stay for others");
        let mut interactive = 0;
        while limiter.take(Class::Interactive, now).is_ok() {
            interactive += 1;
        }
        assert_eq!(interactive, 6);
        assert!(limiter.take(Class::Interactive, now + Duration::from_millis(100)).is_ok(), "it fills again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_told_and_a_short_one_waited() {
        let (limiter, began) = (Limiter::new(10), Instant::now());
        limiter.slow_down(Duration::from_secs(4));
        assert_eq!(limiter.turn(Class::Action).await, Ok(()));
        assert_eq!(began.elapsed().as_secs(), 4);
        limiter.slow_down(Duration::from_mins(2));
        let told = limiter.turn(Class::Action).await.unwrap_err();
        assert!(told > Duration::from_secs(115), "{told:?}");
        assert_eq!(began.elapsed().as_secs(), 4, "nobody waited");
        assert_eq!(limiter.turn(Class::Backfill).await, Ok(()), "what holds no worker may wait");
        assert!(began.elapsed() >= Duration::from_secs(124));
    }

    #[tokio::test(start_paused = true)]
    async fn another_account_has_a_limit_of_its_own() {
        let (one, began) = (Limiter::new(10), Instant::now());
        let other = one.another();
        one.slow_down(Duration::from_mins(5));
        assert!(one.turn(Class::Action).await.is_err());
        assert_eq!(other.turn(Class::Action).await, Ok(()));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_slows_all_but_people() {
        let limiter = Limiter::new(10);
        limiter.slow_down(Duration::from_secs(2));
        let now = Instant::now();
        assert!(limiter.take(Class::Action, now).is_err());
        assert!(limiter.take(Class::Interactive, now).is_ok());
        assert!(limiter.take(Class::Action, now + Duration::from_secs(3)).is_ok());
    }
}

//! Bugs that are planted on purpose, to see that the proof finds them. A build without the feature `planted`, which is
//! every build that is released, can hold none: [`planted`] is `false` there and what it guards is gone.

/// One bug each, named for what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// An event is acknowledged before its commit.
    AckBeforeCommit,
    /// Each send has another idempotency key.
    KeyPerSend,
    /// An intent whose send failed is thrown away.
    IntentDeleted,
    /// The key is made of the amount.
    KeyFromAmount,
    /// The key holds the time.
    KeyFromTime,
    /// A late worker's write is kept.
    NoFence,
    /// Leases run by this machine's clock.
    LeaseByWallClock,
    /// What is sent need not be what was agreed to.
    DigestNotChecked,
    /// A policy that fails to evaluate says yes.
    PolicyErrorsIgnored,
    /// After a 500 the next send has another key.
    KeyAfter500,
    /// After a 409 the next send has another key.
    KeyAfter409,
    /// A 429 is a refusal.
    RateLimitIsRefusal,
    /// Live events are taken for test events.
    LivemodeDropped,
    /// Writes for a connected account go to the platform.
    AccountDropped,
    /// What comes last is newest.
    OrderTrusted,
    /// An outcome commits without its audit entry, which follows.
    AuditOutside,
    /// An event is known by what it says and not by its id.
    DedupeByPayload,
    /// A key older than Stripe keeps it is sent again.
    KeyTooOld,
    /// What was authorised counts as captured.
    PartialCaptureIgnored,
    /// An amount goes through a float.
    FloatMoney,
    /// One person's vote counts for two.
    OneVoteTwice,
    /// A vote counts after the approval has expired.
    ExpiredCounts,
    /// A clock that goes back makes an approval live again.
    ClockBack,
    /// What Stripe has parked is done.
    ParkedIsDone,
}

impl Bug {
    pub const ALL: [Bug; 24] = [
        Bug::AckBeforeCommit,
        Bug::KeyPerSend,
        Bug::IntentDeleted,
        Bug::KeyFromAmount,
        Bug::KeyFromTime,
        Bug::NoFence,
        Bug::LeaseByWallClock,
        Bug::DigestNotChecked,
        Bug::PolicyErrorsIgnored,
        Bug::KeyAfter500,
        Bug::KeyAfter409,
        Bug::RateLimitIsRefusal,
        Bug::LivemodeDropped,
        Bug::AccountDropped,
        Bug::OrderTrusted,
        Bug::AuditOutside,
        Bug::DedupeByPayload,
        Bug::KeyTooOld,
        Bug::PartialCaptureIgnored,
        Bug::FloatMoney,
        Bug::OneVoteTwice,
        Bug::ExpiredCounts,
        Bug::ClockBack,
        Bug::ParkedIsDone,
    ];
}

#[cfg(feature = "planted")]
thread_local! {
    /// For the runtime whose threads this is one of: engines beside one another may hold different bugs.
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Whether this bug is planted on this thread.
#[cfg(feature = "planted")]
pub fn planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Plants a bug on this thread, or takes it out. False where the build can hold none.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) -> bool {
    PLANTED.set(bug);
    true
}

/// Whether this bug is planted: this build can hold none.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn planted(_bug: Bug) -> bool {
    false
}

/// Plants nothing: this build can hold no bug.
#[cfg(not(feature = "planted"))]
pub const fn plant(_bug: Option<Bug>) -> bool {
    false
}

#[cfg(all(test, not(feature = "planted")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_the_feature_can_hold_no_bug() {
        for bug in Bug::ALL {
            assert!(!plant(Some(bug)));
            assert!(!planted(bug));
        }
    }
}

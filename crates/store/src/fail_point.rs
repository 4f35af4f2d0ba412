//! Named places where a test can let things go wrong: whoever comes by stands still for ever, as if the process had been
//! killed there; or gets an error; or waits until it is let go, so that something else happens in between. Each store has
//! its own, and nobody is held where nothing was asked for: then passing one costs one look at a number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::{Error, Result};

macro_rules! fail_points {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FailPoint {$(
            $(#[doc = $doc])*
            $name,
        )*}

        impl FailPoint {
            pub const ALL: &'static [FailPoint] = &[$(FailPoint::$name),*];
        }
    };
}

fail_points! {
    /// An event is signed and understood; it stands in no line.
    EventUnderstood,
    /// A group of events left the line; nothing of it is written.
    EventsGathered,
    /// In the change: events, jobs and entry are written, not committed.
    EventsWritten,
    /// The group is on disk; nobody was answered.
    EventsKept,
    /// One was answered by the store; whoever sent it is not.
    EventAnswered,
    /// In the change: jobs are claimed, not committed.
    JobsClaimed,
    /// Jobs are ours; none has begun.
    ClaimKept,
    /// One job begins.
    JobBegun,
    /// A job failed; that is not written.
    JobFailed,
    /// In the change: its failure is written, not committed.
    JobPutBack,
    /// An event by itself was opened; nothing was looked at.
    EventOpened,
    /// An event was understood; its effects are not written.
    EventTaken,
    /// In the change: its job is gone; its object is not mirrored.
    EventJobGone,
    /// In the change: what follows is queued, not committed.
    EventFollowed,
    /// What follows is on disk; nobody was woken.
    EventDone,
    /// A decision begins.
    DecisionBegun,
    /// All that must be known is read.
    DecisionRead,
    /// What is wanted is judged.
    DecisionJudged,
    /// A decision was made and is not written.
    Decided,
    /// In the change: the case is written.
    DecisionCase,
    /// In the change: the decision and its entry are written.
    DecisionRecorded,
    /// In the change: what it wants is filed.
    DecisionFiled,
    /// In the change: all of it is written; not committed.
    DecisionWritten,
    /// The decision is on disk; nobody was told.
    DecisionKept,
    /// What somebody asked for is resolved and read.
    WishRead,
    /// It is judged; nothing is written.
    WishJudged,
    /// In the change: its case is written.
    WishCase,
    /// In the change: it is filed, not committed.
    WishFiled,
    /// It is on disk; whoever asked is not answered.
    WishKept,
    /// A vote was understood and is not counted.
    Voting,
    /// In the change: the vote is written.
    VoteWritten,
    /// In the change: its entry is written.
    VoteRecorded,
    /// In the change: what it leads to is written, not committed.
    VoteFollowed,
    /// The vote is on disk; whoever cast it is not answered.
    VoteKept,
    /// An approval was found open past its time; its end is not written.
    Expiring,
    /// In the change: its end is written, not committed.
    ExpiryWritten,
    /// Its end is on disk.
    Expired,
    /// An execution begins; its proposal is read.
    ExecutionBegun,
    /// The target was read again; nothing is judged.
    TargetRead,
    /// In the change: the job is ours still.
    IntentFenced,
    /// In the change: the gate has said yes again.
    IntentJudged,
    /// In the change: the intent is written.
    IntentWritten,
    /// In the change: the day's budget is taken.
    BudgetTaken,
    /// In the change: the intent's entry is written, not committed.
    IntentRecorded,
    /// The intent is on disk; nothing was counted as sent.
    Intended,
    /// An intent that never left is come upon again.
    TakenUp,
    /// There is a turn in the rate limit; nothing is counted.
    TurnTaken,
    /// In the change: the send is counted, not committed.
    SendCounted,
    /// A send was counted; no socket was opened.
    Counted,
    /// Stripe answered, or did not; nobody has read it.
    SocketClosed,
    /// What may have been sent is about to be looked up.
    LookingUp,
    /// It was looked up; nobody has drawn a conclusion.
    LookedUp,
    /// The answer came; its outcome is not written.
    Answered,
    /// In the change: the outcome is written.
    OutcomeWritten,
    /// In the change: its entry is written.
    OutcomeRecorded,
    /// In the change: proposal, budget and case have learned of it.
    OutcomeSettled,
    /// In the change: its job is gone or put back, not committed.
    OutcomeJobGone,
    /// The outcome is on disk; nobody was told.
    Concluded,
    /// Entries wait to be chained.
    Sealing,
    /// In the change: they are chained, not committed.
    Sealed,
    /// They are chained on disk.
    SealKept,
    /// A writer is about to commit.
    Committing,
    /// A commit is on disk; whoever waits for it does not know.
    Committed,
}

impl FailPoint {
    /// Whether a writer's transaction is open there: whoever stands still holds what it has locked.
    pub fn is_within_change(self) -> bool {
        use FailPoint as P;
        matches!(
            self,
            P::EventsWritten
                | P::JobsClaimed
                | P::JobPutBack
                | P::EventJobGone
                | P::EventFollowed
                | P::DecisionCase
                | P::DecisionRecorded
                | P::DecisionFiled
                | P::DecisionWritten
                | P::WishCase
                | P::WishFiled
                | P::VoteWritten
                | P::VoteRecorded
                | P::VoteFollowed
                | P::ExpiryWritten
                | P::IntentFenced
                | P::IntentJudged
                | P::IntentWritten
                | P::BudgetTaken
                | P::IntentRecorded
                | P::SendCounted
                | P::OutcomeWritten
                | P::OutcomeRecorded
                | P::OutcomeSettled
                | P::OutcomeJobGone
                | P::Sealed
                | P::Committing
        )
    }
}

/// What happens to whoever comes by.
#[derive(Debug)]
pub enum Fault {
    /// They go no further, ever.
    Stop,
    /// They get an error.
    Fail,
    /// They wait until this is sent or dropped.
    Wait(oneshot::Receiver<()>),
}

#[derive(Debug)]
struct Armed {
    point: FailPoint,
    /// How many still pass unharmed.
    pass: usize,
    fault: Fault,
    told: oneshot::Sender<()>,
}

/// Those of one store.
#[derive(Debug, Default)]
pub struct FailPoints {
    count: AtomicUsize,
    armed: Mutex<Vec<Armed>>,
}

impl FailPoints {
    /// After so many came by unharmed, the next one suffers this, once. The answer says that one has.
    pub fn arm(&self, point: FailPoint, pass: usize, fault: Fault) -> oneshot::Receiver<()> {
        let (told, reached) = oneshot::channel();
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.push(Armed { point, pass, fault, told });
        self.count.store(armed.len(), Ordering::SeqCst);
        reached
    }

    /// Nothing is asked for any more; whoever stands still goes on doing so.
    pub fn disarm(&self) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.count.store(0, Ordering::SeqCst);
    }

    fn reached(&self, here: FailPoint) -> Option<Armed> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let place = armed.iter().position(|one| one.point == here)?;
        if armed[place].pass > 0 {
            armed[place].pass -= 1;
            return None;
        }
        let one = armed.remove(place);
        self.count.store(armed.len(), Ordering::SeqCst);
        Some(one)
    }

    /// Somebody comes by.
    pub async fn pass(&self, here: FailPoint) -> Result<()> {
        let Some(armed) = self.reached(here) else { return Ok(()) };
        // Whoever asked may have gone; the place is reached all the same.
        let _ = armed.told.send(());
        match armed.fault {
            Fault::Stop => std::future::pending().await,
            Fault::Fail => Err(Error::Database(format!("a test failed it at {here:?}"))),
            Fault::Wait(go_on) => {
                drop(go_on.await);
                Ok(())
            }
        }
    }
}

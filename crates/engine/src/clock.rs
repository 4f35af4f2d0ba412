//! The two clocks, handed to everything below. The only place that reads the machine's, and the one that says when it
//! cannot be right: with a clock that lies, no execution leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_store::{Store, installation};

use crate::Result;
use crate::cards::rfc3339;

/// Nobody ran this before 2026: a machine that says so has lost its clock.
const MACHINE_FIRST: MachineTime = MachineTime::from_unix_s(1_767_225_600);
/// Stripe opened in 2011: none of its objects is older.
const BUSINESS_FIRST: BusinessTime = BusinessTime::from_unix_s(1_293_840_000);
/// Clocks are corrected by seconds and minutes. This much before what was recorded is another day.
const BACK_MAX: Duration = Duration::from_hours(24);

/// Whether the clock is compared with what was recorded before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockTrust {
    #[default]
    Compared,
    /// A person looked: it was ahead before and is right now.
    Accepted,
}

/// The latest instants that are known to have been.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    machine: AtomicI64,
    business: AtomicI64,
}

impl Latest {
    pub(crate) async fn recorded(store: &Store) -> Result<Self> {
        let (machine, business) = installation::latest(&mut store.read().await?).await?;
        Ok(Self { machine: AtomicI64::new(machine), business: AtomicI64::new(business) })
    }

    /// Business time, and never before what it has been.
    pub(crate) fn business_never_back(&self, clocks: &Clocks) -> BusinessTime {
        let now = clocks.business().micros();
        BusinessTime::from_micros(self.business.fetch_max(now, Ordering::SeqCst).max(now))
    }

    /// Why the clocks cannot be right, if they cannot.
    pub(crate) fn trouble(&self, clocks: &Clocks) -> Option<String> {
        let (machine, business) = (clocks.machine(), clocks.business());
        let shown = |micros: i64| rfc3339(BusinessTime::from_micros(micros));
        if machine < MACHINE_FIRST || business < BUSINESS_FIRST {
            let earlier = machine.micros().min(business.micros());
            return Some(format!("the clock says {}", shown(earlier)));
        }
        for (now, latest) in [(machine.micros(), &self.machine), (business.micros(), &self.business)] {
            let before = latest.fetch_max(now, Ordering::SeqCst);
            if BusinessTime::from_micros(before).since(BusinessTime::from_micros(now)) > BACK_MAX {
                return Some(format!(
                    "the clock says {}, and it has been {} before",
                    shown(now),
                    shown(before)
                ));
            }
        }
        None
    }
}

/// The same for an installation that need not be running.
pub async fn clock_trouble(store: &Store, clocks: &Clocks) -> Result<Option<String>> {
    Ok(Latest::recorded(store).await?.trouble(clocks))
}

#[derive(Clone)]
pub struct Clocks {
    business: Arc<dyn Fn() -> BusinessTime + Send + Sync>,
    machine: Arc<dyn Fn() -> MachineTime + Send + Sync>,
}

impl std::fmt::Debug for Clocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clocks")
    }
}

impl Clocks {
    /// Both are the wall clock: against the real Stripe.
    pub fn system() -> Self {
        Self { business: Arc::new(|| BusinessTime::from_micros(wall_micros())), machine: Arc::new(machine) }
    }

    /// Business time comes from a simulation, machine time from the wall.
    pub fn simulated(business: impl Fn() -> BusinessTime + Send + Sync + 'static) -> Self {
        Self { business: Arc::new(business), machine: Arc::new(machine) }
    }

    /// Both are given.
    pub fn given(
        business: impl Fn() -> BusinessTime + Send + Sync + 'static,
        machine: impl Fn() -> MachineTime + Send + Sync + 'static,
    ) -> Self {
        Self { business: Arc::new(business), machine: Arc::new(machine) }
    }

    pub fn business(&self) -> BusinessTime {
        (self.business)()
    }

    pub fn machine(&self) -> MachineTime {
        (self.machine)()
    }
}

fn machine() -> MachineTime {
    MachineTime::from_micros(wall_micros())
}

#[expect(clippy::disallowed_methods, reason = "this is where the machine's clock is read")]
fn wall_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

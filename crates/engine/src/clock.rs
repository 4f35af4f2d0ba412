//! The two clocks, handed to everything below. The only place that reads the machine's.

use std::sync::Arc;

use bursar_domain::time::{BusinessTime, MachineTime};

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

//! Makes it happen: ingest, mirror, decide, govern, approve, execute, schedule. The only crate that talks to Stripe, and
//! it does so from one private module; everybody else gets verbs.

mod admin;
mod alerts;
mod approve;
mod batch;
mod blocked;
mod budget;
mod call_person;
pub mod cards;
mod clock;
pub mod connect;
mod decide;
mod entropy;
mod error;
mod execute;
mod facts;
mod fail_point;
mod feed;
mod govern;
mod health;
mod history;
mod home_money;
mod inbox;
mod ingest;
mod kept_events;
mod lanes;
mod line;
mod mirror;
mod nodes;
mod poll;
mod propose;
mod quarantine;
mod queries;
mod reads;
mod restored;
mod reversal;
mod schedule;
mod settings;
mod settle;
mod start;
#[cfg(test)]
mod still;
mod stopped;
mod stripe_api;
mod subject;
mod submit;
mod take;
mod verify;

pub use admin::{NewPerson, SetMode};
pub use alerts::{AlertSettings, AlertsHealth, FailingWay, OpenAlert, Tried};
pub use approve::{RefusedVote, VoteCast};
#[doc(hidden)]
pub use bursar_store::fail_point::{FailPoint, Fault};
pub use clock::{ClockTrust, Clocks, clock_trouble};
pub use entropy::Entropy;
pub use error::Error;
pub use feed::FeedItem;
pub use health::{Health, LaneHealth, NodeHealth};
pub use history::{HistoryHealth, KindRead};
pub use home_money::{HomeMoney, Rate};
pub use inbox::Waiting;
pub use ingest::{Endpoint, IngestAnswer};
pub use poll::{BackfillSpan, Backfilled};
pub use queries::{Page, Viewer};
pub use restored::{Lift, Restored, hold_restored};
pub use settings::{Connection, PlaybookSettings, Separation, Settings};
pub use settle::{Settlement, Truth};
pub use start::Engine;
pub use stripe_api::permissions::{Granted, Permission, Registers};
pub use submit::{PortalOpened, PortalRequest, RefundRequest, Submitted};

/// The playbook of this name, for whoever checks its settings.
pub use bursar_playbooks::by_name as playbook;

pub type Result<T> = std::result::Result<T, Error>;

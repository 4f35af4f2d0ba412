//! How the installation stands: what is read, what waits, what is stuck, who works on it.

use bursar_domain::time::BusinessTime;
use bursar_store::pollers::Poller;
use bursar_store::{Db, approvals, audit, executions, jobs, modes, nodes, pollers, quarantine};
use serde::Serialize;
use serde_json::Value;

use crate::Result;
use crate::alerts::{self, AlertsHealth};
use crate::cards::rfc3339;
use crate::history::HistoryHealth;
use crate::lanes::Open;
use crate::poll::gap_document;
use crate::restored::{self, Restored};
use crate::start::Engine;

/// Holes that the health of an installation names.
const GAPS_SHOWN: i64 = 3;

#[derive(Clone, Debug, Serialize)]
pub struct LaneHealth {
    pub lane: String,
    pub connection: String,
    pub mode: String,
    pub sources: Vec<&'static str>,
    pub complete_to: Option<String>,
    pub polled_age_s: Option<u64>,
    pub last_error: Option<String>,
    pub stopped: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct NodeHealth {
    pub node: String,
    pub version: String,
    /// The node that answers this.
    pub answers: bool,
    pub up_s: u64,
    pub heard_of_age_s: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Health {
    pub business_time: String,
    pub lanes: Vec<LaneHealth>,
    /// The processes that work on this installation, this one among them.
    pub nodes: Vec<NodeHealth>,
    /// Configured connections that have not answered yet.
    pub unconnected: Vec<String>,
    /// Connections whose key Stripe does not know, or no longer.
    pub keys_refused: Vec<String>,
    pub queue: jobs::Depth,
    pub oldest_due_age_s: Option<u64>,
    pub events: i64,
    pub last_event_age_s: Option<u64>,
    /// Events that were set aside and that nobody has looked at.
    pub quarantined: i64,
    /// The newest holes that polling found and filled.
    pub gaps: Vec<Value>,
    /// Sent, and Stripe has not said how it ended: tried again or looked up by itself.
    pub executions_waiting: i64,
    /// Sent, and nobody can tell what became of it: waits for a person.
    pub executions_in_doubt: i64,
    pub approvals_pending: i64,
    pub oldest_approval_age_s: Option<u64>,
    pub audit_head: i64,
    pub audit_unsealed: i64,
    pub audit_unsealed_age_s: Option<u64>,
    pub kill_switches: Vec<(String, String)>,
    pub single_operator: bool,
    /// Why the clock cannot be right, where it cannot: nothing leaves meanwhile.
    pub clock: Option<String>,
    pub mail: bool,
    /// The history that was asked for, as far as it is read.
    pub history: HistoryHealth,
    /// What operators were told, and whether it gets through.
    pub alerts: AlertsHealth,
    /// The database is a copy that nobody has cleared: nothing leaves meanwhile.
    pub restored: Option<Restored>,
}

impl Engine {
    pub async fn health(&self) -> Result<Health> {
        let mut db = self.inner.store.read().await?;
        let (business, machine) = (self.inner.clocks.business(), self.inner.clocks.machine());
        let age_s = |at: i64| u64::try_from((machine.micros() - at).max(0) / 1_000_000).unwrap_or(0);
        let queue = jobs::depth(&mut db, business.micros(), machine.micros()).await?;
        let (count, newest) = self.inner.kept_events.count(&mut db).await?;
        let (pending, oldest) = approvals::pending(&mut db).await?;
        let (head, _) = audit::head(&mut db).await?;
        let killed = modes::killed(&mut db).await?;
        let counts = executions::counts(&mut db).await?;
        let outstanding = |states: &[&str]| -> i64 {
            counts.iter().filter(|(state, _)| states.contains(&state.as_str())).map(|(_, count)| count).sum()
        };
        let known = pollers::all(&mut db).await?;
        let (unsealed, unsealed_since) = audit::unsealed(&mut db).await?;
        let open = self.inner.lanes.all();
        let lanes = open.iter().map(|open| lane(open, &known, &killed, age_s)).collect();
        let configured = self.inner.settings.connections.iter().map(|connection| connection.name.clone());
        Ok(Health {
            business_time: rfc3339(business),
            lanes,
            nodes: self.nodes(&mut db).await?,
            unconnected: configured
                .filter(|name| !open.iter().any(|open| open.connection.name == *name))
                .collect(),
            keys_refused: self.inner.lanes.keys_refused(&known),
            oldest_due_age_s: queue.oldest_due.map(age_s),
            queue,
            events: count,
            last_event_age_s: newest.map(age_s),
            quarantined: quarantine::waiting(&mut db).await?,
            gaps: pollers::gaps(&mut db, GAPS_SHOWN).await?.iter().map(gap_document).collect(),
            executions_waiting: outstanding(&["unknown", "waiting_at_stripe"]),
            executions_in_doubt: outstanding(&["in_doubt"]),
            approvals_pending: pending,
            oldest_approval_age_s: oldest.map(|at| business.since(BusinessTime::from_micros(at)).as_secs()),
            audit_head: head,
            audit_unsealed: unsealed,
            audit_unsealed_age_s: unsealed_since.map(age_s),
            kill_switches: killed,
            single_operator: self.inner.installation.single_operator,
            clock: self.clock_trouble(),
            mail: self.inner.settings.mail.is_some(),
            history: crate::history::health(&mut db).await?,
            alerts: alerts::health(&mut db, self.inner.settings.alerts.as_ref(), machine.micros()).await?,
            restored: restored::standing(&mut db).await?,
        })
    }

    /// By the database's clock. A file has one process, which is there as long as it answers.
    async fn nodes(&self, db: &mut Db) -> Result<Vec<NodeHealth>> {
        let now = db.now().await?;
        let age_s = |at: i64| u64::try_from((now - at) / 1_000_000).unwrap_or(0);
        let own = self.inner.store.node();
        let shown = nodes::all(db).await?.into_iter().map(|node| {
            let answers = node.id == own;
            let heard_of_age_s = if answers { 0 } else { age_s(node.seen_at) };
            NodeHealth {
                up_s: age_s(node.started_at),
                version: node.version,
                answers,
                heard_of_age_s,
                node: node.id,
            }
        });
        Ok(shown.collect())
    }
}

fn lane(
    open: &Open,
    pollers: &[Poller],
    killed: &[(String, String)],
    age_s: impl Fn(i64) -> u64,
) -> LaneHealth {
    let lane = open.lane.to_string();
    let poller = pollers.iter().find(|poller| poller.lane == lane);
    let mut sources = Vec::new();
    if open.connection.poll {
        sources.push("poll");
    }
    if open.connection.webhook {
        sources.push("webhook");
    }
    let stopped = killed.iter().find(|(scope, _)| *scope == format!("lane:{lane}") || scope == "all");
    LaneHealth {
        connection: open.connection.name.clone(),
        mode: open.connection.mode.as_str().to_owned(),
        sources,
        complete_to: poller.map(|poller| rfc3339(BusinessTime::from_unix_s(poller.complete_to_s))),
        polled_age_s: poller.and_then(|poller| poller.polled_at).map(age_s),
        last_error: poller.and_then(|poller| poller.last_error.clone()),
        stopped: stopped.map(|(_, reason)| reason.clone()),
        lane,
    }
}

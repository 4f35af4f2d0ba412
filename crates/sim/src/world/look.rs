//! Looking, past the engines: what their database says, and what left.

use anyhow::{Context as _, bail};
use bursar_domain::id::ProposalId;
use bursar_fake_stripe::gate::Seen;
use bursar_store::cases;
use bursar_store::executions::{self, Execution};
use bursar_store::proposals::{self, Proposal};
use serde_json::Value;

use super::stand::World;

/// More cases than any world has.
const CASES_MAX: i64 = 500;

impl World {
    /// Every case there is, newest first.
    pub(super) async fn cases(&self) -> anyhow::Result<Vec<cases::Case>> {
        let filter = cases::Filter { limit: CASES_MAX, ..cases::Filter::default() };
        let mut db = self.reader.read().await?;
        Ok(cases::list(&mut db, self.reader.keyring(), &filter).await?)
    }

    /// Every proposal there is.
    pub(super) async fn proposals(&self) -> anyhow::Result<Vec<Proposal>> {
        let cases = self.cases().await?;
        let (mut db, mut found) = (self.reader.read().await?, Vec::new());
        for case in &cases {
            found.extend(proposals::of_case(&mut db, self.reader.keyring(), &case.id).await?);
        }
        Ok(found)
    }

    pub(super) async fn execution(&self, id: &ProposalId) -> anyhow::Result<Execution> {
        let mut db = self.reader.read().await?;
        let held = executions::of_proposal(&mut db, self.reader.keyring(), id).await?;
        held.with_context(|| format!("{id} has no intent"))
    }

    /// What left under keys of ours, in order.
    pub(super) fn ours(&self) -> Vec<Seen> {
        self.gate.seen().into_iter().filter(|seen| seen.written.key.starts_with("bursar_")).collect()
    }

    /// Every event that Stripe still shows, oldest first.
    pub(super) async fn events(&self) -> anyhow::Result<Vec<Value>> {
        let mut found: Vec<Value> = Vec::new();
        loop {
            let after = found.last().and_then(|event| event["id"].as_str());
            let mut query = vec![("limit", "100")];
            query.extend(after.map(|after| ("starting_after", after)));
            let request = self.client.get(format!("{}/v1/events", self.gate.url())).query(&query);
            let page: Value = request.bearer_auth(self.stripe.secret_key()).send().await?.json().await?;
            let Some(items) = page["data"].as_array() else { bail!("no events: {page}") };
            found.extend(items.iter().cloned());
            if page["has_more"] != true || items.is_empty() {
                found.reverse();
                return Ok(found);
            }
        }
    }
}

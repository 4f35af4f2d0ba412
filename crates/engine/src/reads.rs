//! Performs the reads a playbook or a fact asks for.

use bursar_domain::id::CaseId;
use bursar_domain::known::{Answer, Known, Read};
use bursar_store::proposals;

use crate::lanes::Open;
use crate::mirror::{Found, Freshness, Gathered};
use crate::start::Engine;
use crate::stripe_api::Class;
use crate::{Error, Result};

/// Rounds of asking before a decision is given up as incomplete.
const ROUNDS_MAX: usize = 8;
/// Objects one decision may look at.
const OBJECTS_MAX: usize = 200;
/// How far back letters to a customer are looked at.
const MESSAGES_BACK_DAYS: u64 = 30;

/// Everything one decision reads with.
pub(crate) struct Reader<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) open: &'a Open,
    pub(crate) case: Option<CaseId>,
    pub(crate) freshness: Freshness,
    pub(crate) gathered: Gathered,
}

impl Reader<'_> {
    /// Answers what `wanted` asks for until it asks for nothing more. True when everything asked is answered. No reader
    /// of the store is held while Stripe is asked: there are few of them, and Stripe may be slow.
    pub(crate) async fn settle(
        &mut self,
        known: &mut Known,
        wanted: impl Fn(&Known) -> Vec<Read>,
    ) -> Result<bool> {
        for _ in 0..ROUNDS_MAX {
            let missing = known.missing(wanted(known));
            if missing.is_empty() {
                return Ok(true);
            }
            for read in missing {
                if objects_in(known) >= OBJECTS_MAX {
                    return Ok(false);
                }
                let answer = self.answer(&read, known).await?;
                known.answers.insert(read, answer);
            }
        }
        Ok(known.missing(wanted(known)).is_empty())
    }

    async fn answer(&mut self, read: &Read, known: &Known) -> Result<Answer> {
        match read {
            Read::Object { kind, id } => {
                let found =
                    self.engine.object(self.open, (kind, id), self.freshness, &mut self.gathered).await?;
                Ok(match found {
                    Found::Here { body, as_of } => Answer::Object { value: body, as_of },
                    Found::Gone { as_of } => Answer::Gone { as_of },
                })
            }
            Read::List { kind, filter } => {
                let filter: Vec<(&str, &str)> =
                    filter.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                let class = match self.freshness {
                    Freshness::Now => Class::Action,
                    Freshness::Within(_) => Class::Enrichment,
                };
                let room = OBJECTS_MAX.saturating_sub(objects_in(known)).max(1);
                let listed = self.open.client.list(kind, &filter, room, class).await?;
                Ok(Answer::List {
                    items: listed.items,
                    complete: listed.complete,
                    as_of: self.engine.inner.clocks.business(),
                })
            }
            Read::CaseHistory => {
                let proposals = match &self.case {
                    Some(case) => proposals::past(&mut self.engine.inner.store.read().await?, case).await?,
                    None => Vec::new(),
                };
                Ok(Answer::CaseHistory { proposals })
            }
            Read::Messages { customer } => {
                let since = known.now.minus(std::time::Duration::from_secs(MESSAGES_BACK_DAYS * 86_400));
                let lane = self.open.lane.to_string();
                let mut db = self.engine.inner.store.read().await?;
                let sent = proposals::messages_since(&mut db, &lane, customer, since.micros()).await?;
                Ok(Answer::Messages { sent })
            }
        }
    }
}

fn objects_in(known: &Known) -> usize {
    known
        .answers
        .values()
        .map(|answer| match answer {
            Answer::List { items, .. } => items.len(),
            Answer::Object { .. } | Answer::Gone { .. } => 1,
            Answer::CaseHistory { .. } | Answer::Messages { .. } => 0,
        })
        .sum()
}

/// The object of a read that must be there for anything to make sense.
pub(crate) fn required<'k>(known: &'k Known, kind: &'static str, id: &str) -> Result<&'k serde_json::Value> {
    known.object(kind, id).ok_or_else(|| Error::not_found(kind, id))
}

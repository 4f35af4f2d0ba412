//! What a kill switch may be thrown for: something that is there to be stopped.

use bursar_store::people::{self, Token};
use bursar_store::{Db, pollers};

use crate::start::Engine;
use crate::{Error, Result};

/// So many of what is known are named in a refusal.
const NAMED_MAX: usize = 20;

impl Engine {
    /// Refuses a scope that would stop nothing, and says what there is.
    pub(super) async fn check_scope(&self, scope: &str) -> Result<()> {
        if scope == "all" {
            return Ok(());
        }
        let (kind, name) = scope.split_once(':').unwrap_or((scope, ""));
        let mut db = self.inner.store.read().await?;
        let known = match kind {
            "lane" => self.known_lanes(&mut db).await?,
            "playbook" => bursar_playbooks::ALL.iter().map(|playbook| playbook.name.to_owned()).collect(),
            "agent" => tokens(&mut db, |token| token.kind == "agent").await?,
            "api_key" => tokens(&mut db, |token| !["agent", "user"].contains(&token.kind.as_str())).await?,
            "person" => people::all(&mut db).await?.iter().map(|person| person.id.to_string()).collect(),
            _ => {
                return Err(Error::invalid(
                    "scope",
                    "nothing was stopped: a scope is all, lane:…, playbook:…, agent:…, api_key:… or person:…",
                ));
            }
        };
        if known.iter().any(|known| known == name) {
            return Ok(());
        }
        let named: String = name.chars().take(60).collect();
        let mut there: Vec<&str> = known.iter().take(NAMED_MAX).map(String::as_str).collect();
        if there.is_empty() {
            there.push("none");
        }
        if known.len() > NAMED_MAX {
            there.push("and more");
        }
        Err(Error::invalid(
            "scope",
            format!("nothing was stopped: there is no {kind} `{named}`; there is {}", there.join(", ")),
        ))
    }

    /// Lanes that are open, and those that ever were: a key that does not work any more keeps nobody from stopping them.
    async fn known_lanes(&self, db: &mut Db) -> Result<Vec<String>> {
        let mut known: Vec<String> =
            self.inner.lanes.all().into_iter().map(|open| open.lane.to_string()).collect();
        known.extend(pollers::all(db).await?.into_iter().map(|poller| poller.lane));
        known.extend(pollers::connected_lanes(db).await?);
        known.sort();
        known.dedup();
        Ok(known)
    }
}

async fn tokens(db: &mut Db, of_kind: impl Fn(&Token) -> bool) -> Result<Vec<String>> {
    let all = people::tokens(db).await?;
    Ok(all.iter().filter(|token| of_kind(token)).map(|token| token.id.to_string()).collect())
}

//! What people do while others send too much: they look at the inbox and at what waits for them, ask for a refund, and
//! decide. One thing after the other, each over a connection of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::by_hand::{self, Answered, get, post};

/// Above what needs nobody.
const AMOUNT: u64 = 10_001;
const PAUSE: Duration = Duration::from_millis(10);

/// Somebody at the desk, signed in.
pub(super) struct People {
    pub address: String,
    pub lane: String,
    /// Of the operator and of the controller.
    pub tokens: (String, String),
    pub charges: Vec<String>,
    /// Of the console's session.
    cookie: String,
    asked: usize,
}

/// What they were answered.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// How long a look took.
    pub looks: Vec<Duration>,
    /// How long a vote took.
    pub votes: Vec<Duration>,
    /// Proposals that they were told of.
    pub told: BTreeSet<String>,
    /// What was not answered as it should be, in words.
    pub wrong: Vec<String>,
}

impl Served {
    pub(super) fn join(&mut self, other: Served) {
        self.looks.extend(other.looks);
        self.votes.extend(other.votes);
        self.told.extend(other.told);
        self.wrong.extend(other.wrong);
    }

    pub(super) fn count(&self) -> usize {
        self.looks.len() + self.votes.len() + self.wrong.len()
    }
}

impl People {
    /// `who` has a mail address and a password.
    pub(super) async fn sign_in(
        (address, lane): (&str, &str),
        tokens: (String, String),
        charges: Vec<String>,
        who: &Value,
    ) -> anyhow::Result<Self> {
        let text = |name: &str| who[name].as_str().with_context(|| format!("somebody without {name}"));
        let form = format!("email={}&password={}", text("email")?.replace('@', "%40"), text("password")?);
        let headers =
            format!("content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n", form.len());
        let entered = by_hand::ask(address, &post(address, "/login", &headers, form.as_bytes())).await?;
        let cookie = entered.head.lines().find_map(|line| line.strip_prefix("set-cookie: bursar="));
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.with_context(|| format!("nobody is let in: {}", entered.status))?;
        Ok(Self {
            address: address.to_owned(),
            lane: lane.to_owned(),
            tokens,
            charges,
            cookie: format!("bursar={cookie}"),
            asked: 0,
        })
    }

    /// For so long.
    pub(super) async fn work(&mut self, lasts: Duration) -> Served {
        let (mut served, end) = (Served::default(), Instant::now() + lasts);
        while Instant::now() < end {
            if let Err(error) = self.turn(&mut served).await {
                served.wrong.push(format!("{error:#}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        served
    }

    async fn turn(&mut self, served: &mut Served) -> anyhow::Result<()> {
        let cookie = format!("cookie: {}\r\n", self.cookie);
        self.look("/inbox", &cookie, served).await?;
        self.look("/readyz", "", served).await?;
        let (operator, controller) = self.tokens.clone();
        self.look("/api/v1/approvals", &bearer(&operator), served).await?;
        self.asked += 1;
        let charge = &self.charges[self.asked % self.charges.len()];
        let wish = json!({"charge": charge, "amount": AMOUNT, "reason": "duplicate", "lane": self.lane});
        let key = format!("desk {}", self.asked);
        let asked = self.call("/refund_requests", &operator, (&key, &wish)).await?;
        let proposal = asked["id"].as_str().context("a request without a name")?;
        served.told.insert(proposal.to_owned());
        let approval = asked["approval"].as_str().with_context(|| format!("nobody is asked: {asked}"))?;
        let path = format!("/api/v1/approvals/{approval}");
        let shown = self.look(&path, &bearer(&controller), served).await?;
        let shown: Value = serde_json::from_str(&shown.body)?;
        let vote = json!({"digest": shown["digest"], "reason": "looked at it"});
        let began = Instant::now();
        let path = format!("/approvals/{approval}/approve");
        self.call(&path, &controller, (&format!("vote {}", self.asked), &vote)).await?;
        served.votes.push(began.elapsed());
        Ok(())
    }

    async fn look(&self, path: &str, headers: &str, served: &mut Served) -> anyhow::Result<Answered> {
        let began = Instant::now();
        let answered = by_hand::ask(&self.address, &get(&self.address, path, headers)).await?;
        anyhow::ensure!(answered.status == 200, "{path} was answered {}", answered.status);
        served.looks.push(began.elapsed());
        Ok(answered)
    }

    async fn call(&self, path: &str, token: &str, (key, body): (&str, &Value)) -> anyhow::Result<Value> {
        let body = body.to_string();
        let headers = format!(
            "{}idempotency-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            bearer(token),
            body.len()
        );
        let request = post(&self.address, &format!("/api/v1{path}"), &headers, body.as_bytes());
        let answered = by_hand::ask(&self.address, &request).await?;
        anyhow::ensure!(
            answered.status / 100 == 2,
            "{path} was answered {}: {}",
            answered.status,
            answered.body
        );
        Ok(serde_json::from_str(&answered.body)?)
    }
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

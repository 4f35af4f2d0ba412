//! Events and requests, as Stripe and people send them: whoever gets no good answer tries the same thing again.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bursar_engine::Clocks;
use bursar_stripe::signature;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::draw::Draw;

/// Between two things of one sender, so that what comes in can also be done.
const PAUSE: Duration = Duration::from_millis(6);
/// Before the same thing is tried again.
const AGAIN: Duration = Duration::from_millis(10);
/// One request for so many events.
const REQUEST_EVERY: u64 = 4;
/// So many requests in a row need nobody, then one needs a controller.
const QUESTION_EVERY: u64 = 4;

/// What others were told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Events that were answered with 2xx.
    pub acknowledged: BTreeSet<String>,
    /// Proposals that were named in an answer with 2xx.
    pub answered: BTreeSet<String>,
}

/// Whom to speak to, and with what.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Addresses of nodes: `http://127.0.0.1:7171`.
    pub nodes: Arc<Vec<String>>,
    pub secret: String,
    /// Of the operator and of the controller.
    pub tokens: (String, String),
    pub charges: Arc<Vec<String>>,
    /// Of `customer.updated`.
    pub template: Arc<Value>,
    pub http: reqwest::Client,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Work,
    Rest,
    End,
}

pub(super) struct Load {
    senders: JoinSet<()>,
    wanted: watch::Sender<Wanted>,
    heard: Arc<Mutex<Heard>>,
    /// Senders in the middle of something.
    busy: Arc<AtomicUsize>,
}

impl Load {
    /// `senders` are numbers, which nobody else of the site has.
    pub(super) fn start(target: &Target, senders: Range<u64>, seed: u64) -> Self {
        let (wanted, told) = watch::channel(Wanted::Work);
        let (heard, busy) = (Arc::<Mutex<Heard>>::default(), Arc::<AtomicUsize>::default());
        let mut tasks = JoinSet::new();
        for number in senders {
            let draw = Draw::new(seed, "load", number);
            let sender = Sender {
                number,
                sent: 0,
                node: usize::try_from(number).unwrap_or(0),
                draw,
                target: target.clone(),
                told: told.clone(),
                heard: Arc::clone(&heard),
                busy: Arc::clone(&busy),
            };
            tasks.spawn(sender.run());
        }
        Self { senders: tasks, wanted, heard, busy }
    }

    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }

    /// Senders finish what they are at and wait.
    pub(super) async fn rest(&self) {
        self.wanted.send_replace(Wanted::Rest);
        while self.busy.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(AGAIN).await;
        }
    }

    pub(super) fn go_on(&self) {
        self.wanted.send_replace(Wanted::Work);
    }

    /// Whatever they are at.
    pub(super) async fn end_now(mut self) {
        self.senders.shutdown().await;
    }

    /// Waits until every sender has ended.
    pub(super) async fn end(mut self) -> Heard {
        self.wanted.send_replace(Wanted::End);
        while self.senders.join_next().await.is_some() {}
        std::mem::take(&mut *lock(&self.heard))
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Sender {
    number: u64,
    sent: u64,
    /// Which node is spoken to; another one once it does not answer.
    node: usize,
    draw: Draw,
    target: Target,
    told: watch::Receiver<Wanted>,
    heard: Arc<Mutex<Heard>>,
    busy: Arc<AtomicUsize>,
}

impl Sender {
    async fn run(mut self) {
        while self.told.wait_for(|wanted| *wanted != Wanted::Rest).await.is_ok() {
            self.busy.fetch_add(1, Ordering::SeqCst);
            // Looked at once it counts as busy: whoever waits for nobody to be misses nobody.
            let wanted = *self.told.borrow();
            if wanted == Wanted::Work {
                self.turn().await;
            }
            self.busy.fetch_sub(1, Ordering::SeqCst);
            if wanted == Wanted::End {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn turn(&mut self) {
        self.sent += 1;
        self.event().await;
        if self.sent.is_multiple_of(REQUEST_EVERY) {
            self.request().await;
        }
    }

    /// One event, until it is acknowledged or nobody wants any more.
    async fn event(&mut self) {
        let id = format!("evt_load{}n{}", self.number, self.sent);
        let mut event = (*self.target.template).clone();
        event["id"] = json!(id);
        event["created"] = json!(now_s());
        event["data"]["object"]["id"] = json!(format!("cus_load{}", self.draw.below(200)));
        let body = event.to_string().into_bytes();
        while self.wants_on() {
            let signed = signature::sign(&self.target.secret, now_s(), &body);
            let post = self.target.http.post(format!("{}/ingest/stripe", self.base()));
            let answer = post.header("stripe-signature", signed).body(body.clone()).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                lock(&self.heard).acknowledged.insert(id);
                return;
            }
            self.next_node().await;
        }
    }

    /// A refund is asked for and, where somebody has to agree, agreed to.
    async fn request(&mut self) {
        let requests = self.sent / REQUEST_EVERY;
        let charge = self.draw.one_of(&self.target.charges).clone();
        let large = requests.is_multiple_of(QUESTION_EVERY);
        let amount = if large { 10_001 } else { 100 } + self.draw.below(50);
        let body = json!({"charge": charge, "amount": amount, "reason": "duplicate"});
        let key = format!("request {} {requests}", self.number);
        let operator = self.target.tokens.0.clone();
        let Some(asked) = self.call("/refund_requests", &operator, Some((&key, &body))).await else { return };
        if let Some(id) = asked["id"].as_str() {
            lock(&self.heard).answered.insert(id.to_owned());
        }
        let Some(approval) = asked["approval"].as_str() else { return };
        let controller = self.target.tokens.1.clone();
        let Some(shown) = self.call(&format!("/approvals/{approval}"), &controller, None).await else {
            return;
        };
        let vote = json!({"digest": shown["digest"], "reason": "looked at it"});
        let key = format!("vote {} {requests}", self.number);
        self.call(&format!("/approvals/{approval}/approve"), &controller, Some((&key, &vote))).await;
    }

    /// Calls until there is an answer that says yes or no; gives a yes.
    async fn call(&mut self, path: &str, token: &str, post: Option<(&str, &Value)>) -> Option<Value> {
        while self.wants_on() {
            let url = format!("{}/api/v1{path}", self.base());
            let request = match post {
                Some((key, body)) => self
                    .target
                    .http
                    .post(url)
                    .header("idempotency-key", key)
                    .header("content-type", "application/json")
                    .body(body.to_string()),
                None => self.target.http.get(url),
            };
            if let Ok(answer) = request.bearer_auth(token).send().await {
                let status = answer.status();
                let text = answer.text().await.ok();
                let document = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
                match (status.is_success(), document) {
                    (true, Some(document)) => return Some(document),
                    (false, Some(document)) if is_no(status.as_u16(), &document) => return None,
                    _ => {}
                }
            }
            self.next_node().await;
        }
        None
    }

    fn wants_on(&self) -> bool {
        *self.told.borrow() != Wanted::End
    }

    fn base(&self) -> &str {
        &self.target.nodes[self.node % self.target.nodes.len()]
    }

    async fn next_node(&mut self) {
        self.node += 1;
        tokio::time::sleep(AGAIN).await;
    }
}

/// Whether the answer is final: refused, and not merely busy with the same request.
fn is_no(status: u16, document: &Value) -> bool {
    let busy = document["error"]["code"] == "idempotency_key_in_use";
    (400..500).contains(&status) && status != 429 && !busy
}

fn now_s() -> i64 {
    Clocks::system().machine().unix_s()
}

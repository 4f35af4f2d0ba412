//! An engine on a stage: opened, killed and opened again on the same directory, on clocks that the test holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bursar_connectors::mail::SmtpMail;
use bursar_domain::actor::Actor;
use bursar_domain::approval::{Choice, Tally};
use bursar_domain::id::{ApprovalId, PersonId, ProposalId};
use bursar_domain::mode::Mode;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_engine::{
    AlertSettings, ClockTrust, Clocks, Connection, Endpoint, Engine, Error, FailPoint, HomeMoney,
    IngestAnswer, NewPerson, PlaybookSettings, Rate, RefundRequest, Result, Separation, Settings, Submitted,
    VoteCast,
};
use bursar_policy::PolicyFile;
use bursar_store::executions::{self, Execution};
use bursar_store::scratch::Scratch;
use bursar_store::{Db, Store, audit, budgets, objects, proposals};
use bursar_stripe::currency::Currency;
use bursar_stripe::id::AccountId;
use bursar_stripe::signature;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::stage::{NOW_S, Stage};

pub const SECRET: &str = "whsec_of_the_platform";
pub const CONNECT_SECRET: &str = "whsec_of_connect";
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it looks when nobody tells it to.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How an engine is wanted.
#[derive(Clone)]
pub struct Wish {
    pub mode: Mode,
    pub polls: bool,
    pub policies: Vec<PolicyFile>,
    pub mail: Option<Arc<SmtpMail>>,
    pub connected: Vec<AccountId>,
    pub key: Option<String>,
    pub rates: BTreeMap<Currency, Rate>,
    pub zone: TimeZone,
    pub separation: Separation,
    pub clock: ClockTrust,
    pub workers: usize,
    pub alerts: Option<AlertSettings>,
}

impl Default for Wish {
    fn default() -> Self {
        let policies = bursar_policy::default_set();
        Self {
            mode: Mode::Automate,
            polls: false,
            policies,
            mail: None,
            connected: Vec::new(),
            key: None,
            rates: BTreeMap::new(),
            zone: TimeZone::UTC,
            separation: Separation::AsInstalled,
            clock: ClockTrust::Compared,
            workers: 4,
            alerts: None,
        }
    }
}

impl Wish {
    /// Paying an invoice needs nobody: for tests that are about what comes after.
    pub fn paying_alone() -> Wish {
        let mut wish = Wish { polls: true, ..Wish::default() };
        wish.policies.retain(|file| !file.path.ends_with("payments.cedar"));
        let text =
            "@id(\"test.pays\") permit (principal, action == Bursar::Action::\"invoice.pay\", resource);";
        wish.policies.push(PolicyFile::new("test/payments.cedar", text));
        wish
    }
}

pub struct Scene {
    pub stage: Stage,
    pub wish: Wish,
    engine: Option<Engine>,
    runtime: Option<Runtime>,
    reader: Store,
    pub machine: Arc<AtomicI64>,
    pub place: Scratch,
    starts: usize,
}

/// Somebody who acts.
#[derive(Clone, Debug)]
pub struct Who {
    pub id: PersonId,
    pub name: String,
    pub roles: Vec<Role>,
}

impl Who {
    pub fn actor(&self) -> Actor {
        Actor::Person { id: self.id.clone(), name: self.name.clone() }
    }
}

/// Living and dying.
impl Scene {
    pub async fn new(wish: Wish) -> Scene {
        Self::on(Stage::new().await, wish).await
    }

    pub async fn on(stage: Stage, wish: Wish) -> Scene {
        let place = Scratch::new(crate::DATABASE).await;
        let machine = Arc::new(AtomicI64::new(NOW_S * 1_000_000));
        let settings = settings(&stage, &wish, &place, 1);
        let (runtime, engine, _) = begin(settings, clocks(&stage, &machine), None).await;
        let reader = Store::open_read_only(&place.options("look")).await.unwrap();
        Scene { stage, wish, engine: Some(engine), runtime: Some(runtime), reader, machine, place, starts: 1 }
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("the engine was killed")
    }

    /// The process dies where it stands.
    pub fn kill(&mut self) {
        self.engine = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Another process opens the same directory.
    pub async fn restart(&mut self) {
        self.begin_again(None).await;
    }

    /// The same, and it stands still where the first job comes by this place.
    pub async fn restart_standing_still_at(&mut self, point: FailPoint) -> Reached {
        self.begin_again(Some(point)).await.expect("a place was named")
    }

    /// Waits until the process that was killed has let go of everything.
    pub async fn gone(&self) {
        while bursar_store::open::is_owned(self.place.path()) {
            tokio::task::yield_now().await;
        }
    }

    /// One moment of the database, while it is in use.
    pub async fn keep_copy(&self) -> String {
        self.place.keep_copy("copy").await
    }

    /// The process dies, a copy is put in the place of its database, and another process opens that.
    pub async fn put_back(&mut self, copy: &str) {
        self.kill();
        self.gone().await;
        self.place.put_back(copy).await;
        self.begin_again(None).await;
        self.reader = Store::open_read_only(&self.place.options("look")).await.unwrap();
    }

    /// Another process that does not come up, and why.
    pub async fn refused_restart(&mut self) -> Error {
        self.kill();
        self.starts += 1;
        let settings = settings(&self.stage, &self.wish, &self.place, self.starts);
        loop {
            match Engine::open(settings.clone(), clocks(&self.stage, &self.machine)).await {
                Err(Error::Store(bursar_store::Error::InUse(_))) => tokio::task::yield_now().await,
                Err(error) => return error,
                Ok(_) => panic!("the engine opens"),
            }
        }
    }

    async fn begin_again(&mut self, point: Option<FailPoint>) -> Option<Reached> {
        self.kill();
        self.starts += 1;
        let settings = settings(&self.stage, &self.wish, &self.place, self.starts);
        let (runtime, engine, reached) = begin(settings, clocks(&self.stage, &self.machine), point).await;
        (self.runtime, self.engine) = (Some(runtime), Some(engine));
        reached
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn clocks(stage: &Stage, machine: &Arc<AtomicI64>) -> Clocks {
    let (business, machine) = (stage.stripe.clock(), Arc::clone(machine));
    Clocks::given(
        move || BusinessTime::from_unix_s(business.now_s()),
        move || MachineTime::from_micros(machine.load(Ordering::SeqCst)),
    )
}

/// Says when a job stands at the place that was named.
pub type Reached = tokio::sync::oneshot::Receiver<()>;

/// Opens an engine in a runtime of its own, once the process before it has let go.
pub async fn begin(
    settings: Settings,
    clocks: Clocks,
    point: Option<FailPoint>,
) -> (Runtime, Engine, Option<Reached>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let opening = runtime.spawn(async move {
        loop {
            match Engine::open(settings.clone(), clocks.clone()).await {
                Ok(engine) => break engine,
                Err(Error::Store(bursar_store::Error::InUse(_))) => tokio::task::yield_now().await,
                Err(error) => panic!("the engine does not open: {error}"),
            }
        }
    });
    let engine = tokio::time::timeout(PATIENCE, opening).await.expect("the directory stays in use").unwrap();
    let reached = point.map(|point| engine.stand_still_at(point));
    let starting = engine.clone();
    runtime.spawn(async move { starting.start().await }).await.unwrap().unwrap();
    (runtime, engine, reached)
}

/// Stripe as this wish reaches it.
pub fn connection(stage: &Stage, wish: &Wish) -> Connection {
    Connection {
        name: "main".to_owned(),
        api_base: stage.gate.url(),
        key: SecretString::from(wish.key.clone().unwrap_or_else(|| stage.stripe.secret_key())),
        webhook_secrets: vec![SecretString::from(SECRET)],
        connect_webhook_secrets: vec![SecretString::from(CONNECT_SECRET)],
        connected: wish.connected.clone(),
        poll: wish.polls,
        poll_interval: LOOK_EVERY,
        first_poll_back: Duration::from_mins(10),
        webhook: !wish.polls,
        mode: wish.mode,
        requests_per_second: 10_000,
    }
}

pub fn settings(stage: &Stage, wish: &Wish, place: &Scratch, start: usize) -> Settings {
    Settings {
        store: place.options(&format!("node-{start}")),
        node_silence: Duration::from_millis(400),
        connections: vec![connection(stage, wish)],
        policies: wish.policies.clone(),
        playbooks: BTreeMap::from([("recovery".to_owned(), PlaybookSettings { body: recovery_settings() })]),
        home: HomeMoney { currency: Currency::USD, rates: wish.rates.clone() },
        assist_role: Role::Operator,
        approval_expiry: Duration::from_hours(24),
        mail: wish.mail.clone(),
        mirror_age_max: Duration::from_mins(10),
        workers: wish.workers,
        zone: wish.zone.clone(),
        separation: wish.separation,
        clock: wish.clock,
        alerts: wish.alerts.clone(),
    }
}

fn recovery_settings() -> Value {
    json!({
        "company": "Northwind SaaS", "support_address": "billing@northwind.example",
        "first_retry_after_h": 24, "retry_every_h": 72, "retries_max": 4, "letters_max": 3,
        "high_value": {"usd": "1000.00"},
    })
}

/// Acting.
impl Scene {
    pub async fn who(&self, name: &str, roles: &[Role]) -> Who {
        let new = NewPerson {
            email: format!("{}@northwind.example", name.to_lowercase()),
            name: name.to_owned(),
            roles: roles.to_vec(),
            password_hash: None,
        };
        let id = self.engine().save_person(&Actor::Engine, new).await.unwrap();
        Who { id, name: name.to_owned(), roles: roles.to_vec() }
    }

    /// Somebody in support asks for a refund.
    pub async fn ask(&self, charge: &str, amount: i64) -> Result<Submitted> {
        let sam = self.who("Sam", &[Role::Support]).await;
        self.ask_as(&sam, charge, Some(amount)).await
    }

    pub async fn ask_as(&self, who: &Who, charge: &str, amount: Option<i64>) -> Result<Submitted> {
        let request = RefundRequest {
            charge: charge.to_owned(),
            amount,
            currency: None,
            reason: "requested_by_customer".to_owned(),
            lane: None,
        };
        self.engine().request_refund(who.actor(), who.roles.clone(), request).await
    }

    pub async fn vote(&self, who: &Who, approval: &ApprovalId, choice: Choice) -> Result<Tally> {
        let document = self.engine().approval(approval, None).await?;
        let digest = document["digest"].as_str().unwrap().to_owned();
        self.vote_on(who, approval, choice, &digest).await
    }

    pub async fn vote_on(
        &self,
        who: &Who,
        approval: &ApprovalId,
        choice: Choice,
        digest: &str,
    ) -> Result<Tally> {
        let cast = VoteCast {
            approval: approval.clone(),
            person: who.id.clone(),
            name: who.name.clone(),
            roles: who.roles.clone(),
            choice,
            digest: digest.to_owned(),
            reason: Some("looked at it".to_owned()),
            method: "console".to_owned(),
        };
        self.engine().vote(cast).await
    }

    /// A webhook as Stripe sends it.
    pub async fn deliver(&self, event: &Value) -> Result<IngestAnswer> {
        self.deliver_bytes(Endpoint::Account, SECRET, event.to_string().as_bytes()).await
    }

    pub async fn deliver_bytes(&self, endpoint: Endpoint, secret: &str, body: &[u8]) -> Result<IngestAnswer> {
        let header = signature::sign(secret, self.machine_s(), body);
        self.engine().ingest(endpoint, Some(&header), body).await
    }
}

/// Time.
impl Scene {
    pub fn machine_s(&self) -> i64 {
        self.machine.load(Ordering::SeqCst).div_euclid(1_000_000)
    }

    /// Sets the wall clock.
    pub fn set_machine_s(&self, seconds: i64) {
        self.machine.store(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// Moves the wall clock.
    pub fn pass_machine(&self, span: Duration) {
        self.machine.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// Moves Stripe's time.
    pub fn pass_business(&self, span: Duration) {
        self.stage.stripe.advance(u32::try_from(span.as_secs()).unwrap()).unwrap();
    }

    /// Waits for what must come.
    pub async fn until(&self, what: &str, holds: impl AsyncFnMut() -> bool) {
        assert!(self.comes(holds).await, "this did not come: {what}");
    }

    async fn comes(&self, mut holds: impl AsyncFnMut() -> bool) -> bool {
        let mut feed = self.engine().listen();
        let waiting = async {
            while !holds().await {
                // Whatever is told, and at the latest soon: look again.
                let _ = tokio::time::timeout(LOOK_EVERY, feed.recv()).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.is_ok()
    }

    /// Waits until nothing is due and nobody works.
    pub async fn quiet(&self) {
        let idle = async || {
            let queue = self.engine().health().await.unwrap().queue;
            queue.due == 0 && queue.leased == 0
        };
        self.until("the engine rests", idle).await;
    }

    /// Lets the wall clock run, two seconds a look, until a proposal stands so.
    pub async fn live_until(&self, proposal: &ProposalId, state: ProposalState) {
        let stands = async || {
            self.pass_machine(Duration::from_secs(2));
            self.state(proposal).await == state
        };
        if !self.comes(stands).await {
            let (stands, why) = (self.state(proposal).await, self.why(proposal).await);
            let told =
                self.execution(proposal).await.map(|held| (held.state, held.outcome_code, held.waiting_for));
            panic!("{proposal} is {stands:?} and not {state:?}: {why} {told:?}");
        }
    }
}

/// Looking, past the engine.
impl Scene {
    /// On a machine with much to do a connection may take its time.
    async fn look(&self) -> Db {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.reader.read().await {
                Err(bursar_store::Error::Busy(_)) if tokio::time::Instant::now() < end => {}
                db => return db.unwrap(),
            }
        }
    }

    pub async fn state(&self, proposal: &ProposalId) -> ProposalState {
        let mut db = self.look().await;
        proposals::get(&mut db, self.reader.keyring(), proposal).await.unwrap().unwrap().state
    }

    /// Why it ended.
    pub async fn why(&self, proposal: &ProposalId) -> String {
        let mut db = self.look().await;
        let held = proposals::get(&mut db, self.reader.keyring(), proposal).await.unwrap().unwrap();
        held.settled_words.or(held.settled_why).unwrap_or_default()
    }

    /// Whether a file of the installation shows these words to whoever reads it without the key.
    pub fn shows(&self, words: &str) -> bool {
        let mut files = std::fs::read_dir(self.place.path()).unwrap();
        files.any(|file| {
            let path = file.unwrap().path();
            let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            bytes.windows(words.len()).any(|window| window == words.as_bytes())
        })
    }

    /// Whether there is a copy of an object.
    pub async fn mirrors(&self, kind: &str, id: &str) -> bool {
        let lane = format!("{}/test", self.stage.stripe.account_id());
        let mut db = self.look().await;
        objects::get(&mut db, self.reader.keyring(), &lane, kind, id).await.unwrap().is_some()
    }

    /// The objects of a kind of which there is a copy.
    pub async fn mirrored(&self, kind: &str) -> BTreeSet<String> {
        let sql = "SELECT id FROM objects WHERE kind = $1";
        let rows = self.look().await.all(sql, &[kind.into()]).await.unwrap();
        rows.iter().map(|row| row.text("id").unwrap()).collect()
    }

    /// The copy of an object.
    pub async fn mirrored_body(&self, kind: &str, id: &str) -> Value {
        let lane = format!("{}/test", self.stage.stripe.account_id());
        let mut db = self.look().await;
        objects::get(&mut db, self.reader.keyring(), &lane, kind, id).await.unwrap().unwrap().body
    }

    pub async fn execution(&self, proposal: &ProposalId) -> Option<Execution> {
        let mut db = self.look().await;
        executions::of_proposal(&mut db, self.reader.keyring(), proposal).await.unwrap()
    }

    /// What a day's budget says was given out of the platform's own lane, in cents.
    pub async fn given_out(&self, day: &str) -> i64 {
        let lane = format!("{}/test", self.stage.stripe.account_id());
        let counter = budgets::Counter { lane: &lane, name: "lane:money_out", day, currency: "usd" };
        budgets::used(&mut self.look().await, counter).await.unwrap()
    }

    /// The audit entries of a kind, oldest first.
    pub async fn audited(&self, kind: &str) -> Vec<Value> {
        let sql = "SELECT body FROM audit WHERE kind = $1 ORDER BY writer, writer_seq";
        let rows = self.look().await.all(sql, &[kind.into()]).await.unwrap();
        rows.iter().map(|row| serde_json::from_str(&row.text("body").unwrap()).unwrap()).collect()
    }

    /// When the queued execution is due, machine time.
    pub async fn execution_due(&self) -> Option<i64> {
        let sql = "SELECT due_at FROM jobs WHERE kind = 'execute' AND state = 'queued'";
        let row = self.look().await.first(sql, &[]).await.unwrap();
        row.map(|row| row.int("due_at").unwrap())
    }

    /// What a counter of today holds, where today is UTC's.
    pub async fn spent(&self, name: &str, currency: &str) -> i64 {
        let lane = self.engine().health().await.unwrap().lanes[0].lane.clone();
        let counter = budgets::Counter { lane: &lane, name, day: "2026-11-21", currency };
        budgets::used(&mut self.look().await, counter).await.unwrap()
    }

    /// The cases of a Stripe object, whole.
    pub async fn cases(&self, object: &str) -> Vec<Value> {
        let filter = bursar_store::cases::Filter { object: Some(object.to_owned()), ..Default::default() };
        let listed = self.engine().cases(filter, None, 50).await.unwrap();
        let mut whole = Vec::new();
        for case in listed.items {
            whole.push(self.engine().case(&case["id"].as_str().unwrap().parse().unwrap()).await.unwrap());
        }
        whole
    }

    /// The case that a proposal belongs to, whole.
    pub async fn case_of(&self, proposal: &ProposalId) -> Value {
        let mut db = self.look().await;
        let held = proposals::get(&mut db, self.reader.keyring(), proposal).await.unwrap().unwrap();
        self.engine().case(&held.case).await.unwrap()
    }

    /// The proposals of a verb in the cases of an object, oldest first.
    pub async fn proposals(&self, object: &str, verb: &str) -> Vec<Value> {
        let cases = self.cases(object).await;
        let all = cases.iter().flat_map(|case| case["proposals"].as_array().unwrap().clone());
        all.filter(|proposal| proposal["verb"] == verb).collect()
    }

    /// Waits for the first proposal of a verb.
    pub async fn proposed(&self, object: &str, verb: &str) -> ProposalId {
        let came = self.comes(async || !self.proposals(object, verb).await.is_empty()).await;
        assert!(
            came,
            "nobody proposed {verb}: {:#?}",
            self.cases(object).await.iter().map(|case| case["decisions"].clone()).collect::<Vec<_>>()
        );
        self.proposals(object, verb).await[0]["id"].as_str().unwrap().parse().unwrap()
    }

    /// The audit is whole: every entry, every row it speaks of, nothing left unsealed.
    pub async fn assert_audit(&self) {
        let is_sealed = async || audit::unsealed(&mut self.look().await).await.unwrap().0 == 0;
        self.until("everything is sealed", is_sealed).await;
        let report = audit::verify(&mut self.look().await).await.unwrap();
        assert!(report.ok, "{:?}", report.first_bad);
    }
}

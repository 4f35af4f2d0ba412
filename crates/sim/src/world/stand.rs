//! A world in one process: a simulated Stripe behind a gate, engines on one database, people, and every clock in our hands.
//! An engine lives in a runtime of its own with one thread, so that it can be killed where it stands, and so that a planted
//! bug is its alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bursar_domain::actor::Actor;
use bursar_domain::approval::{Choice, Tally};
use bursar_domain::id::{ApprovalId, PersonId, ProposalId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_engine::{
    Clocks, Endpoint, Engine, Entropy, Error, FailPoint, Fault, IngestAnswer, NewPerson, RefundRequest,
    Submitted, VoteCast,
};
use bursar_fake_stripe::gate::Gate;
use bursar_fake_stripe::{FakeStripe, Options};
use bursar_store::planted::plant;
use bursar_store::scratch::Scratch;
use bursar_store::{MasterKey, Store, approvals, jobs, proposals};
use bursar_stripe::signature;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::task::JoinHandle;

use super::spec::{SECRET, SELLER, Spec, settings};
use crate::checker::{Breach, Evidence};

/// 21 November 2026, 00:00 UTC.
pub(super) const NOW_S: i64 = 1_795_219_200;
/// How long anything may take that is not asked to stand still.
const PATIENCE: Duration = Duration::from_secs(60);
/// A step of the wall clock while the end is waited for, and how many there are at most: some days.
const STEP: Duration = Duration::from_secs(40);
const STEPS_MAX: usize = 200;

pub(super) struct Node {
    pub(super) engine: Engine,
    pub(super) process: Process,
}

/// What an engine lives in. It ends where it stands.
pub(super) struct Process(Option<Runtime>);

impl Process {
    pub(super) fn runtime(&self) -> anyhow::Result<&Runtime> {
        self.0.as_ref().context("it has ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: PersonId,
    pub(super) name: String,
    pub(super) roles: Vec<Role>,
}

pub(super) struct World {
    pub(super) spec: Spec,
    pub(super) stripe: FakeStripe,
    pub(super) gate: Gate,
    pub(super) place: Scratch,
    pub(super) reader: Store,
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) people: Vec<Person>,
    pub(super) account: Option<String>,
    /// Events that were acknowledged, and the lane they belong to.
    pub(super) acknowledged: BTreeMap<String, String>,
    /// Everything that was delivered, acknowledged or not.
    pub(super) delivered: Vec<Value>,
    pub(super) answered: BTreeSet<String>,
    /// What was seen on the way that must never be.
    pub(super) seen: Vec<Breach>,
    dirs: Vec<tempfile::TempDir>,
    machine: Arc<AtomicI64>,
    skew_s: Arc<AtomicI64>,
    struck: Mutex<Vec<oneshot::Receiver<()>>>,
    starts: u64,
    pub(super) client: reqwest::Client,
}

/// Where the databases of worlds lie: in memory where there is such a place, since no power fails here.
fn parent() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// Living and dying.
impl World {
    pub(super) async fn open(spec: Spec) -> anyhow::Result<World> {
        let options =
            Options { start_s: NOW_S, seed: spec.seed, machine_time: || NOW_S, ..Options::default() };
        let stripe = FakeStripe::open(options)?;
        let gate = Gate::open(stripe.clone()).await?;
        let place = Scratch::within(spec.database, &parent()).await;
        let account = spec.connected.then(|| SELLER.to_owned());
        let machine = Arc::new(AtomicI64::new(NOW_S * 1_000_000));
        let (skew_s, client) = (Arc::default(), reqwest::Client::builder().no_proxy().build()?);
        let first = Self::begin(&spec, &gate, (&stripe, &machine, &skew_s), (&place, None), 1).await?;
        let reader = Store::open_read_only(&place.options("look")).await?;
        let mut world = World {
            nodes: vec![Some(first)],
            people: Vec::new(),
            acknowledged: BTreeMap::new(),
            delivered: Vec::new(),
            answered: BTreeSet::new(),
            seen: Vec::new(),
            dirs: Vec::new(),
            struck: Mutex::default(),
            starts: 1,
            spec,
            stripe,
            gate,
            place,
            reader,
            account,
            machine,
            skew_s,
            client,
        };
        for _ in 1..world.spec.nodes {
            world.dirs.push(tempfile::tempdir_in(parent())?);
            world.nodes.push(None);
            world.start(world.nodes.len() - 1).await?;
        }
        for (name, role) in [
            ("Sam", Role::Support),
            ("Carl", Role::Controller),
            ("Cora", Role::Controller),
            ("Olga", Role::Operator),
        ] {
            world.hire(name, role).await?;
        }
        Ok(world)
    }

    async fn begin(
        spec: &Spec,
        gate: &Gate,
        (stripe, machine, skew): (&FakeStripe, &Arc<AtomicI64>, &Arc<AtomicI64>),
        (place, dir): (&Scratch, Option<&std::path::Path>),
        start: u64,
    ) -> anyhow::Result<Node> {
        let bug = spec.bug;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .on_thread_start(move || {
                plant(bug);
            })
            .build()?;
        let (business, machine, skew) = (stripe.clock(), Arc::clone(machine), Arc::clone(skew));
        let clocks = Clocks::given(
            move || BusinessTime::from_unix_s(business.now_s() + skew.load(Ordering::SeqCst)),
            move || MachineTime::from_micros(machine.load(Ordering::SeqCst)),
        );
        let mut settings = settings(spec, stripe, gate, place.options(&format!("node-{start}")));
        if let Some(dir) = dir {
            let key = std::fs::read_to_string(place.path().join("master.key"))?;
            settings.store.data_dir = dir.to_owned();
            settings.store.master_key = MasterKey::parse(&key);
        }
        let seed = spec.seed.wrapping_mul(1_000).wrapping_add(start);
        let process = Process(Some(runtime));
        let opening = process.runtime()?.spawn(async move {
            let engine = loop {
                let entropy = Entropy::from_seed(seed);
                match Engine::open_drawing(settings.clone(), clocks.clone(), entropy).await {
                    // The one before has not let go of it yet.
                    Err(Error::Store(bursar_store::Error::InUse(_))) => {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    opened => break opened?,
                }
            };
            engine.start().await.map(|()| engine)
        });
        let opened = tokio::time::timeout(PATIENCE, opening).await.context("the engine does not open")?;
        Ok(Node { engine: opened??, process })
    }

    /// The process dies where it stands.
    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node] = None;
    }

    /// Another process in its place.
    pub(super) async fn start(&mut self, node: usize) -> anyhow::Result<()> {
        self.kill(node);
        self.starts += 1;
        let dir = node.checked_sub(1).map(|at| self.dirs[at].path());
        let clocks = (&self.stripe, &self.machine, &self.skew_s);
        let begun = Self::begin(&self.spec, &self.gate, clocks, (&self.place, dir), self.starts).await?;
        self.nodes[node] = Some(begun);
        Ok(())
    }

    pub(super) fn engine(&self, node: usize) -> anyhow::Result<&Engine> {
        self.nodes[node].as_ref().map(|node| &node.engine).context("the engine was killed")
    }

    /// Something done at a node, in its own runtime; nothing where it dies or stands still meanwhile.
    pub(super) async fn on<T, F>(&mut self, node: usize, work: impl FnOnce(Engine) -> F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let at = self.nodes[node].as_ref()?;
        let mut done = at.process.runtime().ok()?.spawn(work(at.engine.clone()));
        for _ in 0..5_000 {
            if let Ok(done) = tokio::time::timeout(Duration::from_millis(4), &mut done).await {
                return done.ok();
            }
            if self.is_struck() {
                return None;
            }
        }
        None
    }
}

/// Acting.
impl World {
    async fn hire(&mut self, name: &str, role: Role) -> anyhow::Result<()> {
        let new = NewPerson {
            email: format!("{}@northwind.example", name.to_lowercase()),
            name: name.to_owned(),
            roles: vec![role],
            password_hash: None,
        };
        let saved = self.on(0, |engine| async move { engine.save_person(&Actor::Engine, new).await }).await;
        let id = saved.context("nobody could be hired")??;
        self.people.push(Person { id, name: name.to_owned(), roles: vec![role] });
        Ok(())
    }

    /// A paid charge in dollars.
    pub(super) fn charge(&self, amount: i64) -> anyhow::Result<String> {
        let made = self.trigger("payment_intent.succeeded", json!({"amount": amount}))?;
        object(&made, "charge")
    }

    /// The same on the connected account.
    pub(super) fn charge_of_seller(&self, amount: i64) -> anyhow::Result<String> {
        let wish = json!({"amount": amount, "account": self.account});
        object(&self.trigger("payment_intent.succeeded", wish)?, "charge")
    }

    pub(super) fn trigger(&self, kind: &str, wish: Value) -> anyhow::Result<Value> {
        self.stripe.trigger(kind, wish).map_err(|error| anyhow::anyhow!("{kind}: {error}"))
    }

    /// A call as somebody else with a key would make it.
    pub(super) async fn call(&self, path: &str, form: &[(&str, &str)]) -> anyhow::Result<Value> {
        let request = self.client.post(format!("{}{path}", self.gate.url())).form(form);
        let answer = request.bearer_auth(self.stripe.secret_key()).send().await?.json().await?;
        Ok(answer)
    }

    /// Somebody in support asks for a refund at a node; nothing where they got no answer.
    pub(super) async fn ask(
        &mut self,
        node: usize,
        charge: &str,
        amount: i64,
    ) -> Option<bursar_engine::Result<Submitted>> {
        let (sam, charge) = (self.people[0].clone(), charge.to_owned());
        let reason = "requested_by_customer".to_owned();
        let request = RefundRequest { charge, amount: Some(amount), currency: None, reason, lane: None };
        let actor = Actor::Person { id: sam.id, name: sam.name };
        let asked = self
            .on(node, |engine| async move { engine.request_refund(actor, sam.roles, request).await })
            .await?;
        if let Ok(submitted) = &asked {
            self.answered.insert(submitted.proposal.to_string());
        }
        Some(asked)
    }

    /// The same by whoever does not wait for the answer.
    pub(super) fn asking(&self, node: usize, charge: &str, amount: i64) -> anyhow::Result<JoinHandle<()>> {
        let (sam, charge) = (self.people[0].clone(), charge.to_owned());
        let reason = "requested_by_customer".to_owned();
        let request = RefundRequest { charge, amount: Some(amount), currency: None, reason, lane: None };
        let actor = Actor::Person { id: sam.id, name: sam.name };
        let at = self.nodes[node].as_ref().context("the engine was killed")?;
        let (engine, runtime) = (at.engine.clone(), at.process.runtime()?);
        Ok(runtime.spawn(async move {
            // What is refused is not asked for, and what is asked for is found in the database.
            engine.request_refund(actor, sam.roles, request).await.map(drop).unwrap_or_default();
        }))
    }

    /// A person votes; with nothing said, on the digest that stands. What must not be counted and is, is noted.
    pub(super) async fn vote(
        &mut self,
        (node, person): (usize, usize),
        approval: &ApprovalId,
        choice: Choice,
        digest: Option<String>,
    ) -> anyhow::Result<Option<bursar_engine::Result<Tally>>> {
        let held = approvals::get(&mut self.reader.read().await?, approval).await?.context("no approval")?;
        let voter = self.people[person].clone();
        let digest = digest.unwrap_or_else(|| held.digest.clone());
        let cast = VoteCast {
            approval: approval.clone(),
            person: voter.id,
            name: voter.name,
            roles: voter.roles,
            choice,
            digest: digest.clone(),
            reason: Some("looked at it".to_owned()),
            method: "console".to_owned(),
        };
        let voted = self.on(node, |engine| async move { engine.vote(cast).await }).await;
        if matches!(voted, Some(Ok(_))) {
            if digest != held.digest {
                self.note("I3", format!("{approval}: a vote on another digest was counted"));
            }
            if self.stripe.now_s() >= held.expires_at.unix_s() {
                self.note("I3", format!("{approval}: a vote was counted after it had expired"));
            }
        }
        Ok(voted)
    }

    /// A webhook as Stripe sends it, at a node. Whether it was acknowledged.
    pub(super) async fn deliver(&mut self, node: usize, event: &Value) -> bool {
        let (endpoint, header, body) = self.signed(event);
        let given =
            self.on(node, |engine| async move { engine.ingest(endpoint, Some(&header), &body).await });
        let kept = matches!(given.await, Some(Ok(IngestAnswer::Accepted | IngestAnswer::Duplicate)));
        self.delivered.push(event.clone());
        if kept {
            self.is_acknowledged(event);
        }
        kept
    }

    /// The same by a sender who does not stand in anybody's way.
    pub(super) fn delivery(&self, node: usize, event: &Value) -> anyhow::Result<JoinHandle<bool>> {
        let (endpoint, header, body) = self.signed(event);
        let at = self.nodes[node].as_ref().context("the engine was killed")?;
        let (engine, runtime) = (at.engine.clone(), at.process.runtime()?);
        Ok(runtime.spawn(async move {
            let given = engine.ingest(endpoint, Some(&header), &body).await;
            matches!(given, Ok(IngestAnswer::Accepted | IngestAnswer::Duplicate))
        }))
    }

    fn signed(&self, event: &Value) -> (Endpoint, String, Vec<u8>) {
        let endpoint = if event["account"].is_string() { Endpoint::Connect } else { Endpoint::Account };
        let body = event.to_string().into_bytes();
        (endpoint, signature::sign(SECRET, self.machine_now().unix_s(), &body), body)
    }

    pub(super) fn is_acknowledged(&mut self, event: &Value) {
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        let mode = if event["livemode"] == true { "live" } else { "test" };
        let own = self.stripe.account_id();
        self.acknowledged.insert(id, format!("{}/{mode}", event["account"].as_str().unwrap_or(&own)));
    }

    pub(super) fn note(&mut self, invariant: &'static str, what: String) {
        self.seen.push(Breach { invariant, what });
    }
}

/// What goes wrong inside.
impl World {
    pub(super) fn harm_at(
        &mut self,
        node: usize,
        point: FailPoint,
        (pass, fault): (usize, Fault),
    ) -> anyhow::Result<()> {
        let reached = self.engine(node)?.harm_at(point, pass, fault);
        self.struck.lock().unwrap_or_else(PoisonError::into_inner).push(reached);
        Ok(())
    }

    /// Whether somebody came by a place where something was to go wrong.
    pub(super) fn is_struck(&self) -> bool {
        let mut struck = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
        struck.iter_mut().any(|reached| !matches!(reached.try_recv(), Err(TryRecvError::Empty)))
    }

    /// From here on only what is asked for anew counts.
    pub(super) fn forget_harm(&mut self) {
        self.struck.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for node in self.nodes.iter().flatten() {
            node.engine.harm_nothing();
        }
    }

    /// Waits until somebody comes by, and from then on nothing else goes wrong; false where nobody does.
    pub(super) async fn strikes(&mut self) -> bool {
        let struck = self.is_struck_soon().await;
        self.forget_harm();
        struck
    }

    /// Waits until somebody comes by; false where nobody does.
    pub(super) async fn is_struck_soon(&self) -> bool {
        for _ in 0..2_500 {
            if self.is_struck() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        false
    }
}

/// Time.
impl World {
    pub(super) fn business_now(&self) -> BusinessTime {
        BusinessTime::from_unix_s(self.stripe.now_s() + self.skew_s.load(Ordering::SeqCst))
    }

    pub(super) fn machine_now(&self) -> MachineTime {
        MachineTime::from_micros(self.machine.load(Ordering::SeqCst))
    }

    pub(super) fn pass_machine(&self, span: Duration) {
        self.machine.fetch_add(i64::try_from(span.as_micros()).unwrap_or(0), Ordering::SeqCst);
        self.look_now();
    }

    pub(super) fn set_machine_s(&self, seconds: i64) {
        self.machine.store(seconds * 1_000_000, Ordering::SeqCst);
        self.look_now();
    }

    /// Moves Stripe's time, and the machine's along.
    pub(super) fn pass(&self, span: Duration) -> anyhow::Result<()> {
        self.stripe.advance(u32::try_from(span.as_secs())?)?;
        self.pass_machine(span);
        Ok(())
    }

    /// From now on business time is read so much off.
    pub(super) fn skew(&self, seconds: i64) {
        self.skew_s.store(seconds, Ordering::SeqCst);
        self.look_now();
    }

    fn look_now(&self) {
        for node in self.nodes.iter().flatten() {
            node.engine.look_now();
        }
    }

    /// Waits until nothing is due and nobody works; false where that does not come.
    pub(super) async fn quiet(&self) -> anyhow::Result<bool> {
        for _ in 0..4_000 {
            let (business, machine) = (self.business_now().micros(), self.machine_now().micros());
            let depth = jobs::depth(&mut self.reader.read().await?, business, machine).await?;
            if depth.due == 0 && depth.leased == 0 {
                return Ok(true);
            }
            if self.is_struck() {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(false)
    }

    /// How an action stands.
    pub(super) async fn state(&self, id: &ProposalId) -> anyhow::Result<ProposalState> {
        let held = proposals::get(&mut self.reader.read().await?, self.reader.keyring(), id).await?;
        Ok(held.context("no such proposal")?.state)
    }

    /// How many actions are still on their way.
    pub(super) async fn under_way(&self) -> anyhow::Result<i64> {
        let counts = proposals::counts(&mut self.reader.read().await?).await?;
        Ok(counts.iter().filter(|(state, _)| state == "approved").map(|(_, n)| n).sum())
    }

    /// Lets the clocks run until no action is on its way any more. What is, at the end, the checker says.
    pub(super) async fn live(&self) -> anyhow::Result<()> {
        for _ in 0..STEPS_MAX {
            let rests = self.quiet().await?;
            if rests && self.under_way().await? == 0 {
                return Ok(());
            }
            if rests {
                self.pass_machine(STEP);
            }
        }
        Ok(())
    }

    /// Days pass until nothing is on its way. Letters wait for a mail server that never comes, and end when they are a day
    /// old; another may have been proposed by then.
    pub(super) async fn end(&self) -> anyhow::Result<()> {
        for _ in 0..8 {
            self.pass(Duration::from_hours(26))?;
            if self.quiet().await? && self.under_way().await? == 0 {
                return Ok(());
            }
        }
        self.live().await
    }

    /// Everything goes right again, and whoever was killed is back.
    pub(super) async fn heal(&mut self) -> anyhow::Result<()> {
        self.forget_harm();
        self.skew(0);
        self.gate.heal();
        self.gate.let_through().await;
        for node in 0..self.nodes.len() {
            if self.nodes[node].is_none() {
                self.start(node).await?;
            }
        }
        // What somebody forgot comes back.
        self.place.lapse_leases().await;
        Ok(())
    }

    /// From here on nobody reads Stripe's list: what it holds would come in after everybody has come to rest.
    pub(super) async fn poll_no_more(&mut self) -> anyhow::Result<()> {
        if std::mem::take(&mut self.spec.polls) {
            for node in 0..self.nodes.len() {
                self.start(node).await?;
            }
            self.place.lapse_leases().await;
        }
        Ok(())
    }

    /// Stops everybody and looks for what must never be.
    pub(super) async fn breaches(mut self) -> anyhow::Result<Vec<Breach>> {
        if !self.quiet().await? {
            self.note("I8", "the engines do not come to rest".to_owned());
        }
        for at in 0..self.nodes.len() {
            self.on(at, |engine| async move { engine.stop().await }).await;
            self.kill(at);
        }
        let acknowledged: BTreeSet<String> = self.acknowledged.keys().cloned().collect();
        let evidence = Evidence {
            store: &self.reader,
            stripe: &self.stripe,
            acknowledged: &acknowledged,
            answered: &self.answered,
            now: (self.business_now(), self.machine_now()),
        };
        let mut found = std::mem::take(&mut self.seen);
        found.extend(evidence.breaches().await?);
        found.extend(super::wire::breaches(&self).await?);
        Ok(found)
    }
}

/// The id of the object of a kind that a trigger made.
pub(super) fn object(made: &Value, kind: &str) -> anyhow::Result<String> {
    let objects = made["objects"].as_array().context("no objects")?;
    match objects.iter().find(|object| object["object"] == kind).and_then(|object| object["id"].as_str()) {
        Some(id) => Ok(id.to_owned()),
        None => bail!("no {kind} came of it"),
    }
}

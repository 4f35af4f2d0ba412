//! An installation of its own for one run: a folder, a database, a Stripe in this process, and nodes that come and go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_engine::Clocks;
use bursar_fake_stripe::{FakeStripe, Options};
use bursar_store::open::Schema;
use bursar_store::{Database, PostgresUrl, Store, audit, events, jobs, proposals};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::load::{Load, Target};
use super::people::People;
use super::postgres::Scratch;
use super::program::{Program, Start, document, said};
use crate::checker::{Breach, Evidence};
use crate::goals::Run;

pub(super) const SECRET: &str = "whsec_of_the_endpoint";
pub(super) const NEIGHBOUR_SECRET: &str = "whsec_of_the_neighbour";
const CHARGES: usize = 40;
const CHARGE_AMOUNT: i64 = 50_000_000;
/// Its clock is ahead of ours by less than anybody minds: what it does never seems to come before what it was asked.
const STRIPE_AHEAD_S: i64 = 30;
/// Nobody waits for an answer longer: a node may be frozen.
const ANSWER: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(30);

pub(super) struct Site {
    // Ended before the folder goes.
    nodes: Vec<Node>,
    pub stripe: FakeStripe,
    /// A second account, where one was wished for.
    pub neighbour: Option<FakeStripe>,
    target: Target,
    /// The operator as somebody who signs in.
    operator: Value,
    database: Option<Scratch>,
    folder: TempDir,
    /// Of whoever looks.
    schema: Schema,
}

struct Node {
    start: Start,
    program: Option<Program>,
}

/// What a site is made with.
pub(super) struct Wish<'a> {
    pub run: &'a Run,
    pub database: Database,
    pub nodes: usize,
    /// Apart from all other sites of this run.
    pub number: u64,
    /// Where nodes find `PostgreSQL`, if not at the server itself.
    pub by: Option<String>,
    /// A server other than the shared one.
    pub server: Option<String>,
    /// Whether there is a second Stripe account.
    pub neighbour: bool,
}

impl<'a> Wish<'a> {
    pub(super) fn new(run: &'a Run, database: Database, number: u64) -> Self {
        Self { run, database, nodes: 1, number, by: None, server: None, neighbour: false }
    }
}

/// Setting up.
impl Site {
    /// Everything there, and every node ready.
    pub(super) async fn start(wish: &Wish<'_>) -> anyhow::Result<Site> {
        let folder = tempfile::Builder::new().prefix("bursar-prove-").tempdir()?;
        let database = match wish.database {
            Database::Sqlite => None,
            Database::Postgres => {
                let server = wish.server.as_ref().or(wish.run.postgres.as_ref());
                let name = format!("prove_{}_{}_{}", std::process::id(), wish.run.seed, wish.number);
                Some(Scratch::new(server.context("no server")?, &name).await?)
            }
        };
        let seed = wish.run.seed ^ wish.number;
        let (stripe, url) = serve_stripe(seed).await?;
        let neighbour = if wish.neighbour { Some(serve_stripe(seed.wrapping_add(1)).await?) } else { None };
        let accounts: Vec<Account<'_>> = std::iter::once(("main", &stripe, url.as_str(), SECRET))
            .chain(
                neighbour.iter().map(|(stripe, url)| ("neighbour", stripe, url.as_str(), NEIGHBOUR_SECRET)),
            )
            .collect();
        let direct = database.as_ref().map(Scratch::url);
        let by = database.as_ref().zip(wish.by.as_ref()).map(|(database, by)| database.url_by(by));
        configure(folder.path(), &accounts, direct.as_deref())?;
        let line = format!(
            "init --yes --json --config bursar.toml --data-dir {}",
            data_dir(folder.path(), 0).display()
        );
        let made = document(&wish.run.bursar, folder.path(), &line).await?;
        let people = people(folder.path(), &made)?;
        // From now on by the other way.
        configure(folder.path(), &accounts, by.as_deref().or(direct.as_deref()))?;
        let mut nodes = Vec::new();
        let mut addresses = Vec::new();
        for number in 0..wish.nodes {
            let address = free_address().await?;
            addresses.push(format!("http://{address}"));
            nodes.push(node(wish.run, folder.path(), number, &address)?);
        }
        let target = target(&stripe, tokens(&people)?, addresses)?;
        let operator = people["people"][0].clone();
        let neighbour = neighbour.map(|(stripe, _)| stripe);
        let mut site =
            Site { nodes, stripe, neighbour, target, operator, database, folder, schema: Schema::default() };
        for number in 0..wish.nodes {
            site.start_node(number).await?;
        }
        Ok(site)
    }
}

async fn serve_stripe(seed: u64) -> anyhow::Result<(FakeStripe, String)> {
    let start_s = machine_s() + STRIPE_AHEAD_S;
    let stripe = FakeStripe::open(Options { seed, start_s, ..Options::default() })?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let served = stripe.clone();
    tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
    tokio::spawn(keep_time(stripe.clone()));
    Ok((stripe, url))
}

/// Its time goes on with ours.
async fn keep_time(stripe: FakeStripe) {
    loop {
        if let Ok(behind) = u32::try_from(machine_s() + STRIPE_AHEAD_S - stripe.now_s())
            && stripe.advance(behind).is_err()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn data_dir(folder: &Path, node: usize) -> PathBuf {
    folder.join(format!("data{node}"))
}

/// What a Stripe account is called, the Stripe it is at, where that listens, and how its deliveries are signed.
type Account<'a> = (&'a str, &'a FakeStripe, &'a str, &'a str);

fn configure(folder: &Path, accounts: &[Account<'_>], postgres: Option<&str>) -> anyhow::Result<()> {
    let write =
        |name: &str, text: &str| std::fs::write(folder.join(name), text).with_context(|| name.to_owned());
    let sqlite = format!("sqlite://{}", data_dir(folder, 0).join("bursar.db").display());
    let mut sections = vec![format!("[storage]\nurl = \"{}\"\n", postgres.unwrap_or(&sqlite))];
    for (name, stripe, url, secret) in accounts {
        write(&format!("{name}.key"), &stripe.secret_key())?;
        write(&format!("{name}.secret"), secret)?;
        sections.push(format!(
            "[stripe.{name}]\napi_base = \"{url}\"\napi_key = {{ file = \"{name}.key\" }}\n\
             webhook_secrets = [{{ file = \"{name}.secret\" }}]\ningest = [\"webhook\", \"poll\"]\n\
             poll_interval = \"1s\"\nmode = \"automate\"\nrequests_per_second = 1000\n"
        ));
    }
    write("bursar.toml", &sections.join("\n"))
}

/// Those who were made with the installation.
fn people(folder: &Path, made: &Value) -> anyhow::Result<Value> {
    let file = made["people_file"].as_str().context("nobody was made")?;
    Ok(serde_json::from_slice(&std::fs::read(folder.join(file))?)?)
}

/// Of the operator and of the controller.
fn tokens(people: &Value) -> anyhow::Result<(String, String)> {
    let of = |role: &str| people["tokens"][role].as_str().map(str::to_owned);
    Ok((of("operator").context("no operator")?, of("controller").context("no controller")?))
}

/// One that nobody listens on at this moment: a node is found where it was after it was killed.
async fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string())
}

fn node(run: &Run, folder: &Path, number: usize, address: &str) -> anyhow::Result<Node> {
    let (own, first) = (data_dir(folder, number), data_dir(folder, 0));
    if own != first {
        std::fs::create_dir_all(&own)?;
        std::fs::copy(first.join("master.key"), own.join("master.key"))?;
    }
    let line = format!("serve --json --config bursar.toml --listen {address} --data-dir {}", own.display());
    let start = Start {
        bursar: run.bursar.clone(),
        folder: folder.to_owned(),
        words: line.split_whitespace().map(str::to_owned).collect(),
        log: folder.join(format!("node{number}.log")),
    };
    Ok(Node { start, program: None })
}

fn target(stripe: &FakeStripe, tokens: (String, String), nodes: Vec<String>) -> anyhow::Result<Target> {
    let trigger = |kind: &str, wish: Value| {
        stripe.trigger(kind, wish).map_err(|error| anyhow::anyhow!("{kind} cannot be made: {error}"))
    };
    let template = trigger("customer.updated", json!({}))?["event"].clone();
    let mut charges = Vec::new();
    for _ in 0..CHARGES {
        trigger("payment_intent.succeeded", json!({"amount": CHARGE_AMOUNT}))?;
    }
    charges.extend(stripe.charges().iter().filter_map(|charge| charge["id"].as_str().map(str::to_owned)));
    anyhow::ensure!(charges.len() == CHARGES, "charges are missing");
    let http = reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?;
    Ok(Target {
        nodes: Arc::new(nodes),
        secret: SECRET.to_owned(),
        tokens,
        charges: Arc::new(charges),
        template: Arc::new(template),
        http,
    })
}

/// Living and dying.
impl Site {
    pub(super) fn load(&self, senders: u64, seed: u64) -> Load {
        self.load_from(0, senders, seed)
    }

    /// Senders whose events and requests are no others', numbered from `first`.
    pub(super) fn load_from(&self, first: u64, senders: u64, seed: u64) -> Load {
        Load::start(&self.target, first..first + senders, seed)
    }

    /// Starts it and says how long it took to be ready.
    pub(super) async fn start_node(&mut self, number: usize) -> anyhow::Result<Duration> {
        let program = self.nodes[number].start.go().await?;
        let took = program.ready_after;
        self.nodes[number].program = Some(program);
        Ok(took)
    }

    /// From its next start on a node is another program.
    pub(super) fn becomes(&mut self, number: usize, bursar: &Path) {
        bursar.clone_into(&mut self.nodes[number].start.bursar);
    }

    pub(super) async fn kill(&mut self, number: usize) -> anyhow::Result<()> {
        self.take(number)?.kill().await
    }

    /// The process itself, out of the site's hands.
    pub(super) fn take(&mut self, number: usize) -> anyhow::Result<Program> {
        self.nodes[number].program.take().with_context(|| format!("node {number} does not run"))
    }

    pub(super) fn program(&self, number: usize) -> anyhow::Result<&Program> {
        self.nodes[number].program.as_ref().with_context(|| format!("node {number} does not run"))
    }

    /// What a node complained of.
    pub(super) fn log(&self, number: usize) -> String {
        std::fs::read_to_string(&self.nodes[number].start.log).unwrap_or_default()
    }

    /// Arms a fault of Stripe's.
    pub(super) fn arm(&self, fault: Value) -> anyhow::Result<String> {
        let armed =
            self.stripe.arm_fault(fault).map_err(|error| anyhow::anyhow!("no such fault: {error}"))?;
        Ok(armed["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Nothing of it is needed any more.
    pub(super) async fn close(mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            if let Some(program) = node.program.take() {
                program.kill().await?;
            }
        }
        match self.database.take() {
            Some(database) => database.drop().await,
            None => Ok(()),
        }
    }

    /// Keeps everything for whoever wants to know what went wrong.
    pub(super) fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

/// For those who speak to it by hand.
impl Site {
    /// Of the first node: `127.0.0.1:7171`.
    pub(super) fn address(&self) -> &str {
        self.target.nodes.first().map_or("", |url| url.trim_start_matches("http://"))
    }

    /// Somebody at the desk, at the first node.
    pub(super) async fn people(&self) -> anyhow::Result<People> {
        let lane = lane(&self.stripe);
        let (tokens, charges) = (self.target.tokens.clone(), self.target.charges.to_vec());
        People::sign_in((self.address(), &lane), tokens, charges, &self.operator).await
    }

    /// Memory of the first node's process in KiB: `VmRSS` now, `VmHWM` at most so far.
    pub(super) fn memory_kib(&self, field: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program(0)?.id()?))?;
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(value.context("no such field")?.trim().trim_end_matches(" kB").parse()?)
    }
}

/// For those who use the command line.
impl Site {
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn database(&self) -> Option<&Scratch> {
        self.database.as_ref()
    }

    /// Of the first account.
    pub(super) fn lane(&self) -> String {
        lane(&self.stripe)
    }

    /// The controller's token.
    pub(super) fn controller(&self) -> &str {
        &self.target.tokens.1
    }

    /// What a command about the first node's installation says, and its exit code.
    pub(super) async fn bursar_says(&self, line: &str) -> anyhow::Result<(i32, Value)> {
        let line = format!("{line} --json --config bursar.toml --data-dir {}", self.data_dir().display());
        said(&self.nodes[0].start.bursar, self.folder.path(), &line).await
    }
}

fn lane(stripe: &FakeStripe) -> String {
    format!("{}/test", stripe.account_id())
}

/// Looking.
impl Site {
    /// Of the first node.
    pub(super) fn data_dir(&self) -> PathBuf {
        data_dir(self.folder.path(), 0)
    }

    /// The database past the program and past any proxy. Held for a moment only: while somebody looks, a file is not
    /// opened for the first time by the next process.
    pub(super) async fn look(&self) -> anyhow::Result<Store> {
        let mut options = bursar_store::Options::sqlite(data_dir(self.folder.path(), 0), "checker");
        options.postgres =
            self.database.as_ref().map(|database| PostgresUrl { url: database.url(), password: None });
        options.schema = self.schema;
        Store::open_read_only(&options).await.context("the database cannot be looked at")
    }

    /// From now on the tables are those of a newer version.
    pub(super) fn knows(&mut self, schema: Schema) {
        self.schema = schema;
    }

    /// Whether everything that was acknowledged by now is there, and the audit holds: to be asked at any moment.
    pub(super) async fn at_once(&self, load: &Load) -> anyhow::Result<Vec<Breach>> {
        let acknowledged: Vec<String> = load.heard().acknowledged.iter().cloned().collect();
        let store = self.look().await?;
        let mut db = store.read().await?;
        let lane = lane(&self.stripe);
        let ids: Vec<&str> = acknowledged.iter().map(String::as_str).collect();
        let missing = events::missing(&mut db, &lane, &ids).await?;
        let mut found: Vec<Breach> = missing
            .into_iter()
            .map(|id| Breach { invariant: "I1", what: format!("{id} was acknowledged and is not kept") })
            .collect();
        let report = audit::verify(&mut db).await?;
        if !report.ok {
            found.push(Breach { invariant: "I6", what: format!("{:?}", report.first_bad) });
        }
        Ok(found)
    }

    /// Has senders hold their breath, waits until everything has come to its end, and asks all eight. Says too how long
    /// it took. What Stripe tells of by itself may arrive while we look: then we look again.
    pub(super) async fn at_rest(
        &self,
        load: &Load,
        patience: Duration,
    ) -> anyhow::Result<(Vec<Breach>, Duration)> {
        load.rest().await;
        let (acknowledged, answered) = {
            let heard = load.heard();
            (heard.acknowledged.clone(), heard.answered.clone())
        };
        self.judged(&acknowledged, &answered, patience).await
    }

    /// The same for whoever heard so much and sends no more.
    pub(super) async fn judged(
        &self,
        acknowledged: &BTreeSet<String>,
        answered: &BTreeSet<String>,
        patience: Duration,
    ) -> anyhow::Result<(Vec<Breach>, Duration)> {
        let (began, store) = (Instant::now(), self.look().await?);
        loop {
            let quiet = quiet(&store).await?;
            if quiet || began.elapsed() > patience {
                let evidence =
                    Evidence { store: &store, stripe: &self.stripe, acknowledged, answered, now: now() };
                let found = evidence.breaches().await?;
                let moves = found.iter().any(|breach| breach.invariant == "I8");
                if !moves || began.elapsed() > patience {
                    return Ok((found, began.elapsed()));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Whether nothing is due, in hands or on its way.
async fn quiet(store: &Store) -> anyhow::Result<bool> {
    let mut db = store.read().await?;
    let now = now();
    let depth = jobs::depth(&mut db, now.0.micros(), now.1.micros()).await?;
    let under_way = proposals::counts(&mut db).await?.iter().any(|(state, _)| state == "approved");
    Ok(depth.due + depth.leased == 0 && !under_way)
}

pub(super) fn now() -> (BusinessTime, MachineTime) {
    let clocks = Clocks::system();
    (clocks.business(), clocks.machine())
}

fn machine_s() -> i64 {
    now().1.unix_s()
}

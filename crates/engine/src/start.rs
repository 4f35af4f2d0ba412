//! An engine's life: opened, its tasks started, stopped within seconds. Whatever is interrupted is found again in the
//! store, so that a kill at any instruction is only a slower stop.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bursar_domain::id::AuditId;
use bursar_policy::PolicySet;
use bursar_store::fail_point::FailPoint;
use bursar_store::installation::{self, Installation};
use bursar_store::open::Standing;
use bursar_store::{Database, Store, audit, jobs, policies};
use futures_util::FutureExt as _;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinSet;

use crate::batch::Batcher;
use crate::clock::{ClockTrust, Clocks, Latest};
use crate::decide::Saver;
use crate::entropy::Entropy;
use crate::feed::{Feed, FeedItem};
use crate::kept_events::KeptEvents;
use crate::lanes::Lanes;
use crate::nodes::Duties;
use crate::settings::{Separation, Settings};
use crate::submit::portal::Handover;
use crate::{Error, Result};

/// The engine. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) clocks: Clocks,
    pub(crate) entropy: Entropy,
    pub(crate) settings: Settings,
    pub(crate) lanes: Lanes,
    pub(crate) installation: Installation,
    pub(crate) policy: RwLock<Arc<PolicySet>>,
    latest: Latest,
    pub(crate) batcher: Batcher,
    pub(crate) saver: Saver,
    pub(crate) duties: Duties,
    pub(crate) feed: Feed,
    pub(crate) handover: Handover,
    pub(crate) kept_events: KeptEvents,
    /// Held while the whole audit is checked.
    pub(crate) verifying: tokio::sync::Mutex<()>,
    /// Rung when work was queued.
    pub(crate) work: Notify,
    /// Rung when a kill switch was reset.
    pub(crate) reset: Notify,
    /// Rung when history was asked for.
    pub(crate) history_asked: Notify,
    /// How the tables stand to this version, as last seen.
    pub(crate) standing: watch::Sender<Standing>,
    stop: watch::Sender<bool>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

impl Engine {
    /// Opens the store and loads the policies. Nothing runs yet.
    pub async fn open(settings: Settings, clocks: Clocks) -> Result<Engine> {
        Self::open_drawing(settings, clocks, Entropy::default()).await
    }

    /// The same with ids from another source: for simulations.
    #[doc(hidden)]
    pub async fn open_drawing(settings: Settings, clocks: Clocks, entropy: Entropy) -> Result<Engine> {
        let store = Store::open(settings.store.clone()).await?;
        let installation = own_installation(&store, &entropy, &clocks).await?;
        let installation = separated(&store, &entropy, &clocks, &settings, installation).await?;
        crate::restored::compare(&store, &clocks, &entropy).await?;
        let latest = Latest::recorded(&store).await?;
        let policy = PolicySet::load(&settings.policies).map_err(|errors| {
            Error::invalid("policies", errors.first().map(ToString::to_string).unwrap_or_default())
        })?;
        let duties = Duties::new(store.database());
        let batcher = Batcher::start(store.clone(), clocks.clone(), &entropy);
        let saver = Saver::start(store.clone());
        let inner = Arc::new(Inner {
            store,
            clocks,
            entropy,
            lanes: Lanes::new(&settings.connections),
            settings,
            installation,
            policy: RwLock::new(Arc::new(policy)),
            latest,
            batcher,
            saver,
            duties,
            feed: Feed::default(),
            handover: Handover::default(),
            kept_events: KeptEvents::default(),
            verifying: tokio::sync::Mutex::default(),
            work: Notify::new(),
            reset: Notify::new(),
            history_asked: Notify::new(),
            standing: watch::channel(Standing::Known).0,
            stop: watch::channel(false).0,
            tasks: tokio::sync::Mutex::default(),
        });
        let engine = Engine { inner };
        engine.record_clock().await?;
        engine.record_policies().await?;
        engine.record_playbook_settings().await?;
        Ok(engine)
    }

    /// Connects the lanes and starts workers, pollers and the sealer. A Stripe that does not answer is tried again in the
    /// background; what is known of its lanes from before works meanwhile.
    pub async fn start(&self) -> Result<()> {
        if self.inner.store.database() == Database::Sqlite {
            // One process owns the file: whatever was leased belonged to a process that is gone.
            self.inner
                .store
                .write(|tx| async move { jobs::release_all(tx).await }.boxed())
                .await
                .map_err(store_error)?;
        }
        self.take_stock().await?;
        crate::nodes::start(self).await?;
        for connection in &self.inner.settings.connections {
            if let Err(error) = self.inner.lanes.connect(&self.inner.store, connection).await {
                self.inner.lanes.note_failure(&connection.name, &error);
                tracing::warn!(connection = %connection.name, %error, "not connected yet; trying again");
                self.spawn(crate::poll::connect_later(self.clone(), connection.clone())).await;
            } else {
                crate::poll::start(self, &connection.name).await?;
                crate::history::start(self, &connection.name).await;
            }
        }
        self.spawn(Box::pin(crate::schedule::run(self.clone()))).await;
        self.spawn(crate::stopped::release_forever(self.clone())).await;
        self.spawn(seal_forever(self.clone())).await;
        self.spawn(crate::restored::keep_anchor(self.clone())).await;
        self.spawn(crate::restored::look_forever(self.clone())).await;
        self.spawn(crate::submit::portal::forget_links(self.clone())).await;
        crate::alerts::start(self).await;
        Ok(())
    }

    pub(crate) async fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.lock().await.spawn(task);
    }

    /// Forgets tasks that ended.
    pub(crate) async fn reap(&self) {
        let mut tasks = self.inner.tasks.lock().await;
        while tasks.try_join_next().is_some() {}
    }

    /// Stops: workers finish what they hold or leave it to its lease. At most ten seconds.
    pub async fn stop(&self) {
        self.inner.stop.send_replace(true);
        self.inner.work.notify_waiters();
        let mut tasks = std::mem::take(&mut *self.inner.tasks.lock().await);
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(8), all).await.is_err() {
            tracing::warn!("stopping without waiting for the last jobs; they will be found again");
            tasks.abort_all();
        }
        // What was recorded is chained before we go, unless another node does that.
        if self.inner.duties.are_ours(SEALER) {
            let sealed =
                self.inner.store.write(|tx| async move { audit::seal(tx, SEAL_BATCH).await }.boxed()).await;
            if let Err(error) = sealed.map_err(store_error) {
                tracing::warn!(%error, "the last audit entries stay unsealed until the next start");
            }
        }
        crate::restored::settle_anchor(self).await;
        crate::nodes::leave(self).await;
    }

    /// Stops in the middle of everything, as a kill would: nothing more is written.
    pub(crate) fn give_up(&self) {
        self.inner.stop.send_replace(true);
        self.inner.work.notify_waiters();
    }

    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.stop.subscribe()
    }

    pub fn is_stopping(&self) -> bool {
        *self.inner.stop.borrow()
    }

    pub fn clocks(&self) -> &Clocks {
        &self.inner.clocks
    }

    pub fn entropy(&self) -> &Entropy {
        &self.inner.entropy
    }

    /// Why the clock cannot be right, where it cannot: then no execution leaves and no vote counts.
    pub fn clock_trouble(&self) -> Option<String> {
        match self.inner.settings.clock {
            ClockTrust::Compared => self.inner.latest.trouble(&self.inner.clocks),
            ClockTrust::Accepted => Latest::default().trouble(&self.inner.clocks),
        }
    }

    /// Business time for what is over once it was over. Where a person vouches for a clock that was ahead, its word counts.
    pub(crate) fn business_never_back(&self) -> bursar_domain::time::BusinessTime {
        match self.inner.settings.clock {
            ClockTrust::Compared => self.inner.latest.business_never_back(&self.inner.clocks),
            ClockTrust::Accepted => self.inner.clocks.business(),
        }
    }

    pub fn is_single_operator(&self) -> bool {
        self.inner.installation.single_operator
    }

    /// What happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<FeedItem> {
        self.inner.feed.listen()
    }

    pub(crate) fn tell(
        &self,
        kind: &'static str,
        lane: &str,
        about: (Option<&str>, Option<&str>),
        text: String,
    ) {
        self.inner.feed.tell(FeedItem {
            seq: 0,
            at: self.inner.clocks.business().micros(),
            kind,
            lane: lane.to_owned(),
            case: about.0.map(str::to_owned),
            approval: about.1.map(str::to_owned),
            text,
        });
    }

    pub(crate) fn policy(&self) -> Arc<PolicySet> {
        Arc::clone(&self.inner.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn audit_id(&self) -> AuditId {
        AuditId::from_entropy(self.inner.entropy.id())
    }

    /// That somebody vouches for a clock which has gone back is a matter for the audit.
    async fn record_clock(&self) -> Result<()> {
        let Some(why) = self.inner.latest.trouble(&self.inner.clocks) else { return Ok(()) };
        tracing::error!(%why, "the clock cannot be right");
        if self.inner.settings.clock == ClockTrust::Compared {
            return Ok(());
        }
        let record = audit::Record {
            id: self.audit_id(),
            at: self.inner.clocks.machine().micros(),
            kind: "clock.accepted",
            lane: None,
            actor: Some("engine".to_owned()),
            data: serde_json::json!({"why": why}),
            commits: Vec::new(),
        };
        self.inner
            .store
            .write(move |tx| async move { audit::append(tx, record).await }.boxed())
            .await
            .map_err(store_error)
    }

    /// Keeps the loaded set by its hash and, where it is not the one that was active, records its activation.
    async fn record_policies(&self) -> Result<()> {
        let policy = self.policy();
        let files = serde_json::to_value(
            self.inner.settings.policies.iter().map(|file| (&file.path, &file.text)).collect::<Vec<_>>(),
        )
        .map_err(|error| Error::Broken(error.to_string()))?;
        let (hash, id, at) =
            (policy.hash().to_owned(), self.audit_id(), self.inner.clocks.machine().micros());
        self.inner
            .store
            .write(move |tx| {
                async move {
                    policies::keep_set(tx, &hash, &files, at).await?;
                    if policies::active(tx).await?.as_deref() == Some(hash.as_str()) {
                        return Ok(());
                    }
                    policies::activate(tx, id.as_str(), &hash, at, "engine").await?;
                    let commits = vec![audit::commitment(tx, audit::Table::PolicySets, &hash).await?];
                    let data = serde_json::json!({"policy_set": hash});
                    let record = audit::Record {
                        id,
                        at,
                        kind: "policy.activated",
                        lane: None,
                        actor: Some("engine".to_owned()),
                        data,
                        commits,
                    };
                    audit::append(tx, record).await
                }
                .boxed()
            })
            .await
            .map_err(store_error)
    }

    async fn record_playbook_settings(&self) -> Result<()> {
        let at = self.inner.clocks.machine().micros();
        for (name, settings) in self.inner.settings.playbooks.clone() {
            let hash = crate::decide::settings_hash(&settings.body)?;
            self.inner
                .store
                .write(move |tx| {
                    async move { policies::keep_settings(tx, &hash, &name, &settings.body, at).await }.boxed()
                })
                .await
                .map_err(store_error)?;
        }
        Ok(())
    }
}

/// The plain conversion, named so that closures need no annotations.
pub(crate) fn store_error(error: bursar_store::Error) -> Error {
    Error::Store(error)
}

async fn own_installation(store: &Store, entropy: &Entropy, clocks: &Clocks) -> Result<Installation> {
    if let Some(known) = installation::get(&mut store.read().await?).await? {
        return Ok(known);
    }
    let new = Installation {
        id: format!("inst_{}", bursar_domain::id::encode(entropy.id())),
        created_at: clocks.machine().micros(),
        single_operator: false,
    };
    let row = new.clone();
    store
        .write(move |tx| async move { installation::create(tx, &row).await }.boxed())
        .await
        .map_err(store_error)?;
    // Another node may have been first.
    Ok(installation::get(&mut store.read().await?).await?.unwrap_or(new))
}

/// Brings the installation in line with what the configuration says about separation of duties. Taking rights away is
/// done and recorded; giving them from a file alone is refused, because nobody would have been asked.
async fn separated(
    store: &Store,
    entropy: &Entropy,
    clocks: &Clocks,
    settings: &Settings,
    installation: Installation,
) -> Result<Installation> {
    match (settings.separation, installation.single_operator) {
        (Separation::Waived, false) => Err(Error::invalid(
            "approvals.single_operator",
            "[approvals] single_operator = true, and this installation was not set up so: nobody here may decide on what \
             they asked for. Only `bursar init --single-operator` changes that; else set it to false. Nothing was started",
        )),
        (Separation::Kept, true) => {
            let record = audit::Record {
                id: AuditId::from_entropy(entropy.id()),
                at: clocks.machine().micros(),
                kind: "single_operator.set",
                lane: None,
                actor: Some("engine".to_owned()),
                data: serde_json::json!({"single_operator": false, "by": "configuration"}),
                commits: Vec::new(),
            };
            store
                .write(|tx| {
                    async move {
                        installation::set_single_operator(tx, false).await?;
                        audit::append(tx, record).await
                    }
                    .boxed()
                })
                .await
                .map_err(store_error)?;
            tracing::warn!("from now on nobody decides on what they asked for, as the configuration says");
            Ok(Installation { single_operator: false, ..installation })
        }
        _ => Ok(installation),
    }
}

async fn seal_once(engine: &Engine) -> bursar_store::Result<u64> {
    let store = &engine.inner.store;
    store.pass(FailPoint::Sealing).await?;
    let sealed = store
        .write(|tx| {
            async move {
                let (sealed, _, _) = audit::seal(tx, SEAL_BATCH).await?;
                tx.pass(FailPoint::Sealed).await?;
                Ok(sealed)
            }
            .boxed()
        })
        .await?;
    store.pass(FailPoint::SealKept).await?;
    Ok(sealed)
}

const SEALER: &str = "sealer";
const SEAL_BATCH: i64 = 1_000;
const SEAL_EVERY: Duration = Duration::from_millis(500);

/// Chains what was recorded, within a second.
async fn seal_forever(engine: Engine) {
    let mut stopping = engine.stopping();
    engine.inner.duties.want(SEALER);
    loop {
        let waiting = async { audit::unsealed(&mut engine.inner.store.read().await?).await };
        let sealed = match waiting.await {
            Ok((0, _)) => Ok(0),
            Ok(_) if !engine.inner.duties.are_ours(SEALER) => Ok(0),
            Ok(_) => seal_once(&engine).await,
            Err(error) => Err(error),
        };
        let more = sealed.as_ref().is_ok_and(|sealed| *sealed == SEAL_BATCH.unsigned_abs());
        match sealed {
            Ok(sealed) => metrics::counter!("bursar_audit_entries_sealed_total").increment(sealed),
            Err(error) => tracing::error!(%error, "the audit could not be sealed; trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(if more { Duration::ZERO } else { SEAL_EVERY }) => {}
            _ = stopping.changed() => return,
        }
    }
}

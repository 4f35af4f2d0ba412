//! Three nodes on one database: any two may die, in turn and in the middle of things, and every effect happens once.

use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::{Engine, RefundRequest};
use bursar_fake_stripe::Size;
use bursar_store::{MasterKey, Options};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::alerts::Receiver;
use crate::history::{TWO_YEARS_S, assert_read, company, everything};
use crate::scene::{Scene, Wish, begin, clocks, settings};

/// Another machine's process.
struct Node {
    engine: Engine,
    runtime: Option<Runtime>,
    _dir: TempDir,
}

impl Node {
    async fn start(scene: &Scene, name: &str) -> Node {
        let dir = tempfile::tempdir().unwrap();
        let key = std::fs::read_to_string(scene.place.path().join("master.key")).unwrap();
        let mut settings = settings(&scene.stage, &scene.wish, &scene.place, 1);
        let (data_dir, master_key) = (dir.path().to_owned(), MasterKey::parse(&key));
        settings.store = Options { data_dir, master_key, ..scene.place.options(name) };
        let (runtime, engine, _) = begin(settings, clocks(&scene.stage, &scene.machine), None).await;
        Node { engine, runtime: Some(runtime), _dir: dir }
    }

    /// It dies where it stands.
    fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Small refunds that need nobody, asked for at one node.
async fn ask(scene: &Scene, engine: &Engine, count: usize) -> Vec<ProposalId> {
    let sam = scene.who("Sam", &[Role::Support]).await;
    let mut asked = Vec::new();
    for _ in 0..count {
        let request = RefundRequest {
            charge: scene.stage.charge(9_000),
            amount: Some(500),
            currency: None,
            reason: "requested_by_customer".to_owned(),
            lane: None,
        };
        let actor: Actor = sam.actor();
        asked.push(engine.request_refund(actor, sam.roles.clone(), request).await.unwrap().proposal);
    }
    asked
}

#[tokio::test]
async fn any_two_of_three_nodes_may_die_in_the_middle_of_things() {
    let scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
    let (second, third) = (Node::start(&scene, "node-b").await, Node::start(&scene, "node-c").await);
    let mut asked = Vec::new();
    for engine in [scene.engine(), &second.engine, &third.engine] {
        asked.extend(ask(&scene, engine, 5).await);
    }
    second.kill();
    asked.extend(ask(&scene, &third.engine, 5).await);
    third.kill();
    asked.extend(ask(&scene, scene.engine(), 5).await);
    for proposal in &asked {
        scene.live_until(proposal, ProposalState::Done).await;
    }
    scene.quiet().await;
    assert_eq!(scene.stage.effects("refund.create").len(), asked.len(), "each happened, and once");
    let nodes = async || scene.engine().health().await.unwrap().nodes.len() == 1;
    scene.until("the dead are buried", nodes).await;
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_node_that_goes_leaves_its_duties_at_once_and_one_that_dies_within_its_silence() {
    let scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
    let second = Node::start(&scene, "node-b").await;
    let polled = |engine: &Engine| {
        let engine = engine.clone();
        async move { engine.health().await.unwrap().lanes[0].polled_age_s.is_some() }
    };
    scene.until("somebody polls", async || polled(scene.engine()).await).await;
    scene.engine().stop().await;
    scene.pass_machine(Duration::from_secs(60));
    let fresh =
        async || second.engine.health().await.unwrap().lanes[0].polled_age_s.is_some_and(|age| age < 60);
    scene.until("the other one polls", fresh).await;
    let asked = ask(&scene, &second.engine, 1).await;
    scene.live_until(&asked[0], ProposalState::Done).await;
    let sealed = async || second.engine.health().await.unwrap().audit_unsealed == 0;
    scene.until("the other one seals", sealed).await;
}

#[tokio::test]
async fn of_several_nodes_one_tells_operators_and_another_goes_on_when_it_dies() {
    let receiver = Receiver::open().await;
    let scene = Scene::new(Wish { alerts: Some(receiver.settings()), ..Wish::default() }).await;
    let (second, third) = (Node::start(&scene, "node-b").await, Node::start(&scene, "node-c").await);
    scene.engine().kill(&Actor::Engine, "all", "drill").await.unwrap();
    let told = |expected: usize| {
        let heard = receiver.told("kill_switch").len();
        assert!(heard <= expected, "told {heard} times");
        heard == expected
    };
    scene.until("it is told", async || told(1)).await;
    for (number, dying) in [second, third].into_iter().enumerate() {
        dying.kill();
        scene.pass_machine(Duration::from_hours(4));
        scene.until("somebody tells it again", async || told(number + 2)).await;
    }
    scene.engine().revive(&Actor::Engine, "all").await.unwrap();
    scene.until("its end is told", async || told(4)).await;
    assert_eq!(receiver.told("kill_switch").last().map(String::as_str), Some("alert.closed"));
}

#[tokio::test]
async fn history_that_one_node_reads_another_reads_on() {
    let scene = Scene::on(company(Size::Small).await, Wish::default()).await;
    let all = everything(&scene.stage).await;
    let second = Node::start(&scene, "node-b").await;
    scene.engine().ask_history(TWO_YEARS_S).await.unwrap();
    let begun = async || second.engine.history().await.unwrap().objects >= 200;
    scene.until("somebody reads", begun).await;
    second.kill();
    let done = async || scene.engine().history().await.unwrap().state == "done";
    scene.until("it is read", done).await;
    let told = scene.engine().history().await.unwrap();
    let total: usize = all.values().map(std::collections::BTreeSet::len).sum();
    assert_eq!(usize::try_from(told.objects).unwrap(), total, "no page twice");
    assert_read(&scene, &all).await;
}

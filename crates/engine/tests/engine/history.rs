//! Objects from before we came: every one is there once, over kills and lost places; nothing is woken by them, nothing newer
//! is lost to them, and everything else goes first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_engine::HistoryHealth;
use bursar_fake_stripe::Size;
use bursar_fake_stripe::gate::Harm;
use serde_json::Value;

use crate::scene::{Scene, Wish};
use crate::stage::Stage;

pub const TWO_YEARS_S: i64 = 63_115_200;

/// Kind and collection.
const KINDS: [(&str, &str); 8] = [
    ("customer", "customers"),
    ("subscription", "subscriptions"),
    ("invoice", "invoices"),
    ("invoice_payment", "invoice_payments"),
    ("charge", "charges"),
    ("refund", "refunds"),
    ("dispute", "disputes"),
    ("balance_transaction", "balance_transactions"),
];

pub async fn company(size: Size) -> Stage {
    let stage = Stage::new().await;
    stage.stripe.populate(size).unwrap();
    stage
}

/// What Stripe lists of a kind, all of it.
async fn listed(stage: &Stage, kind: &str, collection: &str) -> BTreeSet<String> {
    let mut ids: Vec<String> = Vec::new();
    loop {
        let mut query = vec![("limit", "100")];
        if kind == "subscription" {
            query.push(("status", "all"));
        }
        if let Some(last) = ids.last() {
            query.push(("starting_after", last));
        }
        let page = stage.call("GET", &format!("/v1/{collection}"), &query).await;
        let found = page["data"].as_array().unwrap().iter();
        ids.extend(found.map(|item| item["id"].as_str().unwrap().to_owned()));
        if page["has_more"] != true {
            return ids.into_iter().collect();
        }
    }
}

pub async fn everything(stage: &Stage) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for (kind, collection) in KINDS {
        all.insert(kind, listed(stage, kind, collection).await);
    }
    all
}

/// Everything that Stripe lists is in the mirror, and nothing came of it.
pub async fn assert_read(scene: &Scene, all: &BTreeMap<&'static str, BTreeSet<String>>) {
    for (kind, ids) in all {
        let mirrored = scene.mirrored(kind).await;
        let missing: Vec<_> = ids.difference(&mirrored).take(3).collect();
        assert!(missing.is_empty(), "{kind}: {} of {}, without {missing:?}", mirrored.len(), ids.len());
        assert_eq!(mirrored.len(), ids.len(), "{kind}");
    }
    assert_eq!(scene.engine().case_counts().await.unwrap(), [], "no case is opened");
    assert_eq!(scene.engine().proposal_counts().await.unwrap(), [], "nothing is proposed");
    let queue = scene.engine().health().await.unwrap().queue;
    assert_eq!((queue.due, queue.leased, queue.later, queue.dead), (0, 0, 0, 0), "no playbook is woken");
}

async fn history(scene: &Scene) -> HistoryHealth {
    scene.engine().history().await.unwrap()
}

#[tokio::test]
async fn a_history_that_is_killed_in_the_middle_is_whole_in_the_end() {
    let mut scene = Scene::on(company(Size::Medium).await, Wish::default()).await;
    let all = everything(&scene.stage).await;
    let total: usize = all.values().map(BTreeSet::len).sum();
    assert!(total > 3_000, "a few thousand objects: {total}");
    let asked_before = scene.stage.gate.reads();
    scene.engine().ask_history(TWO_YEARS_S).await.unwrap();
    let mut kills = 0;
    for least in [400, 1_200, 2_400] {
        scene.until("it goes on", async || history(&scene).await.objects >= least).await;
        scene.kill();
        scene.restart().await;
        kills += 1;
        assert_eq!(history(&scene).await.state, "reading", "killed in the middle");
    }
    scene.until("it is read", async || history(&scene).await.state == "done").await;
    let told = history(&scene).await;
    assert_eq!((usize::try_from(told.objects).unwrap(), told.done_percent), (total, 100), "none twice");
    assert_read(&scene, &all).await;
    let asked = &scene.stage.gate.asked()[asked_before..];
    let pages = asked.iter().filter(|path| path.contains("created[gte]")).count();
    let needed: usize = all.values().map(|ids| ids.len().div_ceil(100).max(1)).sum();
    assert!((needed..=needed + kills).contains(&pages), "{pages} pages for {needed}, and {kills} kills");
    let customer = scene.stage.call("GET", "/v1/customers", &[("limit", "1")]).await;
    let email = customer["data"][0]["email"].as_str().unwrap().to_owned();
    assert!(!scene.shows(&email), "what is read is sealed");
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_is_newer_stays_and_what_is_older_is_replaced() {
    for (passes, expected) in [(Duration::ZERO, Value::Null), (Duration::from_hours(1), "as listed".into())] {
        let scene = Scene::new(Wish::default()).await;
        let failed = scene.stage.failed_invoice("insufficient_funds");
        scene.deliver(&failed.event).await.unwrap();
        scene.until("its case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
        scene.quiet().await;
        scene.pass_business(passes);
        scene.quiet().await;
        let to = "as listed".into();
        scene.stage.gate.harm("GET", "/v1/invoices", 1, Harm::Change { pointer: "/data/0/description", to });
        scene.engine().ask_history(TWO_YEARS_S).await.unwrap();
        scene.until("it is read", async || history(&scene).await.state == "done").await;
        let mirrored = scene.mirrored_body("invoice", &failed.invoice).await;
        assert_eq!(mirrored["description"], expected, "{passes:?} after its event");
    }
}

#[tokio::test]
async fn where_the_place_is_lost_it_is_found_again_by_its_second() {
    let scene = Scene::on(company(Size::Small).await, Wish::default()).await;
    let all = everything(&scene.stage).await;
    let gone = r#"{"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "starting_after"}}"#;
    // The lists that take more than a page.
    for collection in ["invoices", "charges"] {
        let path = format!("/v1/{collection}");
        scene.stage.gate.harm_after("GET", &path, 1, 1, Harm::answer(400, gone));
    }
    scene.engine().ask_history(TWO_YEARS_S).await.unwrap();
    scene.until("it is read", async || history(&scene).await.state == "done").await;
    let asked = scene.stage.gate.asked();
    assert_eq!(asked.iter().filter(|path| path.contains("created[lte]")).count(), 2, "{asked:#?}");
    assert_read(&scene, &all).await;
}

#[tokio::test]
async fn a_kind_that_may_not_be_read_says_so_and_holds_up_no_other() {
    let scene = Scene::on(company(Size::Small).await, Wish::default()).await;
    let all = everything(&scene.stage).await;
    scene.stage.gate.harm("GET", "/v1/disputes", usize::MAX, Harm::answer(403, "{}"));
    scene.engine().ask_history(TWO_YEARS_S).await.unwrap();
    let others = async || {
        let kinds = history(&scene).await.kinds;
        kinds.iter().filter(|kind| kind.state == "done").count() == 7
    };
    scene.until("the others are read", others).await;
    let told = history(&scene).await;
    let disputes = told.kinds.iter().find(|kind| kind.kind == "dispute").unwrap();
    assert!(disputes.last_error.as_deref().is_some_and(|why| why.contains("read disputes")), "{disputes:?}");
    let tried = scene.stage.gate.asked().iter().filter(|path| path.starts_with("/v1/disputes")).count();
    assert!(tried <= 3, "no storm: {tried}");
    scene.stage.gate.heal();
    let done = async || {
        scene.pass_machine(Duration::from_mins(1));
        history(&scene).await.state == "done"
    };
    scene.until("and then it is", done).await;
    assert_read(&scene, &all).await;
}

#[tokio::test]
async fn it_waits_where_stripe_says_slower_and_people_do_not() {
    let scene = Scene::on(company(Size::Small).await, Wish::default()).await;
    let slower = Harm::Answer {
        effect: false,
        status: 429,
        headers: vec![("retry-after", "120")],
        body: r#"{"error": {"type": "invalid_request_error", "code": "rate_limit"}}"#.to_owned(),
    };
    scene.stage.gate.harm("GET", "/v1/balance_transactions", 1, slower);
    scene.engine().ask_history(TWO_YEARS_S).await.unwrap();
    let of_history = || scene.stage.gate.asked().iter().filter(|path| path.contains("created[gte]")).count();
    scene.until("Stripe says slower", async || of_history() == 1).await;
    let held_up = async || history(&scene).await.kinds.iter().any(|kind| kind.last_error.is_some());
    scene.until("it is noted", held_up).await;
    scene.pass_machine(Duration::from_mins(10));
    // What a person waits for is asked at once, and history asks nothing meanwhile.
    assert!(!scene.engine().permissions().await.unwrap().is_empty());
    assert_eq!(of_history(), 1, "history waits");
}

#[tokio::test]
async fn under_a_kill_switch_nothing_is_read() {
    let scene = Scene::on(company(Size::Small).await, Wish::default()).await;
    scene.engine().kill(&Actor::Engine, "all", "drill").await.unwrap();
    let reads = scene.stage.gate.reads();
    scene.engine().ask_history(TWO_YEARS_S).await.unwrap();
    scene.quiet().await;
    assert_eq!(scene.stage.gate.reads(), reads);
    scene.engine().revive(&Actor::Engine, "all").await.unwrap();
    scene.until("it is read", async || history(&scene).await.state == "done").await;
    assert_eq!(scene.engine().health().await.unwrap().history, history(&scene).await);
    assert!(scene.engine().ask_history(0).await.is_err());
}

//! A copy of the database is put back that knows nothing of what was done since. It is noticed, nothing leaves, what
//! happened is found at Stripe, a person lets things leave again; and nothing happens twice.

use std::time::Duration;

use bursar_domain::approval::Choice;
use bursar_domain::execution::ExecutionState;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::{Error, FailPoint, Lift};
use bursar_fake_stripe::gate::Harm;
use bursar_store::anchor;

use crate::letters::{Post, letter_about};
use crate::scene::{Scene, Who, Wish};
use crate::sellers::platform;

/// Waits until the anchor names an entry behind which nothing else is recorded.
async fn anchored(scene: &Scene) {
    let path = scene.place.path().join(anchor::FILE);
    let fresh = async || {
        // One after the other: what was sealed between two looks of one answer would be overlooked.
        let unsealed = scene.engine().health().await.unwrap().audit_unsealed;
        let head = scene.engine().health().await.unwrap().audit_head;
        let named = anchor::read(&path).unwrap().map_or(0, |anchor| anchor.seq);
        unsealed == 0 && named == head
    };
    scene.until("the anchor is fresh", fresh).await;
}

/// Lets time pass until the copy was compared with Stripe.
async fn compared(scene: &Scene) {
    let ready = async || {
        scene.pass_machine(Duration::from_secs(2));
        scene
            .engine()
            .restored()
            .await
            .unwrap()
            .is_some_and(|restored| restored.ready && restored.events_waiting == 0)
    };
    scene.until("the copy is compared with Stripe", ready).await;
}

async fn lift(scene: &Scene, who: &Who) -> Result<(), Error> {
    let lift = Lift {
        person: who.id.clone(),
        name: who.name.clone(),
        roles: who.roles.clone(),
        although_incomplete: false,
    };
    scene.engine().lift_restored(lift).await
}

/// Time passes after things may leave again, and nobody does anything any more.
async fn settled(scene: &Scene) {
    for _ in 0..6 {
        scene.pass_machine(Duration::from_secs(60));
        scene.quiet().await;
    }
}

/// What is asked for meanwhile waits, an operator cannot lift the hold, and nothing that `happened` happens again.
async fn held_until_a_controller_lifts_it(scene: &mut Scene, carl: &Who, happened: usize) {
    let olivia = scene.who("Olivia", &[Role::Operator]).await;
    let refused = lift(scene, &olivia).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    let meanwhile = scene.ask(&scene.stage.charge(20_000), 5_000).await.unwrap();
    assert_eq!(meanwhile.state, ProposalState::Approved);
    settled(scene).await;
    assert_eq!(scene.stage.effects("refund.create").len(), happened, "nothing leaves");
    lift(scene, carl).await.unwrap();
    scene.live_until(&meanwhile.proposal, ProposalState::Done).await;
    settled(scene).await;
    assert_eq!(scene.stage.effects("refund.create").len(), happened + 1, "nothing happens twice");
}

#[tokio::test]
async fn what_was_done_after_a_copy_was_made_is_not_done_again() {
    let mut scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let whole = scene.ask(&scene.stage.charge(64_000), 64_000).await.unwrap();
    let part = scene.ask(&scene.stage.charge(90_000), 30_000).await.unwrap();
    // Allowed, intended, and not sent when the copy is made.
    let reached = scene.engine().stand_still_at(FailPoint::Intended);
    let intended = scene.ask(&scene.stage.charge(20_000), 8_000).await.unwrap();
    reached.await.unwrap();
    let copy = scene.keep_copy().await;

    // What happens meanwhile, and is forgotten.
    scene.restart().await;
    for asked in [&whole, &part] {
        scene.vote(&carl, asked.approval.as_ref().unwrap(), Choice::Approve).await.unwrap();
    }
    let unknown = scene.stage.charge(9_000);
    let lost = scene.ask(&unknown, 4_000).await.unwrap();
    for asked in [&whole, &part, &intended, &lost] {
        scene.live_until(&asked.proposal, ProposalState::Done).await;
    }
    let happened = scene.stage.effects("refund.create");
    assert_eq!(happened.len(), 4);
    anchored(&scene).await;
    // By the time that the copy is put back Stripe has forgotten every key: none of them protects anything.
    scene.pass_business(Duration::from_hours(30));
    scene.pass_machine(Duration::from_hours(30));
    scene.put_back(&copy).await;

    let restored = scene.engine().restored().await.unwrap().expect("it is noticed");
    assert_eq!(restored.why, "behind");
    assert!(restored.anchor.unwrap() > restored.head, "{restored:?}");
    // Whoever is asked again may say yes again.
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let _ = scene.vote(&carl, whole.approval.as_ref().unwrap(), Choice::Approve).await;
    let early = lift(&scene, &carl).await;
    assert!(matches!(early, Err(Error::Conflict { code: "not_compared", .. })), "{early:?}");
    compared(&scene).await;
    for asked in [&whole, &part, &intended] {
        scene.live_until(&asked.proposal, ProposalState::Done).await;
    }
    assert_eq!(scene.execution(&whole.proposal).await.unwrap().state, ExecutionState::Done);
    let restored = scene.engine().restored().await.unwrap().unwrap();
    assert_eq!((restored.lost.len(), restored.in_doubt), (1, 0), "{restored:?}");
    let found = &restored.lost[0];
    assert_eq!((found.proposal.as_ref(), found.amount), (Some(&lost.proposal), Some(4_000)));
    assert_eq!(found.target.as_deref(), Some(unknown.as_str()));
    assert_eq!(scene.spent("lane:money_out", "usd").await, 106_000, "the day's budget knows all of it");

    held_until_a_controller_lifts_it(&mut scene, &carl, happened.len()).await;

    // Somebody does not find their refund and asks for the like again: a person sees what was done.
    let again = scene.ask(&unknown, 4_000).await.unwrap();
    assert_eq!(again.state, ProposalState::Asking, "{:?}", again.verdict);
    assert!(again.verdict.notes.iter().any(|note| note.contains("before a copy")), "{:?}", again.verdict);
    assert_eq!(
        (scene.audited("restore.noticed").await.len(), scene.audited("restore.lifted").await.len()),
        (1, 1)
    );
    anchored(&scene).await;
    scene.restart().await;
    assert!(scene.engine().restored().await.unwrap().is_none(), "a copy is cleared once");
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_letter_that_a_copy_holds_as_waiting_is_not_sent_again() {
    let mut scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    let proposal = letter_about(&scene, &failed).await;
    scene.quiet().await;
    let copy = scene.keep_copy().await;
    let post = Post::open().await;
    scene.wish = post.wish();
    scene.restart().await;
    scene.live_until(&proposal, ProposalState::Done).await;
    assert_eq!(post.mailbox.letters().len(), 1);
    anchored(&scene).await;
    scene.put_back(&copy).await;
    assert_eq!(scene.state(&proposal).await, ProposalState::InDoubt, "nobody can ask a mail server");
    compared(&scene).await;
    let carl = scene.who("Carl", &[Role::Controller]).await;
    lift(&scene, &carl).await.unwrap();
    // As if the webhook had been late.
    scene.deliver(&failed.event).await.unwrap();
    settled(&scene).await;
    assert_eq!(post.mailbox.letters().len(), 1, "whoever was written to is not written to again");
    assert_eq!(scene.state(&proposal).await, ProposalState::InDoubt, "a person says what became of it");
    scene.assert_audit().await;
}

#[tokio::test]
async fn while_stripe_does_not_answer_a_copy_stays_held() {
    let mut scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
    let copy = scene.keep_copy().await;
    let asked = scene.ask(&scene.stage.charge(20_000), 8_000).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    anchored(&scene).await;
    scene.put_back(&copy).await;
    scene.stage.gate.close();
    let told = async || {
        scene.pass_machine(Duration::from_secs(2));
        scene.engine().restored().await.unwrap().is_some_and(|restored| restored.problem.is_some())
    };
    scene.until("it says what is missing", told).await;
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let refused = lift(&scene, &carl).await;
    assert!(
        matches!(&refused, Err(Error::Conflict { message, .. }) if message.contains("Stripe")),
        "{refused:?}"
    );
    let although = Lift {
        person: carl.id.clone(),
        name: carl.name.clone(),
        roles: carl.roles.clone(),
        although_incomplete: true,
    };
    scene.engine().lift_restored(although).await.unwrap();
    let lifted = &scene.audited("restore.lifted").await[0];
    assert_eq!(lifted["data"]["complete"], false, "the audit says that it was not complete");
}

#[tokio::test]
async fn an_account_that_cannot_be_asked_keeps_no_other_from_being_compared() {
    let (mut scene, one, other) = platform(Wish::default()).await;
    let copy = scene.keep_copy().await;
    for account in [None, Some(one.as_str()), Some(other.as_str())] {
        let asked = scene.ask(&scene.stage.charge_on(account, 20_000), 8_000).await.unwrap();
        scene.live_until(&asked.proposal, ProposalState::Done).await;
    }
    anchored(&scene).await;
    // Whichever is asked first.
    scene.stage.gate.harm("GET", "/v1/events", 1, Harm::answer(403, "{}"));
    scene.put_back(&copy).await;
    let looked = async || scene.engine().restored().await.unwrap().is_some_and(|r| r.looked_at.is_some());
    scene.until("it was looked at", looked).await;
    let restored = scene.engine().restored().await.unwrap().unwrap();
    assert!(restored.problem.is_some(), "{restored:?}");
    assert_eq!((restored.lost.len(), restored.lost_count), (2, 2), "{restored:?}");
    compared(&scene).await;
    assert_eq!(scene.engine().restored().await.unwrap().unwrap().lost_count, 3);
}

#[tokio::test]
async fn an_anchor_that_names_another_chain_or_nothing_holds_what_leaves() {
    let mut scene = Scene::new(Wish::default()).await;
    anchored(&scene).await;
    let path = scene.place.path().join(anchor::FILE);
    let real = anchor::read(&path).unwrap().unwrap();
    let wrong = [
        (
            "other_chain",
            serde_json::to_string(&anchor::Anchor { hash: "0".repeat(64), ..real.clone() }).unwrap(),
        ),
        (
            "other_installation",
            serde_json::to_string(&anchor::Anchor { installation: "inst_other".to_owned(), ..real }).unwrap(),
        ),
        ("anchor_unreadable", "{".to_owned()),
    ];
    for (why, text) in wrong {
        scene.kill();
        scene.gone().await;
        std::fs::write(&path, text).unwrap();
        scene.restart().await;
        let noticed = scene.engine().restored().await.unwrap().expect(why);
        assert_eq!(noticed.why, why);
        compared(&scene).await;
        let carl = scene.who("Carl", &[Role::Controller]).await;
        lift(&scene, &carl).await.unwrap();
        anchored(&scene).await;
    }
}

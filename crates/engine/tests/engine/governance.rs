//! Between the decision and the socket the world moves on: what no longer holds is not sent.

use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_domain::approval::{Choice, Tally, VoteError};
use bursar_domain::id::ApprovalId;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::{Error, FailPoint, NewPerson, Submitted};
use bursar_policy::PolicyFile;

use crate::scene::{Scene, Who, Wish};

/// A refund that waits for a controller, and the controller.
async fn asking(scene: &Scene) -> (String, Submitted, ApprovalId, Who) {
    let charge = scene.stage.charge(64_000);
    let asked = scene.ask(&charge, 30_000).await.unwrap();
    let approval = asked.approval.clone().unwrap();
    let carl = scene.who("Carl", &[Role::Controller]).await;
    (charge, asked, approval, carl)
}

/// Ends as void, for a reason that says so, with nothing sent.
async fn assert_void(scene: &Scene, asked: &Submitted, why: &str) {
    scene.live_until(&asked.proposal, ProposalState::Void).await;
    let told = scene.why(&asked.proposal).await;
    assert!(told.contains(why), "{told}");
    assert!(scene.execution(&asked.proposal).await.is_none(), "not even an intent");
    assert!(scene.stage.our_effects().is_empty());
    scene.assert_audit().await;
}

#[tokio::test]
async fn an_approval_expires_by_stripes_time_and_cannot_be_voted_on_any_more() {
    let scene = Scene::new(Wish::default()).await;
    let (charge, asked, approval, carl) = asking(&scene).await;
    scene.pass_machine(Duration::from_hours(48));
    scene.quiet().await;
    assert_eq!(scene.state(&asked.proposal).await, ProposalState::Asking, "the wall clock does not count");
    scene.pass_business(Duration::from_hours(24));
    let late = scene.vote(&carl, &approval, Choice::Approve).await;
    assert!(matches!(late, Err(Error::Vote(VoteError::Expired))), "{late:?}");
    scene.live_until(&asked.proposal, ProposalState::Expired).await;
    let later = scene.vote(&carl, &approval, Choice::Approve).await;
    assert!(matches!(later, Err(Error::Vote(VoteError::Expired))), "{later:?}");
    assert!(scene.stage.gate.written().is_empty());
    assert_eq!(scene.cases(&charge).await[0]["state"], "closed");
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_charge_that_was_refunded_elsewhere_meanwhile_voids_the_approval() {
    let scene = Scene::new(Wish::default()).await;
    let (charge, asked, approval, carl) = asking(&scene).await;
    scene.stage.trigger("charge.refunded", serde_json::json!({"charge": charge, "amount": 10_000}));
    assert_eq!(scene.vote(&carl, &approval, Choice::Approve).await.unwrap(), Tally::Met);
    let words = "refundable changed after it was decided: was 640.00 USD, is 540.00 USD";
    assert_void(&scene, &asked, words).await;
}

#[tokio::test]
async fn a_charge_that_was_disputed_meanwhile_voids_the_approval() {
    let scene = Scene::new(Wish::default()).await;
    let (charge, asked, approval, carl) = asking(&scene).await;
    scene.stage.trigger("charge.dispute.created", serde_json::json!({"charge": charge}));
    scene.vote(&carl, &approval, Choice::Approve).await.unwrap();
    assert_void(&scene, &asked, "disputed changed after it was decided: was no, is yes").await;
}

#[tokio::test]
async fn a_vote_on_something_else_than_what_stands_decides_nothing() {
    let scene = Scene::new(Wish::default()).await;
    let (_, asked, approval, carl) = asking(&scene).await;
    let shown = scene.vote_on(&carl, &approval, Choice::Approve, &"0".repeat(64)).await;
    assert!(matches!(shown, Err(Error::Vote(VoteError::DigestChanged))), "{shown:?}");
    assert_eq!(scene.state(&asked.proposal).await, ProposalState::Asking);
}

#[tokio::test]
async fn nobody_decides_on_what_they_asked_for() {
    let scene = Scene::new(Wish::default()).await;
    let both = scene.who("Bo", &[Role::Support, Role::Controller]).await;
    let charge = scene.stage.charge(64_000);
    let asked = scene.ask_as(&both, &charge, Some(30_000)).await.unwrap();
    let own = scene.vote(&both, &asked.approval.unwrap(), Choice::Approve).await;
    assert!(matches!(own, Err(Error::Vote(VoteError::Maker))), "{own:?}");
}

#[tokio::test]
async fn a_vote_that_came_in_time_outlives_the_expiry_that_was_under_way() {
    let scene = Scene::new(Wish::default()).await;
    let (_, asked, approval, carl) = asking(&scene).await;
    hold_before_intent(&scene);
    let (voting, count) = scene.engine().pause_at(FailPoint::Voting);
    let expiring = async {
        voting.await.unwrap();
        let (expiring, go_on) = scene.engine().pause_at(FailPoint::Expiring);
        scene.pass_business(Duration::from_hours(24));
        expiring.await.unwrap();
        count.send(()).unwrap();
        go_on
    };
    let vote = scene.vote(&carl, &approval, Choice::Approve);
    let (tally, go_on) = futures_util::future::join(vote, expiring).await;
    assert_eq!(tally.unwrap(), Tally::Met);
    go_on.send(()).unwrap();
    scene.quiet().await;
    assert_eq!(scene.state(&asked.proposal).await, ProposalState::Approved);
    let_go(&scene);
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_vote_never_counts_with_more_roles_than_it_was_cast_with() {
    let mut wish = Wish::default();
    wish.policies.retain(|file| !file.path.ends_with("refunds.cedar"));
    let text = "@id(\"test.operator\") @ask(\"operator\") \
                permit (principal, action == Bursar::Action::\"refund.create\", resource); \
                @id(\"test.controller\") @ask(\"controller\") \
                permit (principal, action == Bursar::Action::\"refund.create\", resource);";
    wish.policies.push(PolicyFile::new("test/refunds.cedar", text));
    let scene = Scene::new(wish).await;
    let (_, asked, approval, carl) = asking(&scene).await;
    let both = scene.who("Bo", &[Role::Operator, Role::Controller]).await;
    let by_a_lesser_token = Who { roles: vec![Role::Operator], ..both };
    let vote = scene.vote(&by_a_lesser_token, &approval, Choice::Approve).await;
    assert_eq!(vote.unwrap(), Tally::Open);
    let olivia = scene.who("Olivia", &[Role::Operator]).await;
    assert_eq!(scene.vote(&olivia, &approval, Choice::Approve).await.unwrap(), Tally::Open);
    let document = scene.engine().approval(&approval, None).await.unwrap();
    let needs = document["card"]["who"]["requirements"].as_array().unwrap();
    let controllers = needs.iter().find(|need| need["role"] == "controller").unwrap();
    assert_eq!(controllers["yes"], 0, "no controller has said yes: {needs:?}");
    assert_eq!(scene.vote(&carl, &approval, Choice::Approve).await.unwrap(), Tally::Met);
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_a_person_wrote_is_read_by_people_and_stands_nowhere_in_the_open() {
    let scene = Scene::new(Wish::default()).await;
    let (charge, asked, approval, carl) = asking(&scene).await;
    scene.vote(&carl, &approval, Choice::Reject).await.unwrap();
    scene.quiet().await;
    scene.assert_audit().await;
    assert!(!scene.shows("looked at it"), "not in the audit, which forgets nothing, nor in a column");
    let document = scene.engine().approval(&approval, None).await.unwrap();
    assert_eq!(document["closed_why"], "looked at it");
    assert_eq!(document["votes"][0]["reason"], "looked at it");
    assert_eq!(scene.proposals(&charge, "refund.create").await[0]["why"], "looked at it");
    let ended = scene.engine().audit_entries(99, None).await.unwrap().items;
    let ended = ended.iter().find(|entry| entry["kind"] == "proposal.ended").unwrap();
    assert_eq!(ended["data"]["why"], "rejected");
    assert_eq!(ended["data"]["proposal"], asked.proposal.as_str());
}

/// Keeps an approved action from its intent until the test has changed the world.
fn hold_before_intent(scene: &Scene) {
    scene.stage.gate.harm("GET", "/v1/charges/", usize::MAX, bursar_fake_stripe::gate::Harm::answer(503, ""));
}

fn let_go(scene: &Scene) {
    scene.stage.gate.heal();
    scene.pass_machine(Duration::from_mins(5));
}

#[tokio::test]
async fn a_voter_who_lost_the_role_before_it_was_sent_no_longer_counts() {
    let scene = Scene::new(Wish::default()).await;
    let (_, asked, approval, carl) = asking(&scene).await;
    hold_before_intent(&scene);
    scene.vote(&carl, &approval, Choice::Approve).await.unwrap();
    let demoted = NewPerson {
        email: "carl@northwind.example".to_owned(),
        name: "Carl".to_owned(),
        roles: vec![Role::Support],
        password_hash: None,
    };
    assert_eq!(scene.engine().save_person(&Actor::Engine, demoted).await.unwrap(), carl.id);
    let_go(&scene);
    assert_void(&scene, &asked, "votes no longer cover").await;
}

#[tokio::test]
async fn a_kill_switch_stops_what_was_approved() {
    for scope in ["all", "lane", "person"] {
        let scene = Scene::new(Wish::default()).await;
        let (_, asked, approval, carl) = asking(&scene).await;
        hold_before_intent(&scene);
        scene.vote(&carl, &approval, Choice::Approve).await.unwrap();
        let sam = scene.who("Sam", &[Role::Support]).await;
        let lane = format!("lane:{}/test", scene.stage.stripe.account_id());
        let scope = match scope {
            "lane" => lane,
            "person" => sam.actor().key(),
            other => other.to_owned(),
        };
        scene.engine().kill(&Actor::Engine, &scope, "drill").await.unwrap();
        let_go(&scene);
        assert_void(&scene, &asked, "kill switch").await;
    }
}

#[tokio::test]
async fn a_kill_switch_also_holds_up_an_intent_that_outlived_its_process() {
    let mut scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(9_000);
    let reached = scene.engine().stand_still_at(FailPoint::Intended);
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    reached.await.unwrap();
    scene.engine().kill(&Actor::Engine, "all", "drill").await.unwrap();
    scene.restart().await;
    scene.quiet().await;
    scene.pass_machine(Duration::from_mins(2));
    scene.quiet().await;
    assert!(scene.stage.our_effects().is_empty());
    assert_eq!(scene.state(&asked.proposal).await, ProposalState::Approved, "it waits");
    let waits = scene.execution(&asked.proposal).await.unwrap().waiting_for.unwrap();
    assert!(waits.contains("drill"), "and says for what: {waits}");
    scene.engine().revive(&Actor::Engine, "all").await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    assert_eq!(scene.stage.our_effects().len(), 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_kill_switch_that_would_stop_nothing_is_refused_and_says_what_there_is() {
    let scene = Scene::new(Wish::default()).await;
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let own = scene.engine().lane_names().remove(0).0;
    let account = own.trim_end_matches("/test").to_owned();
    let person = carl.id.to_string();
    let table = [
        (format!("lane:{account}"), own.as_str()),
        (format!("lane:{account}/live"), own.as_str()),
        ("playbook:recover".to_owned(), "recovery"),
        ("agent:tok_1".to_owned(), "none"),
        (format!("api_key:{person}"), "none"),
        ("person:Carl".to_owned(), person.as_str()),
        ("lane".to_owned(), own.as_str()),
        ("everything".to_owned(), "playbook:…"),
    ];
    for (scope, there) in table {
        let refused = scene.engine().kill(&carl.actor(), &scope, "drill").await.unwrap_err().to_string();
        assert!(refused.contains("nothing was stopped") && refused.contains(there), "{scope}: {refused}");
    }
    assert!(scene.engine().health().await.unwrap().kill_switches.is_empty());
    for scope in [format!("lane:{own}"), "playbook:recovery".to_owned(), format!("person:{person}")] {
        scene.engine().kill(&carl.actor(), &scope, "drill").await.unwrap();
    }
    assert_eq!(scene.engine().health().await.unwrap().kill_switches.len(), 3);
}

fn two_controllers() -> Wish {
    let mut wish = Wish::default();
    wish.policies.retain(|file| !file.path.ends_with("refunds.cedar"));
    let text = "@id(\"test.two\") @ask(\"controller\") @quorum(\"2\") \
                permit (principal, action == Bursar::Action::\"refund.create\", resource);";
    wish.policies.push(PolicyFile::new("test/refunds.cedar", text));
    wish
}

#[tokio::test]
async fn two_must_be_two_people() {
    let scene = Scene::new(two_controllers()).await;
    let (_, asked, approval, carl) = asking(&scene).await;
    assert_eq!(scene.vote(&carl, &approval, Choice::Approve).await.unwrap(), Tally::Open);
    let twice = scene.vote(&carl, &approval, Choice::Approve).await;
    assert!(matches!(twice, Err(Error::Vote(VoteError::AlreadyVoted))), "{twice:?}");
    scene.quiet().await;
    assert!(scene.stage.our_effects().is_empty());
    let dora = scene.who("Dora", &[Role::Controller]).await;
    assert_eq!(scene.vote(&dora, &approval, Choice::Approve).await.unwrap(), Tally::Met);
    scene.live_until(&asked.proposal, ProposalState::Done).await;
}

#[tokio::test]
async fn votes_that_race_are_each_counted_once() {
    let scene = Scene::new(two_controllers()).await;
    let (_, asked, approval, carl) = asking(&scene).await;
    let dora = scene.who("Dora", &[Role::Controller]).await;
    let emil = scene.who("Emil", &[Role::Controller]).await;
    let voters = [&carl, &dora, &carl, &emil, &dora, &carl];
    let votes = voters.map(|who| scene.vote(who, &approval, Choice::Approve));
    let tallies = futures_util::future::join_all(votes).await;
    assert_eq!(tallies.iter().filter(|tally| matches!(tally, Ok(Tally::Met))).count(), 1, "{tallies:?}");
    assert_eq!(tallies.iter().filter(|tally| tally.is_ok()).count(), 2, "two people, two votes");
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    assert_eq!(scene.stage.our_effects().len(), 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_stricter_policy_set_voids_what_the_old_one_let_through() {
    let mut scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(9_000);
    hold_before_intent_of_filing(&scene);
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    assert_eq!(asked.state, ProposalState::Approved);
    scene.kill();
    scene.wish.policies.retain(|file| !file.path.ends_with("refunds.cedar"));
    scene.stage.gate.heal();
    scene.restart().await;
    assert_void(&scene, &asked, "no policy permits this").await;
}

/// The request itself reads the charge once; what comes after it does not.
fn hold_before_intent_of_filing(scene: &Scene) {
    scene.stage.gate.harm_after(
        "GET",
        "/v1/charges/",
        1,
        usize::MAX,
        bursar_fake_stripe::gate::Harm::answer(503, ""),
    );
}

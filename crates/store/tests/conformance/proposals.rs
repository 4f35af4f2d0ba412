//! A proposal moves only from a state that allows it; what it holds comes back as it was.

use bursar_domain::action::{Action, Mail};
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_store::audit::{self, Table};
use bursar_store::proposals::{self, Content, Proposal};
use bursar_store::{Store, approvals, budgets, decisions};

use crate::rows::{NOW, approval, decision, keep_inputs, proposal, refund};
use crate::scene::{AT, CUSTOMER, LANE, Scene, is_conflict, number, shows, write};

async fn add(store: &Store, new: Proposal) {
    let keyring = std::sync::Arc::clone(store.keyring());
    write!(store, |tx| proposals::add(tx, &keyring, &[&new], AT).await).unwrap();
}

async fn advance(store: &Store, from: ProposalState, to: ProposalState) -> bursar_store::Result<()> {
    write!(store, |tx| proposals::advance(tx, &proposal(1).id, from, to, NOW, Some("why")).await)
}

#[tokio::test]
async fn it_moves_only_from_where_it_stands() {
    use ProposalState::{Approved, Asking, Done, Void};
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, proposal(1)).await;
    assert!(is_conflict(&advance(store, Approved, Done).await), "it still asks");
    advance(store, Asking, Approved).await.unwrap();
    assert!(is_conflict(&advance(store, Asking, Void).await), "it no longer asks");
    let held = async || {
        let mut db = store.read().await.unwrap();
        proposals::get(&mut db, store.keyring(), &proposal(1).id).await.unwrap().unwrap()
    };
    assert_eq!(held().await.settled_at, None, "approved is not settled");
    advance(store, Approved, Done).await.unwrap();
    let done = held().await;
    assert_eq!((done.state, done.settled_at), (Done, Some(NOW)));
    assert_eq!(
        Proposal { state: Asking, settled_at: None, settled_why: None, ..done },
        proposal(1),
        "the rest as it was"
    );
}

#[tokio::test]
async fn of_two_that_race_one_moves_it() {
    let scene = Scene::new().await;
    add(&scene.store, proposal(1)).await;
    let moves =
        [ProposalState::Approved, ProposalState::Rejected, ProposalState::Expired, ProposalState::Void];
    let results =
        futures_util::future::join_all(moves.map(|to| advance(&scene.store, ProposalState::Asking, to)))
            .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

async fn unsettled(store: &Store, lane: &str, action: &Action) -> Vec<ProposalId> {
    let mut db = store.read().await.unwrap();
    proposals::unsettled_for(&mut db, lane, action).await.unwrap()
}

#[tokio::test]
async fn the_same_wish_is_found_while_it_is_open() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, proposal(1)).await;
    let open = async |lane: &str, target: &str| unsettled(store, lane, &refund(target, 1)).await;
    assert_eq!(open(LANE, "ch_1").await, [proposal(1).id]);
    assert!(open(LANE, "ch_2").await.is_empty());
    assert!(open("acct_1/live", "ch_1").await.is_empty(), "lanes never mix");
    advance(store, ProposalState::Asking, ProposalState::Rejected).await.unwrap();
    assert!(open(LANE, "ch_1").await.is_empty());
    let mut db = store.read().await.unwrap();
    let past = proposals::past(&mut db, &proposal(1).case).await.unwrap();
    assert_eq!(past.len(), 1);
    assert_eq!((past[0].verb.as_str(), past[0].subject.as_str()), ("refund.create", "ch_1"));
    assert_eq!(proposals::of_case(&mut db, store.keyring(), &proposal(1).case).await.unwrap().len(), 1);
    assert_eq!(proposals::counts(&mut db).await.unwrap(), [("rejected".to_owned(), 1)]);
}

#[tokio::test]
async fn what_is_in_doubt_may_have_happened_and_is_not_done_again() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let in_doubt =
        |number| Proposal { state: ProposalState::InDoubt, settled_at: Some(NOW), ..proposal(number) };
    add(store, in_doubt(1)).await;
    assert_eq!(unsettled(store, LANE, &refund("ch_1", 64_000)).await, [proposal(1).id]);
    let mut db = store.read().await.unwrap();
    assert_eq!(proposals::cases_in_doubt(&mut db, 9).await.unwrap(), [proposal(1).case]);
    drop(db);
    let mail = |template: &str| {
        Action::SendMail(Mail {
            to: "ada@example.com".to_owned(),
            customer: CUSTOMER.parse().unwrap(),
            invoice: None,
            template: template.to_owned(),
            locale: "en".to_owned(),
            subject: "Your payment".to_owned(),
            text: "…".to_owned(),
            html: None,
        })
    };
    let content = Content { action: mail("payment_failed@1"), ..proposal(2).content };
    add(store, Proposal { content, ..in_doubt(2) }).await;
    assert_eq!(unsettled(store, LANE, &mail("payment_failed@1")).await, [proposal(2).id]);
    let another = unsettled(store, LANE, &mail("update_payment_method@1")).await;
    assert!(another.is_empty(), "another letter may go");
}

#[tokio::test]
async fn why_it_ended_is_a_code_in_the_open_and_sealed_words() {
    let scene = Scene::new().await;
    let (store, keyring) = (&scene.store, scene.keyring());
    add(store, proposal(1)).await;
    advance(store, ProposalState::Asking, ProposalState::Rejected).await.unwrap();
    write!(store, |tx| proposals::say_why(tx, &keyring, &proposal(1), "jane@example.com asked twice", AT)
        .await)
    .unwrap();
    let mut db = store.read().await.unwrap();
    let held = proposals::get(&mut db, store.keyring(), &proposal(1).id).await.unwrap().unwrap();
    assert_eq!(held.settled_words.as_deref(), Some("jane@example.com asked twice"));
    let mut raw = scene.raw().await;
    let readable = format!("SELECT COUNT(*) FROM proposals WHERE {}", shows("settled_words", "jane"));
    assert_eq!(number(&mut raw, &readable).await, 0);
}

#[tokio::test]
async fn letters_count_when_they_went_or_may_have_gone() {
    use ProposalState::{Approved, Asking, Denied, Done, InDoubt, NoEffect, Refused};
    let scene = Scene::new().await;
    let letter = |number: u8, state| {
        let mail = Mail {
            to: "ada@example.com".to_owned(),
            customer: CUSTOMER.parse().unwrap(),
            invoice: None,
            template: "payment_failed@1".to_owned(),
            locale: "en".to_owned(),
            subject: "Your payment".to_owned(),
            text: "…".to_owned(),
            html: None,
        };
        let content = Content { action: Action::SendMail(mail), ..proposal(number).content };
        Proposal { state, content, ..proposal(number) }
    };
    for (number, state) in (1..).zip([Approved, Asking, Denied, Done, InDoubt, NoEffect, Refused]) {
        add(&scene.store, letter(number, state)).await;
    }
    let mut db = scene.store.read().await.unwrap();
    let sent = proposals::messages_since(&mut db, LANE, CUSTOMER, NOW.micros()).await.unwrap();
    assert_eq!(sent.len(), 3, "approved, done and in doubt");
    assert!(sent.iter().all(|message| message.template == "payment_failed@1"));
    assert!(proposals::messages_since(&mut db, LANE, CUSTOMER, NOW.micros() + 1).await.unwrap().is_empty());
    assert!(proposals::messages_since(&mut db, LANE, "cus_2", 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_day_budget_adds_up_and_gives_back() {
    let scene = Scene::new().await;
    let add = async |lane: &'static str, day: &'static str, currency: &'static str, amount| {
        let counter = budgets::Counter { lane, name: "lane:money_out", day, currency };
        write!(scene.store, |tx| budgets::add(tx, counter, amount).await).unwrap()
    };
    assert_eq!(add(LANE, "2026-11-21", "usd", 10_000).await, 10_000);
    assert_eq!(add(LANE, "2026-11-21", "usd", 5_000).await, 15_000);
    assert_eq!(add(LANE, "2026-11-21", "usd", -10_000).await, 5_000);
    assert_eq!(add(LANE, "2026-11-21", "eur", 1).await, 1, "per currency");
    assert_eq!(add(LANE, "2026-11-22", "usd", 1).await, 1, "per day");
    assert_eq!(add("acct_1/live", "2026-11-21", "usd", 1).await, 1, "per lane");
}

#[tokio::test]
async fn the_inputs_of_a_decision_are_kept_once_and_come_back_for_replay() {
    let scene = Scene::new().await;
    let keyring = scene.keyring();
    let hashes = write!(scene.store, |tx| {
        let one = keep_inputs(tx, &keyring, b"{\"known\":1}").await?;
        let same = keep_inputs(tx, &keyring, b"{\"known\":1}").await?;
        decisions::add(tx, &[&decision(1, &one)]).await?;
        Ok((one, same))
    })
    .unwrap();
    assert_eq!(hashes.0, hashes.1, "addressed by what they are");
    let mut db = scene.store.read().await.unwrap();
    let stored = decisions::of_case(&mut db, &decision(1, "").case).await.unwrap();
    assert_eq!(stored.len(), 1);
    let inputs =
        decisions::inputs(&mut db, scene.store.keyring(), LANE, &stored[0].inputs_hash).await.unwrap();
    assert_eq!(inputs.as_deref(), Some(&b"{\"known\":1}"[..]));
    assert!(decisions::inputs(&mut db, scene.store.keyring(), LANE, "other").await.unwrap().is_none());
}

/// More than one statement holds.
const MANY: u8 = 70;

#[tokio::test]
async fn many_rows_at_once_come_with_what_commits_to_each() {
    let scene = Scene::new().await;
    let keyring = scene.keyring();
    let made: Vec<_> = (0..MANY)
        .map(|number| {
            let action = refund(&format!("ch_{number}"), i64::from(number) + 1);
            let new = proposal(number);
            (Proposal { content: Content { action, ..new.content }, ..new }, approval(number))
        })
        .collect();
    let (wanted, commits) = write!(scene.store, |tx| {
        let proposed: Vec<&Proposal> = made.iter().map(|(proposal, _)| proposal).collect();
        let asked: Vec<_> = made.iter().map(|(_, approval)| approval).collect();
        let bytes: Vec<Vec<u8>> = (0..MANY).map(|number| vec![number / 2]).collect();
        let hashes: Vec<String> = bytes.iter().map(|bytes| decisions::inputs_hash(bytes)).collect();
        let inputs: Vec<_> = bytes
            .iter()
            .zip(&hashes)
            .map(|(bytes, hash)| decisions::Inputs { lane: LANE, subject: CUSTOMER, bytes, hash })
            .collect();
        let decided: Vec<_> =
            hashes.iter().zip(0..).map(|(hash, number): (_, u8)| decision(number, hash)).collect();
        let mut commits = proposals::add(tx, &keyring, &proposed, AT).await?;
        commits.extend(approvals::add(tx, &asked).await?);
        // Of what some share only the first is new.
        commits.extend(decisions::keep_inputs(tx, &keyring, &inputs, AT).await?);
        commits.extend(decisions::add(tx, &decided.iter().collect::<Vec<_>>()).await?);
        let keys = proposed.iter().map(|one| (Table::Proposals, one.id.to_string()));
        let keys = keys.chain(asked.iter().map(|one| (Table::Approvals, one.id.to_string())));
        let keys = keys.chain(hashes.iter().map(|hash| (Table::Inputs, format!("{LANE} {hash}"))));
        let keys = keys.chain(decided.iter().map(|one| (Table::Decisions, one.id.to_string())));
        Ok((keys.collect::<Vec<_>>(), commits))
    })
    .unwrap();
    assert_eq!(commits.len(), usize::from(MANY) * 4);
    let mut db = scene.store.read().await.unwrap();
    for ((table, key), commit) in wanted.into_iter().zip(commits) {
        assert_eq!(commit, audit::commitment(&mut db, table, &key).await.unwrap());
    }
}

#[tokio::test]
async fn of_many_wishes_one_that_is_on_its_way_is_found() {
    let scene = Scene::new().await;
    add(&scene.store, proposal(1)).await;
    let held = refund("ch_1", 64_000);
    let others: Vec<Action> =
        (2..=u64::from(MANY)).map(|number| refund(&format!("ch_{number}"), 1)).collect();
    let mut wanted: Vec<(&str, &Action)> = others.iter().map(|action| (LANE, action)).collect();
    wanted.push(("acct_2/test", &held));
    let mut db = scene.store.read().await.unwrap();
    assert_eq!(proposals::any_unsettled_for(&mut db, &wanted).await.unwrap(), None);
    wanted.push((LANE, &held));
    assert_eq!(proposals::any_unsettled_for(&mut db, &wanted).await.unwrap(), Some(proposal(1).id));
    assert_eq!(proposals::any_unsettled_for(&mut db, &[]).await.unwrap(), None);
}

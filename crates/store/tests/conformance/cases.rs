//! At most one case is open for an object and playbook.

use bursar_domain::case::CaseState;
use bursar_domain::id::CaseId;
use bursar_store::Store;
use bursar_store::cases::{self, Case, Filter};

use crate::rows::{NOW, case};
use crate::scene::{AT, CUSTOMER, LANE, Scene, alter, entropy, is_conflict, write};

async fn save(store: &Store, case: Case) -> bursar_store::Result<()> {
    let keyring = std::sync::Arc::clone(store.keyring());
    write!(store, |tx| cases::save(tx, &keyring, &case, AT).await)
}

fn closed(number: u8) -> Case {
    Case { state: CaseState::Closed { outcome: "paid".to_owned(), at: NOW }, ..case(number) }
}

#[tokio::test]
async fn a_second_open_case_for_the_same_thing_is_refused_until_the_first_is_closed() {
    let scene = Scene::new().await;
    let store = &scene.store;
    save(store, case(1)).await.unwrap();
    assert!(is_conflict(&save(store, case(2)).await));
    let mut other = case(3);
    other.key.playbook = "refunds".to_owned();
    save(store, other).await.unwrap();
    save(store, Case { lane: "acct_1/live".to_owned(), ..case(4) }).await.unwrap();
    save(store, closed(1)).await.unwrap();
    save(store, case(2)).await.unwrap();
    let mut db = store.read().await.unwrap();
    let open = cases::open_of(&mut db, store.keyring(), LANE, &case(1).key).await.unwrap().unwrap();
    assert_eq!(open, case(2), "found by its key, whole");
    let of_object = Filter { object: Some("in_1".to_owned()), limit: 9, ..Filter::default() };
    assert_eq!(cases::list(&mut db, store.keyring(), &of_object).await.unwrap().len(), 4);
    assert!(is_conflict(&save(store, case(1)).await), "and the first cannot be opened again beside it");
}

#[tokio::test]
async fn two_that_race_open_one() {
    let scene = Scene::new().await;
    let saves = (1..=9).map(|number| save(&scene.store, case(number)));
    let results = futures_util::future::join_all(saves).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(results.iter().filter(|result| is_conflict(result)).count(), 8);
}

#[tokio::test]
async fn every_state_comes_back_and_listings_filter_and_page() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let states = [
        CaseState::Open,
        CaseState::NeedsPerson,
        CaseState::Waiting { until: NOW },
        CaseState::Blocked { on: "Stripe does not answer".to_owned() },
        CaseState::Closed { outcome: "paid".to_owned(), at: NOW },
    ];
    for (number, state) in (1_u8..).zip(&states) {
        let mut new =
            Case { state: state.clone(), updated_at: NOW.micros() + i64::from(number), ..case(number) };
        new.key.object_id = format!("in_{number}");
        save(store, new).await.unwrap();
    }
    let mut db = store.read().await.unwrap();
    for (number, state) in (1_u8..).zip(&states) {
        let id = CaseId::from_entropy(entropy(number));
        assert_eq!(&cases::get(&mut db, store.keyring(), &id).await.unwrap().unwrap().state, state);
    }
    let listed = async |db: &mut _, filter: Filter| {
        let found = cases::list(db, store.keyring(), &Filter { limit: 3, ..filter }).await.unwrap();
        found
            .into_iter()
            .map(|case| (case.updated_at, case.id.to_string(), case.key.object_id))
            .collect::<Vec<_>>()
    };
    let names = |cases: &[(i64, String, String)]| cases.iter().map(|case| case.2.clone()).collect::<Vec<_>>();
    let first = listed(&mut db, Filter::default()).await;
    assert_eq!(names(&first), ["in_5", "in_4", "in_3"], "last changed first");
    let before = first.last().map(|(at, id, _)| (*at, id.clone()));
    assert_eq!(names(&listed(&mut db, Filter { before, ..Filter::default() }).await), ["in_2", "in_1"]);
    let by_state = |state: &str| Filter { state: Some(state.to_owned()), ..Filter::default() };
    assert_eq!(
        names(&listed(&mut db, by_state("open")).await),
        ["in_4", "in_3", "in_2"],
        "open is whatever is not closed"
    );
    assert_eq!(names(&listed(&mut db, by_state("needs_person")).await), ["in_2"]);
    let by_customer = Filter { customer: Some("cus_other".to_owned()), ..Filter::default() };
    assert!(listed(&mut db, by_customer).await.is_empty());
    let asked =
        [(LANE, "recovery", "cus_none"), (LANE, "recovery", CUSTOMER), ("acct_1/live", "recovery", CUSTOMER)];
    let open = cases::open_of_customers(&mut db, &asked).await.unwrap();
    assert_eq!(open.iter().map(Vec::len).collect::<Vec<_>>(), [0, 4, 0], "in the order asked, of their lane");
    assert_eq!(cases::open_by_playbook(&mut db).await.unwrap(), [("recovery".to_owned(), 4)]);
    assert_eq!(cases::counts(&mut db).await.unwrap().len(), 4);
}

#[tokio::test]
async fn an_erased_customer_leaves_the_case_without_a_name_also_after_they_came_back() {
    let scene = Scene::new().await;
    save(&scene.store, closed(1)).await.unwrap();
    alter(&mut scene.raw().await, "DELETE FROM subject_keys WHERE subject = 'cus_1'").await;
    let scene = scene.reopen("node-2").await;
    let nameless = async || {
        let mut db = scene.store.read().await.unwrap();
        let held = cases::get(&mut db, scene.store.keyring(), &case(1).id).await.unwrap().unwrap();
        held.details.customer_name.is_none() && !held.details.title.contains("Payment")
    };
    assert!(nameless().await);
    // A new case of the same customer makes a new key, which opens nothing old.
    save(&scene.store, case(2)).await.unwrap();
    assert!(nameless().await);
}

//! Everything else that is kept: small rows, each with one rule.

use std::collections::BTreeMap;

use bursar_domain::actor::Actor;
use bursar_domain::id::{AuditId, GapId, PersonId, QuarantineId, TaskId, TokenId};
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_store::people::{Person, Session, Token};
use bursar_store::quarantine::{NewQuarantined, Settled, State};
use bursar_store::request_keys::{Answer, Kept, RequestKey};
use bursar_store::tasks::NewTask;
use bursar_store::timeline::{NewEntry, Of};
use bursar_store::{modes, people, policies, pollers, quarantine, request_keys, tasks, timeline};
use serde_json::json;

use crate::rows::{NOW, case};
use crate::scene::{AT, CUSTOMER, LANE, Scene, entropy, is_conflict, write};

#[tokio::test]
async fn a_mode_is_the_last_one_set_and_a_switch_stays_thrown_until_it_is_reset() {
    let scene = Scene::new().await;
    let store = &scene.store;
    write!(store, |tx| {
        modes::set(tx, LANE, "recovery", Mode::Assist, AT, "person:1").await?;
        modes::set(tx, LANE, "recovery", Mode::Automate, AT + 1, "person:2").await?;
        modes::kill(tx, "all", "first", AT, "person:1").await?;
        modes::kill(tx, "all", "second", AT, "person:2").await?;
        modes::kill(tx, "lane:a", "other", AT, "person:2").await
    })
    .unwrap();
    let mut db = store.read().await.unwrap();
    assert_eq!(modes::get(&mut db, LANE, "recovery").await.unwrap(), Some(Mode::Automate));
    assert_eq!(modes::get(&mut db, "acct_1/live", "recovery").await.unwrap(), None, "lanes never mix");
    assert_eq!(modes::all(&mut db).await.unwrap()[0].changed_by, "person:2");
    let thrown = modes::killed(&mut db).await.unwrap();
    assert_eq!(
        thrown,
        [("all", "first"), ("lane:a", "other")].map(|(scope, why)| (scope.to_owned(), why.to_owned()))
    );
    write!(store, |tx| modes::revive(tx, "all").await).unwrap();
    assert_eq!(modes::killed(&mut db).await.unwrap().len(), 1);
}

#[tokio::test]
async fn people_are_known_by_their_address_and_secrets_by_their_hash() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let person = |number: u8, roles: &[Role]| Person {
        id: PersonId::from_entropy(entropy(number)),
        email: "ada@example.com".to_owned(),
        name: format!("Ada {number}"),
        roles: roles.to_vec(),
        password_hash: None,
        disabled: false,
    };
    let (first, second) = (person(1, &[Role::Operator, Role::Controller]), person(2, &[Role::Support]));
    let token = Token {
        id: TokenId::from_entropy(entropy(1)),
        person: first.id.clone(),
        name: "laptop".to_owned(),
        kind: "user".to_owned(),
        roles: vec![Role::Operator],
        expires_at: Some(AT),
        revoked: false,
    };
    let session = Session {
        hash: "hash".to_owned(),
        person: first.id.clone(),
        csrf: "csrf".to_owned(),
        seen_at: AT,
        expires_at: AT + 100,
    };
    let (saved, kept, opened) = (first.clone(), token.clone(), session.clone());
    write!(store, |tx| {
        people::save(tx, &saved, AT).await?;
        people::save(tx, &second, AT).await?;
        people::add_token(tx, &kept, "secret's hash", AT).await?;
        people::add_session(tx, &opened).await?;
        people::touch_session(tx, "hash", AT + 5).await
    })
    .unwrap();
    let mut db = store.read().await.unwrap();
    let held = people::get(&mut db, &first.id).await.unwrap().unwrap();
    assert_eq!(
        (held.name.as_str(), held.roles.as_slice()),
        ("Ada 2", &[Role::Support][..]),
        "the same person, changed"
    );
    assert_eq!(people::by_email(&mut db, "ada@example.com").await.unwrap(), Some(held));
    assert_eq!(people::all(&mut db).await.unwrap().len(), 1);
    assert_eq!(people::token_by_hash(&mut db, "secret's hash").await.unwrap(), Some(token));
    assert_eq!(people::token_by_hash(&mut db, "secret").await.unwrap(), None);
    assert_eq!(people::session(&mut db, "hash").await.unwrap(), Some(Session { seen_at: AT + 5, ..session }));
    write!(store, |tx| people::end_sessions_before(tx, AT, AT + 5).await).unwrap();
    assert!(people::session(&mut db, "hash").await.unwrap().is_some(), "neither over nor idle");
    write!(store, |tx| people::end_sessions_before(tx, AT, AT + 6).await).unwrap();
    assert!(people::session(&mut db, "hash").await.unwrap().is_none());
    write!(store, |tx| people::end_session(tx, "hash").await).unwrap();
}

#[tokio::test]
async fn the_active_policy_set_is_the_last_that_was_activated() {
    let scene = Scene::new().await;
    write!(scene.store, |tx| {
        for (id, hash, at) in [("1", "a", AT), ("2", "b", AT + 1)] {
            policies::keep_set(tx, hash, &json!([hash]), AT).await?;
            policies::keep_set(tx, hash, &json!(["another text for the same hash"]), AT).await?;
            policies::activate(tx, id, hash, at, "engine").await?;
        }
        policies::keep_settings(tx, "s", "recovery", &json!({}), AT).await
    })
    .unwrap();
    let mut db = scene.store.read().await.unwrap();
    assert_eq!(policies::active(&mut db).await.unwrap().as_deref(), Some("b"));
    assert_eq!(
        policies::set(&mut db, "a").await.unwrap(),
        Some(json!(["a"])),
        "what was kept is never replaced"
    );
    assert_eq!(policies::set(&mut db, "c").await.unwrap(), None);
}

#[tokio::test]
async fn signed_garbage_is_kept_once_a_reason() {
    let scene = Scene::new().await;
    let keep = async |number: u8, reason: &'static str, body: &[u8]| {
        let keyring = scene.keyring();
        let new = NewQuarantined {
            id: QuarantineId::from_entropy(entropy(number)),
            entry: AuditId::from_entropy(entropy(number)),
            lane: Some(LANE.to_owned()),
            connection: None,
            reason,
            source: "webhook",
            received_at: AT,
            sameness: format!("{body:?}"),
            body: body.to_vec(),
        };
        write!(scene.store, |tx| quarantine::keep(tx, &keyring, new).await).unwrap()
    };
    assert!(keep(1, "not_json", b"<html>").await);
    assert!(!keep(2, "not_json", b"<html>").await);
    assert!(keep(3, "depth", b"<html>").await);
    assert!(keep(4, "not_json", b"<body>").await);
    let mut db = scene.store.read().await.unwrap();
    assert_eq!(quarantine::waiting(&mut db).await.unwrap(), 3);
    let held = quarantine::list(&mut db, 9).await.unwrap();
    assert_eq!(held.len(), 3);
    assert_eq!(held[0].body(&mut db, &scene.keyring()).await.unwrap(), b"<body>");
    let (id, unknown) = (held[0].id.clone(), QuarantineId::from_entropy(entropy(9)).to_string());
    let settle = async |id: &str, state: State| {
        let id = id.to_owned();
        let settled = Settled { state, at: AT, by: "person:1", why: "not_json" };
        write!(scene.store, |tx| quarantine::settle(tx, &id, settled).await)
    };
    settle(&id, State::Refused).await.unwrap();
    settle(&id, State::Accepted).await.unwrap();
    assert!(is_conflict(&settle(&id, State::Refused).await), "what became an event stays one");
    assert!(is_conflict(&settle(&unknown, State::Refused).await));
    assert_eq!(quarantine::waiting(&mut db).await.unwrap(), 2);
    let settled = quarantine::get(&mut db, &id).await.unwrap().unwrap();
    assert_eq!((settled.state, settled.settled_by.as_deref()), (State::Accepted, Some("person:1")));
    assert!(quarantine::get(&mut db, &unknown).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_known_to_be_complete_never_goes_back() {
    let scene = Scene::new().await;
    write!(scene.store, |tx| {
        pollers::start(tx, LANE, 100, 40).await?;
        pollers::start(tx, LANE, 5, 1).await?;
        pollers::failed(tx, LANE, "no answer").await
    })
    .unwrap();
    let mut db = scene.store.read().await.unwrap();
    let held = pollers::get(&mut db, LANE).await.unwrap().unwrap();
    assert_eq!((held.complete_to_s, held.last_error.as_deref()), (100, Some("no answer")));
    for (to, expected) in [(200, 200), (150, 200)] {
        write!(scene.store, |tx| pollers::completed(tx, LANE, to, AT).await).unwrap();
        let held = pollers::get(&mut db, LANE).await.unwrap().unwrap();
        assert_eq!((held.complete_to_s, held.last_error, held.polled_at), (expected, None, Some(AT)));
    }
    let gap = GapId::from_entropy(entropy(1));
    let held = BTreeMap::from([("invoice.paid".to_owned(), 5), ("charge.failed".to_owned(), 2)]);
    let types = held.clone();
    write!(scene.store, |tx| {
        pollers::add_gap(tx, &gap, LANE, (100, 200), AT, &types).await?;
        pollers::keep_connection(tx, "main", "acct_1/test", "hash").await?;
        pollers::keep_connection(tx, "main", "acct_2/test", "hash").await
    })
    .unwrap();
    let gaps = pollers::gaps(&mut db, 9).await.unwrap();
    assert_eq!((gaps[0].events, &gaps[0].held), (7, &held));
    assert_eq!(pollers::connection(&mut db, "main", "hash").await.unwrap().as_deref(), Some("acct_2/test"));
    assert_eq!(
        pollers::connection(&mut db, "main", "another key").await.unwrap(),
        None,
        "another key, another account"
    );
    assert_eq!(pollers::all(&mut db).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_task_is_made_once_and_done_once() {
    let scene = Scene::new().await;
    let id = TaskId::from_entropy(entropy(1));
    for title in ["call them", "call them twice"] {
        let (id, keyring) = (id.clone(), scene.keyring());
        write!(scene.store, |tx| {
            let new = NewTask {
                id: &id,
                lane: LANE,
                case: &case(1).id,
                role: "operator",
                created_at: NOW.micros(),
                subject: CUSTOMER,
                body: json!({"title": title}),
            };
            tasks::add(tx, &keyring, new, AT).await
        })
        .unwrap();
    }
    let finish = async || {
        let id = id.to_string();
        write!(scene.store, |tx| tasks::finish(tx, &id, AT).await)
    };
    finish().await.unwrap();
    assert!(is_conflict(&finish().await));
    let mut db = scene.store.read().await.unwrap();
    let held = tasks::of_case(&mut db, scene.store.keyring(), &case(1).id).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].state.as_str(), &held[0].body), ("done", &json!({"title": "call them"})));
}

#[tokio::test]
async fn a_timeline_keeps_the_order_in_which_it_was_written() {
    let scene = Scene::new().await;
    let (keyring, opened) = (scene.keyring(), case(1));
    write!(scene.store, |tx| bursar_store::cases::save(tx, &keyring, &opened, AT).await).unwrap();
    let lines = (0..9).map(|number: i64| {
        let (store, keyring) = (scene.store.clone(), scene.keyring());
        async move {
            write!(store, |tx| {
                let of =
                    Of { case: &case(1).id, lane: LANE, subject: CUSTOMER, at: NOW.micros(), written_at: AT };
                let line = |number: i64| NewEntry {
                    kind: "note",
                    actor: &Actor::Engine,
                    body: json!({"number": number}),
                };
                timeline::add(tx, &keyring, of, &[line(number * 2), line(number * 2 + 1)]).await
            })
            .unwrap();
        }
    });
    futures_util::future::join_all(lines).await;
    let mut db = scene.store.read().await.unwrap();
    let told = timeline::of_case(&mut db, scene.store.keyring(), &case(1).id).await.unwrap();
    let numbers: Vec<i64> = told.iter().filter_map(|entry| entry.body["number"].as_i64()).collect();
    // Whoever came first is first; of changes that run beside one another nobody knows who that was.
    let mut all = numbers.clone();
    all.sort_unstable();
    assert_eq!(all, (0..18).collect::<Vec<_>>(), "none is lost");
    let together = |pair: &[i64]| pair[0] % 2 == 0 && pair[1] == pair[0] + 1;
    assert!(numbers.chunks(2).all(together), "what was added together stays together: {numbers:?}");
    assert!(crate::DATABASE == bursar_store::Database::Postgres || all == numbers, "{numbers:?}");
}

fn request_key(actor: &str, request_hash: &str) -> RequestKey {
    RequestKey { actor: actor.to_owned(), key: "key".to_owned(), request_hash: request_hash.to_owned() }
}

async fn keep(store: &bursar_store::Store, key: RequestKey, body: &'static str) -> bursar_store::Result<()> {
    let answer = Answer { status: 200, body: body.to_owned() };
    write!(store, |tx| request_keys::keep(tx, &key, &answer, AT).await)
}

async fn kept(scene: &Scene, actor: &str) -> Option<Kept> {
    let mut db = scene.store.read().await.unwrap();
    request_keys::get(&mut db, &request_key(actor, "any")).await.unwrap()
}

#[tokio::test]
async fn a_kept_answer_belongs_to_its_actor_and_key() {
    let scene = Scene::new().await;
    let key = request_key("person:1", "hash");
    keep(&scene.store, key.clone(), "{}").await.unwrap();
    assert!(is_conflict(&keep(&scene.store, key, "[]").await), "the first answer stands");
    let answer = Some(Answer { status: 200, body: "{}".to_owned() });
    let expected = Kept { request_hash: "hash".to_owned(), proposal: None, answer };
    assert_eq!(kept(&scene, "person:1").await, Some(expected));
    assert_eq!(kept(&scene, "person:2").await, None);
}

#[tokio::test]
async fn a_key_is_bound_to_what_it_filed_before_there_is_an_answer() {
    let scene = Scene::new().await;
    let (key, filed) = (request_key("person:1", "hash"), crate::rows::proposal(1).id);
    let reserve = async |key: RequestKey| {
        let filed = filed.clone();
        write!(scene.store, |tx| request_keys::reserve(tx, &key, &filed, AT).await)
    };
    reserve(key.clone()).await.unwrap();
    assert!(is_conflict(&reserve(key.clone()).await), "one request, one thing");
    let bound = Kept { request_hash: "hash".to_owned(), proposal: Some(filed.clone()), answer: None };
    assert_eq!(kept(&scene, "person:1").await, Some(bound.clone()));
    let other = request_key("person:1", "another hash");
    assert!(is_conflict(&keep(&scene.store, other, "{}").await), "not the answer to another request");
    keep(&scene.store, key, "{}").await.unwrap();
    let answer = Some(Answer { status: 200, body: "{}".to_owned() });
    assert_eq!(kept(&scene, "person:1").await, Some(Kept { answer, ..bound }));
}

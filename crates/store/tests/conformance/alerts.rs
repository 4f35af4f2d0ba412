//! A trouble is one alert however many see it, and what is told about it goes out in order and by one attempt at a time.

use bursar_domain::id::{AlertId, NoticeId};
use bursar_store::alerts::{self, Attempted, Found, Notice};
use serde_json::json;

use crate::scene::{AT, Scene, entropy, is_conflict, write};

fn found(about: &str) -> Found {
    Found { code: "key_refused", about: about.to_owned(), facts: json!({"count": 1}) }
}

fn id(number: u8) -> AlertId {
    AlertId::from_entropy(entropy(number))
}

fn notice(number: u8, alert: u8, way: &str, place: i64) -> Notice {
    Notice {
        id: NoticeId::from_entropy(entropy(number)),
        alert: id(alert),
        way: way.to_owned(),
        number: place,
        body: json!({"type": "alert.opened"}),
        made_at: AT,
        due_at: AT,
        attempts: 0,
        last_error: None,
    }
}

#[tokio::test]
async fn a_trouble_is_one_alert_until_it_is_over() {
    let scene = Scene::new().await;
    write!(scene.store, |tx| {
        alerts::see(tx, &id(1), &found("main"), AT).await?;
        alerts::see(tx, &id(2), &found("main"), AT + 1).await?;
        alerts::see(tx, &id(3), &found("other"), AT).await?;
        alerts::tell(tx, &id(1), AT + 2).await?;
        alerts::see_again(tx, &id(1), &json!({"count": 2}), AT + 3).await?;
        alerts::tell(tx, &id(1), AT + 4).await?;
        alerts::forget(tx, &id(3)).await?;
        // What was told cannot be forgotten.
        alerts::forget(tx, &id(1)).await
    })
    .unwrap();
    let mut db = scene.store.read().await.unwrap();
    let current = alerts::current(&mut db).await.unwrap();
    assert_eq!(current.len(), 1, "{current:?}");
    let alert = &current[0];
    assert_eq!((alert.id.clone(), alert.first_seen_at, alert.last_seen_at), (id(1), AT, AT + 3));
    assert_eq!((alert.opened_at, alert.told_at, alert.notices), (Some(AT + 2), Some(AT + 4), 2));
    assert_eq!(alert.facts, json!({"count": 2}));

    write!(scene.store, |tx| alerts::close(tx, &id(1), AT + 5).await).unwrap();
    let again = write!(scene.store, |tx| alerts::tell(tx, &id(1), AT + 6).await);
    assert!(is_conflict(&again), "what is over is not told again: {again:?}");
    write!(scene.store, |tx| alerts::see(tx, &id(4), &found("main"), AT + 7).await).unwrap();
    let current = alerts::current(&mut db).await.unwrap();
    assert_eq!((current.len(), &current[0].id), (1, &id(4)), "the same trouble later is another alert");
    let told = alerts::told(&mut db, 10).await.unwrap();
    assert_eq!(told.iter().map(|alert| alert.closed_at).collect::<Vec<_>>(), [Some(AT + 5)]);
}

#[tokio::test]
async fn notices_go_out_in_order_and_each_attempt_is_one_nodes() {
    let scene = Scene::new().await;
    let all = [
        notice(1, 1, "webhook", 1),
        notice(2, 1, "webhook", 2),
        notice(3, 1, "mail 1", 1),
        notice(4, 2, "webhook", 1),
    ];
    let kept = all.clone();
    write!(scene.store, |tx| {
        for notice in &kept {
            alerts::add_notice(tx, notice).await?;
        }
        Ok(())
    })
    .unwrap();
    let due = async |now: i64| {
        let mut db = scene.store.read().await.unwrap();
        let due = alerts::due(&mut db, "webhook", now, 10).await.unwrap();
        due.into_iter().map(|notice| notice.id).collect::<Vec<_>>()
    };
    let of = |numbers: &[usize]| numbers.iter().map(|number| all[*number].id.clone()).collect::<Vec<_>>();
    assert_eq!(due(AT).await, of(&[0, 3]), "of an alert only the first that waits");
    assert!(due(AT - 1).await.is_empty());

    let (first, also) = (all[0].clone(), all[0].clone());
    assert!(write!(scene.store, |tx| alerts::attempt(tx, &first, AT + 100).await).unwrap());
    assert!(!write!(scene.store, |tx| alerts::attempt(tx, &also, AT + 100).await).unwrap(), "one of two");
    assert_eq!(due(AT + 99).await, of(&[3]), "while it is tried nobody else tries it");
    let (id, later) =
        (all[0].id.clone(), Attempted::Later { due_at: AT + 50, why: "answered 500".to_owned() });
    write!(scene.store, |tx| alerts::attempted(tx, &id, &later).await).unwrap();
    let mut db = scene.store.read().await.unwrap();
    let failing = alerts::failing(&mut db, "webhook", 10).await.unwrap();
    assert_eq!((failing.len(), failing[0].attempts), (1, 1));
    assert_eq!(failing[0].last_error.as_deref(), Some("answered 500"));
    assert!(alerts::waits(&mut db, &self::id(1), "webhook").await.unwrap());

    let id = all[0].id.clone();
    write!(scene.store, |tx| alerts::attempted(tx, &id, &Attempted::Delivered).await).unwrap();
    assert_eq!(due(AT + 50).await, of(&[1, 3]), "then the next");
    assert!(alerts::failing(&mut db, "webhook", 10).await.unwrap().is_empty());
    let id = all[1].id.clone();
    write!(scene.store, |tx| {
        alerts::attempted(tx, &id, &Attempted::GivenUp { why: "answered 500".to_owned() }).await
    })
    .unwrap();
    assert!(!alerts::waits(&mut db, &self::id(1), "webhook").await.unwrap());
    assert!(alerts::waits(&mut db, &self::id(1), "mail 1").await.unwrap(), "each way by itself");
    write!(scene.store, |tx| alerts::forget_before(tx, AT + 1).await).unwrap();
    assert!(due(AT + 1_000).await.is_empty());
}

//! How far history is read: a page and the place of the next are kept together, and by one reader.

use bursar_store::history::{self, Progress, Read};

use crate::scene::{AT, LANE, Scene, is_conflict, write};

fn page(down_to_s: i64, after: &str, is_last: bool) -> Read {
    Read {
        objects: 100,
        from_s: Some(900),
        down_to_s: Some(down_to_s),
        after_id: Some(after.to_owned()),
        is_last,
        took_us: 5,
    }
}

async fn next(scene: &Scene, now: i64) -> Option<Progress> {
    history::next(&mut scene.store.read().await.unwrap(), LANE, now).await.unwrap()
}

#[tokio::test]
async fn kinds_take_turns_and_a_page_is_kept_once() {
    let scene = Scene::new().await;
    write!(scene.store, |tx| {
        history::ask(tx, LANE, "charge", 100, AT).await?;
        history::ask(tx, LANE, "refund", 100, AT).await?;
        history::ask(tx, "acct_1/live", "charge", 100, AT).await
    })
    .unwrap();
    let first = next(&scene, AT).await.unwrap();
    assert_eq!((first.kind.as_str(), first.since_s, first.pages), ("charge", 100, 0));
    let (from, read) = (first.clone(), page(800, "ch_9", false));
    write!(scene.store, |tx| history::read(tx, &from, &read, AT + 1).await).unwrap();
    let late = write!(scene.store, |tx| history::read(tx, &first, &page(700, "ch_8", false), AT + 2).await);
    assert!(is_conflict(&late), "a page that another node has read: {late:?}");
    let second = next(&scene, AT).await.unwrap();
    assert_eq!(second.kind, "refund", "each in its turn");
    write!(scene.store, |tx| history::failed(tx, &second, "403", AT + 3, AT + 60).await).unwrap();
    let third = next(&scene, AT + 4).await.unwrap();
    assert_eq!((third.kind.as_str(), third.after_id.as_deref()), ("charge", Some("ch_9")));
    assert_eq!((third.objects, third.down_to_s, third.spent_us), (100, Some(800), 5));
    write!(scene.store, |tx| history::lose_place(tx, &third).await).unwrap();
    let fourth = next(&scene, AT + 4).await.unwrap();
    assert_eq!((fourth.after_id.clone(), fourth.down_to_s), (None, Some(800)));
    write!(scene.store, |tx| history::read(tx, &fourth, &page(100, "ch_1", true), AT + 5).await).unwrap();
    assert_eq!(next(&scene, AT + 6).await, None, "one is done and the other waits");
    assert_eq!(next(&scene, AT + 60).await.unwrap().last_error.as_deref(), Some("403"));
    let all = history::all(&mut scene.store.read().await.unwrap()).await.unwrap();
    assert_eq!(
        all.iter().map(|row| row.is_done).collect::<Vec<_>>(),
        [false, true, false],
        "lanes never mix"
    );
}

#[tokio::test]
async fn asking_again_goes_further_back_or_begins_anew() {
    let scene = Scene::new().await;
    write!(scene.store, |tx| history::ask(tx, LANE, "charge", 500, AT).await).unwrap();
    let begun = next(&scene, AT).await.unwrap();
    let from = begun.clone();
    write!(scene.store, |tx| history::read(tx, &from, &page(800, "ch_9", false), AT).await).unwrap();
    for (asked, expected) in [(700, 500), (300, 300)] {
        write!(scene.store, |tx| history::ask(tx, LANE, "charge", asked, AT + 1).await).unwrap();
        let going_on = next(&scene, AT + 1).await.unwrap();
        assert_eq!((going_on.since_s, going_on.after_id.as_deref()), (expected, Some("ch_9")), "{asked}");
    }
    let before = next(&scene, AT + 1).await.unwrap();
    let from = before.clone();
    write!(scene.store, |tx| history::read(tx, &from, &page(300, "ch_1", true), AT + 2).await).unwrap();
    write!(scene.store, |tx| history::ask(tx, LANE, "charge", 700, AT + 3).await).unwrap();
    let anew = next(&scene, AT + 3).await.unwrap();
    assert_eq!((anew.since_s, anew.after_id.clone(), anew.from_s, anew.objects), (700, None, None, 0));
    let late = write!(scene.store, |tx| history::read(tx, &before, &page(1, "ch_0", true), AT + 4).await);
    assert!(is_conflict(&late), "what was read for the asking before is not taken for this one: {late:?}");
}

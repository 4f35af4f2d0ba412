//! What is not as it should be is named, each by its kind.

use bursar_store::check;

use crate::scene::alter;
use crate::tampering::recorded;

#[tokio::test]
async fn rows_schema_and_audit_are_looked_through() {
    let (scene, _) = recorded().await;
    let options = scene.dir.options("reader");
    let sound = check::installation(&options).await.unwrap();
    let rows: Vec<&str> = sound.problems.iter().map(|problem| problem.what).collect();
    assert!(
        !rows.contains(&"schema") && !rows.contains(&"key") && !rows.contains(&"audit"),
        "{:?}",
        sound.problems
    );
    let before = sound.problems.len();
    let mut raw = scene.raw().await;
    alter(&mut raw, "DELETE FROM votes").await;
    alter(&mut raw, "UPDATE migrations SET text_hash = 'other' WHERE number = 2").await;
    alter(&mut raw, "DELETE FROM migrations WHERE number = 1").await;
    let found = check::installation(&options).await.unwrap();
    let of = |what: &str| found.problems.iter().filter(|problem| problem.what == what).count();
    assert_eq!((of("schema"), of("audit")), (2, 1), "{:?}", found.problems);
    assert!(found.problems.len() >= before + 3);
    alter(&mut raw, "DELETE FROM approvals").await;
    alter(&mut raw, "DELETE FROM cases").await;
    let found = check::installation(&options).await.unwrap();
    assert!(
        found.problems.iter().any(|problem| problem.detail.contains("whose case is gone")),
        "{:?}",
        found.problems
    );
}

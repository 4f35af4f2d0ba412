//! What is in doubt, on the page of its case.

use axum::http::StatusCode;
use serde_json::json;

use super::desk::Desk;

#[tokio::test]
async fn a_controller_settles_on_the_page_of_the_case_what_nobody_knows() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let fault = json!({"route": "POST /v1/refunds", "kind": "status", "status": 401});
    desk.stripe.arm_fault(fault).unwrap();
    let digest = desk.approval(&id).await["digest"].as_str().unwrap().to_owned();
    let mut carl = desk.signed_in("carl").await;
    carl.submit(&format!("/approvals/{id}/approve"), &[("digest", &digest)]).await;
    desk.until(&id, "in_doubt").await;
    let approval = desk.approval(&id).await;
    let case = approval["case"].as_str().unwrap().to_owned();
    let page = format!("/cases/{case}");
    let settle = format!("{page}/proposals/{}/settle", approval["proposal"].as_str().unwrap());
    let look = settle.replace("/settle", "/look_again");

    let mut sam = desk.signed_in("sam").await;
    let shown = sam.get(&page).await.text;
    assert!(!shown.contains(&settle) && !shown.contains(&look), "Sam has no say in it");
    assert_eq!(sam.submit(&look, &[]).await.status, StatusCode::FORBIDDEN);
    let mut olivia = desk.signed_in("olivia").await;
    let shown = olivia.get(&page).await.text;
    assert!(shown.contains(&look) && !shown.contains(&settle), "{shown}");
    assert_eq!(olivia.submit(&look, &[]).await.status, StatusCode::SEE_OTHER);
    let word = [("truth", "did_not_happen"), ("reason", "not in the dashboard"), ("object", "")];
    assert_eq!(olivia.submit(&settle, &word).await.status, StatusCode::FORBIDDEN);

    assert!(carl.get(&page).await.text.contains(&settle));
    for bad in [[("truth", "maybe"), ("reason", "x")], [("truth", "happened"), ("reason", " ")]] {
        assert_eq!(carl.submit(&settle, &bad).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad:?}");
    }
    assert_eq!(desk.approval(&id).await["status"], "in_doubt");
    let done = carl.submit(&settle, &word).await;
    assert_eq!((done.status, done.leads_to()), (StatusCode::SEE_OTHER, page.as_str()));
    assert_eq!(desk.approval(&id).await["status"], "no_effect");
    let shown = carl.get(&page).await.text;
    assert!(
        shown.contains("said that it did not happen") && shown.contains("Recorded in your name"),
        "{shown}"
    );
    assert_eq!(desk.refunds(), 0);
}

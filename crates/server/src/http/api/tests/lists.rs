//! Rows 77 and 78: lists in Stripe's shape, cursors and limits.

use serde_json::{Value, json};

use super::Stage;
use crate::http::tests::stage::{NOW_S, bytes, event};

const LISTS: [&str; 6] = [
    "/api/v1/approvals",
    "/api/v1/cases",
    "/api/v1/events",
    "/api/v1/quarantine",
    "/api/v1/gaps",
    "/api/v1/audit",
];
const WITH_CURSOR: [&str; 3] = ["/api/v1/approvals", "/api/v1/cases", "/api/v1/events"];

#[tokio::test]
async fn a_limit_is_a_whole_number_from_1_to_100() {
    let stage = Stage::open().await;
    for list in LISTS.into_iter().chain(["/api/v1/dead_letters"]) {
        for (limit, status) in [
            ("1", 200),
            ("100", 200),
            ("0", 400),
            ("101", 400),
            ("-1", 400),
            ("1e9", 400),
            ("1000000000", 400),
            ("99999999999999999999", 400),
            ("10.0", 400),
            ("", 400),
            ("ten", 400),
            ("%31%30", 200),
        ] {
            let answer = stage.get("priya", &format!("{list}?limit={limit}")).await;
            assert_eq!(answer.status, status, "78: {list} {limit}: {}", answer.text);
            if status == 400 {
                assert_eq!(answer.json()["error"]["param"], "limit", "78: {list} {limit}");
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_is_an_id_that_the_list_gave_out() {
    let stage = Stage::open().await;
    for list in WITH_CURSOR {
        let unknown = match list {
            "/api/v1/approvals" => "apreq_01K00000000000000000000000",
            "/api/v1/cases" => "case_01K00000000000000000000000",
            _ => "evt_unknown",
        };
        for cursor in [
            unknown,
            "",
            "case_",
            "evt_",
            "apreq_x",
            "1",
            "../..",
            "%27%20OR%201=1--",
            "%00",
            &"a".repeat(10_000),
        ] {
            let answer = stage.get("priya", &format!("{list}?starting_after={cursor}")).await;
            let shown: String = cursor.chars().take(30).collect();
            assert_eq!(answer.status, 400, "77: {list} {shown}: {}", answer.text);
            assert_eq!(answer.json()["error"]["param"], "starting_after", "77: {list} {shown}");
        }
    }
    for cursor in ["x", "1.5", "99999999999999999999", ""] {
        let answer = stage.get("priya", &format!("/api/v1/audit?before_seq={cursor}")).await;
        assert_eq!(answer.status, 400, "77: {cursor}");
    }
}

#[tokio::test]
async fn a_filter_that_means_nothing_is_an_error() {
    let stage = Stage::open().await;
    for path in [
        "/api/v1/approvals?status=maybe",
        "/api/v1/approvals?status=",
        "/api/v1/cases?state=opened",
        "/api/v1/cases?colour=red",
        "/api/v1/events?livemode=true",
        "/api/v1/audit?starting_after=x",
        "/api/v1/status?verbose=1",
        "/api/v1/modes?lane=x",
    ] {
        let answer = stage.get("priya", path).await;
        assert_eq!(answer.refusal(), (400, "parameter_invalid".to_owned()), "{path}");
    }
}

/// Walks a list page by page.
async fn walk(stage: &Stage, list: &str, limit: usize) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = stage.get("priya", &format!("{list}limit={limit}{after}")).await.json();
        assert_eq!(page["object"], "list");
        let ids: Vec<String> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        assert!(ids.len() <= limit);
        after = format!("&starting_after={}", ids.last().map_or("", String::as_str));
        seen.extend(ids);
        if page["has_more"] == false {
            return seen;
        }
    }
}

#[tokio::test]
async fn pages_hold_everything_once() {
    let stage = Stage::open().await;
    let expected: Vec<String> = (0..25).rev().map(|number| format!("evt_{number:02}")).collect();
    for number in 0..25 {
        let mut event = event(&format!("evt_{number:02}"));
        // Several of one second.
        event["created"] = (NOW_S + number / 4).into();
        assert_eq!(stage.deliver(&bytes(&event)).await.status, 200);
    }
    for limit in [1, 7, 25, 100] {
        assert_eq!(walk(&stage, "/api/v1/events?", limit).await, expected, "{limit} a page");
    }
    assert_eq!(walk(&stage, "/api/v1/events?type=customer.updated&object=cus_A&", 10).await, expected);
    assert_eq!(walk(&stage, "/api/v1/events?type=customer.deleted&", 10).await, Vec::<String>::new());
    for _ in 0..5 {
        stage.asked().await;
    }
    for list in ["/api/v1/approvals?", "/api/v1/cases?", "/api/v1/approvals?status=pending&"] {
        let (mut by_two, mut whole) = (walk(&stage, list, 2).await, walk(&stage, list, 100).await);
        assert_eq!(by_two, whole, "{list}");
        by_two.sort_unstable();
        by_two.dedup();
        whole.sort_unstable();
        assert_eq!((by_two.len(), &by_two), (5, &whole), "{list}");
    }
}

#[tokio::test]
async fn a_look_at_the_head_alone_is_a_look() {
    let stage = Stage::open().await;
    for (query, status) in [("?limit=5", 200), ("?limit=5&limit=5", 400), ("?limit=0", 400)] {
        let request = axum::http::Request::head(format!("/api/v1/cases{query}"));
        let request = request.header("authorization", stage.bearer("sam"));
        let answer = stage.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.text.as_str()), (status, ""), "{query}");
    }
}

#[tokio::test]
async fn an_empty_list_is_a_list() {
    let stage = Stage::open().await;
    for list in LISTS.into_iter().filter(|list| *list != "/api/v1/audit") {
        let page: Value = stage.get("priya", list).await.json();
        assert_eq!(page, json!({"object": "list", "url": list, "has_more": false, "data": []}));
    }
    assert_eq!(stage.get("priya", "/api/v1/mailbox").await.status, 404, "only a demo has one");
}

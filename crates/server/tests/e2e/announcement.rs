//! What `bursar demo --json` prints holds: every key is there, every address answers, every token is its role's.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, Demo};

fn look(demo: &Demo, url: &str) -> Answer {
    demo.web.call(Method::GET, url, crate::stage::Load::default()).unwrap()
}

#[test]
fn the_line_says_where_everything_is_and_everything_is_there() {
    let demo = Demo::start();
    let told = &demo.program.told;
    let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("no {name} in {told}"));
    for name in ["proxy_url", "mcp_url"] {
        let value = told.get(name).unwrap_or_else(|| panic!("no {name} in {told}"));
        assert!(
            value.is_null() || value.as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")),
            "{value}"
        );
    }
    assert!(text("webhook_secret").starts_with("whsec_"));
    assert!(text("stripe_key").starts_with("sk_test_"));
    assert_eq!(text("data_dir"), demo.data_dir().to_str().unwrap());

    assert_eq!(look(&demo, &format!("{}/login", text("console_url"))).status, 200);
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(look(&demo, &format!("{}{path}", text("api_url"))).status, 200, "{path}");
    }
    assert_eq!(look(&demo, &format!("{}/api/v1/status", text("api_url"))).status, 401);
    assert_eq!(look(&demo, text("ingest_url")).status, 405);
    assert_eq!(look(&demo, text("ingest_connect_url")).status, 405);
    assert_eq!(demo.stripe("/v1/account")["object"], "account");
    assert!(demo.stripe("/v1/charges")["data"].as_array().is_some_and(|charges| !charges.is_empty()));
    let mailbox = look(&demo, text("mailbox_url")).status;
    assert!(matches!(mailbox, 200 | 303), "the mailbox, or the way to sign in: {mailbox}");
}

#[test]
fn each_token_speaks_for_its_role() {
    let demo = Demo::start();
    for role in ["operator", "controller", "support", "platform"] {
        assert_eq!(demo.get(role, "/status")["object"], "status", "{role}");
    }
    // Who may change a mode says who is who.
    let mode = json!({"playbook": "recovery", "mode": "automate"});
    let allowed = |role: &str| demo.post(role, "/modes", &mode).status;
    assert_eq!(["platform", "controller", "operator", "support"].map(allowed), [200, 200, 403, 403]);
    let asked = demo.ask(&demo.charge(10_001..=i64::MAX));
    let may = |role: &str| {
        demo.get(role, &format!("/approvals/{}", asked["id"].as_str().unwrap()))["may_decide"].clone()
    };
    assert_eq!(
        ["controller", "operator", "support", "platform"].map(may),
        [true, false, false, false].map(Value::Bool)
    );
}

#[test]
fn a_newcomer_has_something_to_try() {
    let demo = Demo::start();
    let pending = demo.all("controller", "/approvals?status=pending");
    assert!(!pending.is_empty(), "somebody waits for a decision");
    assert!(pending.iter().all(|approval| approval["card"].is_object() && approval["digest"].is_string()));
    let charges = demo.stripe("/v1/charges?limit=100");
    let worth_refunding = |charge: &&Value| {
        charge["paid"] == true
            && charge["amount_refunded"] == 0
            && charge["currency"] == "usd"
            && charge["amount"].as_i64().is_some_and(|amount| amount > 50_000)
    };
    let count = charges["data"].as_array().unwrap().iter().filter(worth_refunding).count();
    assert!(count >= 10, "{count} paid charges over 500.00 USD");
    demo.quiet();
    let cases = demo.all("operator", "/cases?playbook=recovery");
    assert!(!cases.is_empty(), "there are failed payments");
    let letters = demo.get("operator", "/mailbox");
    assert!(!letters["data"].as_array().unwrap().is_empty(), "customers were written to");
}

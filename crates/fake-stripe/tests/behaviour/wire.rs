//! Keys, parameters, lists, expansion, errors.

use bursar_fake_stripe::Options;

use crate::server::{options, start, start_with};

#[tokio::test]
async fn keys_decide_who_may_do_what() {
    let server = start().await;
    let nobody = server.send(server.request("GET", "/v1/charges")).await.unwrap();
    assert_eq!(nobody.status, 401);
    let wrong = server.send(server.request("GET", "/v1/charges").bearer_auth("sk_test_wrong")).await.unwrap();
    assert_eq!(wrong.status, 401);
    let basic = server.request("GET", "/v1/charges").basic_auth(server.stripe.secret_key(), Some(""));
    assert_eq!(server.send(basic).await.unwrap().status, 200);
    let reader = server.stripe.restricted_key(&[("charges", "read"), ("refunds", "write")]).unwrap();
    assert!(reader.starts_with("rk_test_"));
    for (method, path, status) in [
        ("GET", "/v1/charges", 200),
        ("GET", "/v1/refunds", 200),
        ("GET", "/v1/customers", 403),
        ("POST", "/v1/refunds", 400),
        ("POST", "/v1/charges/ch_1", 403),
        // The permission is looked at before the parameters and before the object.
        ("POST", "/v1/refunds/re_of_nobody", 404),
        ("POST", "/v1/invoices/in_of_nobody", 403),
        ("POST", "/v1/billing_portal/sessions", 403),
        ("POST", "/v1/webhook_endpoints/we_of_nobody", 403),
    ] {
        let answer = server.send(server.request(method, path).bearer_auth(&reader)).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    }
}

#[tokio::test]
async fn parameters_are_judged_as_stripe_judges_them() {
    type Form<'a> = &'a [(&'a str, &'a str)];
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    let cases: [(&str, Form<'_>, u16, &str); 7] = [
        ("/v1/refunds", &[("charge", &charge), ("colour", "red")], 400, "parameter_unknown"),
        ("/v1/refunds", &[("amount", "5")], 400, "parameter_missing"),
        ("/v1/refunds", &[("charge", "ch_none")], 400, "resource_missing"),
        ("/v1/refunds", &[("charge", &charge), ("amount", "x")], 400, "parameter_invalid_integer"),
        ("/v1/refunds", &[("charge", &charge), ("amount", "0")], 400, "parameter_invalid_integer"),
        ("/v1/charges/ch_none", &[], 404, "resource_missing"),
        ("/v1/payment_intents", &[("amount", "100")], 400, "parameter_missing"),
    ];
    for (path, form, status, code) in cases {
        let answer = server.post(path, form).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{path} {form:?}");
        assert_eq!(answer.body["error"]["type"], "invalid_request_error");
    }
    assert_eq!(server.get("/v1/nothing").await.status, 404);
    assert_eq!(server.effects("refund.create"), 0);
}

#[tokio::test]
async fn cursors_walk_the_whole_list_both_ways() {
    let server = start().await;
    for index in 0..7 {
        let name = format!("Customer {index}");
        server.post("/v1/customers", &[("name", &name)]).await;
    }
    let first = server.get("/v1/customers?limit=3").await;
    assert_eq!(first.body["data"][0]["name"], "Customer 6", "newest first");
    assert_eq!(first.body["has_more"], true);
    let second = server.get(&format!("/v1/customers?limit=3&starting_after={}", first.ids()[2])).await;
    let third = server.get(&format!("/v1/customers?limit=3&starting_after={}", second.ids()[2])).await;
    assert_eq!(third.body["has_more"], false);
    assert_eq!(third.ids().len(), 1);
    let back = server.get(&format!("/v1/customers?limit=3&ending_before={}", third.ids()[0])).await;
    assert_eq!(back.ids(), second.ids());
    for query in ["limit=0", "limit=101", "limit=x", "starting_after=cus_none"] {
        assert_eq!(server.get(&format!("/v1/customers?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn lists_filter_by_owner_and_time() {
    let server = start().await;
    let (charge, customer) = server.charge(5_000);
    server.charge(6_000);
    server.stripe.advance(100).unwrap();
    let later = server.stripe.now_s();
    server.charge(7_000);
    let mine = server.get(&format!("/v1/charges?customer={customer}")).await;
    assert_eq!(mine.ids(), [charge]);
    let recent = server.get(&format!("/v1/charges?created[gte]={later}")).await;
    assert_eq!(recent.ids().len(), 1);
    assert_eq!(server.get(&format!("/v1/charges?created[lt]={later}")).await.ids().len(), 2);
}

#[tokio::test]
async fn expand_reaches_four_levels_and_no_further() {
    let server = start().await;
    let (charge, customer) = server.charge(5_000);
    let path =
        format!("/v1/charges/{charge}?expand[]=customer&expand[]=balance_transaction&expand[]=refunds");
    let answer = server.get(&path).await;
    assert_eq!(answer.body["customer"]["id"], customer.as_str());
    assert_eq!(answer.body["balance_transaction"]["net"], 5_000 - 175);
    assert_eq!(answer.body["refunds"]["object"], "list");
    let listed = server.get("/v1/charges?expand[]=data.payment_intent.latest_charge.customer").await;
    assert_eq!(listed.body["data"][0]["payment_intent"]["latest_charge"]["customer"]["object"], "customer");
    for wrong in ["customer.a.b.c.d", "colour"] {
        let answer = server.get(&format!("/v1/charges/{charge}?expand[]={wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    let account = server.post("/v1/accounts", &[("country", "DE"), ("type", "standard")]).await.id();
    let key = server.stripe.secret_key();
    let there = |path: &str, account: &str| {
        server.send(server.request("GET", path).bearer_auth(&key).header("stripe-account", account))
    };
    assert_eq!(there(&format!("/v1/charges/{charge}"), &account).await.unwrap().status, 404);
    assert_eq!(there("/v1/charges", &account).await.unwrap().ids().len(), 0);
    assert_eq!(there("/v1/charges", "acct_unknown").await.unwrap().status, 403);
    assert_eq!(there("/v1/account", &account).await.unwrap().id(), account);
}

#[tokio::test]
async fn too_many_calls_in_a_second_are_turned_away() {
    let server = start_with(Options { rate_per_second: Some(3), ..options() }).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(server.get("/v1/charges").await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

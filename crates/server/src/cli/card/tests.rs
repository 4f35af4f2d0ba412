//! The card as people see it in a terminal.

use serde_json::json;

use super::*;

fn approval() -> Value {
    json!({"id": "apreq_1", "object": "approval", "status": "pending", "digest": "7c1e", "card": {
        "title": {"verb": "Refund", "amount": 64000, "currency": "usd", "preposition": "to",
            "counterparty": "Lumen\u{1b}[31m Labs", "counterparty_id": "cus_1", "subject": "of 640.00 USD paid 3 Nov 2026"},
        "requester": {"kind": "api_key", "name": "support-bot", "at": 1, "claim": "double\npayment"},
        "why": [{"policy": "refunds.over_100", "file": "policies/refunds.cedar", "line": 12, "set": "3fa9c1",
            "comparison": {"fact": "amount_home", "value": "640.00 USD", "operator": ">", "limit": "100.00 USD"},
            "counterfactual": "automatic at or below 100.00 USD"}],
        "risk": {"tier": "medium", "reasons": ["over the limit", "cannot be taken back"]},
        "budget": {"label": "Refunded today, this lane", "lines": [{"scope": "USD", "before": "1,180.00 USD", "after": "1,820.00 USD"}]},
        "links": [{"label": "Charge at Stripe", "url": "https://dashboard.stripe.com/acct_1/test/payments/ch_1"}],
        "also": ["first refund for this customer"],
        "facts": [{"label": "refundable now", "value": "640.00 USD", "source": "stripe"},
            {"label": "reason", "value": "double payment", "source": "claimed"}],
        "changes": [{"kind": "create", "object": "refund", "what": "amount 64000 usd"}],
        "request": {"line": "POST /v1/refunds", "idempotency_key": "k"},
        "if_wrong": {"headline": "Not reversible once settled"},
        "who": {"requirements": [{"role": "controller", "quorum": 1, "people": ["Carl"]}],
            "excluded": [{"name": "Sam", "why": "requested it"}]},
        "expiry": {"then": "Nothing is sent."}, "digest": "7c1e"}})
}

#[test]
fn the_card_has_every_part() {
    insta::assert_snapshot!(text(&approval()));
}

#[test]
fn the_money_is_that_of_the_title() {
    assert_eq!(money(&approval()).unwrap().to_string(), "640.00 USD");
    assert_eq!(money(&json!({"card": {"title": {"verb": "Send"}}})), None);
}

#[test]
fn a_card_of_another_shape_does_not_break_the_terminal() {
    for odd in [json!({}), json!({"card": 3}), json!({"card": {"why": "x", "facts": {"a": 1}}})] {
        assert!(text(&odd).contains("APPROVAL"));
    }
}

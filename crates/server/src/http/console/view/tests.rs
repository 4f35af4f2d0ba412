//! Every page, with honest and with hostile content, through the real templates.

use std::collections::BTreeSet;

use askama::Template;

use super::super::super::console;

#[path = "../../../../examples/console_preview/samples.rs"]
mod samples;
#[path = "../../../../examples/console_preview/samples_system.rs"]
mod samples_system;

use samples::Samples;

const STAGES: [&str; 7] = ["open", "single", "barred", "executing", "receipt", "differs", "rejected"];

fn pages(of: &Samples) -> Vec<(String, String)> {
    let mut pages = vec![
        ("login".to_owned(), Samples::login(true).render().unwrap()),
        ("inbox".to_owned(), of.inbox("needs-me", None).render().unwrap()),
        ("inbox, a case".to_owned(), of.inbox("needs-me", Some("case_2")).render().unwrap()),
        ("inbox, empty".to_owned(), of.inbox("empty", None).render().unwrap()),
        ("case".to_owned(), of.case().render().unwrap()),
        ("mailbox".to_owned(), of.mailbox(None, true).render().unwrap()),
        ("mailbox, text".to_owned(), of.mailbox(Some("msg_3"), false).render().unwrap()),
        ("audit".to_owned(), of.audit("Carl").render().unwrap()),
        ("health".to_owned(), of.health().render().unwrap()),
        ("notice".to_owned(), of.notice().render().unwrap()),
    ];
    pages.extend(STAGES.map(|stage| (format!("approval, {stage}"), of.approval(stage).render().unwrap())));
    pages
}

/// The names of the elements of `html` as a browser would see them.
fn elements(html: &str) -> Vec<&str> {
    html.split('<')
        .skip(1)
        .filter(|rest| rest.starts_with(|first: char| first.is_ascii_alphabetic()))
        .map(|rest| rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default())
        .collect()
}

#[test]
fn hostile_text_adds_no_element_but_our_own_marks() {
    for ((name, honest), (_, hostile)) in pages(&Samples::honest()).iter().zip(pages(&Samples::hostile())) {
        let count =
            |html: &str, element: &str| elements(html).iter().filter(|found| **found == element).count();
        let known: BTreeSet<_> = elements(&hostile).into_iter().collect();
        for element in known {
            // The marks of hidden characters and of what was left out are spans.
            if element != "span" {
                assert_eq!(count(&hostile, element), count(honest, element), "<{element}> on {name}");
            }
        }
        // A message's own HTML keeps what it likes: it is shut into its frame.
        let outside_frames = hostile.split(" srcdoc=\"").enumerate().map(|(index, part)| {
            if index == 0 { part } else { part.split_once('"').map_or("", |(_, rest)| rest) }
        });
        assert!(
            outside_frames.into_iter().all(|part| !part.contains('\u{202E}')),
            "{name} obeys an override"
        );
        assert!(!hostile.contains(">49<"), "{name} evaluated a template in data");
    }
}

#[test]
fn nothing_is_inline_that_the_content_policy_would_refuse() {
    for (name, html) in pages(&Samples::honest()) {
        assert!(!html.contains("<style"), "{name}");
        assert!(!html.contains(" style="), "{name}");
        for script in html.split("<script").skip(1) {
            assert!(script.starts_with(" src=") || script.starts_with(" type=\"module\" src="), "{name}");
        }
        for handler in [" onclick=", " onload=", " onsubmit=", "javascript:"] {
            assert!(!html.contains(handler), "{name}: {handler}");
        }
    }
}

#[test]
fn every_asset_a_page_names_is_embedded() {
    for (name, html) in pages(&Samples::honest()) {
        for part in html.split("\"/assets/").skip(1) {
            let address = part.split('"').next().unwrap_or_default();
            assert!(address.contains("?v="), "{name} names {address}, which is not embedded");
        }
    }
}

#[test]
fn every_form_that_changes_something_posts_and_carries_the_token() {
    for (name, html) in pages(&Samples::honest()) {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            if form.contains("method=\"get\"") || form.contains("method=\"dialog\"") {
                continue;
            }
            assert!(form.contains("method=\"post\""), "{name}: a form without a method");
            assert!(form.contains("name=\"csrf\" value=\"csrf-sample\""), "{name}: a form without a token");
        }
    }
}

#[test]
fn a_vote_is_bound_to_the_digest_that_is_shown() {
    let html = Samples::honest().approval("open").render().unwrap();
    let digest = "7c1e5b0f2a94d36e81c7f5a20b9e4d63fa1872c05de94b3f6071a8c2e95d4b10";
    assert_eq!(html.matches(&format!("name=\"digest\" value=\"{digest}\"")).count(), 2);
    assert!(html.contains("six hundred forty US dollars"));
}

#[test]
fn who_may_not_decide_and_what_is_decided_offer_no_vote() {
    for stage in STAGES.into_iter().filter(|stage| !matches!(*stage, "open" | "single")) {
        let html = Samples::honest().approval(stage).render().unwrap();
        assert!(!html.contains("/approve\""), "{stage}");
        assert!(!html.contains("/reject\""), "{stage}");
    }
}

#[test]
fn demo_and_test_lane_are_said_in_words_on_every_page() {
    for (name, html) in pages(&Samples::honest()) {
        assert!(html.contains("Demo - simulated"), "{name}");
        if name != "login" {
            assert!(html.contains("TEST"), "{name}");
        }
    }
}

#[test]
fn ids_are_unique_and_every_label_has_its_field() {
    for (name, html) in pages(&Samples::honest()) {
        let ids: Vec<_> =
            html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "{name} repeats an id: {ids:?}");
        for rest in html.split("<label for=\"").skip(1) {
            let field = rest.split('"').next().unwrap_or_default();
            assert!(ids.contains(&field), "{name}: a label for {field}, which does not exist");
        }
    }
}

#[test]
fn the_card_document_reads_back_as_the_card() {
    struct Desk;
    impl console::view::card_document::Context for Desk {
        fn exponent(&self, currency: &str) -> u8 {
            if currency == "jpy" { 0 } else { 2 }
        }
        fn moment(&self, micros: i64) -> console::view::Stamp {
            console::view::Stamp::new(micros.to_string(), "a moment")
        }
        fn when(&self, micros: i64) -> console::view::Stamp {
            console::view::Stamp::new(micros.to_string(), "today")
        }
        fn age(&self, micros: i64) -> console::view::Stamp {
            console::view::Stamp::new(micros.to_string(), "12 s ago")
        }
    }
    let json = r#"{
        "title": {"verb": "Refund", "amount": 64000, "currency": "usd", "counterparty": "Lumen Labs", "counterparty_id": "cus_1", "subject": null},
        "requester": {"kind": "agent", "name": "support-bot", "id": "agt_1", "on_behalf_of": null, "at": 1, "claim": "twice"},
        "why": [{"policy": "refunds.over_100", "file": "policies/refunds.cedar", "line": 12, "set": "3fa9c1d0e5f6", "comparison":
            {"fact": "amount_home", "value": "640.00 USD", "operator": ">", "limit": "100.00 USD"}, "condition": null,
            "counterfactual": "automatic at or below 100.00 USD"}],
        "facts": [{"label": "Disputed", "value": "no", "source": "stripe", "as_of": 5, "guard": true}],
        "changes": [{"kind": "side_effect", "object": "customer", "what": "mail"}],
        "request": {"line": "POST /v1/refunds", "idempotency_key": "k", "body": "amount=64000"},
        "if_wrong": {"headline": "Not reversible", "compensation": null},
        "who": {"requirements": [{"role": "controller", "quorum": 1, "yes": 1, "people": ["Carl"]}], "excluded": [{"name": "Sam", "why": "requester"}]},
        "expiry": {"at": 9, "then": "Rejected; nothing is sent"},
        "digest": "7c1e"
    }"#;
    let document: console::view::CardDocument = serde_json::from_str(json).unwrap();
    let card = document.into_card(&Desk);
    assert_eq!(card.title.amount.as_ref().map(console::view::Amount::text).as_deref(), Some("640.00 USD"));
    assert_eq!(card.why[0].place, "policies/refunds.cedar:12");
    assert_eq!(card.why[0].set, "3fa9c1d0");
    assert!(card.who[0].met());
    assert!(card.goes_to_stripe());
    assert!(
        serde_json::from_str::<console::view::CardDocument>(&json.replace("\"digest\"", "\"surprise\""))
            .is_err()
    );
}

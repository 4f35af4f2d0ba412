//! Letters: what a customer gets, and what a case says while no letter can go out.

use std::sync::Arc;

use bursar_connectors::mail::listener::{Limits, MailListener};
use bursar_connectors::mail::mailbox::{Capacity, Mailbox};
use bursar_domain::time::BusinessTime;
use bursar_store::cases::Filter;
use serde_json::{Value, json};

use crate::stage::{Clockwork, Demo, Pair, until};

#[test]
fn a_customer_is_written_to_once() {
    let demo = Demo::start();
    let wish = json!({"amount": 64_000, "decline_code": "expired_card"});
    let made = demo.trigger("invoice.payment_failed", &wish);
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap();
    demo.case_about(invoice, |case| case["class"].is_string());
    demo.quiet();
    assert_eq!(demo.try_post_event(&made["event"]).unwrap(), 200);
    demo.quiet();
    let number = made["event"]["data"]["object"]["number"].as_str().unwrap();
    let about = |letter: &Value| letter["text"].as_str().is_some_and(|text| text.contains(number));
    let letters = demo.get("operator", "/mailbox?limit=100");
    let letters: Vec<Value> =
        letters["data"].as_array().unwrap().iter().filter(|letter| about(letter)).cloned().collect();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let text = letters[0]["text"].as_str().unwrap();
    assert!(text.contains("640.00 USD") && text.contains("https://"), "{text}");
}

/// A port on which nobody listens.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn letter_of(case: &Value) -> Option<Value> {
    let proposals = case["proposals"].as_array().unwrap();
    proposals
        .iter()
        .find(|proposal| proposal["verb"].as_str().is_some_and(|verb| verb.starts_with("mail")))
        .cloned()
}

#[test]
fn a_mail_server_that_is_down_is_waited_for_and_named() {
    let port = free_port();
    let pair = Pair::start(&format!(
        "\n[mail]\nfrom = \"Northwind Billing <billing@northwind.example>\"\n\
         [mail.smtp]\nurl = \"smtp://127.0.0.1:{port}\"\n"
    ));
    let site = &pair.site;
    let made =
        site.trigger("invoice.payment_failed", &json!({"amount": 64_000, "decline_code": "expired_card"}));
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap();
    let case = site.case_about(invoice, |case| case["class"].is_string());
    let letter = || letter_of(&site.get("operator", &format!("/cases/{}", case["id"].as_str().unwrap())));
    let waits = until("the case to say what it waits for", || {
        letter().and_then(|letter| letter["execution"]["waiting_for"].as_str().map(str::to_owned))
    });
    assert!(waits.contains("mail"), "{waits}");
    let letter = letter().unwrap();
    assert_eq!((&letter["state"], &letter["execution"]["finished_at"]), (&json!("approved"), &Value::Null));
}

#[tokio::test]
async fn a_letter_goes_out_once_when_the_mail_server_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let clockwork = Clockwork::start(&folder.path().join("data"), Some(port)).await;
    let wish = json!({"amount": 64_000, "decline_code": "expired_card"});
    let made = clockwork.stripe.trigger("invoice.payment_failed", wish).unwrap();
    let invoice = &made["event"]["data"]["object"];
    let about = Filter { object: invoice["id"].as_str().map(str::to_owned), ..Filter::default() };
    let letter = async || {
        let cases = clockwork.engine.cases(about.clone(), None, 10).await.unwrap();
        let case = cases.items.first()?;
        letter_of(&clockwork.case(&case["id"]).await)
    };
    let waiting = async || letter().await.filter(|letter| letter["execution"]["waiting_for"].is_string());
    clockwork.until("the letter to wait", waiting).await;

    let mailbox = Arc::new(Mailbox::open(&folder.path().join("mailbox.jsonl"), Capacity::default()).unwrap());
    let clock = Arc::new(|| BusinessTime::from_unix_s(1_795_219_200));
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let listener = MailListener::bind(address, Arc::clone(&mailbox), clock, Limits::default()).await.unwrap();
    tokio::spawn(listener.serve(std::future::pending()));
    let gone = async || letter().await.filter(|letter| letter["state"] == "done");
    clockwork.until("the letter to go out", gone).await;
    let number = invoice["number"].as_str().unwrap();
    let letters = mailbox.letters();
    let count = letters
        .iter()
        .filter(|letter| letter.text.as_ref().is_some_and(|text| text.contains(number)))
        .count();
    assert_eq!(count, 1);
    clockwork.engine.stop().await;
}

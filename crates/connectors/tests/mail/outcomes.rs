//! Every class of outcome, brought about by a server that really behaves so.

use std::time::Duration;

use bursar_connectors::mail::listener::Misbehaviour;
use bursar_connectors::mail::{Deadlines, Letter, MailSettings, SmtpMail};
use bursar_connectors::{Connector, Delivery, DeliveryOutcome, Health, Lookup};
use bursar_domain::time::BusinessTime;
use tokio::net::TcpListener;

use crate::fake::{ANY_PORT, FROM, Fake, RECEIVED_AT, delivery, impatient_for_answer, scripted, settings};

#[tokio::test]
async fn a_letter_arrives_as_it_was_written() {
    let fake = Fake::start().await;
    let connector = SmtpMail::new(MailSettings {
        reply_to: Some("Hilfe für Kunden <help@northwind.example>".to_owned()),
        ..settings(fake.address)
    });
    let sent = delivery("exec_1");
    let outcome = connector.unwrap().deliver(&sent).await;
    assert_eq!(outcome, DeliveryOutcome::Delivered { reference: "<exec_1@northwind.example>".to_owned() });

    let kept = fake.mailbox.letter(1).unwrap();
    assert_eq!(kept.envelope_from, "billing@northwind.example");
    assert_eq!(kept.envelope_to, ["zoe@example.com"]);
    assert_eq!(kept.from, FROM);
    assert_eq!(kept.to, [sent.message.to]);
    assert_eq!(kept.reply_to.as_deref(), Some("Hilfe für Kunden <help@northwind.example>"));
    assert_eq!(kept.subject, sent.message.subject);
    assert_eq!(kept.text.as_deref().map(str::trim_end), Some(sent.message.text.trim_end()));
    assert_eq!(kept.html.as_deref().map(str::trim_end), sent.message.html.as_deref().map(str::trim_end));
    assert_eq!(kept.message_id.as_deref(), Some("exec_1@northwind.example"));
    assert_eq!((kept.date, kept.received_at), (Some(BusinessTime::from_unix_s(1_790_000_000)), RECEIVED_AT));
}

#[tokio::test]
async fn a_repeat_is_recognisable_and_is_not_hidden() {
    let fake = Fake::start().await;
    let connector = fake.connector();
    for key in ["exec_1", "exec_1", "exec_2"] {
        assert!(matches!(connector.deliver(&delivery(key)).await, DeliveryOutcome::Delivered { .. }));
    }
    let ids: Vec<_> =
        fake.mailbox.letters().iter().map(|letter| letter.message_id.clone().unwrap()).collect();
    assert_eq!(ids, ["exec_1", "exec_1", "exec_2"].map(|key| format!("{key}@northwind.example")));
    assert_eq!(connector.lookup(), Lookup::None);
}

#[tokio::test]
async fn a_refused_recipient_or_message_is_final() {
    let fake = Fake::start().await;
    for (misbehaviour, expected) in
        [(Misbehaviour::RefuseRecipients, 550), (Misbehaviour::RefuseMessages, 554)]
    {
        fake.conduct.set(misbehaviour);
        let outcome = fake.connector().deliver(&delivery("exec_1")).await;
        assert!(
            matches!(outcome, DeliveryOutcome::Refused { code: Some(code), .. } if code == expected),
            "{outcome:?}"
        );
    }
    assert_eq!(fake.letters_kept(), 0);
}

#[tokio::test]
async fn greylisting_is_waited_out() {
    let fake = Fake::start().await;
    fake.conduct.set(Misbehaviour::Greylist);
    let outcome = fake.connector().deliver(&delivery("exec_1")).await;
    assert!(
        matches!(&outcome, DeliveryOutcome::Retry { after, why } if *after >= Duration::from_mins(5) && why.contains("451")),
        "{outcome:?}"
    );

    fake.conduct.set(Misbehaviour::None);
    assert!(matches!(fake.connector().deliver(&delivery("exec_1")).await, DeliveryOutcome::Delivered { .. }));
    assert_eq!(fake.letters_kept(), 1);
}

#[tokio::test]
async fn nobody_at_the_door_is_a_retry() {
    let vacant = TcpListener::bind(ANY_PORT).await.unwrap().local_addr().unwrap();
    let connector = SmtpMail::new(settings(vacant)).unwrap();
    assert!(matches!(connector.deliver(&delivery("exec_1")).await, DeliveryOutcome::Retry { .. }));
    assert!(matches!(connector.health().await, Health::Down { .. }));
}

#[tokio::test]
async fn a_server_too_slow_to_be_given_the_letter_is_a_retry() {
    let fake = Fake::start().await;
    fake.conduct.set(Misbehaviour::Slow(Duration::from_hours(1)));
    let deadlines = Deadlines { offer: Duration::from_millis(50), ..Deadlines::default() };
    let connector = SmtpMail::new(MailSettings { deadlines, ..settings(fake.address) }).unwrap();
    assert!(matches!(connector.deliver(&delivery("exec_1")).await, DeliveryOutcome::Retry { .. }));
    assert_eq!(fake.letters_kept(), 0);
}

#[tokio::test]
async fn a_connection_lost_within_the_message_is_never_called_delivered() {
    let fake = Fake::start().await;
    fake.conduct.set(Misbehaviour::HangUpWithinMessage);
    let outcome = fake.connector().deliver(&delivery("exec_1")).await;
    // Whether we notice while writing, or only when the dot gets no answer, is up to the kernel's buffers.
    assert!(
        matches!(outcome, DeliveryOutcome::Retry { .. } | DeliveryOutcome::PossiblySent { .. }),
        "{outcome:?}"
    );
    assert_eq!(fake.letters_kept(), 0);
}

#[tokio::test]
async fn silence_after_the_dot_is_possibly_sent() {
    let fake = Fake::start().await;
    fake.conduct.set(Misbehaviour::SilentAfterMessage);
    let outcome = impatient_for_answer(fake.address).deliver(&delivery("exec_1")).await;
    assert!(matches!(outcome, DeliveryOutcome::PossiblySent { .. }), "{outcome:?}");
    // And indeed it was: a second attempt would have been a second letter.
    fake.mailbox.newest().wait_for(|newest| *newest == 1).await.unwrap();
}

#[tokio::test]
async fn a_connection_lost_after_the_dot_is_possibly_sent() {
    let fake = Fake::start().await;
    fake.conduct.set(Misbehaviour::HangUpAfterMessage);
    let outcome = fake.connector().deliver(&delivery("exec_1")).await;
    assert!(matches!(outcome, DeliveryOutcome::PossiblySent { .. }), "{outcome:?}");
    assert_eq!(fake.letters_kept(), 1);
}

#[tokio::test]
async fn nonsense_after_the_dot_is_possibly_sent() {
    for nonsense in ["OK!\r\n", "354 go on\r\n", "250-and then nothing\r\n", "\r\n"] {
        let (server, served) = scripted(move |mut peer| async move {
            peer.greet(&[]).await;
            peer.take_letter().await;
            peer.say(nonsense).await;
        })
        .await;
        let outcome = SmtpMail::new(settings(server)).unwrap().deliver(&delivery("exec_1")).await;
        assert!(matches!(outcome, DeliveryOutcome::PossiblySent { .. }), "{nonsense:?}: {outcome:?}");
        served.await.unwrap();
    }
}

#[tokio::test]
async fn an_injected_header_never_reaches_a_socket() {
    // Nobody listens there: had we tried, the outcome would be a retry.
    let vacant = TcpListener::bind(ANY_PORT).await.unwrap().local_addr().unwrap();
    let connector = SmtpMail::new(settings(vacant)).unwrap();
    let good = delivery("exec_1");
    let evil = [
        Letter { subject: "Hi\r\nBcc: eve@evil.example".to_owned(), ..good.message.clone() },
        Letter { to: "zoe@example.com>\r\nRCPT TO:<eve@evil.example".to_owned(), ..good.message.clone() },
        Letter { to: "zoe@example.com, eve@evil.example".to_owned(), ..good.message.clone() },
    ];
    for message in evil {
        let outcome = connector.deliver(&Delivery { message, ..good.clone() }).await;
        assert!(matches!(outcome, DeliveryOutcome::Refused { code: None, .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn health_meets_the_server_and_leaves_nothing() {
    let fake = Fake::start().await;
    let health = fake.connector().health().await;
    assert!(matches!(&health, Health::Up { detail } if detail.contains("bursar mailbox")), "{health:?}");
    assert_eq!(fake.letters_kept(), 0);
}

//! What goes over the wire before the letter, against servers that are odd or hostile.

use bursar_connectors::mail::{Letter, SmtpMail};
use bursar_connectors::{Connector, Delivery, DeliveryOutcome};

use crate::fake::{Fake, delivery, scripted, settings};

async fn deliver_to(server: std::net::SocketAddr) -> DeliveryOutcome {
    SmtpMail::new(settings(server)).unwrap().deliver(&delivery("exec_1")).await
}

#[tokio::test]
async fn greetings_that_are_none_end_in_a_retry() {
    let endless = "2".repeat(100_000);
    let many = "220-and\r\n".repeat(1000);
    for greeting in ["554 no service\r\n", "421 busy\r\n", "HTTP/1.1 200 OK\r\n\r\n", &endless, &many, ""] {
        let greeting = greeting.to_owned();
        let (server, served) = scripted(move |mut peer| async move { peer.say(&greeting).await }).await;
        let outcome = deliver_to(server).await;
        assert!(matches!(outcome, DeliveryOutcome::Retry { .. }), "{outcome:?}");
        served.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_lost_before_the_message_is_a_retry() {
    for answered in 0..3 {
        let (server, served) = scripted(move |mut peer| async move {
            peer.greet(&[]).await;
            for _ in 0..answered {
                peer.hear().await;
                peer.say("250 ok\r\n").await;
            }
            peer.hear().await
        })
        .await;
        let outcome = deliver_to(server).await;
        assert!(matches!(outcome, DeliveryOutcome::Retry { .. }), "{outcome:?}");
        let last_heard = served.await.unwrap();
        assert!(last_heard.starts_with(["MAIL FROM:", "RCPT TO:", "DATA"][answered]), "{last_heard}");
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_that_does_not_ask_for_it() {
    let (server, served) = scripted(|mut peer| async move {
        peer.greet(&[]).await;
        for _ in ["MAIL", "RCPT", "DATA"] {
            peer.hear().await;
            peer.say("250 ok\r\n").await;
        }
        peer.hear_all().await
    })
    .await;
    assert!(matches!(deliver_to(server).await, DeliveryOutcome::Retry { .. }));
    assert_eq!(served.await.unwrap(), "", "DATA was answered with 250, not 354");
}

#[tokio::test]
async fn every_line_of_the_letter_is_stuffed() {
    let (server, served) = scripted(|mut peer| async move {
        peer.greet(&[]).await;
        let letter = peer.take_letter().await;
        peer.say("250 ok\r\n").await;
        letter
    })
    .await;
    assert!(matches!(deliver_to(server).await, DeliveryOutcome::Delivered { .. }));
    let letter = served.await.unwrap();
    assert!(letter.contains("\n..\n") && letter.contains("\n...\n"), "{letter}");
}

#[tokio::test]
async fn an_address_outside_ascii_needs_a_server_that_takes_it() {
    let message = Letter { to: "josé@example.com".to_owned(), ..delivery("exec_1").message };
    let sent = Delivery { message, ..delivery("exec_1") };

    let fake = Fake::start().await;
    assert!(matches!(fake.connector().deliver(&sent).await, DeliveryOutcome::Delivered { .. }));
    assert_eq!(fake.mailbox.letter(1).unwrap().to, ["josé@example.com"]);

    let (server, served) = scripted(|mut peer| async move {
        peer.greet(&[]).await;
        peer.hear_all().await
    })
    .await;
    let outcome = SmtpMail::new(settings(server)).unwrap().deliver(&sent).await;
    assert!(matches!(outcome, DeliveryOutcome::Refused { code: None, .. }), "{outcome:?}");
    assert_eq!(served.await.unwrap(), "");
}

//! The listener as other mail programs meet it: orders of commands, limits, bad lines.

use std::sync::Arc;
use std::time::Duration;

use bursar_connectors::mail::listener::Limits;
use bursar_connectors::mail::mailbox::Capacity;
use bursar_connectors::mail::{MailListener, Mailbox, SmtpMail};
use bursar_connectors::{Connector, DeliveryOutcome};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::fake::{ANY_PORT, Fake, Peer, RECEIVED_AT, delivery, settings};

async fn client(fake: &Fake) -> Peer<TcpStream> {
    let mut client = Peer::over(TcpStream::connect(fake.address).await.unwrap());
    assert!(client.hear().await.starts_with("220 "));
    client
}

/// Says each line and checks the beginning of the answer.
async fn exchange(client: &mut Peer<TcpStream>, lines: &[(&str, &str)]) {
    for (said, expected) in lines {
        client.say(&format!("{said}\r\n")).await;
        let heard = client.hear().await;
        assert!(heard.starts_with(expected), "{said:?} was answered with {heard:?}");
    }
}

const BEGUN: [(&str, &str); 3] =
    [("MAIL FROM:<a@example.com>", "250"), ("RCPT TO:<b@example.com>", "250"), ("DATA", "354")];

#[tokio::test]
async fn commands_have_their_order() {
    let fake = Fake::start().await;
    let mut client = client(&fake).await;
    let conversation = [
        ("HELO me", "250"),
        ("RCPT TO:<b@example.com>", "503"),
        ("DATA", "503"),
        ("MAIL FROM:a@example.com", "501"),
        ("mail from:<>", "250"),
        ("MAIL FROM:<a@example.com>", "503"),
        ("DATA", "503"),
        ("RSET", "250"),
        ("RCPT TO:<b@example.com>", "503"),
        ("NOOP", "250"),
        ("VRFY b", "502"),
        ("MAIL FROM:<a@example.com> SIZE=10", "250"),
        ("RCPT TO:<b@example.com>", "250"),
        ("RCPT TO:<>", "501"),
        ("DATA", "354"),
        ("Subject: x\r\n\r\n..dot\r\n.", "250"),
        ("DATA", "503"),
        ("QUIT", "221"),
    ];
    exchange(&mut client, &conversation).await;
    assert_eq!(client.hear_all().await, "");
    let kept = fake.mailbox.letter(1).unwrap();
    assert_eq!((kept.subject.as_str(), kept.text.as_deref()), ("x", Some(".dot\n")));
    assert_eq!(fake.letters_kept(), 1);
}

#[tokio::test]
async fn limits_are_kept_and_the_conversation_goes_on() {
    let fake =
        Fake::with(Limits { message_bytes: 100, line_bytes: 50, recipients: 1, ..Limits::default() }).await;
    let mut client = client(&fake).await;
    let long_line = "x".repeat(80);
    let hidden_end = format!("{}.\r\n.", "x".repeat(50));
    for (message, answer) in [
        (format!("{}.", "words\r\n".repeat(40)), "552"),
        (format!("{long_line}\r\n."), "550"),
        (hidden_end, "550"),
        ("bare\nlines\r\n.".to_owned(), "550"),
        ("words\r\n.".to_owned(), "250"),
    ] {
        exchange(&mut client, &BEGUN).await;
        exchange(&mut client, &[(&message, answer)]).await;
    }
    exchange(&mut client, &BEGUN[..2]).await;
    exchange(&mut client, &[("RCPT TO:<c@example.com>", "452"), (&long_line, "500")]).await;
    assert_eq!(client.hear_all().await, "", "a line without end closes the connection");
    assert_eq!(fake.letters_kept(), 1);
}

#[tokio::test]
async fn who_only_errs_is_sent_away() {
    let fake = Fake::start().await;
    let mut client = client(&fake).await;
    client.say(&"WHAT\r\n".repeat(30)).await;
    let heard = client.hear_all().await;
    assert!(heard.matches("502").count() == 20 && heard.contains("421"), "{heard}");
}

#[tokio::test]
async fn who_says_nothing_is_cut_off() {
    let fake = Fake::with(Limits { idle: Duration::from_millis(20), ..Limits::default() }).await;
    let mut client = client(&fake).await;
    assert_eq!(client.hear_all().await, "");
}

#[tokio::test]
async fn a_letter_survives_the_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailbox.jsonl");
    let mailbox = Arc::new(Mailbox::open(&path, Capacity::default()).unwrap());
    let listener =
        MailListener::bind(ANY_PORT, mailbox, Arc::new(|| RECEIVED_AT), Limits::default()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(listener.serve(async move { drop(stopped.await) }));

    let connector = SmtpMail::new(settings(address)).unwrap();
    assert!(matches!(connector.deliver(&delivery("exec_1")).await, DeliveryOutcome::Delivered { .. }));
    stop.send(()).unwrap();
    served.await.unwrap();
    assert!(matches!(connector.deliver(&delivery("exec_2")).await, DeliveryOutcome::Retry { .. }));

    let resumed = Mailbox::open(&path, Capacity::default()).unwrap();
    assert_eq!(resumed.letters().len(), 1);
    assert_eq!(resumed.letter(1).unwrap().subject, delivery("exec_1").message.subject);
}

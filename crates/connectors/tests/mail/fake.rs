//! A running listener, a connector that points at it, and a server that follows a script.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bursar_connectors::mail::listener::{Conduct, Limits};
use bursar_connectors::mail::mailbox::Capacity;
use bursar_connectors::mail::{Deadlines, Letter, MailListener, MailSettings, Mailbox, SmtpMail};
use bursar_connectors::{Delivery, DeliveryOutcome};
use bursar_domain::time::BusinessTime;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub const FROM: &str = "Nørthwind Billing <billing@northwind.example>";
pub const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
pub const RECEIVED_AT: BusinessTime = BusinessTime::from_unix_s(1_790_000_900);

pub struct Fake {
    pub address: SocketAddr,
    pub mailbox: Arc<Mailbox>,
    pub conduct: Conduct,
}

impl Fake {
    pub async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        let mailbox = Arc::new(Mailbox::in_memory(Capacity::default()));
        let clock = Arc::new(|| RECEIVED_AT);
        let listener = MailListener::bind(ANY_PORT, mailbox.clone(), clock, limits).await.unwrap();
        let (address, conduct) = (listener.local_addr().unwrap(), listener.conduct());
        tokio::spawn(listener.serve(std::future::pending()));
        Self { address, mailbox, conduct }
    }

    pub fn connector(&self) -> SmtpMail {
        SmtpMail::new(settings(self.address)).unwrap()
    }

    pub fn letters_kept(&self) -> usize {
        self.mailbox.letters().len()
    }
}

/// Deadlines are generous, so that a slow machine changes no outcome; tests that wait for one shorten it.
pub fn settings(server: SocketAddr) -> MailSettings {
    MailSettings::loopback(server, FROM)
}

pub fn impatient_for_answer(server: SocketAddr) -> SmtpMail {
    let deadlines = Deadlines { answer: Duration::from_millis(50), ..Deadlines::default() };
    SmtpMail::new(MailSettings { deadlines, ..settings(server) }).unwrap()
}

pub fn delivery(key: &str) -> Delivery<Letter> {
    Delivery {
        key: key.parse().unwrap(),
        at: BusinessTime::from_unix_s(1_790_000_000),
        message: Letter {
            to: "Zoë \"Z\" Müller <zoe@example.com>".to_owned(),
            subject: "Ihre Zahlung über 12,00 € ist fehlgeschlagen 💳 – bitte aktualisieren Sie Ihre Karte"
                .to_owned(),
            text: "Grüße aus Zürich,\n.\n..\nこんにちは\n".to_owned(),
            html: Some("<p>Grüße &amp; こんにちは</p>\n".to_owned()),
        },
    }
}

/// The words of an outcome, to look for what must not be in them.
pub fn words(outcome: &DeliveryOutcome) -> String {
    format!("{outcome:?}")
}

/// Serves one client by the script and hands back what the script learnt.
pub async fn scripted<T, F>(
    script: impl FnOnce(Peer<TcpStream>) -> F + Send + 'static,
) -> (SocketAddr, JoinHandle<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let socket = TcpListener::bind(ANY_PORT).await.unwrap();
    let address = socket.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (client, _) = socket.accept().await.unwrap();
        script(Peer::over(client)).await
    });
    (address, served)
}

/// The server's end of a conversation.
pub struct Peer<S> {
    pub wire: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub fn over(wire: S) -> Self {
        Self { wire: BufReader::new(wire) }
    }

    /// A client that left is no mistake of the script.
    pub async fn say(&mut self, reply: &str) {
        let _gone = self.wire.write_all(reply.as_bytes()).await;
        let _gone = self.wire.flush().await;
    }

    /// The next line without its end; empty when the client left.
    pub async fn hear(&mut self) -> String {
        let mut line = String::new();
        let _gone = self.wire.read_line(&mut line).await;
        line.trim_end().to_owned()
    }

    /// Everything until the client leaves.
    pub async fn hear_all(&mut self) -> String {
        let mut lines = String::new();
        while self.wire.read_line(&mut lines).await.is_ok_and(|read| read > 0) {}
        lines
    }

    /// Greets and answers EHLO with these extensions.
    pub async fn greet(&mut self, extensions: &[&str]) {
        self.say("220 scripted\r\n").await;
        self.answer_hello(extensions).await;
    }

    pub async fn answer_hello(&mut self, extensions: &[&str]) {
        assert!(self.hear().await.starts_with("EHLO [127.0.0.1]"));
        for extension in extensions {
            self.say(&format!("250-{extension}\r\n")).await;
        }
        self.say("250 HELP\r\n").await;
    }

    /// Takes one letter up to and including its dot, and says nothing to that.
    pub async fn take_letter(&mut self) -> String {
        for reply in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            self.hear().await;
            self.say(reply).await;
        }
        let mut letter = String::new();
        loop {
            let line = self.hear().await;
            if line == "." {
                return letter;
            }
            letter.push_str(&line);
            letter.push('\n');
        }
    }
}

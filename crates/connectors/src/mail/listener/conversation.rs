//! One client's SMTP session, from greeting to goodbye.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::{Desk, Misbehaviour};
use crate::mail::lines::{Line, read_line};
use crate::mail::received::{Envelope, ReceivedMail};

/// How often a client may be wrong before we stop listening.
const ERRORS_MAX: u32 = 20;

pub(super) struct Conversation {
    client: BufReader<TcpStream>,
    desk: Arc<Desk>,
    /// Begun by MAIL, ended by DATA or RSET.
    envelope: Option<Envelope>,
    errors: u32,
}

/// Whether to go on after a command.
enum Next {
    Command,
    HangUp,
}

/// What came between DATA and its dot.
enum Incoming {
    Message(Vec<u8>),
    /// Read to its dot, then refused.
    Unacceptable(&'static str),
    HungUp,
}

impl Conversation {
    pub(super) fn new(client: TcpStream, desk: Arc<Desk>) -> Self {
        Self { client: BufReader::new(client), desk, envelope: None, errors: 0 }
    }

    pub(super) async fn run(mut self) -> io::Result<()> {
        self.say("220 bursar mailbox\r\n").await?;
        while self.errors < ERRORS_MAX {
            let next = match self.line().await? {
                Line::Whole(command) => self.obey(&String::from_utf8_lossy(&command)).await?,
                Line::Crooked(_) => self.wrong("500 lines end in CRLF").await?,
                Line::TooLong => {
                    self.say("500 line too long\r\n").await?;
                    Next::HangUp
                }
                Line::Closed => Next::HangUp,
            };
            if matches!(next, Next::HangUp) {
                return Ok(());
            }
        }
        self.say("421 too many errors\r\n").await
    }

    async fn obey(&mut self, command: &str) -> io::Result<Next> {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        match verb.to_ascii_uppercase().as_str() {
            "HELO" => self.right("250 bursar mailbox").await,
            "EHLO" => {
                self.envelope = None;
                let size = self.desk.limits.message_bytes;
                self.right(&format!("250-bursar mailbox\r\n250-SIZE {size}\r\n250-8BITMIME\r\n250 SMTPUTF8"))
                    .await
            }
            "MAIL" => self.begin(rest).await,
            "RCPT" => self.add_recipient(rest).await,
            "DATA" => self.take_message().await,
            "RSET" => {
                self.envelope = None;
                self.right("250 forgotten").await
            }
            "NOOP" => self.right("250 nothing done").await,
            "QUIT" => {
                self.say("221 goodbye\r\n").await?;
                Ok(Next::HangUp)
            }
            _ => self.wrong("502 not known here").await,
        }
    }

    async fn begin(&mut self, rest: &str) -> io::Result<Next> {
        let Some(from) = path(rest, "FROM:") else {
            return self.wrong("501 MAIL FROM:<address>").await;
        };
        if self.envelope.is_some() {
            return self.wrong("503 a message has begun already").await;
        }
        self.envelope = Some(Envelope { from: from.to_owned(), to: Vec::new() });
        self.right("250 sender noted").await
    }

    async fn add_recipient(&mut self, rest: &str) -> io::Result<Next> {
        let Some(to) = path(rest, "TO:").filter(|to| !to.is_empty()) else {
            return self.wrong("501 RCPT TO:<address>").await;
        };
        let recipients_max = self.desk.limits.recipients;
        let Some(envelope) = &mut self.envelope else {
            return self.wrong("503 MAIL comes first").await;
        };
        match self.desk.conduct.current() {
            Misbehaviour::RefuseRecipients => return self.wrong("550 5.1.1 no such mailbox").await,
            Misbehaviour::Greylist => return self.wrong("451 4.7.1 greylisted, come back later").await,
            _ => {}
        }
        if envelope.to.len() >= recipients_max {
            return self.wrong("452 too many recipients").await;
        }
        envelope.to.push(to.to_owned());
        self.right("250 recipient noted").await
    }

    async fn take_message(&mut self) -> io::Result<Next> {
        let Some(envelope) = self.envelope.take_if(|envelope| !envelope.to.is_empty()) else {
            return self.wrong("503 RCPT comes first").await;
        };
        self.say("354 end with a dot\r\n").await?;
        let bytes = match self.message().await? {
            Incoming::Message(bytes) => bytes,
            Incoming::Unacceptable(why) => return self.wrong(why).await,
            Incoming::HungUp => return Ok(Next::HangUp),
        };
        let conduct = self.desk.conduct.current();
        if conduct == Misbehaviour::RefuseMessages {
            return self.wrong("554 5.7.1 not wanted").await;
        }
        let kept = self.keep(envelope, bytes).await;
        match (conduct, kept) {
            (Misbehaviour::SilentAfterMessage, _) => self.ignore_client().await,
            (Misbehaviour::HangUpAfterMessage, _) => Ok(Next::HangUp),
            (_, Ok(number)) => self.right(&format!("250 kept as number {number}")).await,
            (_, Err(error)) => {
                tracing::warn!(%error, "a letter could not be kept");
                self.wrong("452 cannot keep it now").await
            }
        }
    }

    /// Reads to the dot. A message that is too big or malformed is read as well, but not held.
    async fn message(&mut self) -> io::Result<Incoming> {
        let mut message = Vec::new();
        let mut flaw = None;
        // A dot behind an overlong line is its rest, not the end of the message.
        let mut is_rest = false;
        loop {
            let mut line = match self.line().await? {
                Line::Whole(_) | Line::Crooked(_) if std::mem::take(&mut is_rest) => continue,
                Line::Whole(line) => line,
                Line::Crooked(_) => {
                    flaw.get_or_insert("550 lines end in CRLF");
                    continue;
                }
                Line::TooLong => {
                    flaw.get_or_insert("550 line too long");
                    is_rest = true;
                    continue;
                }
                Line::Closed => return Ok(Incoming::HungUp),
            };
            if self.desk.conduct.current() == Misbehaviour::HangUpWithinMessage {
                return Ok(Incoming::HungUp);
            }
            if line == b"." {
                return Ok(flaw.map_or_else(|| Incoming::Message(message), Incoming::Unacceptable));
            }
            if line.starts_with(b".") {
                line.remove(0);
            }
            if message.len() + line.len() + 2 > self.desk.limits.message_bytes {
                flaw.get_or_insert("552 message too big");
            }
            if flaw.is_none() {
                message.extend_from_slice(&line);
                message.extend_from_slice(b"\r\n");
            }
        }
    }

    async fn keep(&self, envelope: Envelope, bytes: Vec<u8>) -> io::Result<u64> {
        let desk = self.desk.clone();
        let kept = spawn_blocking(move || {
            let received_at = (desk.clock)();
            desk.mailbox.keep(ReceivedMail::read(envelope, received_at, &bytes))
        });
        kept.await.map_err(io::Error::other)?
    }

    /// Waits for the client to give up, saying nothing.
    async fn ignore_client(&mut self) -> io::Result<Next> {
        while self.line().await? != Line::Closed {}
        Ok(Next::HangUp)
    }

    async fn line(&mut self) -> io::Result<Line> {
        let limits = &self.desk.limits;
        timeout(limits.idle, read_line(&mut self.client, limits.line_bytes))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn right(&mut self, reply: &str) -> io::Result<Next> {
        self.say(&format!("{reply}\r\n")).await?;
        Ok(Next::Command)
    }

    async fn wrong(&mut self, reply: &str) -> io::Result<Next> {
        self.errors += 1;
        self.right(reply).await
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        if let Misbehaviour::Slow(pause) = self.desk.conduct.current() {
            sleep(pause).await;
        }
        self.client.write_all(reply.as_bytes()).await
    }
}

/// The address in `FROM:<…>` or `TO:<…>`; parameters behind it are allowed and ignored.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, tail) = rest.split_at_checked(keyword.len())?;
    let inner = tail.trim_start().strip_prefix('<').filter(|_| head.eq_ignore_ascii_case(keyword))?;
    inner.split_once('>').map(|(address, _parameters)| address)
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn paths_are_read_with_and_without_parameters() {
        assert_eq!(path("FROM:<a@example.com> SIZE=10", "FROM:"), Some("a@example.com"));
        assert_eq!(path("from: <>", "FROM:"), Some(""));
        for bad in ["FROM:a@example.com", "TO:<a@example.com>", "FROM:<a@example.com", "", "FRÖM:<a>"] {
            assert_eq!(path(bad, "FROM:"), None, "{bad:?}");
        }
    }
}

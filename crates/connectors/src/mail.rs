//! E-mail over SMTP: one letter to one recipient, and an exact account of what became of it.
//!
//! SMTP has one treacherous moment. Until the final dot of the message the server holds nothing; from then on it may
//! have taken the letter although its answer never reaches us. Everything that fails before the dot is a retry,
//! everything that fails after it without an answer is *possibly sent*, and nothing is sent twice by us alone. The
//! dialogue is written so that the types carry this: only an offered letter can be finished.

mod dialogue;
mod letter;
mod lines;
pub mod listener;
pub mod mailbox;
mod outcome;
mod received;
mod reply;
mod session;
mod settings;
mod tls;

use lettre::message::Mailbox as Correspondent;

pub use letter::Letter;
pub use listener::MailListener;
pub use mailbox::Mailbox;
pub use received::ReceivedMail;
pub use settings::{Deadlines, Login, MailSettings, Security};

use crate::{Connector, Delivery, DeliveryOutcome, Error, Health, Lookup};

/// Sends letters through one SMTP server.
pub struct SmtpMail {
    settings: MailSettings,
    from: Correspondent,
    reply_to: Option<Correspondent>,
    /// Whom we trust, unless nothing is encrypted.
    tls: Option<tls::Client>,
}

impl SmtpMail {
    /// Checks the settings; opens no connection.
    pub fn new(settings: MailSettings) -> Result<Self, Error> {
        let from = settings.sender()?;
        let reply_to = settings.reply_address()?;
        let tls = match settings.security {
            Security::Plaintext => settings.require_loopback().map(|()| None)?,
            Security::StartTls | Security::Tls => Some(tls::Client::new(&settings)?),
        };
        Ok(Self { settings, from, reply_to, tls })
    }
}

impl Connector for SmtpMail {
    type Message = Letter;

    fn name(&self) -> &'static str {
        "mail"
    }

    /// SMTP cannot be asked what it holds. The `Message-ID` only lets people recognise a repeat.
    fn lookup(&self) -> Lookup {
        Lookup::None
    }

    async fn deliver(&self, delivery: &Delivery<Letter>) -> DeliveryOutcome {
        let sealed = match letter::seal(&self.from, self.reply_to.as_ref(), delivery) {
            Ok(sealed) => sealed,
            Err(refusal) => return DeliveryOutcome::Refused { code: None, text: refusal.to_string() },
        };
        let outcome = match dialogue::offer(self, &sealed).await {
            Ok(offered) => outcome::of_answer(offered.finish(self.settings.deadlines.answer).await, &sealed),
            Err(stopped) => outcome::of_stop(stopped),
        };
        tracing::debug!(key = %delivery.key, outcome = outcome.as_str(), "mail attempt ended");
        outcome
    }

    async fn health(&self) -> Health {
        match dialogue::greet(self).await {
            Ok(detail) => Health::Up { detail },
            Err(stopped) => Health::Down { why: stopped.to_string() },
        }
    }
}

//! How letters leave: which server, how protected, in whose name, and how long we wait.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lettre::message::Mailbox as Correspondent;
use rustls::pki_types::ServerName;
use secrecy::SecretString;

use super::letter;
use crate::Error;

/// Everything the mail connector needs to know. Printing it shows no password.
#[derive(Clone, Debug)]
pub struct MailSettings {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub login: Option<Login>,
    /// `Northwind Billing <billing@northwind.example>`; its domain also names our message ids.
    pub from: String,
    pub reply_to: Option<String>,
    /// PEM certificates to trust instead of the public authorities.
    pub authority_pem: Option<Vec<u8>>,
    pub deadlines: Deadlines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Nothing is encrypted. Accepted for loopback only.
    Plaintext,
    /// Begins in the clear and must be upgraded before anything is said (port 587).
    StartTls,
    /// Encrypted from the first byte (port 465).
    Tls,
}

#[derive(Clone, Debug)]
pub struct Login {
    pub user: String,
    pub password: SecretString,
}

/// An attempt lasts at most the sum of the two.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From the first packet to the last byte before the final dot: past it, nothing was sent.
    pub offer: Duration,
    /// From the final dot to the server's answer: past it, the letter is possibly sent. Servers may scan the
    /// message in this time, so it is the longer one.
    pub answer: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { offer: Duration::from_mins(1), answer: Duration::from_mins(5) }
    }
}

impl MailSettings {
    /// Unprotected mail to a server on this machine, as the demo has it.
    pub fn loopback(server: SocketAddr, from: impl Into<String>) -> Self {
        Self {
            host: server.ip().to_string(),
            port: server.port(),
            security: Security::Plaintext,
            login: None,
            from: from.into(),
            reply_to: None,
            authority_pem: None,
            deadlines: Deadlines::default(),
        }
    }

    pub(super) fn sender(&self) -> Result<Correspondent, Error> {
        correspondent("from", &self.from)
    }

    pub(super) fn reply_address(&self) -> Result<Option<Correspondent>, Error> {
        self.reply_to.as_deref().map(|address| correspondent("reply_to", address)).transpose()
    }

    pub(super) fn require_loopback(&self) -> Result<(), Error> {
        let is_loopback = self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        is_loopback.then_some(()).ok_or_else(|| Error::PlaintextBeyondLoopback { host: self.host.clone() })
    }

    /// The name the server's certificate must carry.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, Error> {
        ServerName::try_from(self.host.clone()).map_err(|_| Error::Host { given: self.host.clone() })
    }
}

/// Our own addresses are plain ASCII, so that every server takes them.
fn correspondent(setting: &'static str, text: &str) -> Result<Correspondent, Error> {
    let parsed = letter::correspondent(text)
        .map_err(|refusal| Error::Address { setting, why: refusal.to_string() })?;
    let address: &str = parsed.email.as_ref();
    if address.is_ascii() {
        Ok(parsed)
    } else {
        Err(Error::Address { setting, why: "it holds characters outside ASCII".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::SmtpMail;
    use super::*;

    fn settings() -> MailSettings {
        MailSettings::loopback(([127, 0, 0, 1], 25).into(), "Billing <billing@northwind.example>")
    }

    #[test]
    fn plain_text_is_for_this_machine_only() {
        assert!(SmtpMail::new(settings()).is_ok());
        for host in ["mail.example.com", "10.0.0.7", "localhost.example.com"] {
            let refused = SmtpMail::new(MailSettings { host: host.to_owned(), ..settings() });
            assert!(matches!(refused, Err(Error::PlaintextBeyondLoopback { .. })), "{host}");
        }
    }

    #[test]
    fn encrypted_mail_may_go_anywhere_that_has_a_name() {
        let remote =
            |host: &str| MailSettings { host: host.to_owned(), security: Security::StartTls, ..settings() };
        assert!(SmtpMail::new(remote("mail.example.com")).is_ok());
        assert!(matches!(SmtpMail::new(remote("no such host")), Err(Error::Host { .. })));
    }

    #[test]
    fn a_broken_sender_is_found_at_start() {
        for from in ["", "billing", "Billing <a@b.example>\r\nBcc: x@y.example", "billing@nörd.example"] {
            let refused = SmtpMail::new(MailSettings { from: from.to_owned(), ..settings() });
            assert!(matches!(refused, Err(Error::Address { setting: "from", .. })), "{from:?}");
        }
    }

    #[test]
    fn an_authority_without_certificates_is_refused() {
        let refused = SmtpMail::new(MailSettings {
            security: Security::Tls,
            authority_pem: Some(b"nothing here".to_vec()),
            ..settings()
        });
        assert!(matches!(refused, Err(Error::CertificateAuthority { .. })));
    }

    #[test]
    fn printing_the_settings_hides_the_password() {
        let login = Login { user: "bursar".to_owned(), password: "hunter2-hunter2".into() };
        let printed = format!("{:?}", MailSettings { login: Some(login), ..settings() });
        assert!(printed.contains("bursar") && !printed.contains("hunter2"), "{printed}");
    }
}

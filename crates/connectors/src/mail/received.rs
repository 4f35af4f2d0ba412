//! A letter as the mailbox keeps it: what a mail program would show of it.

use bursar_domain::time::BusinessTime;
use mail_parser::{Addr, Address, Message, MessageParser, PartType};
use serde::{Deserialize, Serialize};

/// One received message. Words from outside: whoever shows them escapes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedMail {
    /// Counts from 1 and never starts over, so that a page can be linked.
    pub number: u64,
    pub received_at: BusinessTime,
    /// What the SMTP dialogue said, which decides where a letter goes.
    pub envelope_from: String,
    pub envelope_to: Vec<String>,
    /// What the letter says about itself, decoded: `Name <address>`.
    pub from: String,
    pub to: Vec<String>,
    pub reply_to: Option<String>,
    pub subject: String,
    /// The `Date` header, whole seconds.
    pub date: Option<BusinessTime>,
    /// Without angle brackets.
    pub message_id: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
}

/// Sender and recipients as given in the SMTP dialogue.
#[derive(Clone, Debug, Default)]
pub(super) struct Envelope {
    pub(super) from: String,
    pub(super) to: Vec<String>,
}

impl ReceivedMail {
    /// Reads a message of any quality; what cannot be understood stays empty. The mailbox sets the number.
    pub(super) fn read(envelope: Envelope, received_at: BusinessTime, bytes: &[u8]) -> Self {
        let blank = Self {
            number: 0,
            received_at,
            envelope_from: envelope.from,
            envelope_to: envelope.to,
            from: String::new(),
            to: Vec::new(),
            reply_to: None,
            subject: String::new(),
            date: None,
            message_id: None,
            text: None,
            html: None,
        };
        let Some(message) = MessageParser::default().parse(bytes) else { return blank };
        Self {
            from: message.from().and_then(Address::first).map(show).unwrap_or_default(),
            to: message.to().map(|to| to.iter().map(show).collect()).unwrap_or_default(),
            reply_to: message.reply_to().and_then(Address::first).map(show),
            subject: message.subject().unwrap_or_default().to_owned(),
            date: message.date().map(|date| BusinessTime::from_unix_s(date.to_timestamp())),
            message_id: message.message_id().map(str::to_owned),
            text: body(&message, |part| match part {
                PartType::Text(words) => Some(words),
                _ => None,
            }),
            html: body(&message, |part| match part {
                PartType::Html(words) => Some(words),
                _ => None,
            }),
            ..blank
        }
    }

    /// About how much memory it holds.
    pub(super) fn weight(&self) -> usize {
        let optional = |words: &Option<String>| words.as_ref().map_or(0, String::len);
        256 + self.subject.len() + optional(&self.text) + optional(&self.html)
    }
}

fn show(address: &Addr<'_>) -> String {
    let email = address.address().unwrap_or_default();
    match address.name() {
        Some(name) => format!("{name} <{email}>"),
        None => email.to_owned(),
    }
}

/// The first part that `pick` wants, with plain line ends; nothing is converted from one kind to the other.
fn body<'m>(
    message: &'m Message<'m>,
    pick: impl Fn(&'m PartType<'m>) -> Option<&'m std::borrow::Cow<'m, str>>,
) -> Option<String> {
    message.parts.iter().find_map(|part| pick(&part.body)).map(|words| words.replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> ReceivedMail {
        ReceivedMail::read(Envelope::default(), BusinessTime::from_unix_s(1), bytes)
    }

    #[test]
    fn a_message_of_any_quality_is_kept() {
        for bytes in [&b""[..], b"\xff\xfe\0", b"no headers at all\r\n", b"Subject: =?utf-8?q?broken\r\n\r\n"]
        {
            assert_eq!(read(bytes).received_at, BusinessTime::from_unix_s(1), "{bytes:?}");
        }
    }

    #[test]
    fn plain_text_is_not_dressed_up_as_html() {
        let mail = read(b"From: a@example.com\r\nSubject: x\r\n\r\nwords\r\n");
        assert_eq!((mail.text.as_deref(), mail.html), (Some("words\n"), None));
        assert_eq!(mail.from, "a@example.com");
    }
}

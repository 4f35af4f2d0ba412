//! From approved words to the exact bytes of a message.
//!
//! The bytes depend on the delivery and the sender alone (no clock, no chance), so every attempt sends the same ones.
//! Nothing a customer or a template brings can begin a header, end the message, or add a recipient.

use std::time::{Duration, SystemTime};

use bursar_domain::action::Mail;
use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox as Correspondent, Message, MultiPart, SinglePart};

use crate::Delivery;

/// `=_` cannot stand in quoted-printable text, so no body can contain the boundary.
const BOUNDARY: &str = "=_bursar_alternative";

/// Encoding may triple it; two such bodies stay below the megabyte that cautious servers accept.
const BODY_BYTES_MAX: usize = 128 * 1024;

const SUBJECT_CHARS_MAX: usize = 500;

/// Words for one person, as they were approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// `ada@example.com` or `Ada Lovelace <ada@example.com>`; exactly one recipient.
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
}

impl From<&Mail> for Letter {
    fn from(mail: &Mail) -> Self {
        Self {
            to: mail.to.clone(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
        }
    }
}

/// Why a letter is not sent by us. Names the part, never repeats its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the {0} holds a line break or control character")]
    ControlCharacter(&'static str),
    #[error("the address is not one valid e-mail address")]
    Address,
    #[error("the {0} is empty")]
    Empty(&'static str),
    #[error("the {0} is too long")]
    TooLong(&'static str),
    #[error("the date lies outside the years that mail can carry")]
    Date,
    #[error("the letter could not be encoded")]
    Encoding,
}

/// A message as it goes over the wire.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) from: Address,
    pub(super) to: Address,
    /// With its angle brackets.
    pub(super) message_id: String,
    /// Lines end in CRLF only, the last one too.
    pub(super) bytes: Vec<u8>,
}

impl Sealed {
    /// Whether a server must understand SMTPUTF8 to carry it.
    pub(super) fn needs_utf8(&self) -> bool {
        let address: &str = self.to.as_ref();
        !address.is_ascii()
    }
}

pub(super) fn seal(
    from: &Correspondent,
    reply_to: Option<&Correspondent>,
    delivery: &Delivery<Letter>,
) -> Result<Sealed, Refusal> {
    let letter = &delivery.message;
    let to = correspondent(&letter.to)?;
    check_words(letter)?;
    let message_id = format!("<{}@{}>", delivery.key, from.email.domain());

    let mut builder = Message::builder()
        .from(from.clone())
        .to(to.clone())
        .subject(letter.subject.clone())
        .date(header_date(delivery.at.unix_s())?)
        .message_id(Some(message_id.clone()))
        // Keeps holiday replies away (RFC 3834).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    if let Some(address) = reply_to {
        builder = builder.reply_to(address.clone());
    }
    let text = part(ContentType::TEXT_PLAIN, &letter.text)?;
    let message = match &letter.html {
        Some(html) => {
            let alternatives = MultiPart::alternative().boundary(BOUNDARY);
            builder.multipart(alternatives.singlepart(text).singlepart(part(ContentType::TEXT_HTML, html)?))
        }
        None => builder.singlepart(text),
    };
    let mut bytes = message.map_err(|_| Refusal::Encoding)?.formatted();
    if !bytes.ends_with(b"\r\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    if has_bare_line_break(&bytes) {
        return Err(Refusal::Encoding);
    }
    Ok(Sealed { from: from.email.clone(), to: to.email, message_id, bytes })
}

/// Reads one address with an optional name. Unlike a lenient parser it refuses whatever follows.
pub(super) fn correspondent(text: &str) -> Result<Correspondent, Refusal> {
    refuse_control("address", text)?;
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>').and_then(|open| open.rsplit_once('<')) {
        Some((name, address)) => (name.trim(), address),
        None => ("", text),
    };
    let name = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name);
    let email = address.parse::<Address>().map_err(|_| Refusal::Address)?;
    Ok(Correspondent::new((!name.is_empty()).then(|| name.to_owned()), email))
}

fn check_words(letter: &Letter) -> Result<(), Refusal> {
    refuse_control("subject", &letter.subject)?;
    let bodies = [Some(("text", &letter.text)), letter.html.as_ref().map(|html| ("HTML text", html))];
    for (part, words) in [Some(("subject", &letter.subject))].into_iter().chain(bodies).flatten() {
        if words.trim().is_empty() {
            return Err(Refusal::Empty(part));
        }
        if words.len() > BODY_BYTES_MAX {
            return Err(Refusal::TooLong(part));
        }
    }
    if letter.subject.chars().count() > SUBJECT_CHARS_MAX {
        return Err(Refusal::TooLong("subject"));
    }
    Ok(())
}

fn refuse_control(part: &'static str, text: &str) -> Result<(), Refusal> {
    // U+2028 and U+2029 end lines for some readers although no header rule says so.
    let breaks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    if text.contains(breaks) { Err(Refusal::ControlCharacter(part)) } else { Ok(()) }
}

fn header_date(unix_s: i64) -> Result<SystemTime, Refusal> {
    // The formatter below takes the years 1970 to 9999 and panics on others.
    const YEAR_10000_UNIX_S: u64 = 253_402_300_800;
    let seconds = u64::try_from(unix_s).ok().filter(|seconds| *seconds < YEAR_10000_UNIX_S);
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.ok_or(Refusal::Date)?))
}

/// Always quoted-printable: short lines for every server, and a boundary that cannot occur within.
fn part(kind: ContentType, words: &str) -> Result<SinglePart, Refusal> {
    let lines = words.replace("\r\n", "\n").replace('\r', "\n");
    let body = Body::new_with_encoding(lines, ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| Refusal::Encoding)?;
    Ok(SinglePart::builder().header(kind).body(body))
}

/// A CR or LF alone is what message smuggling is made of.
fn has_bare_line_break(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'\n' => at == 0 || bytes[at - 1] != b'\r',
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    })
}

#[cfg(test)]
#[path = "letter/tests.rs"]
mod tests;

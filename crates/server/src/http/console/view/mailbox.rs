//! The demo's mailbox: what its customers would have received.

use askama::Template;

use super::icon::Icon;
use super::inert::Inert;
use super::shell::Shell;
use super::stamp::Stamp;

/// `/mailbox?selected=…&part=…`.
#[derive(Template)]
#[template(path = "mailbox.html")]
pub struct MailboxPage {
    pub shell: Shell,
    /// Newest first.
    pub rows: Vec<MailRow>,
    pub mail: Option<Mail>,
    /// A narrow screen shows the message instead of the list.
    pub selected_by_address: bool,
}

pub struct MailRow {
    pub id: String,
    /// `/mailbox?selected=…`.
    pub href: String,
    pub to: Inert,
    pub subject: Inert,
    pub at: Stamp,
    pub selected: bool,
}

pub struct Mail {
    pub id: String,
    pub from: Inert,
    pub to: Inert,
    pub subject: Inert,
    pub at: Stamp,
    pub part: MailPart,
    /// The text part, line breaks kept.
    pub text: Inert,
    /// The HTML part as it came. Shown in a frame without scripts, forms, network or way out.
    pub html: Option<String>,
    /// The `http` and `https` links of the message, shown beside it because the frame follows none.
    pub links: Vec<WebLink>,
    /// The case that sent it.
    pub case_href: Option<String>,
}

/// A link out of a message: `http` and `https` only, so that none runs as a script.
pub struct WebLink(String);

impl WebLink {
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.starts_with("https://") || text.starts_with("http://");
        (plain && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control()))
            .then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stays on this machine: a demo leads nobody out, and Stripe's pages know nothing of what it made up.
    pub fn is_here(&self) -> bool {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // What stands before an `@` is a name to sign in with, and the host comes after it.
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if is_port(port) => host,
            _ => authority,
        };
        ["127.0.0.1", "localhost", "[::1]"].contains(&host)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailPart {
    Html,
    Text,
}

impl Mail {
    pub fn shows_html(&self) -> bool {
        self.part == MailPart::Html && self.html.is_some()
    }

    /// The HTML part as a document of its own, with our stylesheet for what brings none.
    pub fn document(&self) -> String {
        let style = super::super::assets::url("mail.css");
        let body = self.html.as_deref().unwrap_or_default();
        format!(r#"<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="{style}">{body}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leaves_this_machine_is_known() {
        let here = |text: &str| WebLink::parse(text).unwrap().is_here();
        for local in ["http://127.0.0.1:7173/p/session", "http://localhost/i?x=1", "http://[::1]:7173/"] {
            assert!(here(local), "{local}");
        }
        for out in [
            "https://invoice.stripe.com/i/acct_1/x",
            "http://127.0.0.1.evil.example/",
            "http://localhost@evil.example/",
            "http://localhost:80@evil.example/",
            "https://evil.example/?http://localhost",
        ] {
            assert!(!here(out), "{out}");
        }
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert!(WebLink::parse("https://invoice.stripe.com/i/acct_1/x").is_some());
        assert!(WebLink::parse("http://127.0.0.1:7173/p/session").is_some());
        for bad in
            ["javascript:alert(1)", "data:text/html,x", "https://a b", "//evil", " https://x", "https://x\ny"]
        {
            assert!(WebLink::parse(bad).is_none(), "{bad}");
        }
    }
}

//! What surrounds every page: who is signed in, where they are, which lane they look at, and whether any of it is real.

use super::amount::Amount;
use super::icon::Icon;
use super::stamp::Stamp;
use super::status::Tone;

pub struct Shell {
    /// Of the page, for the browser's tab.
    pub title: String,
    pub section: Section,
    /// Nobody on `/login` and on errors before sign-in: the navigation is left out.
    pub visitor: Option<Visitor>,
    /// Nothing before sign-in.
    pub lane: Option<LaneLabel>,
    /// Only in the demo.
    pub demo: Option<Demo>,
    /// Goes into every form; bound to the session.
    pub csrf: String,
    pub counts: Counts,
    /// Said once after a form was sent.
    pub flash: Option<Flash>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Inbox,
    Mailbox,
    Audit,
    Health,
    /// `/login` and errors.
    Outside,
}

/// The person who is signed in.
pub struct Visitor {
    pub name: String,
    /// `controller`.
    pub role: String,
}

/// Test is said by colour and by word on every page and card.
#[derive(Clone)]
pub struct LaneLabel {
    /// What people call the account: `Northwind SaaS`.
    pub name: String,
    /// `acct_…`.
    pub account: String,
    pub livemode: bool,
}

pub struct Demo {
    /// Simulated business time, as `Fri 21 Nov 2026, 14:02 UTC`.
    pub now: Stamp,
    /// `60 × real time`, `paused`.
    pub speed: String,
}

/// Numbers beside the navigation.
#[derive(Default)]
pub struct Counts {
    /// Cases that wait for this visitor.
    pub needs_me: u32,
    /// What they are worth together, one amount a currency.
    pub at_stake: Vec<Amount>,
    pub dead_letters: u32,
}

pub struct Flash {
    pub tone: Tone,
    pub text: String,
}

/// A place to go: an own path, or Stripe's dashboard.
pub struct Link {
    pub label: String,
    pub href: String,
}

/// One line of the navigation.
pub struct NavItem {
    pub label: &'static str,
    pub href: &'static str,
    pub icon: Icon,
    pub count: u32,
    pub current: bool,
}

impl Shell {
    /// The file's address with the hash of its content.
    pub fn asset(name: &str) -> String {
        super::super::assets::url(name)
    }

    /// The mailbox exists in the demo only.
    pub fn nav(&self) -> Vec<NavItem> {
        let item = |section, label, href, icon, count| NavItem {
            label,
            href,
            icon,
            count,
            current: self.section == section,
        };
        let mut items = vec![item(Section::Inbox, "Inbox", "/inbox", Icon::Inbox, self.counts.needs_me)];
        if self.demo.is_some() {
            items.push(item(Section::Mailbox, "Mailbox", "/mailbox", Icon::Mail, 0));
        }
        items.push(item(Section::Audit, "Audit", "/audit", Icon::Audit, 0));
        items.push(item(Section::Health, "Health", "/health", Icon::Health, self.counts.dead_letters));
        items
    }

    /// The lane is a test lane: the page says so at its edge.
    pub fn is_test(&self) -> bool {
        self.lane.as_ref().is_some_and(|lane| !lane.livemode)
    }
}

impl Visitor {
    /// Up to two letters for the picture beside the name.
    pub fn initials(&self) -> String {
        self.name
            .split_whitespace()
            .filter_map(|word| word.chars().next())
            .take(2)
            .flat_map(char::to_uppercase)
            .collect()
    }
}

impl LaneLabel {
    pub fn word(&self) -> &'static str {
        if self.livemode { "LIVE" } else { "TEST" }
    }
}

//! Made-up content for the pages about the installation itself: mailbox, audit, health, notices.

use super::console::view::health::{ApartRow, DeadLetterRow, GapRow, ModeRow, PollerRow, Reading};
use super::console::view::{
    ActorIcon, AuditPage, AuditRow, Chain, HealthPage, Icon, Inert, Link, Mail, MailPart, MailRow,
    MailboxPage, NoticePage, Section, Status, Tone, WebLink,
};
use super::samples::{Samples, at};

const HTML: &str = r#"<h2>Your card needs attention</h2><p>Hello Acme GmbH,</p>
<p>your bank did not accept the payment of <b>2,400.00 EUR</b> for invoice NW-2026-1187. Nothing is lost: we try again
on Thursday. If you would rather use another card, this is the place:</p>
<p><a href="http://127.0.0.1:7173/p/session/test_91">Update payment method</a></p>
<p>Northwind SaaS, Accounts</p><script>document.body.textContent = "scripts ran"</script>"#;

/// The log, an entry a row: when | who | what | which object | more.
const LOG: [(ActorIcon, &str); 8] = [
    (
        ActorIcon::Engine,
        "14:05:11|Bursar|execution.done|apreq_9fK2QmT4|Refunded 640.00 USD, re_3QxLumen, as predicted",
    ),
    (
        ActorIcon::Engine,
        "14:05:09|Bursar|execution.intent|apreq_9fK2QmT4|POST /v1/refunds under bursar_act_9fK2QmT4x7",
    ),
    (ActorIcon::Person, "14:05:08|Carl|approval.approved|apreq_9fK2QmT4|1 of 1 controllers; digest 7c1e5b0f"),
    (
        ActorIcon::Engine,
        "14:02:06|Policy|verdict.ask|prop_4Tz81|refunds.over_100 at policies/refunds.cedar:12",
    ),
    (ActorIcon::Agent, "14:02:05|support-bot|proposal.made|prop_4Tz81|Refund 640.00 USD of ch_3QxLumen"),
    (ActorIcon::Engine, "14:01:58|Bursar|events.accepted|batch 1,204|38 events, root 91b2c7d0"),
    (ActorIcon::Person, "13:30:00|Priya|mode.changed|recovery|observe to assist on acct_1Northwind/test"),
    (ActorIcon::ApiKey, "09:12:44|ops-console|rights.changed|usr_dana|given the role controller by Priya"),
];

impl Samples {
    pub fn mailbox(&self, selected: Option<&str>, html: bool) -> MailboxPage {
        let row = |id: &str, to: &str, subject: &str, time: &str, first: bool| MailRow {
            id: id.into(),
            href: format!("/mailbox?selected={id}"),
            to: self.line(to),
            subject: self.line(subject),
            at: at(time),
            selected: selected.map_or(first, |asked| asked == id),
        };
        MailboxPage {
            shell: Self::shell("Mailbox", Section::Mailbox),
            rows: vec![
                row("msg_3", "billing@acme.example", "Your card needs attention", "13:42", true),
                row("msg_2", "kontakt@halvorsen.example", "Please confirm your payment of 480.00 USD", "11:07", false),
                row("msg_1", "ap@brightside.example", "Your card has expired", "Thu", false),
            ],
            mail: Some(Mail {
                id: "msg_3".into(),
                from: self.line("Northwind SaaS <accounts@northwind.example>"),
                to: self.line("billing@acme.example"),
                subject: self.line("Your card needs attention"),
                at: at("Fri 21 Nov 2026, 13:42 UTC"),
                part: if html { MailPart::Html } else { MailPart::Text },
                text: Inert::block(&self.text("Hello Acme GmbH,\n\nyour bank did not accept the payment of 2,400.00 EUR for invoice NW-2026-1187.\nNothing is lost: we try again on Thursday.\n\nNorthwind SaaS, Accounts\n"), 20_000),
                html: Some(self.text(HTML)),
                links: WebLink::parse("http://127.0.0.1:7173/p/session/test_91").into_iter().collect(),
                case_href: Some("/cases/case_2".into()),
            }),
            selected_by_address: selected.is_some(),
        }
    }

    pub fn audit(&self, actor: &str) -> AuditPage {
        let newest = 18_204_u32;
        AuditPage {
            shell: Self::shell("Audit", Section::Audit),
            chain: Chain {
                status: Status::new(Tone::Good, "Chain holds").with_icon(Icon::Audit),
                entries: "18,204".into(),
                unsealed: "2".into(),
                head: "c41f9be07a".into(),
                verified: Some(at("40 s ago")),
            },
            searched_back_to: None,
            actor: actor.into(),
            object: String::new(),
            rows: (0..).zip(LOG).map(|(index, row)| self.entry(newest - index, index > 1, row)).collect(),
            newer_href: None,
            older_href: Some("/audit?before=18196".into()),
        }
    }

    fn entry(&self, number: u32, sealed: bool, (actor_icon, row): (ActorIcon, &str)) -> AuditRow {
        let mut parts = row.split('|');
        let mut next = || parts.next().unwrap_or_default();
        let (time, actor, kind, object) = (next(), next(), next(), next());
        AuditRow {
            id: format!("aud_{number}"),
            sequence: number.to_string(),
            at: at(time),
            actor_icon,
            actor: self.line(actor),
            kind: kind.into(),
            object: object.into(),
            object_href: object.starts_with("apreq").then(|| "/approvals/receipt".into()),
            summary: self.line(next()),
            hash: sealed.then(|| format!("{:08x}", 0x9e37_79b9_u32.wrapping_mul(number))),
        }
    }

    pub fn health(&self) -> HealthPage {
        let reading = |label: &str, value: &str, note: &str, tone, word: &str| Reading {
            label: label.into(),
            value: value.into(),
            note: note.into(),
            status: Status::new(tone, word),
        };
        let poller = |source: &str, tone, word: &str, last: &str, error: Option<&str>| PollerRow {
            source: source.into(),
            status: Status::new(tone, word),
            last: Some(at(last)),
            complete_to: Some(at("today 14:02")),
            error: error.map(|text| self.line(text)),
        };
        let mode = |playbook: &str, tone, word: &str, note: &str| ModeRow {
            playbook: playbook.into(),
            lane: "acct_1NorthwindDemo/test".into(),
            status: Status::new(tone, word),
            note: note.into(),
        };
        HealthPage {
            shell: Self::shell("Health", Section::Health),
            overall: Status::new(Tone::Warn, "One thing waits").with_icon(Icon::Warn),
            sentence: "A job gave up; everything else that arrived is handled.".into(),
            readings: vec![
                reading("Ingest lag", "1.2 s", "p99 over 5 min", Tone::Good, "Normal"),
                reading("Queue", "14", "oldest 3 s", Tone::Good, "Normal"),
                reading("Dead letters", "1", "since 13:12", Tone::Warn, "Look"),
                reading("Open approvals", "4", "oldest 2 h 50 m", Tone::Good, "Normal"),
                reading("Audit, unsealed", "2", "oldest 0.4 s", Tone::Good, "Normal"),
            ],
            pollers: vec![
                poller("Webhook endpoint", Tone::Good, "Receiving", "2 s ago", None),
                poller("Polling /v1/events", Tone::Good, "Up to date", "8 s ago", None),
                poller("Mail server", Tone::Active, "Retrying", "1 min ago", Some("connection refused")),
            ],
            gaps: vec![GapRow {
                from: at("11:02:10"),
                to: at("11:06:20"),
                length: "4 min 10 s".into(),
                held: "12 events, all found by polling".into(),
                types: self.line("9 charge.succeeded, 3 invoice.paid"),
                status: Status::new(Tone::Good, "Filled"),
            }],
            dead_letters: vec![DeadLetterRow {
                id: "job_8Zk2".into(),
                job: "decide evt_1QxOsprey (invoice.payment_failed)".into(),
                error: self.line("reads did not end after 8 rounds; last missing sub_1QxOsprey"),
                attempts: 5,
                since: at("13:12"),
            }],
            apart: vec![ApartRow {
                id: "quar_8Zk2".into(),
                reason: self.line("id_with_other_content"),
                source: self.line("webhook acct_1NorthwindDemo/test"),
                received: at("12:50"),
            }],
            may_retry: true,
            modes: vec![
                mode(
                    "Recovery",
                    Tone::Active,
                    "Assist",
                    "Asks an operator for everything that leaves Bursar",
                ),
                mode("Refunds", Tone::Good, "Automate", "Follows policy"),
                mode("Disputes", Tone::Quiet, "Observe", "Records what it would have done"),
            ],
        }
    }

    pub fn notice(&self) -> NoticePage {
        NoticePage {
            shell: Self::shell("Changed meanwhile", Section::Inbox),
            status: Status::new(Tone::Warn, "Changed meanwhile").with_icon(Icon::Warn),
            headline: "The charge changed after this card was made".into(),
            text: Inert::capped(&self.text("400.00 USD were refunded at 14:02 by somebody else, so 240.00 USD are left. The approval is void and a new card was made for what is left."), 400),
            money: Some("Nothing was sent to Stripe.".into()),
            code: Some("approval_void".into()),
            link: Some(Link { label: "Open the new card".into(), href: "/approvals/open".into() }),
        }
    }
}

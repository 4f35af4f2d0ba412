//! Made-up content for every page. `Samples::hostile` passes each text that comes from outside through an attacker.

use super::console::view::approval::ReceiptObject;
use super::console::view::card::{
    Budget, BudgetLine, Card, Change, ChangeKind, Comparison, Excluded, Expiry, Fact, IfWrong, Provenance,
    Request, Requester, Requirement, Risk, Title, Why,
};
use super::console::view::{
    ActorIcon, Amount, ApprovalPage, ApprovalPanel, CaseFile, CasePage, CaseRow, Counts, Demo, DemoPerson,
    Detail, Empty, Icon, InboxPage, InboxView, Inert, LaneLabel, Link, LoginPage, MoneyLine, ObjectRow,
    ProposalRow, Receipt, ReceiptRow, RefundForm, Section, Shell, Stage, Stamp, Status, Tab, TaskRow,
    TimelineEntry, Tone, Visitor, Vote,
};

pub struct Samples {
    outside: fn(&str) -> String,
}

pub fn usd(minor: i64) -> Amount {
    Amount::new(minor, 2, "usd")
}

pub fn at(text: &str) -> Stamp {
    Stamp::new("2026-11-21T14:02:05Z", text)
}

pub fn test_lane() -> LaneLabel {
    LaneLabel { name: "Northwind SaaS".into(), account: "acct_1NorthwindDemo".into(), livemode: false }
}

/// The queue, a line a case: whom | what | more | minor units | decimals | currency | how it stands | until when | since.
const QUEUE: &str = "\
Lumen Labs|Refund requested|support-bot for ticket ZD-88121|64000|2|usd|Needs approval|3 h 12 m left|14:02
Acme GmbH|Payment failed|insufficient_funds|240000|2|eur|Stripe retries|Thu 06:10|13:41
Halvorsen & Søn|Refund requested|duplicate charge|129900|2|usd|Needs approval|41 min left|13:20
Tidewater Analytics Cooperative of Greater Vancouver|Authentication needed|customer has not confirmed|48000|2|usd|Needs customer||12:58
日本電気サービス|Payment failed|expired_card|49800|0|jpy|Mail sent||11:07
Brightside Robotics|Payment failed|do_not_honor · fourth attempt|1250000|2|usd|Hard decline|due tomorrow|09:15
Quill & Co|Refund requested|within policy|8900|2|usd|Refunded||08:50
Marlow Freight|Payment failed|recovered on second attempt|31500|2|usd|Recovered||Thu
Osprey Media|Refund requested|Stripe did not answer|22000|2|usd|In doubt||Thu";

fn standing(word: &str) -> Status {
    match word {
        "Needs approval" => Status::new(Tone::Warn, word),
        "Needs customer" => Status::new(Tone::Warn, word).with_icon(Icon::Person),
        "Stripe retries" => Status::new(Tone::Active, word).with_icon(Icon::Retry),
        "Mail sent" => Status::new(Tone::Active, word).with_icon(Icon::Mail),
        "In doubt" => Status::new(Tone::Bad, word).with_icon(Icon::Warn),
        "Hard decline" => Status::new(Tone::Bad, word),
        _ => Status::new(Tone::Good, word),
    }
}

impl Samples {
    pub fn honest() -> Self {
        Self { outside: str::to_owned }
    }

    pub fn hostile() -> Self {
        Self {
            outside: |text| {
                format!(
                    "\u{202E}{text}\"'><img src=x onerror=alert(1)>{{{{7*7}}}}\u{200B}{}",
                    "А1 pаy ".repeat(400)
                )
            },
        }
    }

    pub fn line(&self, text: &str) -> Inert {
        Inert::line(&(self.outside)(text))
    }

    pub fn text(&self, text: &str) -> String {
        (self.outside)(text)
    }

    pub fn shell(title: &str, section: Section) -> Shell {
        let inside = section != Section::Outside;
        Shell {
            title: title.into(),
            section,
            visitor: inside.then(|| Visitor { name: "Carl Weiss".into(), role: "controller".into() }),
            lane: inside.then(test_lane),
            demo: Some(Demo { now: at("Fri 21 Nov 2026, 14:02 UTC"), speed: "60 × real time".into() }),
            csrf: "csrf-sample".into(),
            counts: Counts {
                needs_me: if inside { 7 } else { 0 },
                at_stake: if inside {
                    vec![usd(412_940), Amount::new(240_000, 2, "eur")]
                } else {
                    Vec::new()
                },
                dead_letters: u32::from(inside),
            },
            flash: None,
        }
    }

    pub fn login(failed: bool) -> LoginPage {
        let person = |key: &str, name: &str, role: &str, does: &str| DemoPerson {
            key: key.into(),
            name: name.into(),
            role: role.into(),
            does: does.into(),
        };
        LoginPage {
            shell: Self::shell("Sign in", Section::Outside),
            error: failed.then(|| "Mail address and password do not match. Nothing else was checked.".into()),
            email: if failed { "carl@northwind.example".into() } else { String::new() },
            next: "/inbox".into(),
            people: vec![
                person("olivia", "Olivia", "operator", "Works the queue of payments and refunds"),
                person("carl", "Carl", "controller", "Decides what goes over a limit"),
                person("sam", "Sam", "support", "Asks for refunds on behalf of customers"),
                person("priya", "Priya", "platform", "Keeps the installation healthy"),
            ],
        }
    }

    pub fn inbox(&self, view: &str, selected: Option<&str>) -> InboxPage {
        let rows = if view == "empty" { Vec::new() } else { self.rows(selected.unwrap_or("case_1")) };
        let tab = |view, count, current| Tab { view, count: Some(count), current };
        let detail = match (rows.is_empty(), selected) {
            (true, _) => None,
            (_, None | Some("case_1")) => Some(Detail::Approval(Box::new(self.panel("open")))),
            _ => Some(Detail::Case(Box::new(self.file()))),
        };
        InboxPage {
            shell: Self::shell("Inbox", Section::Inbox),
            tabs: vec![
                tab(InboxView::NeedsMe, 7, view == "needs-me"),
                tab(InboxView::Approvals, 4, view == "approvals"),
                tab(InboxView::FailedPayments, 12, view == "failed-payments"),
                tab(InboxView::All, 31, view == "all"),
            ],
            at_stake: if rows.is_empty() {
                Vec::new()
            } else {
                vec![usd(412_940), Amount::new(240_000, 2, "eur")]
            },
            rows,
            detail,
            selected_by_address: selected.is_some(),
            queue_href: "/inbox?view=needs-me".into(),
            empty: Empty {
                title: "Nothing waits for you".into(),
                text: "14 cases were handled by policy today.".into(),
                link: Some(Link { label: "See them".into(), href: "/inbox?view=all".into() }),
            },
            older_href: None,
        }
    }

    fn rows(&self, selected: &str) -> Vec<CaseRow> {
        let row = |(number, line): (usize, &str)| {
            let mut parts = line.split('|');
            let mut next = || parts.next().unwrap_or_default();
            let id = format!("case_{number}");
            CaseRow {
                href: format!("/inbox?view=needs-me&selected={id}"),
                open_href: if number == 1 { "/approvals/open".into() } else { format!("/cases/{id}") },
                selected: id == selected,
                id,
                subject: self.line(next()),
                title: next().into(),
                summary: self.line(next()),
                amount: next()
                    .parse()
                    .ok()
                    .zip(next().parse().ok())
                    .map(|(minor, exponent)| Amount::new(minor, exponent, next())),
                status: standing(next()),
                due: Some(next()).filter(|due| !due.is_empty()).map(str::to_owned),
                urgent: line.contains("min left"),
                at: at(next()),
            }
        };
        (1..).zip(QUEUE.lines()).map(row).collect()
    }

    pub fn approval(&self, stage: &str) -> ApprovalPage {
        ApprovalPage {
            shell: Self::shell("Refund 640.00 USD to Lumen Labs", Section::Inbox),
            panel: self.panel(stage),
        }
    }

    fn panel(&self, stage: &str) -> ApprovalPanel {
        let (status, stage_now) = self.stage(stage);
        let voted = matches!(stage, "receipt" | "differs" | "executing");
        ApprovalPanel {
            id: "apreq_9fK2QmT4x7Qd8Lw3".into(),
            lane: test_lane(),
            case_href: Some("/cases/case_1".into()),
            status,
            stage: stage_now,
            card: self.card(u32::from(voted)),
            votes: if voted {
                vec![Vote {
                    person: "Carl".into(),
                    role: "controller".into(),
                    yes: true,
                    reason: None,
                    at: at("14:05"),
                }]
            } else {
                Vec::new()
            },
            may_decide: stage != "barred",
            why_not: (stage == "barred")
                .then(|| "Only a controller decides this. Carl and Dana have been told.".into()),
            second_sign_in: stage == "single",
            links: vec![Link {
                label: "Charge at Stripe".into(),
                href: "https://dashboard.stripe.com/test/payments/ch_3QxLumen0kTz".into(),
            }],
            return_to: "/approvals/open".into(),
        }
    }

    fn stage(&self, stage: &str) -> (Status, Stage) {
        match stage {
            "executing" => (
                Status::new(Tone::Active, "Executing"),
                Stage::Executing {
                    since: at("14:05:09"),
                    step: "The request is sent; Stripe has not answered yet.".into(),
                },
            ),
            "receipt" | "differs" => {
                let good = stage == "receipt";
                let status = if good {
                    Status::new(Tone::Good, "Done")
                } else {
                    Status::new(Tone::Warn, "Differs").with_icon(Icon::Warn)
                };
                (status, Stage::Settled(self.receipt(good)))
            }
            "rejected" => (
                Status::new(Tone::Bad, "Rejected"),
                Stage::Closed {
                    headline: "Rejected".into(),
                    reason: Some(
                        self.line("The subscription was used for three weeks; offer a credit instead."),
                    ),
                    by: Some("Carl, controller".into()),
                    at: at("14:06"),
                },
            ),
            _ => (
                Status::new(Tone::Warn, "Needs approval"),
                Stage::Open { left: "3 h 12 m".into(), urgent: false },
            ),
        }
    }

    fn receipt(&self, good: bool) -> Receipt {
        let row = |what: &str, predicted: &str, actual: &str| ReceiptRow {
            what: what.into(),
            predicted: predicted.into(),
            actual: actual.into(),
        };
        Receipt {
            headline: self.line("Refunded 640.00 USD to Lumen Labs"),
            at: at("Fri 21 Nov 2026, 14:05:11 UTC"),
            request_id: Some("req_8sVbQ2kTzP1xYa".into()),
            objects: vec![
                ReceiptObject { label: "refund".into(), id: "re_3QxLumen0kTzP1xYa".into() },
                ReceiptObject { label: "balance transaction".into(), id: "txn_1QxLumen0kTz".into() },
            ],
            rows: vec![
                row("Refund amount", "640.00 USD", "640.00 USD"),
                row("Refund status", "succeeded", if good { "succeeded" } else { "pending" }),
                row("Charge, amount refunded", "640.00 USD", "640.00 USD"),
                row("Balance", "−640.00 USD", "−640.00 USD"),
            ],
        }
    }

    fn card(&self, votes: u32) -> Card {
        Card {
            title: Title {
                verb: "Refund".into(),
                amount: Some(usd(64_000)),
                preposition: "to".into(),
                counterparty: Inert::capped(&self.text("Lumen Labs"), 80),
                counterparty_id: Some("cus_QxLumen4x7".into()),
                subject: Some(self.line("of 640.00 USD paid 3 Nov 2026 · Visa ••4242 · ch_3QxLumen0kTz")),
            },
            requester: Requester {
                icon: ActorIcon::Agent,
                name: self.line("support-bot"),
                id: Some("agt_7Hq2".into()),
                on_behalf_of: Some(self.line("ticket ZD-88121")),
                at: at("at 14:02"),
                claim: Some(self.line("double subscription, cancelled the same day")),
            },
            why: vec![Why {
                policy: "refunds.over_100".into(),
                place: "policies/refunds.cedar:12".into(),
                set: "3fa9c1d0".into(),
                comparison: Some(Comparison {
                    fact: "amount_home".into(),
                    value: "640.00 USD".into(),
                    operator: ">".into(),
                    limit: "100.00 USD".into(),
                }),
                condition: None,
                counterfactual: Some("automatic at or below 100.00 USD".into()),
            }],
            because: None,
            risk: Some(Self::risk()),
            budget: Some(Self::budget()),
            also: vec![
                self.line("First refund for this customer"),
                self.line("support-bot has used 1,180.00 of 2,000.00 USD of its day"),
            ],
            facts: self.facts(),
            changes: self.changes(),
            request: Request {
                line: "POST /v1/refunds".into(),
                idempotency_key: "bursar_act_9fK2QmT4x7".into(),
                body: Some(self.line("charge=ch_3QxLumen0kTz amount=64000 reason=requested_by_customer")),
            },
            if_wrong: IfWrong {
                headline: "Not reversible once settled".into(),
                compensation: Some("A new invoice item of 640.00 USD, which the customer must accept".into()),
            },
            who: vec![Requirement {
                role: "controller".into(),
                quorum: 1,
                votes,
                people: vec!["Carl".into(), "Dana".into()],
            }],
            excluded: vec![Excluded { name: "Sam".into(), why: "owns the key of support-bot".into() }],
            expiry: Expiry {
                at: at("Fri 21 Nov, 17:14 UTC"),
                then: "Rejected by itself; nothing is sent to Stripe".into(),
            },
            digest: "7c1e5b0f2a94d36e81c7f5a20b9e4d63fa1872c05de94b3f6071a8c2e95d4b10".into(),
        }
    }

    fn risk() -> Risk {
        Risk { tier: "medium".into(), reasons: vec!["over the limit".into(), "cannot be taken back".into()] }
    }

    fn budget() -> Budget {
        let (before, after) = ("1,180.00 USD".into(), "1,820.00 USD".into());
        Budget {
            label: "Refunded today, this lane".into(),
            lines: vec![BudgetLine { scope: "USD".into(), before, after }],
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let fact = |label: &str, value: &str, source, age: Option<&str>, guard| Fact {
            label: label.into(),
            value: self.line(value),
            about: None,
            rate: None,
            source,
            age: age.map(at),
            guard,
        };
        vec![
            fact("Refundable now", "640.00 USD", Provenance::Stripe, Some("12 s ago"), true),
            fact("Disputed", "no", Provenance::Stripe, Some("12 s ago"), true),
            fact("Customer since", "Mar 2024", Provenance::Stripe, Some("2 min ago"), false),
            fact("Lifetime paid", "9,120.00 USD", Provenance::Derived, None, false),
            fact("Refunds, 12 months", "0", Provenance::Derived, None, false),
            fact("Reason", "double subscription", Provenance::Claimed, None, false),
        ]
    }

    fn changes(&self) -> Vec<Change> {
        let change =
            |kind, object: &str, what: &str| Change { kind, object: object.into(), what: self.line(what) };
        vec![
            change(ChangeKind::Create, "refund", "amount 640.00 USD · reason requested_by_customer"),
            change(
                ChangeKind::Change,
                "charge ch_3QxLumen0kTz",
                "amount_refunded 0.00 → 640.00 USD · refunded false → true",
            ),
            change(
                ChangeKind::Change,
                "balance",
                "−640.00 USD now; Stripe's fee of 18.86 USD is not returned",
            ),
            change(ChangeKind::Unchanged, "subscription sub_1QxLumen", "stays active"),
            change(ChangeKind::SideEffect, "customer", "Stripe sends its refund mail"),
        ]
    }

    pub fn case(&self) -> CasePage {
        CasePage { shell: Self::shell("Payment failed, Acme GmbH", Section::Inbox), file: self.file() }
    }

    fn file(&self) -> CaseFile {
        let eur = |minor| Amount::new(minor, 2, "eur");
        let line = |label: &str, minor, total| MoneyLine { label: label.into(), amount: eur(minor), total };
        CaseFile {
            id: "case_4K2mPq8Zt".into(),
            lane: test_lane(),
            title: "Payment failed".into(),
            subject: self.line("Acme GmbH"),
            subject_id: Some("cus_QxAcme91".into()),
            amount: Some(eur(240_000)),
            status: Status::new(Tone::Active, "Stripe retries").with_icon(Icon::Retry),
            class: Some("Temporary failure".into()),
            class_rule: Some("recovery.soft_decline".into()),
            waiting_for: Some(
                "Waiting for Stripe's own retry on Thu 26 Nov, 06:10 UTC. Bursar does not race it.".into(),
            ),
            owner: Some("Olivia".into()),
            opened: at("today 13:41"),
            due: Some(at("Thu 26 Nov, 06:10")),
            facts: self.facts(),
            money: vec![
                line("Invoice total", 252_000, false),
                line("Credit applied", -12_000, false),
                line("Amount due", 240_000, true),
            ],
            proposals: vec![
                ProposalRow {
                    title: self.line("Message to customer: card needs attention"),
                    reason: self.line("Second soft decline within a week"),
                    status: Status::new(Tone::Good, "Sent"),
                    href: None,
                    at: at("13:42"),
                    doubt: None,
                },
                ProposalRow {
                    title: self.line("Pay invoice in_1QxAcme8 on 27 Nov, 09:00"),
                    reason: self.line("If Stripe's retry fails; morning of a business day"),
                    status: Status::new(Tone::Warn, "Needs approval"),
                    href: Some("/approvals/open".into()),
                    at: at("13:42"),
                    doubt: None,
                },
            ],
            timeline: self.timeline(),
            refund: Some(RefundForm {
                charge: "ch_3QxAcme0kTz".into(),
                refundable: eur(240_000),
                hint: Some("Automatic up to 100.00 EUR; a controller decides above.".into()),
            }),
            tasks: vec![TaskRow {
                id: "task_1".into(),
                title: self.line("Look at invoice in_1QxAcme8: the fourth decline"),
                body: Inert::block(&self.text("The bank gives no reason.\n\n- declined four times"), 600),
                role: "operator".into(),
                at: at("13:42"),
                mine: true,
            }],
            objects: vec![
                ObjectRow {
                    kind: "invoice".into(),
                    id: "in_1QxAcme8".into(),
                    href: Some("https://dashboard.stripe.com/test/invoices/in_1QxAcme8".into()),
                },
                ObjectRow { kind: "customer".into(), id: "cus_QxAcme91".into(), href: None },
            ],
        }
    }

    fn timeline(&self) -> Vec<TimelineEntry> {
        let entry = |actor, name: &str, what: &str, detail: Option<&str>, time: &str| TimelineEntry {
            actor,
            name: self.line(name),
            what: what.into(),
            amount: None,
            detail: detail.map(|text| self.line(text)),
            href: None,
            status: None,
            at: at(time),
        };
        let mut list = vec![
            entry(
                ActorIcon::Stripe,
                "Stripe",
                "invoice.payment_failed",
                Some("insufficient_funds · attempt 2 of 4 · evt_1QxAcme"),
                "13:41",
            ),
            entry(
                ActorIcon::Playbook,
                "Recovery",
                "classified: temporary failure",
                Some("recovery.soft_decline"),
                "13:41",
            ),
            entry(
                ActorIcon::Engine,
                "Policy",
                "allowed the message",
                Some("messages.approved_template · policies/messages.cedar:4 @ 3fa9c1d0"),
                "13:42",
            ),
            entry(
                ActorIcon::Engine,
                "Bursar",
                "sent “Your card needs attention”",
                Some("to billing@acme.example, accepted by the mail server"),
                "13:42",
            ),
            entry(
                ActorIcon::Engine,
                "Policy",
                "asks an operator about the payment",
                Some("Recovery is in assist mode on this lane"),
                "13:42",
            ),
            entry(ActorIcon::Stripe, "Acme GmbH", "opened the invoice page", None, "13:50"),
            entry(
                ActorIcon::Person,
                "Olivia",
                "took the case",
                Some("Calling their accounts payable on Monday."),
                "14:01",
            ),
        ];
        list[0].amount = Some(Amount::new(240_000, 2, "eur"));
        list[3].status = Some(Status::new(Tone::Good, "Sent"));
        list[4].status = Some(Status::new(Tone::Warn, "Ask"));
        list
    }
}

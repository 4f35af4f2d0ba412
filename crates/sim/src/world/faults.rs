//! Everything that can come of a write at Stripe instead of its answer, and what each is to lead to.

use bursar_fake_stripe::gate::Harm;

/// What a fault is to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// The same again, once it was looked for.
    Again,
    /// Only a look tells whether it happened.
    Look,
    /// A definite no.
    No,
    /// Nothing more leaves this account, and a person is called.
    Halt,
    /// People at Stripe are waited for; they do not decide.
    Park,
    /// The same, and they agree.
    Agree,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) leads: Leads,
    /// Whether what was asked for happens all the same.
    pub(super) happens: bool,
    pub(super) harm: fn() -> Harm,
    /// Whether it is the answer that Stripe kept when the send before was lost.
    pub(super) is_kept: bool,
}

const fn fault(name: &'static str, leads: Leads, harm: fn() -> Harm) -> Fault {
    Fault { name, leads, happens: false, harm, is_kept: false }
}

impl Fault {
    const fn that_happens(self) -> Fault {
        Fault { happens: true, ..self }
    }

    const fn that_is_kept(self) -> Fault {
        Fault { is_kept: true, ..self }
    }

    pub(super) fn named(name: &str) -> Option<&'static Fault> {
        FAULTS.iter().find(|fault| fault.name == name)
    }
}

const PAGE: &str = "<html><body>502 Bad Gateway</body></html>";
const IN_USE: &str = r#"{"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}"#;
const LOCKED: &str = r#"{"error": {"type": "invalid_request_error", "code": "lock_timeout"}}"#;
const LIMITED: &str = r#"{"error": {"type": "invalid_request_error", "code": "rate_limit"}}"#;
const BROKEN: &str = r#"{"error": {"type": "api_error"}}"#;
const PARKED: &str = r#"{"error": {"type": "invalid_request_error", "code": "approval_required",
    "approval_request": {"id": "areq_1OfStripesOwn", "action": "create", "status": "requires_review"}}}"#;
const REQUEST: &str = r#"{"object": "v2.core.approval_request", "id": "areq_1OfStripesOwn",
    "status": "requires_review"}"#;

fn limited(after: &'static str) -> Harm {
    with("retry-after", after, 429, LIMITED, Effect::None)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    Same,
}

fn with(name: &'static str, value: &'static str, status: u16, body: &str, effect: Effect) -> Harm {
    let (headers, body) = (vec![(name, value)], body.to_owned());
    Harm::Answer { effect: effect == Effect::Same, status, headers, body }
}

/// An hour in which nothing may be asked.
pub(super) const LONG: &str = "429, 3600 s";

/// Bytes after which an answer is cut: within the first object of any.
const CUT_AT: usize = 40;

/// To a client no answer is no answer: that nothing comes within the time it waits is a connection that ends.
#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    fault("timeout before", Leads::Again, || Harm::CutBefore),
    fault("timeout after", Leads::Again, || Harm::CutAfter).that_happens(),
    fault("reset amid the body", Leads::Again, || Harm::Break(CUT_AT)).that_happens(),
    fault("half of the JSON", Leads::Look, || Harm::Truncate(CUT_AT)).that_happens(),
    fault("200 with a page", Leads::Look, || Harm::answer(200, PAGE)),
    fault("200 with a page, done", Leads::Look, || Harm::answer_after(200, PAGE)).that_happens(),
    fault("402", Leads::No, || Harm::answer(402, r#"{"error": {"type": "card_error", "code": "card_declined"}}"#)),
    fault("400 idempotency_error", Leads::Halt, || Harm::answer(400, r#"{"error": {"type": "idempotency_error"}}"#)),
    fault("401", Leads::Halt, || Harm::answer(401, r#"{"error": {"type": "invalid_request_error"}}"#)),
    fault("403", Leads::No, || Harm::answer(403, r#"{"error": {"type": "invalid_request_error"}}"#)),
    fault("404", Leads::No, || Harm::answer(404, r#"{"error": {"code": "resource_missing"}}"#)),
    fault("409 in use", Leads::Again, || Harm::answer(409, IN_USE)),
    fault("409 lock_timeout", Leads::Again, || Harm::answer(409, LOCKED)),
    fault("424", Leads::Look, || Harm::answer(424, BROKEN)),
    fault("424, done", Leads::Look, || Harm::answer_after(424, BROKEN)).that_happens(),
    fault("429", Leads::Again, || Harm::answer(429, LIMITED)),
    fault("429, 0 s", Leads::Again, || limited("0")),
    fault("429, 1 s", Leads::Again, || limited("1")),
    fault(LONG, Leads::Again, || limited("3600")),
    fault("429, garbage", Leads::Again, || limited("soon; or -5")),
    fault("500", Leads::Look, || Harm::answer(500, BROKEN)),
    fault("500, done", Leads::Look, || Harm::answer_after(500, BROKEN)).that_happens(),
    fault("500, retry", Leads::Look, || with("stripe-should-retry", "true", 500, BROKEN, Effect::None)),
    fault("500, retry, done", Leads::Look, || with("stripe-should-retry", "true", 500, BROKEN, Effect::Same))
        .that_happens(),
    fault("500, no retry", Leads::Look, || with("stripe-should-retry", "false", 500, BROKEN, Effect::None)),
    fault("500, no retry, done", Leads::Look, || with("stripe-should-retry", "false", 500, BROKEN, Effect::Same))
        .that_happens(),
    fault("502", Leads::Again, || Harm::answer(502, PAGE)),
    fault("502, done", Leads::Again, || Harm::answer_after(502, PAGE)).that_happens(),
    fault("503", Leads::Again, || Harm::answer(503, "")),
    fault("503, done", Leads::Again, || Harm::answer_after(503, "")).that_happens(),
    fault("500 replayed", Leads::Look, || with("idempotent-replayed", "true", 500, BROKEN, Effect::None)).that_is_kept(),
    fault("200 parked", Leads::Park, || Harm::answer(200, PARKED)),
    fault("202 parked", Leads::Park, || Harm::answer(202, REQUEST)),
    fault("400 parked", Leads::Park, || Harm::answer(400, PARKED)),
    fault("200 parked, agreed", Leads::Agree, || Harm::Park { status: 200, body: PARKED.to_owned() }).that_happens(),
];

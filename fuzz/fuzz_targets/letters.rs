//! The letters, with whatever a customer and a merchant may call themselves. One value a line. Either no letter is wanted, or it
//! is one: to the one address that was given; in HTML that has the tags of its template and no others, and nothing that an
//! escape would not spell; showing names and links as they are, and nothing of what no letter asks for.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bursar_domain::action::{Action, Mail};
use bursar_domain::case::CaseKey;
use bursar_domain::known::{Answer, Known, Read};
use bursar_domain::time::BusinessTime;
use bursar_playbooks::recovery::PLAYBOOK;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// 2026-11-20 10:00 UTC.
const NOW_S: i64 = 1_795_168_800;
/// Stands wherever nothing may be told from.
const UNTOLD: &str = "UntoldCanary";
const CODES: [(&str, &str); 7] = [
    ("insufficient_funds", ""),
    ("expired_card", ""),
    ("incorrect_cvc", ""),
    ("authentication_required", ""),
    ("stolen_card", "stolen"),
    ("lost_card", "lost"),
    ("fraudulent", "fraud"),
];

static BASE: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let text = include_str!("../../crates/playbooks/src/recovery/cases/base.json");
    let mut base: BTreeMap<String, Value> = serde_json::from_str(text).expect("the cases' base");
    base.values_mut().for_each(resolve_times);
    base
});
static SETTINGS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../crates/playbooks/src/recovery/cases/settings.json"))
        .expect("the cases' settings")
});
/// Every tag that a template has; `<a>` stands for one with a link.
static TAGS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let templates = [
        include_str!("../../crates/playbooks/src/recovery/templates/en/payment_failed@1.html"),
        include_str!("../../crates/playbooks/src/recovery/templates/en/update_payment_method@1.html"),
        include_str!("../../crates/playbooks/src/recovery/templates/en/authenticate_payment@1.html"),
        include_str!("../../crates/playbooks/src/recovery/templates/de/payment_failed@1.html"),
        include_str!("../../crates/playbooks/src/recovery/templates/de/update_payment_method@1.html"),
        include_str!("../../crates/playbooks/src/recovery/templates/de/authenticate_payment@1.html"),
    ];
    templates.into_iter().flat_map(tags).collect()
});

fuzz_target!(
    init: bursar_fuzz::seeds([
        "0\nAda\nada@example.com\nen\n7FE-1\nhttps://invoice.stripe.com/i/1?s=ap&t=2\nExample & Sons\nbilling@example.com",
        "1\n{{7*7}} <b> & \" ' </p><script>\na&b@example.com\nde-AT\n{{7*7}}\nhttps://a/{{7*7}}\n<i>{% raw %}\nb'c@example.com",
        "3\n\u{202e}evil\u{0}\nada@example.com, eve@example.com\nDE\n-\nhttp://127.0.0.1:1/'\n{# a\na@b.c",
        "4\n=cmd\r\nada@example.com\r\nBcc: a@b.c\n\n\njavascript:alert(1)\nExample\na@b.c",
        "6\nAda\nada@example.com\nfr\n1\nhttps://invoice.stripe.com/i/1\nLtd\na@b.c",
    ]),
    |text: &str| {
        if text.contains(UNTOLD) {
            return;
        }
        let mut lines = text.split('\n');
        let mut next = || lines.next().unwrap_or_default();
        let choice = next().bytes().next().map_or(0, usize::from) % CODES.len();
        let given = Given {
            code: CODES[choice],
            name: next(),
            email: next(),
            locale: next(),
            number: next(),
            link: next(),
            company: next(),
            support: next(),
        };
        if let Some(mail) = mail(&given) {
            check(&mail, &given);
        }
    }
);

#[derive(Clone, Copy)]
struct Given<'a> {
    code: (&'static str, &'static str),
    name: &'a str,
    email: &'a str,
    locale: &'a str,
    number: &'a str,
    link: &'a str,
    company: &'a str,
    support: &'a str,
}

/// The letter that the playbook wants.
fn mail(given: &Given<'_>) -> Option<Mail> {
    let mut settings = SETTINGS.clone();
    settings["company"] = given.company.into();
    settings["support_address"] = given.support.into();
    (PLAYBOOK.check_settings)(&settings).ok()?;
    let world = world(given);
    let key =
        CaseKey { playbook: "recovery".into(), object_kind: "invoice".into(), object_id: "in_A".into() };
    let mut known = Known::new(key, BusinessTime::from_unix_s(NOW_S), "invoice.payment_failed");
    for _ in 0..8 {
        for read in (PLAYBOOK.reads)(&known) {
            let answer = answer(&world, &read);
            known.answers.insert(read, answer);
        }
    }
    assert!((PLAYBOOK.reads)(&known).is_empty(), "asks for ever");
    let classified = (PLAYBOOK.classify)(&known, &settings);
    let plan = (PLAYBOOK.propose)(&known, &classified, &settings);
    plan.wanted.into_iter().find_map(|wanted| match wanted.action {
        Action::SendMail(mail) => Some(mail),
        _ => None,
    })
}

/// One failed invoice at Stripe, with what was given and much that no letter may tell.
fn world(given: &Given<'_>) -> Vec<Value> {
    let mut world = Vec::new();
    for kind in [
        "invoice",
        "invoice_payment",
        "payment_intent",
        "charge",
        "customer",
        "subscription",
        "payment_method",
    ] {
        let mut object = BASE[kind].clone();
        object["metadata"] = json!({"note": UNTOLD});
        object["description"] = UNTOLD.into();
        match kind {
            "invoice" => {
                object["number"] = given.number.into();
                object["hosted_invoice_url"] = given.link.into();
                object["footer"] = UNTOLD.into();
                object["customer_name"] = UNTOLD.into();
            }
            "customer" => {
                object["name"] = given.name.into();
                object["email"] = given.email.into();
                object["preferred_locales"] = json!([given.locale]);
                object["phone"] = UNTOLD.into();
                object["address"] = json!({"line1": UNTOLD});
            }
            "charge" => {
                object["created"] = (NOW_S - 60).into();
                object["outcome"]["reason"] = given.code.0.into();
                object["outcome"]["advice_code"] = Value::Null;
                object["failure_message"] = UNTOLD.into();
                object["payment_method_details"]["card"]["last4"] = UNTOLD.into();
            }
            _ => {}
        }
        world.push(object);
    }
    world
}

fn answer(world: &[Value], read: &Read) -> Answer {
    let as_of = BusinessTime::from_unix_s(NOW_S);
    match read {
        Read::Object { kind, id } => {
            let found = world.iter().find(|object| object["object"] == **kind && object["id"] == **id);
            found.map_or(Answer::Gone { as_of }, |value| Answer::Object { value: value.clone(), as_of })
        }
        Read::List { kind, filter } => {
            let fits = |object: &&Value| {
                object["object"] == **kind && filter.iter().all(|(field, wanted)| object[field] == **wanted)
            };
            Answer::List { items: world.iter().filter(fits).cloned().collect(), complete: true, as_of }
        }
        Read::CaseHistory => Answer::CaseHistory { proposals: Vec::new() },
        Read::Messages { .. } => Answer::Messages { sent: Vec::new() },
    }
}

fn check(mail: &Mail, given: &Given<'_>) {
    assert_eq!(mail.to, given.email);
    assert_eq!(mail.to.matches('@').count(), 1);
    assert!(
        !mail.to.contains(|letter: char| letter.is_whitespace()
            || letter.is_control()
            || ",;<>\"".contains(letter))
    );
    assert!(!mail.subject.contains(char::is_control), "{:?}", mail.subject);
    let html = mail.html.as_deref().expect("a letter has both forms");
    for tag in tags(html) {
        assert!(TAGS.contains(&tag), "{tag} came in: {html}");
    }
    assert!(
        mail.text.lines().any(|line| line == given.link),
        "the link is not shown as it is: {}",
        mail.text
    );
    let link = html.split("<a href=\"").nth(1).and_then(|rest| rest.split('"').next());
    assert_eq!(link.map(unescaped).as_deref(), Some(given.link));
    // What people read is the same in both forms.
    let greeted = |text: &str| text.split_once(",\n").map(|(line, _)| line.to_owned());
    let in_html = html
        .split("<body>\n<p>")
        .nth(1)
        .and_then(|rest| rest.split_once(",</p>"))
        .map(|(line, _)| unescaped(line));
    assert!(in_html.is_some() && in_html == greeted(&mail.text), "{html}\n{}", mail.text);
    let tame = Given { name: "Ada", number: "1", ..*given };
    assert_eq!(
        self::mail(&tame).map(|tame| tame.subject).as_ref(),
        Some(&mail.subject),
        "subjects hold nothing of the customer's"
    );
    let whole = [mail.subject.as_str(), &mail.text, html].concat();
    assert!(!whole.contains(UNTOLD), "{whole}");
    let theirs = [given.name, given.email, given.number, given.link, given.company, given.support]
        .concat()
        .to_lowercase();
    let (_, word) = given.code;
    assert!(
        word.is_empty() || theirs.contains(word) || !whole.to_lowercase().contains(word),
        "the reason is told: {whole}"
    );
}

/// Everything that a reader of HTML takes for a tag. A link's address does not count, whatever it is.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).map(|rest| {
        let tag = rest.split('>').next().unwrap_or_default();
        let link = tag.strip_prefix("a href=\"").and_then(|rest| rest.strip_suffix('"'));
        if link.is_some_and(|link| !link.contains('"')) { "a" } else { tag }
    })
}

/// A stretch without tags as people see it.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').unwrap_or_else(|| panic!("a bare & in {text}"));
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#x27" | "#39" => '\'',
            "#x2f" => '/',
            other => panic!("&{other}; in {text}"),
        });
        plain.push_str(rest);
    }
    plain
}

/// `now-30h` becomes seconds, as in the playbook's own cases.
fn resolve_times(value: &mut Value) {
    match value {
        Value::String(text) => {
            let Some(offset) = text.strip_prefix("now") else { return };
            let (number, unit) = offset.split_at(offset.len().saturating_sub(1));
            let unit_s = match unit {
                "m" => 60,
                "h" => 3_600,
                _ => 86_400,
            };
            *value = (NOW_S + number.parse::<i64>().unwrap_or(0) * unit_s).into();
        }
        Value::Array(items) => items.iter_mut().for_each(resolve_times),
        Value::Object(fields) => fields.values_mut().for_each(resolve_times),
        _ => {}
    }
}

//! What is posted: distinct events in the shapes that a Stripe makes, about 5 KB each, of many customers, signed
//! beforehand. Every twentieth is one that was posted already.

use anyhow::Context as _;
use bursar_fake_stripe::FakeStripe;
use bursar_stripe::signature;
use serde_json::{Value, json};

/// Of one invoice's and one payment's way.
const TYPES: [&str; 4] = ["invoice.created", "invoice.finalized", "invoice.paid", "charge.succeeded"];
const CUSTOMERS: u64 = 500;
const BODY_BYTES: usize = 5 * 1024;
const DUPLICATE_EVERY: usize = 20;
/// So many posts lie between an event and its repetition: some still wait for their commit, some are long on disk.
const DUPLICATE_BACK: usize = 100;

/// Letters in the ids. Like Stripe's they are no long run of digits, which could be a card's.
const ID_LETTERS: usize = 24;
const CUSTOMER_LETTERS: usize = 14;

/// Makes posts; no event twice, but for the repetitions it is asked for.
pub struct Events {
    templates: Vec<Template>,
    secret: String,
    next: u64,
}

/// Whole requests, ready to be sent.
pub struct Posts {
    pub requests: Vec<Vec<u8>>,
    pub distinct: u32,
    pub mean_body_bytes: usize,
}

impl Events {
    pub fn like(stripe: &FakeStripe, secret: &str) -> anyhow::Result<Self> {
        let templates = TYPES.iter().map(|kind| Template::of(stripe, kind)).collect::<anyhow::Result<_>>()?;
        Ok(Self { templates, secret: secret.to_owned(), next: 0 })
    }

    /// Payments that wait for somebody to confirm them, of invoices that name no customer: each opens a case, and is decided
    /// on and judged with what the mirror holds. For a customer the playbook lists charges, and a list only Stripe has.
    /// Beside them the event that brings their subscription into the mirror.
    pub async fn judged(stripe: &FakeStripe, url: &str, secret: &str) -> anyhow::Result<(Self, Vec<u8>)> {
        let alone = |object: &mut Value| {
            object["customer"] = Value::Null;
            object["payments"] = Value::Null;
            object["payment_intent"] = Value::Null;
            object["charge"] = json!(format!("ch_{}", "O".repeat(ID_LETTERS)));
        };
        let template = Template::made_of(stripe, "invoice.payment_action_required", alone)?;
        let mut event: Value = serde_json::from_str(&template.text)?;
        let id = event.pointer("/data/object/parent/subscription_details/subscription");
        let id = id.and_then(Value::as_str).context("an invoice without a subscription")?;
        let url = format!("{url}/v1/subscriptions/{id}");
        let client = reqwest::Client::builder().no_proxy().build()?;
        let text = client.get(url).bearer_auth(stripe.secret_key()).send().await?.error_for_status()?;
        let now_s = bursar_engine::Clocks::system().machine().unix_s();
        event["data"] = json!({"object": serde_json::from_str::<Value>(&text.text().await?)?});
        event["type"] = json!("customer.subscription.updated");
        event["id"] = json!("evt_bursarbenchsubscription");
        event["created"] = json!(now_s);
        let body = event.to_string().into_bytes();
        let subscription = request(&body, &signature::sign(secret, now_s, &body));
        Ok((Self { templates: vec![template], secret: secret.to_owned(), next: 0 }, subscription))
    }

    /// So many failed payments as the fake Stripe really has them: what a decision asks for is there.
    pub fn real(stripe: &FakeStripe, secret: &str, count: usize) -> anyhow::Result<Posts> {
        let now_s = bursar_engine::Clocks::system().machine().unix_s();
        let mut requests = Vec::with_capacity(count);
        let mut bytes = 0;
        for _ in 0..count {
            let made = stripe.trigger("invoice.payment_failed", json!({}));
            let made = made.map_err(|error| anyhow::anyhow!("{error}"))?;
            let body = made.get("event").context("a trigger without an event")?.to_string().into_bytes();
            bytes += body.len();
            requests.push(request(&body, &signature::sign(secret, now_s, &body)));
        }
        let distinct = u32::try_from(count)?;
        Ok(Posts { requests, distinct, mean_body_bytes: bytes / count.max(1) })
    }

    /// So many posts, of which five in a hundred repeat an earlier one of them. Signed now: good for five minutes.
    pub fn posts(&mut self, count: usize) -> Posts {
        let now_s = bursar_engine::Clocks::system().machine().unix_s();
        let mut requests: Vec<Vec<u8>> = Vec::with_capacity(count);
        let (mut distinct, mut bytes) = (0, 0);
        for place in 0..count {
            if place % DUPLICATE_EVERY == DUPLICATE_EVERY - 1 && place >= DUPLICATE_BACK {
                let again = requests[place - DUPLICATE_BACK + 1].clone();
                requests.push(again);
                continue;
            }
            let template = &self.templates[place % self.templates.len()];
            let body = template.body(self.next, now_s);
            self.next += 1;
            distinct += 1;
            bytes += body.len();
            requests.push(request(&body, &signature::sign(&self.secret, now_s, &body)));
        }
        Posts { requests, distinct, mean_body_bytes: bytes / usize::try_from(distinct.max(1)).unwrap_or(1) }
    }
}

fn request(body: &[u8], signature: &str) -> Vec<u8> {
    let head = format!(
        "POST /ingest/stripe HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\ncache-control: no-cache\r\n\
         user-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n\
         content-type: application/json; charset=utf-8\r\nstripe-signature: {signature}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// An event with marks where ids, customer and time belong, all as long as what goes there.
struct Template {
    text: String,
}

impl Template {
    fn of(stripe: &FakeStripe, kind: &str) -> anyhow::Result<Self> {
        Self::made_of(stripe, kind, |_| ())
    }

    fn made_of(stripe: &FakeStripe, kind: &str, change: impl Fn(&mut Value)) -> anyhow::Result<Self> {
        let made = stripe.trigger(kind, json!({})).map_err(|error| anyhow::anyhow!("{kind}: {error}"))?;
        let mut event = made.get("event").cloned().context("a trigger without an event")?;
        let object = event["data"]["object"].clone();
        let named = |field: &str| object[field].as_str().map(str::to_owned);
        let (id, customer) = (named("id").context("no id")?, named("customer").context("no customer")?);
        let prefix = id.split_once('_').map_or("in", |(prefix, _)| prefix);
        event["id"] = json!(format!("evt_{}", "E".repeat(ID_LETTERS)));
        event["created"] = json!(1_111_111_111);
        change(&mut event["data"]["object"]);
        let text = event.to_string();
        let text = text.replace(&id, &format!("{prefix}_{}", "O".repeat(ID_LETTERS)));
        let text = text.replace(&customer, &format!("cus_{}", "C".repeat(CUSTOMER_LETTERS)));
        Ok(Self { text: padded(&text)? })
    }

    fn body(&self, number: u64, now_s: i64) -> Vec<u8> {
        let customer = letters(number % CUSTOMERS * 7919, CUSTOMER_LETTERS);
        self.text
            .replace(&"E".repeat(ID_LETTERS), &letters(number, ID_LETTERS))
            .replace(&"O".repeat(ID_LETTERS), &letters(number, ID_LETTERS))
            .replace(&"C".repeat(CUSTOMER_LETTERS), &customer)
            .replace("1111111111", &now_s.to_string())
            .into_bytes()
    }
}

/// Filled up to the usual size with a note of the merchant's, where it is smaller.
fn padded(text: &str) -> anyhow::Result<String> {
    let mut event: Value = serde_json::from_str(text).context("a template that is no JSON")?;
    event["data"]["object"]["metadata"]["note"] = json!("");
    let missing = BODY_BYTES.saturating_sub(event.to_string().len());
    event["data"]["object"]["metadata"]["note"] = json!("filled up ".repeat(missing / 10 + 1)[..missing]);
    Ok(event.to_string())
}

/// A number in so many letters, lower case so that they meet no mark.
fn letters(number: u64, width: usize) -> String {
    (0..width)
        .map(|place| char::from(b'a' + u8::try_from(number >> (4 * place).min(60) & 0xf).unwrap_or(0)))
        .collect()
}

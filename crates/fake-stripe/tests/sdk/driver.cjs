// Drives a fake Stripe with the official Node SDK: node driver.cjs URL KEY
//
// Prints one line for each check, and at the end how many passed and failed.
"use strict";

const assert = require("node:assert/strict");
const http = require("node:http");
const Stripe = require("stripe");

const [url, key] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const make = (secret, options = {}) =>
  new Stripe(secret, { host: hostname, port: Number(port), protocol: "http", maxNetworkRetries: 0, ...options });
const stripe = make(key);

async function sim(path, body) {
  const answer = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.json();
}

const trigger = (type, overrides = {}) => sim("/_sim/trigger", { type, overrides });

async function newCharge(amount = 5000) {
  return (await trigger("charge.succeeded", { amount })).event.data.object.id;
}

/** A receiver of webhooks: its port, the first it hears with the signature, and how it closes. */
async function listen() {
  let hear;
  const heard = new Promise((resolve) => (hear = resolve));
  const ear = http.createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      hear({ body: Buffer.concat(parts), signature: request.headers["stripe-signature"] });
      response.end();
    });
  });
  await new Promise((resolve) => ear.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${ear.address().port}/`, heard, close: () => ear.close() };
}

async function refused(type, call) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.type, type, error.message);
    return error;
  }
  return assert.fail(`no ${type}`);
}

const checks = {
  async "errors are of the SDK's classes"() {
    const missing = await refused("StripeInvalidRequestError", () => stripe.charges.retrieve("ch_none"));
    assert.deepEqual([missing.statusCode, missing.code], [404, "resource_missing"]);
    const declined = await refused("StripeCardError", () =>
      stripe.paymentIntents.create({
        amount: 900,
        currency: "usd",
        payment_method: "pm_card_visa_chargeDeclinedInsufficientFunds",
        confirm: true,
      }),
    );
    assert.equal(declined.decline_code, "insufficient_funds");
    await refused("StripeAuthenticationError", () => make("sk_test_nobody").charges.list());
    const narrow = make((await sim("/_sim/keys", { permissions: { charges: "read" } })).key);
    assert.equal((await narrow.charges.list()).object, "list");
    await refused("StripePermissionError", () => narrow.refunds.list());
  },

  async "a repeated key replays and a reused one is refused"() {
    const charge = await newCharge();
    const options = { idempotencyKey: "node-1" };
    const first = await stripe.refunds.create({ charge, amount: 700 }, options);
    const again = await stripe.refunds.create({ charge, amount: 700 }, options);
    assert.equal(first.id, again.id);
    assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
    await refused("StripeIdempotencyError", () => stripe.refunds.create({ charge, amount: 800 }, options));
  },

  async "the SDK's own retries cure a lost answer"() {
    const charge = await newCharge();
    const patient = make(key, { maxNetworkRetries: 2 });
    for (const kind of ["timeout_before", "timeout_after", "drop"]) {
      await sim("/_sim/faults", { route: "POST /v1/refunds", kind });
      await patient.refunds.create({ charge, amount: 100 });
    }
    assert.equal((await stripe.refunds.list({ charge })).data.length, 3);
  },

  async "auto-pagination visits each object once"() {
    const made = [];
    for (let index = 0; index < 23; index += 1) {
      made.unshift((await stripe.customers.create({ name: `Page ${index}`, email: "node@example.com" })).id);
    }
    const walked = [];
    for await (const customer of stripe.customers.list({ limit: 10, email: "node@example.com" })) {
      walked.push(customer.id);
    }
    assert.deepEqual(walked, made);
  },

  async "expand gives objects"() {
    const expand = ["customer", "payment_intent.payment_method"];
    const charge = await stripe.charges.retrieve(await newCharge(), { expand });
    assert.equal(charge.customer.object, "customer");
    assert.equal(charge.payment_intent.payment_method.type, "card");
  },

  async "a failing invoice can be paid with a better card"() {
    const made = await trigger("invoice.payment_failed", { amount: 64000, currency: "eur" });
    const { id, customer } = made.event.data.object;
    await refused("StripeCardError", () => stripe.invoices.pay(id));
    const better = await stripe.paymentMethods.attach("pm_card_visa", { customer });
    const paid = await stripe.invoices.pay(id, { payment_method: better.id });
    assert.deepEqual([paid.status, paid.amount_paid, paid.currency], ["paid", 64000, "eur"]);
  },

  async "a webhook passes the SDK's verifier"() {
    const ear = await listen();
    const endpoint = await stripe.webhookEndpoints.create({ url: ear.url, enabled_events: ["charge.refunded"] });
    const charge = await newCharge();
    await stripe.refunds.create({ charge }, { idempotencyKey: "node-hook" });
    const { body, signature } = await ear.heard;
    const event = stripe.webhooks.constructEvent(body, signature, endpoint.secret);
    assert.deepEqual([event.type, event.data.object.id], ["charge.refunded", charge]);
    assert.equal(event.request.idempotency_key, "node-hook");
    assert.throws(() => stripe.webhooks.constructEvent(body, signature, "whsec_other"));
    await stripe.webhookEndpoints.del(endpoint.id);
    ear.close();
  },

  async "connected accounts are apart"() {
    const account = await stripe.accounts.create({ type: "standard", country: "DE" });
    const charge = await newCharge();
    const there = { stripeAccount: account.id };
    await refused("StripeInvalidRequestError", () => stripe.charges.retrieve(charge, {}, there));
    assert.equal((await stripe.charges.list({}, there)).data.length, 0);
  },

  async "a thin event is parsed, and fetches its event and its object"() {
    const ear = await listen();
    const destination = await stripe.v2.core.eventDestinations.create({
      name: "thin",
      type: "webhook_endpoint",
      event_payload: "thin",
      enabled_events: ["v1.charge.refunded"],
      webhook_endpoint: { url: ear.url },
    });
    assert.match(destination.webhook_endpoint.signing_secret, /^whsec_/);
    const made = await trigger("charge.refunded");
    const { body, signature } = await ear.heard;
    const secret = destination.webhook_endpoint.signing_secret;
    const notification = stripe.parseEventNotification(body, signature, secret);
    assert.notEqual(notification.id, made.event.id, "a thin event is an event of its own");
    const event = await stripe.v2.core.events.retrieve(notification.id);
    assert.deepEqual([event.type, event.related_object.id], ["v1.charge.refunded", made.event.data.object.id]);
    assert.equal(event.snapshot_event, made.event.id);
    assert.deepEqual([notification.id, notification.type], [event.id, event.type]);
    assert.equal((await notification.fetchEvent()).id, event.id);
    assert.equal((await notification.fetchRelatedObject()).amount_refunded, 2000);
    assert.throws(() => stripe.parseEventNotification(body, signature, "whsec_other"));
    await stripe.v2.core.eventDestinations.del(destination.id);
    ear.close();
  },

  async "a portal session is for its customer and its flow"() {
    const customer = await stripe.customers.create({ email: "portal@example.com" });
    const session = await stripe.billingPortal.sessions.create({
      customer: customer.id,
      return_url: "https://example.com/",
      flow_data: {
        type: "payment_method_update",
        after_completion: { type: "redirect", redirect: { return_url: "https://example.com/done" } },
      },
    });
    assert.deepEqual([session.object, session.customer], ["billing_portal.session", customer.id]);
    assert.equal(session.flow.after_completion.redirect.return_url, "https://example.com/done");
    assert.match(session.url, /^https:/);
  },
};

async function main() {
  let passed = 0;
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      passed += 1;
      console.log(`ok    node: ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  node: ${name}: ${error.name}: ${error.message}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

main();

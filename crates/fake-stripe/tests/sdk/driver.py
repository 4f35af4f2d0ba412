"""Drives a fake Stripe with the official Python SDK: driver.py URL KEY

Prints one line for each check, and at the end how many passed and failed.
"""

import json
import queue
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import stripe
import stripe.events
from shapes import Complaints, check

url, key = sys.argv[1], sys.argv[2]
client = stripe.StripeClient(key, base_addresses={"api": url}, max_network_retries=0)
v1 = client.v1
CHECKS = []


def checks(function):
    CHECKS.append(function)
    return function


def sim(path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def trigger(kind, **overrides):
    return sim("/_sim/trigger", {"type": kind, "overrides": overrides})


def new_charge(amount=5000):
    return trigger("charge.succeeded", amount=amount)["event"]["data"]["object"]["id"]


def listen():
    """A receiver of webhooks: the server, and a queue of what it hears with the signature."""
    heard = queue.Queue()

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.put((body, self.headers["stripe-signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, heard


def refused(error, call):
    try:
        call()
    except error as met:
        return met
    raise AssertionError(f"no {error.__name__}")


@checks
def answers_have_the_types_the_sdk_states():
    """One object of every kind, with what can be expanded inside it."""
    for kind in ["refund.created", "charge.dispute.created", "invoice.payment_failed", "invoice.paid",
                 "radar.early_fraud_warning.created", "charge.failed", "payment_intent.requires_action"]:
        trigger(kind)
    customer = v1.customers.create({"email": "types@example.com", "name": "Types"})
    v1.customers.balance_transactions.create(customer.id, {"amount": -500, "currency": "usd"})
    v1.invoice_items.create({"customer": customer.id, "amount": 700, "currency": "usd"})
    paid = next(invoice for invoice in v1.invoices.list({"status": "paid"}).data if invoice.amount_paid > 100)
    v1.credit_notes.create({"invoice": paid.id, "amount": 50, "credit_amount": 50})
    v1.test_helpers.test_clocks.create({"frozen_time": 1_800_000_000})
    v1.webhook_endpoints.create({"url": "https://example.com/hook", "enabled_events": ["*"]})
    endpoints = v1.webhook_endpoints.list().data
    complaints, seen = Complaints(), set()
    lists = [
        v1.customers.list(), v1.payment_methods.list(), v1.products.list(), v1.prices.list(),
        v1.subscriptions.list({"status": "all", "expand": ["data.latest_invoice"]}),
        v1.invoices.list({"expand": ["data.payments", "data.customer"]}), v1.invoice_items.list(),
        v1.invoice_payments.list({"expand": ["data.payment.payment_intent"]}), v1.payment_intents.list(),
        v1.charges.list({"expand": ["data.refunds", "data.balance_transaction"]}), v1.refunds.list(),
        v1.disputes.list(), v1.radar.early_fraud_warnings.list(), v1.credit_notes.list(), v1.events.list(),
        v1.balance_transactions.list(), v1.customers.balance_transactions.list(customer.id),
        v1.test_helpers.test_clocks.list(), v1.webhook_endpoints.list(),
        v1.billing_portal.configurations.list(),
    ]
    for page in lists:
        assert page.data, f"nothing in {page.url}"
        for value in page.data:
            seen.add(value.object)
            check(value, type(value), value.object, complaints)
    for value in [v1.balance.retrieve(), v1.accounts.retrieve_current()]:
        seen.add(value.object)
        check(value, type(value), value.object, complaints)
    for endpoint in endpoints:
        v1.webhook_endpoints.delete(endpoint.id)
    places = sorted(set(complaints))
    assert not places, "\n    " + "\n    ".join(places)
    assert len(seen) >= 20, seen


@checks
def portal_sessions_have_the_types_the_sdk_states():
    subscription = trigger("customer.subscription.created")["event"]["data"]["object"]
    customer, complaints = subscription["customer"], Complaints()
    back = {"type": "redirect", "redirect": {"return_url": "https://example.com/done"}}
    flows = [
        None,
        {"type": "payment_method_update"},
        {"type": "customer_update", "after_completion": back},
        {"type": "subscription_cancel", "subscription_cancel": {"subscription": subscription["id"]}},
    ]
    for flow in flows:
        params = {"customer": customer, "return_url": "https://example.com/"}
        session = v1.billing_portal.sessions.create(params if flow is None else {**params, "flow_data": flow})
        assert type(session) is stripe.billing_portal.Session, type(session)
        assert (session.customer, session.return_url) == (customer, "https://example.com/")
        check(session, type(session), session.object, complaints)
        if flow:
            assert session.flow.type == flow["type"]
    assert session.flow.subscription_cancel.subscription == subscription["id"]
    assert not complaints, "\n    " + "\n    ".join(sorted(set(complaints)))


@checks
def thin_events_have_the_types_the_sdk_states():
    core, complaints, seen = client.v2.core, Complaints(), set()
    server, heard = listen()
    destination = core.event_destinations.create({
        "name": "thin", "type": "webhook_endpoint", "event_payload": "thin", "enabled_events": ["v1.charge.refunded"],
        "include": ["webhook_endpoint.signing_secret"],
        "webhook_endpoint": {"url": f"http://127.0.0.1:{server.server_port}/"},
    })
    check(destination, type(destination), destination.object, complaints)
    for kind in ["radar.early_fraud_warning.created", "invoice.payment_failed", "invoice.paid",
                 "charge.dispute.created", "customer.subscription.deleted"]:
        trigger(kind)
    customer = v1.customers.create({"email": "thin@example.com"})
    v1.billing_portal.sessions.create({"customer": customer.id})
    clock = v1.test_helpers.test_clocks.create({"frozen_time": 1_800_000_000})
    v1.test_helpers.test_clocks.delete(clock.id)
    charge = new_charge()
    v1.refunds.create({"charge": charge}, {"idempotency_key": "python-thin"})
    notification = client.parse_event_notification(*heard.get(timeout=10), destination.webhook_endpoint.signing_secret)
    assert type(notification) is stripe.events.V1ChargeRefundedEventNotification, type(notification)
    event = notification.fetch_event()
    assert (event.id, event.related_object.id) == (notification.id, charge)
    assert event.reason.request.idempotency_key == "python-thin"
    assert notification.fetch_related_object().amount_refunded == 5000
    events = core.events.list({"limit": 100}).data
    for event in [*events, event]:
        assert isinstance(event, stripe.v2.core.Event), type(event)
        seen.add(event.type)
        check(event, type(event), event.type, complaints)
    core.event_destinations.delete(destination.id)
    server.shutdown()
    assert not complaints, "\n    " + "\n    ".join(sorted(set(complaints)))
    assert len(seen) >= 20, seen


@checks
def errors_are_of_the_sdks_classes():
    missing = refused(stripe.InvalidRequestError, lambda: v1.charges.retrieve("ch_none"))
    assert (missing.http_status, missing.code, missing.param) == (404, "resource_missing", "id")
    unknown = refused(stripe.InvalidRequestError, lambda: v1.refunds.create({"colour": "red"}))
    assert (unknown.http_status, unknown.code, unknown.param) == (400, "parameter_unknown", "colour")
    declined = refused(stripe.CardError, lambda: v1.payment_intents.create(
        {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa_chargeDeclinedLostCard", "confirm": True}))
    assert (declined.code, declined.error.decline_code) == ("card_declined", "lost_card")
    assert declined.error.payment_intent.status == "requires_payment_method"
    stranger = stripe.StripeClient("sk_test_nobody", base_addresses={"api": url})
    refused(stripe.AuthenticationError, lambda: stranger.v1.charges.list())
    narrow = sim("/_sim/keys", {"permissions": {"charges": "read"}})["key"]
    narrow = stripe.StripeClient(narrow, base_addresses={"api": url})
    assert narrow.v1.charges.list().object == "list"
    refused(stripe.PermissionError, lambda: narrow.v1.refunds.list())
    assert missing.request_id.startswith("req_")


@checks
def every_documented_card_does_as_documented():
    expected = {
        "visa": None, "mastercard": None, "amex": None, "visa_chargeDeclined": "generic_decline",
        "visa_chargeDeclinedInsufficientFunds": "insufficient_funds", "visa_chargeDeclinedStolenCard": "stolen_card",
        "chargeDeclinedExpiredCard": "expired_card", "chargeDeclinedIncorrectCvc": "incorrect_cvc",
        "chargeDeclinedProcessingError": "processing_error", "chargeCustomerFail": "generic_decline",
        "visa_chargeDeclinedVelocityLimitExceeded": "card_velocity_exceeded",
    }
    for name, decline in expected.items():
        params = {"amount": 900, "currency": "eur", "payment_method": f"pm_card_{name}", "confirm": True}
        if decline is None:
            assert v1.payment_intents.create(params).status == "succeeded", name
        else:
            met = refused(stripe.CardError, lambda params=params: v1.payment_intents.create(params))
            assert met.error.decline_code == decline, (name, met.error.decline_code)
    challenge = {"amount": 900, "currency": "eur", "payment_method": "pm_card_authenticationRequired", "confirm": True}
    assert v1.payment_intents.create(challenge).status == "requires_action"
    met = refused(stripe.CardError, lambda: v1.payment_intents.create({**challenge, "off_session": True}))
    assert met.code == "authentication_required"


@checks
def a_repeated_key_replays_and_a_reused_one_is_refused():
    charge = new_charge()
    first = v1.refunds.create({"charge": charge, "amount": 700}, {"idempotency_key": "python-1"})
    again = v1.refunds.create({"charge": charge, "amount": 700}, {"idempotency_key": "python-1"})
    assert first.id == again.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    refused(stripe.IdempotencyError, lambda: v1.refunds.create(
        {"charge": charge, "amount": 800}, {"idempotency_key": "python-1"}))
    assert len(v1.refunds.list({"charge": charge}).data) == 1


@checks
def the_sdks_own_retries_cure_a_lost_answer():
    charge = new_charge()
    patient = stripe.StripeClient(key, base_addresses={"api": url}, max_network_retries=2)
    for kind in ["timeout_before", "timeout_after", "drop"]:
        sim("/_sim/faults", {"route": "POST /v1/refunds", "kind": kind})
        patient.v1.refunds.create({"charge": charge, "amount": 100})
    assert len(v1.refunds.list({"charge": charge}).data) == 3


@checks
def auto_pagination_visits_each_object_once():
    marked = [v1.customers.create({"name": f"Page {index}", "email": "page@example.com"}).id for index in range(25)]
    page = v1.customers.list({"limit": 10, "email": "page@example.com"})
    walked = [customer.id for customer in page.auto_paging_iter()]
    assert walked == list(reversed(marked)), walked


@checks
def expand_gives_objects():
    charge = v1.charges.retrieve(new_charge(), {"expand": ["customer", "payment_intent.payment_method"]})
    assert type(charge.customer) is stripe.Customer
    assert charge.payment_intent.payment_method.card.last4


@checks
def a_failing_invoice_can_be_paid_with_a_better_card():
    made = trigger("invoice.payment_failed", amount=64000, decline_code="insufficient_funds")
    invoice = made["event"]["data"]["object"]
    met = refused(stripe.CardError, lambda: v1.invoices.pay(invoice["id"]))
    assert met.error.decline_code == "insufficient_funds"
    better = v1.payment_methods.attach("pm_card_visa", {"customer": invoice["customer"]})
    paid = v1.invoices.pay(invoice["id"], {"payment_method": better.id, "expand": ["payments"]})
    assert (paid.status, paid.amount_paid, paid.payments.data[0].status) == ("paid", 64000, "paid")
    assert v1.subscriptions.retrieve(paid.parent.subscription_details.subscription).status == "active"


@checks
def a_webhook_passes_the_sdks_verifier():
    server, heard = listen()
    endpoint = v1.webhook_endpoints.create(
        {"url": f"http://127.0.0.1:{server.server_port}/", "enabled_events": ["charge.refunded"]})
    charge = new_charge()
    v1.refunds.create({"charge": charge}, {"idempotency_key": "python-hook"})
    body, signature = heard.get(timeout=10)
    event = client.construct_event(body, signature, endpoint.secret)
    assert (event.type, event.data.object.id) == ("charge.refunded", charge)
    assert event.request.idempotency_key == "python-hook"
    refused(stripe.SignatureVerificationError, lambda: client.construct_event(body, signature, "whsec_other"))
    v1.webhook_endpoints.delete(endpoint.id)
    server.shutdown()


@checks
def a_test_clock_drives_billing():
    clock = v1.test_helpers.test_clocks.create({"frozen_time": 1_800_000_000})
    customer = v1.customers.create({"test_clock": clock.id, "payment_method": "pm_card_visa"})
    method = v1.customers.payment_methods.list(customer.id).data[0]
    v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    price = v1.prices.create({"currency": "gbp", "unit_amount": 1200, "recurring": {"interval": "month"},
                              "product_data": {"name": "Clocked"}})
    subscription = v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id, "quantity": 2}]})
    assert subscription.status == "active"
    v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": 1_800_000_000 + 32 * 86_400})
    paid = v1.invoices.list({"subscription": subscription.id, "status": "paid"}).data
    assert [invoice.amount_paid for invoice in paid] == [2400, 2400]


def main():
    passed = failed = 0
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        try:
            function()
            passed += 1
            print(f"ok    python: {name}")
        except Exception as error:  # every failure is reported, whatever it is
            failed += 1
            print(f"FAIL  python: {name}: {type(error).__name__}: {error}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()

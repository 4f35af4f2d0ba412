//! What the simulator says is what our own readers of Stripe understand.

use bursar_fake_stripe::{FakeStripe, Size};
use bursar_stripe::Event;
use bursar_stripe::object::{
    BalanceTransaction, Charge, Customer, Dispute, Invoice, InvoicePayment, PaymentIntent, PaymentMethod,
    Refund, Subscription,
};
use serde_json::Value;

use crate::server::{Server, options, serve};

async fn all(server: &Server, path: &str) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    loop {
        let after = found.last().map(|last| format!("&starting_after={}", last["id"].as_str().unwrap()));
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = server.get(&format!("{path}{separator}limit=100{}", after.unwrap_or_default())).await.body;
        found.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["has_more"] == false {
            return found;
        }
    }
}

#[tokio::test]
async fn every_event_and_every_object_of_a_company_reads() {
    let stripe = FakeStripe::open(options()).unwrap();
    stripe.populate(Size::Small).unwrap();
    let server = serve(stripe).await;
    let events = all(&server, "/v1/events").await;
    assert!(events.len() > 500);
    for event in &events {
        let read = Event::parse(event.to_string().as_bytes());
        assert!(read.is_ok(), "{}: {:?}", event["type"], read.err());
    }
    macro_rules! read {
        ($($path:literal $reader:ident;)*) => {$(
            let objects = all(&server, $path).await;
            assert!(!objects.is_empty(), $path);
            for object in &objects {
                let read = $reader::from_value(object);
                assert!(read.is_ok(), "{} {}: {:?}", $path, object["id"], read.err());
            }
        )*};
    }
    read! {
        "/v1/balance_transactions" BalanceTransaction;
        "/v1/charges" Charge;
        "/v1/customers" Customer;
        "/v1/disputes" Dispute;
        "/v1/invoices?expand[]=data.payments" Invoice;
        "/v1/invoice_payments" InvoicePayment;
        "/v1/payment_intents?expand[]=data.latest_charge" PaymentIntent;
        "/v1/payment_methods" PaymentMethod;
        "/v1/refunds" Refund;
        "/v1/subscriptions?status=all" Subscription;
    }
}

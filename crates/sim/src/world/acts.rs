//! Each thing that Bursar can do at Stripe, set up and set off.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bursar_domain::actor::Actor;
use bursar_domain::id::ProposalId;
use bursar_engine::PortalRequest;
use serde_json::{Value, json};

use super::stand::{World, object};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Refund,
    Pay,
    Portal,
}

/// What each refund here is over, of a charge of 90.00.
const REFUNDED: i64 = 2_500;

/// An invoice that could not be paid.
#[derive(Clone, Debug)]
pub(super) struct Unpaid {
    pub(super) event: Value,
    pub(super) invoice: String,
    pub(super) customer: String,
}

impl Verb {
    pub(super) const ALL: [Verb; 3] = [Verb::Refund, Verb::Pay, Verb::Portal];

    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Refund => "refund.create",
            Verb::Pay => "invoice.pay",
            Verb::Portal => "billing_portal.session.create",
        }
    }

    /// Makes at Stripe what it will be about, and answers its id.
    pub(super) async fn prepare(self, world: &mut World) -> anyhow::Result<String> {
        match self {
            Verb::Refund => world.charge(9_000),
            Verb::Portal => object(&world.trigger("customer.created", json!({}))?, "customer"),
            Verb::Pay => {
                let unpaid = world.unpaid("insufficient_funds")?;
                ensure!(world.deliver(0, &unpaid.event).await, "the event is not acknowledged");
                world.quiet().await?;
                world.pass(Duration::from_mins(1))?;
                world.give_card(&unpaid).await?;
                Ok(unpaid.invoice)
            }
        }
    }

    /// Where it is sent.
    pub(super) fn path(self, about: &str) -> String {
        match self {
            Verb::Refund => "/v1/refunds".to_owned(),
            Verb::Pay => format!("/v1/invoices/{about}/pay"),
            Verb::Portal => "/v1/billing_portal/sessions".to_owned(),
        }
    }

    /// Has somebody want it, or hears that it can be done.
    pub(super) async fn begin(self, world: &mut World, about: &str) -> anyhow::Result<ProposalId> {
        match self {
            Verb::Refund => {
                let asked = world.ask(0, about, REFUNDED).await.context("no answer")??;
                return Ok(asked.proposal);
            }
            Verb::Pay => {
                let updated = |event: &&Value| event["type"] == "invoice.updated";
                let events = world.events().await?;
                let event = events.iter().rev().find(updated).context("nothing was updated")?;
                ensure!(world.deliver(0, event).await, "the event is not acknowledged");
            }
            Verb::Portal => world.ask_for_portal(0, about)?,
        }
        world.comes_up(self).await
    }
}

impl World {
    pub(super) fn unpaid(&self, decline_code: &str) -> anyhow::Result<Unpaid> {
        let made = self.trigger("invoice.payment_failed", json!({"decline_code": decline_code}))?;
        let (invoice, customer) = (object(&made, "invoice")?, object(&made, "customer")?);
        Ok(Unpaid { event: made["event"].clone(), invoice, customer })
    }

    /// A charge of which 40.00 were captured, where 90.00 were authorised.
    pub(super) async fn charge_in_part(&self) -> anyhow::Result<String> {
        let form = [
            ("amount", "9000"),
            ("currency", "usd"),
            ("payment_method", "pm_card_visa"),
            ("payment_method_types[]", "card"),
            ("confirm", "true"),
            ("capture_method", "manual"),
        ];
        let held = self.call("/v1/payment_intents", &form).await?;
        let id = held["id"].as_str().with_context(|| held.to_string())?.to_owned();
        let path = format!("/v1/payment_intents/{id}/capture");
        let captured = self.call(&path, &[("amount_to_capture", "4000")]).await?;
        Ok(captured["latest_charge"].as_str().with_context(|| captured.to_string())?.to_owned())
    }

    /// The customer gives a card that works, and the invoice is to be paid with it.
    pub(super) async fn give_card(&self, unpaid: &Unpaid) -> anyhow::Result<()> {
        let attach = [("customer", unpaid.customer.as_str())];
        let card = self.call("/v1/payment_methods/pm_card_visa/attach", &attach).await?;
        let card = card["id"].as_str().with_context(|| card.to_string())?.to_owned();
        let path = format!("/v1/invoices/{}", unpaid.invoice);
        let changed = self.call(&path, &[("default_payment_method", card.as_str())]).await?;
        ensure!(changed["default_payment_method"] == card.as_str(), "{changed}");
        Ok(())
    }

    /// Somebody in support asks for a link, and does not wait for it.
    pub(super) fn ask_for_portal(&self, node: usize, customer: &str) -> anyhow::Result<()> {
        let sam = self.people[0].clone();
        let request =
            PortalRequest { customer: customer.to_owned(), reason: "a new card".to_owned(), lane: None };
        let actor = Actor::Person { id: sam.id, name: sam.name };
        let at = self.nodes[node].as_ref().context("the engine was killed")?;
        let engine = at.engine.clone();
        at.process.runtime()?.spawn(async move {
            // What came of it is found in the database.
            engine.open_portal(actor, sam.roles, request).await.map(drop).unwrap_or_default();
        });
        Ok(())
    }

    /// Waits until such a thing is proposed.
    async fn comes_up(&self, verb: Verb) -> anyhow::Result<ProposalId> {
        for _ in 0..1_000 {
            let all = self.proposals().await?;
            if let Some(one) = all.iter().find(|one| one.content.action.verb() == verb.name()) {
                return Ok(one.id.clone());
            }
            // Who locked themselves out on PostgreSQL comes again a second later.
            self.pass_machine(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        anyhow::bail!("{} is not proposed", verb.name())
    }
}

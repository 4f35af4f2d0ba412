//! What may happen in a life: what people, customers and Stripe do, and what goes wrong.

use std::time::Duration;

use bursar_domain::approval::Choice;
use bursar_engine::{FailPoint, Fault};
use bursar_fake_stripe::gate::Harm as Answer;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Harm, Life};
use crate::world::acts::Unpaid;
use crate::world::faults::{FAULTS, Leads};
use crate::world::stand::object;

impl Life {
    /// A node that lives; the first one comes back where none does.
    async fn node(&mut self) -> anyhow::Result<usize> {
        let living: Vec<usize> =
            (0..self.world.nodes.len()).filter(|at| self.world.nodes[*at].is_some()).collect();
        if living.is_empty() {
            self.world.start(0).await?;
            return Ok(0);
        }
        Ok(living[self.chance.below(living.len())])
    }

    pub(super) async fn ask(&mut self, charged: i64, amount: i64) -> anyhow::Result<()> {
        let (node, charge) = (self.node().await?, self.world.charge(charged)?);
        if let Some(Ok(asked)) = self.world.ask(node, &charge, amount).await {
            self.asked.extend(asked.approval);
        }
        Ok(())
    }

    /// More than was captured, and less than was authorised.
    pub(super) async fn ask_too_much(&mut self) -> anyhow::Result<()> {
        let Ok(charge) = self.world.charge_in_part().await else { return Ok(()) };
        let (node, amount) = (self.node().await?, self.chance.between(4_100, 9_000));
        self.world.ask(node, &charge, amount).await;
        Ok(())
    }

    pub(super) async fn ask_of_seller(&mut self) -> anyhow::Result<()> {
        if self.world.account.is_none() {
            return Ok(());
        }
        let (node, charge) = (self.node().await?, self.world.charge_of_seller(9_000)?);
        let amount = self.chance.between(100, 4_000);
        self.world.ask(node, &charge, amount).await;
        Ok(())
    }

    pub(super) fn ask_for_portal(&mut self) -> anyhow::Result<()> {
        let customer = self.world.trigger("customer.created", json!({}))?;
        let customer = object(&customer, "customer")?;
        let living = (0..self.world.nodes.len()).find(|at| self.world.nodes[*at].is_some());
        living.map_or(Ok(()), |node| self.world.ask_for_portal(node, &customer))
    }

    /// Somebody votes, mostly as they should: sometimes again, on something else, against it, or without the role.
    pub(super) async fn vote(&mut self) -> anyhow::Result<()> {
        if self.asked.is_empty() {
            return Ok(());
        }
        let approval = self.asked[self.chance.below(self.asked.len())].clone();
        let (node, person) = (self.node().await?, self.chance.below(self.world.people.len()));
        let digest = self.chance.is(10).then(|| "0".repeat(64));
        let choice = if self.chance.is(10) { Choice::Reject } else { Choice::Approve };
        self.world.vote((node, person), &approval, choice, digest).await.map(drop)
    }

    pub(super) async fn fails(&mut self) -> anyhow::Result<()> {
        let unpaid = self.world.unpaid("insufficient_funds")?;
        self.late.push(unpaid.event.clone());
        self.unpaid.push(unpaid);
        if self.chance.is(60) { self.arrive().await } else { Ok(()) }
    }

    /// The customer pays it by themselves. What stands in our way may stand in theirs.
    pub(super) async fn pays(&mut self) -> anyhow::Result<()> {
        let Some(unpaid) = self.one_unpaid() else { return Ok(()) };
        if self.world.give_card(&unpaid).await.is_ok() {
            let path = format!("/v1/invoices/{}/pay", unpaid.invoice);
            self.world.call(&path, &[]).await.map(drop).unwrap_or_default();
        }
        self.hear_about(&unpaid).await;
        self.arrive().await
    }

    /// The customer gives another card, with which we may pay.
    pub(super) async fn card(&mut self) -> anyhow::Result<()> {
        let Some(unpaid) = self.one_unpaid() else { return Ok(()) };
        self.world.give_card(&unpaid).await.unwrap_or_default();
        self.hear_about(&unpaid).await;
        self.arrive().await
    }

    /// What Stripe tells of an invoice and its customer sets out. Where Stripe cannot be read, that never comes.
    async fn hear_about(&mut self, unpaid: &Unpaid) {
        let about = |event: &Value| {
            let object = &event["data"]["object"];
            object["id"] == unpaid.invoice.as_str() || object["customer"] == unpaid.customer.as_str()
        };
        let news = self.world.events().await.unwrap_or_default().into_iter().filter(|event| about(event));
        self.late.extend(news.filter(|event| event["id"] != unpaid.event["id"]));
    }

    fn one_unpaid(&mut self) -> Option<Unpaid> {
        let at = self.chance.below(self.unpaid.len());
        (at < self.unpaid.len()).then(|| self.unpaid.swap_remove(at))
    }

    /// Some of what is on its way comes in, in any order: again, or under another name besides.
    pub(super) async fn arrive(&mut self) -> anyhow::Result<()> {
        for _ in 0..=self.chance.below(4) {
            if self.late.is_empty() {
                return Ok(());
            }
            let at = self.chance.below(self.late.len());
            let (node, event) = (self.node().await?, self.late[at].clone());
            let kept = self.world.deliver(node, &event).await;
            // Now and then what came comes once more.
            if kept && self.chance.is(70) {
                self.late.swap_remove(at);
            }
            if self.chance.is(10) {
                let mut twin = event;
                twin["id"] = format!("{}Twin{at}", twin["id"].as_str().unwrap_or_default()).into();
                self.world.deliver(node, &twin).await;
            }
        }
        Ok(())
    }

    pub(super) async fn of_other_mode(&mut self) -> anyhow::Result<()> {
        let mut live = self.world.unpaid("insufficient_funds")?.event;
        live["id"] = format!("{}Live", live["id"].as_str().unwrap_or_default()).into();
        live["livemode"] = true.into();
        let node = self.node().await?;
        self.world.deliver(node, &live).await;
        Ok(())
    }

    /// Stripe answers something else, once or twice.
    pub(super) fn answers(&mut self) {
        let fault = &FAULTS[self.chance.below(FAULTS.len())];
        // What stops the whole account stops the life with it: less often.
        if fault.leads == Leads::Halt && self.chance.is(70) {
            return;
        }
        let times = 1 + self.chance.below(2);
        let harm = if self.chance.is(15) { Answer::Late } else { (fault.harm)() };
        let path = ["/v1/refunds", "/v1/invoices/", "/v1/billing_portal/"][self.chance.below(3)];
        self.world.gate.harm("POST", path, times, harm);
    }

    /// Stripe cannot be read, or is away for a while.
    pub(super) async fn silence(&mut self) -> anyhow::Result<()> {
        if self.chance.is(50) {
            let harm = Answer::answer(503, "");
            self.world.gate.harm("GET", "/v1/", 1 + self.chance.below(3), harm);
            return Ok(());
        }
        self.world.gate.close();
        let hours = self.chance.between(1, 30);
        self.world.pass(Duration::from_hours(u64::try_from(hours)?))?;
        self.rest().await?;
        self.world.gate.reopen().await;
        Ok(())
    }

    /// Somebody who comes by a named place dies there, gets an error, or stands still for a while.
    pub(super) fn harm_a_place(&mut self) -> anyhow::Result<()> {
        let node = self.chance.below(self.world.nodes.len());
        if self.harm.is_some() || self.world.nodes[node].is_none() {
            return Ok(());
        }
        let point = FailPoint::ALL[self.chance.below(FailPoint::ALL.len())];
        let (let_go, go_on) = oneshot::channel();
        let (fault, dies) = match self.chance.below(3) {
            0 => (Fault::Stop, true),
            1 => (Fault::Fail, false),
            _ => (Fault::Wait(go_on), false),
        };
        self.world.harm_at(node, point, (self.chance.below(2), fault))?;
        self.harm = Some(Harm { node, dies, let_go: Some(let_go) });
        Ok(())
    }

    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        let node = self.chance.below(self.world.nodes.len());
        if self.world.nodes[node].is_some() && self.chance.is(50) {
            self.world.kill(node);
            return Ok(());
        }
        self.world.start(node).await
    }

    pub(super) fn turn_a_clock(&mut self) -> anyhow::Result<()> {
        match self.chance.below(3) {
            0 => self.world.skew(0),
            1 => {
                let minutes = self.chance.between(-120, 120);
                self.world.skew(minutes * 60);
            }
            _ => {
                let minutes = self.chance.between(1, 120);
                self.world.pass_machine(Duration::from_mins(u64::try_from(minutes)?));
            }
        }
        Ok(())
    }
}

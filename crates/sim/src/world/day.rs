//! A day on which everything happens that Bursar can do, so that whoever comes through it has come by every named place.
//! Each step is done again until it is done, as those who ask and Stripe do.

use std::time::Duration;

use anyhow::Context as _;
use bursar_domain::actor::Actor;
use bursar_domain::approval::Choice;
use bursar_domain::case::CaseState;
use bursar_domain::id::{ApprovalId, ProposalId};
use bursar_domain::proposal::ProposalState;
use bursar_engine::{FailPoint, Fault, RefundRequest};
use bursar_fake_stripe::gate::Harm;
use bursar_store::request_keys::RequestKey;
use serde_json::{Value, json};

use super::acts::{Unpaid, Verb};
use super::stand::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A payment failed.
    Hear,
    /// An event that a worker has to take.
    HearOfRefund,
    /// A small refund, whose intent is come upon again and whose first answer is lost.
    Refund,
    /// A large one, on which somebody votes.
    Vote,
    /// A large one, on which nobody does.
    Wait,
    /// The customer gives another card.
    Pay,
    Portal,
    /// The day is over.
    Expire,
}

impl Step {
    pub(super) const ALL: [Step; 8] = [
        Step::Hear,
        Step::HearOfRefund,
        Step::Refund,
        Step::Vote,
        Step::Wait,
        Step::Pay,
        Step::Portal,
        Step::Expire,
    ];
}

/// What there is today, and what came of it.
pub(super) struct Day {
    number: usize,
    unpaid: Unpaid,
    refunded: Value,
    charges: [String; 3],
    customer: String,
    card_given: bool,
    is_over: bool,
    refund: Option<ProposalId>,
    voted: Option<(ProposalId, ApprovalId)>,
    left: Option<ProposalId>,
}

/// Steps, of twenty seconds each, within which an action comes to its end.
const STEPS_MAX: usize = 30;

impl Day {
    pub(super) fn begin(world: &World, number: usize) -> anyhow::Result<Day> {
        let customer = world.trigger("customer.created", json!({}))?;
        Ok(Day {
            number,
            unpaid: world.unpaid("insufficient_funds")?,
            refunded: world.trigger("refund.created", json!({}))?["event"].clone(),
            charges: [world.charge(9_000)?, world.charge(90_000)?, world.charge(90_000)?],
            customer: super::stand::object(&customer, "customer")?,
            card_given: false,
            is_over: false,
            refund: None,
            voted: None,
            left: None,
        })
    }

    /// Tries a step; whether it is done. What stands in its way is met by others.
    pub(super) async fn go(&mut self, world: &mut World, step: Step) -> anyhow::Result<bool> {
        match step {
            Step::Hear => {
                let event = self.unpaid.event.clone();
                Ok(world.deliver(0, &event).await && world.quiet().await?)
            }
            Step::HearOfRefund => {
                let event = self.refunded.clone();
                Ok(world.deliver(0, &event).await && world.quiet().await?)
            }
            Step::Refund => {
                if self.refund.is_none() {
                    world.engine(0)?.harm_at(FailPoint::Intended, 0, Fault::Fail);
                    if world.gate.unmet() == 0 {
                        world.gate.harm("POST", "/v1/refunds", 1, Harm::CutAfter);
                    }
                    let asked = self.ask(world, 0, 2_500).await;
                    self.refund = asked.map(|(proposal, _)| proposal);
                }
                match self.refund.clone() {
                    Some(refund) => world.comes_to_an_end(&refund).await,
                    None => Ok(false),
                }
            }
            Step::Vote => self.vote(world).await,
            Step::Wait => {
                if self.left.is_none() {
                    self.left = self.ask(world, 2, 30_000).await.map(|(proposal, _)| proposal);
                }
                Ok(self.left.is_some() && world.quiet().await?)
            }
            Step::Pay => self.pay(world).await,
            Step::Portal => self.portal(world).await,
            Step::Expire => {
                if !self.is_over {
                    self.is_over = true;
                    world.pass(Duration::from_hours(25))?;
                }
                match self.left.clone() {
                    Some(left) => world.comes_to_an_end(&left).await,
                    None => Ok(false),
                }
            }
        }
    }

    /// Somebody in support asks, under a key of theirs, so that asking again is not asking twice.
    async fn ask(
        &self,
        world: &mut World,
        which: usize,
        amount: i64,
    ) -> Option<(ProposalId, Option<ApprovalId>)> {
        let (sam, charge) = (world.people[0].clone(), self.charges[which].clone());
        let key = RequestKey {
            actor: format!("person:{}", sam.id),
            key: format!("day-{}-{which}", self.number),
            request_hash: charge.clone(),
        };
        let reason = "requested_by_customer".to_owned();
        let request = RefundRequest { charge, amount: Some(amount), currency: None, reason, lane: None };
        let actor = Actor::Person { id: sam.id, name: sam.name };
        let asked = world
            .on(0, |engine| async move { engine.request_refund_once(actor, sam.roles, key, request).await })
            .await?
            .ok()?;
        world.answered.insert(asked.proposal.to_string());
        Some((asked.proposal, asked.approval))
    }

    async fn vote(&mut self, world: &mut World) -> anyhow::Result<bool> {
        if self.voted.is_none() {
            let Some((proposal, approval)) = self.ask(world, 1, 30_000).await else { return Ok(false) };
            self.voted = Some((proposal, approval.context("nobody was asked")?));
        }
        let Some((proposal, approval)) = self.voted.clone() else { return Ok(false) };
        if world.state(&proposal).await? == ProposalState::Asking {
            // Whoever does not hear that it was counted votes again, and is told that it was.
            world.vote((0, 1), &approval, Choice::Approve, None).await?;
        }
        Ok(world.state(&proposal).await? != ProposalState::Asking && world.comes_to_an_end(&proposal).await?)
    }

    async fn pay(&mut self, world: &mut World) -> anyhow::Result<bool> {
        if !self.card_given {
            world.pass(Duration::from_mins(1))?;
            world.give_card(&self.unpaid).await?;
            self.card_given = true;
        }
        let about = |event: &&Value| {
            event["type"] == "invoice.updated"
                && event["data"]["object"]["id"] == self.unpaid.invoice.as_str()
        };
        let events = world.events().await?;
        let event = events.iter().rev().find(about).context("nothing was updated")?;
        if !world.deliver(0, event).await {
            return Ok(false);
        }
        world.quiet().await?;
        if let Some(proposal) = self.proposed(world, Verb::Pay).await? {
            return world.comes_to_an_end(&proposal).await;
        }
        world.pass_machine(Duration::from_secs(5));
        Ok(false)
    }

    async fn portal(&self, world: &mut World) -> anyhow::Result<bool> {
        if self.proposed(world, Verb::Portal).await?.is_none() {
            world.ask_for_portal(0, &self.customer)?;
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(4)).await;
                if world.is_struck() || self.proposed(world, Verb::Portal).await?.is_some() {
                    break;
                }
            }
        }
        match self.proposed(world, Verb::Portal).await? {
            Some(proposal) => world.comes_to_an_end(&proposal).await,
            None => Ok(false),
        }
    }

    /// What was proposed today.
    async fn proposed(&self, world: &World, verb: Verb) -> anyhow::Result<Option<ProposalId>> {
        let about = if verb == Verb::Pay { &self.unpaid.invoice } else { &self.customer };
        let all = world.proposals().await?;
        let of_today = |action: &bursar_domain::action::Action| match action {
            bursar_domain::action::Action::CreatePortalSession { customer } => customer.as_str() == about,
            bursar_domain::action::Action::PayInvoice { invoice, .. } => invoice.as_str() == about,
            _ => false,
        };
        Ok(all.into_iter().find(|one| of_today(&one.content.action)).map(|one| one.id))
    }

    /// What should have come of the day, and did not.
    pub(super) async fn judge(&self, world: &mut World) -> anyhow::Result<()> {
        use ProposalState::{Done, Expired};
        let voted = self.voted.as_ref().map(|(proposal, _)| proposal.clone());
        let paid = self.proposed(world, Verb::Pay).await?;
        let portal = self.proposed(world, Verb::Portal).await?;
        let all = [
            ("the refund", self.refund.clone(), Done),
            ("what was voted on", voted, Done),
            ("what nobody voted on", self.left.clone(), Expired),
            ("the payment", paid, Done),
            ("the link", portal, Done),
        ];
        for (what, proposal, due) in all {
            let state = match &proposal {
                Some(proposal) => Some(world.state(proposal).await?),
                None => None,
            };
            if state != Some(due) {
                world.note("I8", format!("{what} is {state:?}, and should be {due:?}"));
            }
        }
        let cases = world.cases().await?;
        let of_invoice = cases.iter().filter(|case| case.key.object_id == self.unpaid.invoice);
        let states: Vec<&CaseState> = of_invoice.map(|case| &case.state).collect();
        if states.len() != 1 || !states[0].is_closed() {
            world.note("I8", format!("the cases of the invoice that was paid: {states:?}"));
        }
        Ok(())
    }
}

impl World {
    /// Lets the wall clock run until an action has ended; false where something stands in its way.
    pub(super) async fn comes_to_an_end(&self, proposal: &ProposalId) -> anyhow::Result<bool> {
        for _ in 0..STEPS_MAX {
            if !self.quiet().await? {
                return Ok(false);
            }
            if !self.state(proposal).await?.is_open() {
                return Ok(true);
            }
            self.pass_machine(Duration::from_secs(20));
        }
        Ok(false)
    }
}

//! What was paid, and with what: a line for the title, from the objects as they lie in the mirror. Words only; nothing of it
//! is voted on.

use bursar_domain::action::Action;
use bursar_store::proposals::Proposal;
use bursar_store::seal::Keyring;
use bursar_store::{Db, objects};
use bursar_stripe::money::Money;
use bursar_stripe::object::{Card, Charge, PaymentMethod};

use crate::Result;

/// What the mirror knows beside a proposal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paid {
    /// What was charged and when, where a charge is refunded.
    pub(crate) charge: Option<(Money, i64)>,
    pub(crate) card: Option<Card>,
}

impl Paid {
    pub(crate) async fn of(db: &mut Db, keyring: &Keyring, proposal: &Proposal) -> Result<Self> {
        let (kind, id) = match &proposal.content.action {
            Action::RefundCharge { charge, .. } => ("charge", charge.as_str()),
            Action::PayInvoice { payment_method: Some(method), .. } => ("payment_method", method.as_str()),
            _ => return Ok(Self::default()),
        };
        let held = objects::get(db, keyring, &proposal.lane, kind, id).await?;
        let Some(body) = held.map(|held| held.body) else { return Ok(Self::default()) };
        // What cannot be understood is left out of a line that decides nothing.
        Ok(if kind == "charge" {
            let charge = Charge::from_value(&body).ok();
            Self {
                charge: charge.as_ref().map(|charge| (charge.amount, charge.created_s)),
                card: charge.and_then(|charge| charge.card),
            }
        } else {
            Self { charge: None, card: PaymentMethod::from_value(&body).ok().and_then(|method| method.card) }
        })
    }

    /// `Visa ••4242`.
    pub(super) fn card_words(&self) -> Option<String> {
        let card = self.card.as_ref()?;
        let brand = super::words::capitalised(card.brand.as_deref().unwrap_or("card"));
        Some(format!("{brand} ••{}", card.last4.as_deref()?))
    }
}

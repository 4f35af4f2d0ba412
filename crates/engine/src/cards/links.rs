//! Where the same thing can be looked at: Stripe's own pages.

use bursar_domain::lane::Lane;
use bursar_store::proposals::Proposal;
use serde_json::{Value, json};

/// Stripe's own page of an object. Ids are checked, so that none can lead elsewhere.
pub fn dashboard(lane: &Lane, kind: &str, id: &str) -> Option<String> {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let place = match kind {
        "invoice" => "invoices",
        "charge" => "payments",
        "customer" => "customers",
        "subscription" => "subscriptions",
        _ => return None,
    };
    let (account, mode) = (lane.account.as_str(), if lane.livemode { "" } else { "test/" });
    (plain(id) && plain(account))
        .then(|| format!("https://dashboard.stripe.com/{account}/{mode}{place}/{id}"))
}

/// The object and its customer. A simulated Stripe has no pages.
pub(super) fn of(proposal: &Proposal, at_stripe: bool) -> Vec<Value> {
    let Ok(lane) = proposal.lane.parse::<Lane>() else { return Vec::new() };
    if !at_stripe {
        return Vec::new();
    }
    let target = proposal.content.action.target();
    let customer = proposal.customer.as_deref().map(|id| ("customer", id));
    let mut links = Vec::new();
    for (kind, id) in target.into_iter().chain(customer.filter(|customer| Some(*customer) != target)) {
        if let Some(url) = dashboard(&lane, kind, id) {
            links
                .push(json!({"label": format!("{} at Stripe", super::words::capitalised(kind)), "url": url}));
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_nowhere_else() {
        let lane = |text: &str| text.parse::<Lane>().unwrap();
        let shown = |lane_text: &str, kind, id| dashboard(&lane(lane_text), kind, id);
        assert_eq!(
            shown("acct_1/test", "charge", "ch_1").as_deref(),
            Some("https://dashboard.stripe.com/acct_1/test/payments/ch_1")
        );
        assert_eq!(
            shown("acct_1/live", "invoice", "in_1").as_deref(),
            Some("https://dashboard.stripe.com/acct_1/invoices/in_1")
        );
        assert_eq!(shown("acct_1/live", "charge", "../../x"), None);
        assert_eq!(shown("acct_1/live", "mailbox", "x"), None);
    }
}

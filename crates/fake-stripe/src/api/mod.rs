//! Every resource has a page here with its routes; this list is the whole API.

pub mod account;
mod balance;
mod charges;
mod credit_notes;
pub mod customers;
mod disputes;
mod event_destinations;
pub mod events;
pub mod included;
mod invoices;
pub mod payment_intents;
pub mod payment_methods;
pub mod payouts;
mod portal;
pub mod prices;
mod refunds;
mod subscriptions;
mod test_clocks;
pub mod webhook_endpoints;

use crate::wire::Route;

const PAGES: &[&[Route]] = &[
    account::ROUTES,
    balance::ROUTES,
    charges::ROUTES,
    credit_notes::ROUTES,
    customers::ROUTES,
    disputes::ROUTES,
    event_destinations::ROUTES,
    events::ROUTES,
    invoices::ROUTES,
    payment_intents::ROUTES,
    payment_methods::ROUTES,
    payouts::ROUTES,
    portal::ROUTES,
    prices::ROUTES,
    refunds::ROUTES,
    subscriptions::ROUTES,
    test_clocks::ROUTES,
    webhook_endpoints::ROUTES,
];

/// The route of a call, with the ids in its path. A literal path beats one with ids.
pub fn route(method: &str, path: &str) -> Option<(&'static Route, Vec<String>)> {
    let found = PAGES.iter().flat_map(|page| page.iter());
    found.filter_map(|route| Some((route, route.matches(method, path)?))).min_by_key(|(_, ids)| ids.len())
}

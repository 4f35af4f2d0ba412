//! `/v1/billing_portal`: short-lived links that let a customer help themselves.

use serde_json::{Value, json};

use super::customers;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::wire::{Args, Route};
use crate::world::{Kind, Tx, ids};

pub const ROUTES: &[Route] = &[
    Route::post(
        "/v1/billing_portal/sessions",
        "billing_portal",
        &["customer"],
        &["after_expiration", "configuration", "flow_data", "locale", "on_behalf_of", "return_url"],
        create,
    ),
    Route::list(
        "/v1/billing_portal/configurations",
        "billing_portal",
        &["active", "is_default"],
        configurations,
    ),
];

const FLOWS: [&str; 6] = [
    "customer_update",
    "payment_method_update",
    "subscription_cancel",
    "subscription_pause",
    "subscription_update",
    "subscription_update_confirm",
];

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let customer = customers::live(tx, params.need("customer")?, "customer")?;
    let flow = match params.part("flow_data") {
        Some(flow) => {
            let kind = flow.one_of("type", &FLOWS)?.ok_or_else(|| ApiError::missing("flow_data[type]"))?;
            let mut shown = json!({"type": kind, "after_completion": {"type": "portal_homepage",
                "hosted_confirmation": null, "redirect": null}, "customer_update": null, "subscription_cancel": null,
                "subscription_pause": null, "subscription_update": null, "subscription_update_confirm": null});
            if let Some(completion) = flow.part("after_completion") {
                let fields = ["hosted_confirmation", "redirect", "type"];
                completion.copy(&mut shown["after_completion"], &fields);
            }
            flow.copy(&mut shown, &["subscription_cancel", "subscription_pause", "subscription_update"]);
            shown
        }
        None => Value::Null,
    };
    let id = tx.id(Kind::PortalSession);
    let secret = ids::letters(tx.world.ids.counter, 5, 64);
    let mode = if tx.livemode() { "live" } else { "test" };
    let mut session = json!({
        "id": id, "object": "billing_portal.session", "after_expiration": null,
        "configuration": configuration(tx)["id"], "created": tx.now,
        "customer": customer["id"], "customer_account": null, "flow": flow, "livemode": tx.livemode(),
        "locale": null, "on_behalf_of": null, "return_url": null,
        "url": format!("https://billing.stripe.com/p/session/{mode}_{secret}"),
    });
    params.copy(&mut session, &["configuration", "locale", "on_behalf_of", "return_url"]);
    tx.put(Kind::PortalSession, session.clone());
    tx.emit("billing_portal.session.created", &session);
    tx.effect("portal_session.create", &session);
    Ok(session)
}

/// The one configuration that every account begins with.
fn configuration(tx: &Tx<'_>) -> Value {
    let account = tx.get(Kind::Account, &tx.account).map_or(0, |account| account.int("created"));
    json!({
        "id": format!("bpc_{}", ids::letters(7, 11, 24)), "object": "billing_portal.configuration", "active": true,
        "application": null, "business_profile": {"headline": null, "privacy_policy_url": null,
            "terms_of_service_url": null},
        "created": account, "default_return_url": null,
        "features": {
            "customer_update": {"allowed_updates": ["address", "email"], "enabled": true},
            "invoice_history": {"enabled": true}, "payment_method_update": {"enabled": true,
                "payment_method_configuration": null},
            "subscription_cancel": {"cancellation_reason": {"enabled": false, "options": []}, "enabled": true,
                "mode": "at_period_end", "proration_behavior": "none"},
            "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": false},
            "subscription_update": {"default_allowed_updates": [], "enabled": false, "products": [],
                "proration_behavior": "none", "schedule_at_period_end": {"conditions": []},
                "trial_update_behavior": "end_trial"},
        },
        "is_default": true, "livemode": tx.livemode(), "login_page": {"enabled": false, "url": null},
        "metadata": {}, "name": null, "updated": account,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "every route answers in this shape")]
fn configurations(tx: &mut Tx<'_>, _: &Args) -> ApiResult {
    Ok(crate::doc::list("/v1/billing_portal/configurations", vec![configuration(tx)]))
}

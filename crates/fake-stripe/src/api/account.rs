//! `/v1/account`, `/v1/accounts`: the platform and its connected accounts.

use serde_json::{Value, json};

use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::wire::{Args, Route, list};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::get("/v1/account", "account", own),
    Route::list("/v1/accounts", "account", &[], all),
    Route::get("/v1/accounts/{id}", "account", retrieve),
    Route::post(
        "/v1/accounts",
        "account",
        &[],
        &["business_profile", "country", "email", "metadata", "type"],
        create,
    ),
];

/// A new account document.
pub fn document(tx: &Tx<'_>, id: &str, name: &str, country: &str) -> Value {
    json!({
        "id": id, "object": "account", "business_profile": {"mcc": "5734", "name": name, "product_description": null,
            "support_address": null, "support_email": null, "support_phone": null, "support_url": null, "url": null},
        "business_type": "company", "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": true, "controller": {"type": "account"}, "country": country, "created": tx.now,
        "default_currency": "usd", "details_submitted": true, "email": null, "external_accounts":
            {"object": "list", "data": [], "has_more": false, "url": format!("/v1/accounts/{id}/external_accounts")},
        "future_requirements": {}, "metadata": {}, "payouts_enabled": true, "requirements": {},
        "settings": {"branding": {"icon": null, "logo": null, "primary_color": null, "secondary_color": null},
            "card_payments": {"statement_descriptor_prefix": null, "statement_descriptor_prefix_kana": null,
                "statement_descriptor_prefix_kanji": null},
            "payments": {"statement_descriptor": null, "statement_descriptor_kana": null,
                "statement_descriptor_kanji": null},
            "dashboard": {"display_name": name, "timezone": "Etc/UTC"},
            "payouts": {"debit_negative_balances": true, "schedule": {"delay_days": 2, "interval": "daily"},
                "statement_descriptor": null}},
        "tos_acceptance": {"date": null, "ip": null, "user_agent": null}, "type": "standard",
    })
}

fn own(tx: &mut Tx<'_>, _: &Args) -> ApiResult {
    let (platform, account) = (tx.world.platform.clone(), tx.account.clone());
    tx.world
        .get(&platform, Kind::Account, &account)
        .cloned()
        .ok_or_else(|| ApiError::no_such(Kind::Account, &account))
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let platform = tx.world.platform.clone();
    let found = tx.world.get(&platform, Kind::Account, args.id()).cloned();
    found.ok_or_else(|| ApiError::no_such(Kind::Account, args.id()))
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let platform = tx.world.platform.clone();
    let connected = |account: &Value| account.text("id") != platform;
    list::page(tx, Kind::Account, "/v1/accounts", &args.params, None, connected)
}

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let id = tx.id(Kind::Account);
    let country = args.params.text("country").unwrap_or("US").to_owned();
    let name =
        args.params.part("business_profile").and_then(|profile| profile.text("name").map(str::to_owned));
    let mut account = document(tx, &id, name.as_deref().unwrap_or("Connected account"), &country);
    args.params.copy(&mut account, &["email", "type"]);
    args.params.merge_metadata(&mut account)?;
    tx.put(Kind::Account, account.clone());
    tx.put_on(&id, Kind::Account, account.clone());
    Ok(account)
}

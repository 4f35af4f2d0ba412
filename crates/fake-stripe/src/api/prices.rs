//! `/v1/products` and `/v1/prices`: the catalogue.

use serde_json::{Value, json};

use crate::api::payment_intents::currency;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::wire::{Args, Params, Route, list};
use crate::world::{Kind, Tx};

const PRODUCT: &[&str] = &[
    "active",
    "default_price_data",
    "description",
    "id",
    "images",
    "metadata",
    "name",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
];

pub const ROUTES: &[Route] = &[
    Route::list("/v1/products", "products", &["active", "ids"], products),
    Route::post("/v1/products", "products", &["name"], PRODUCT, create_product),
    Route::get("/v1/products/{id}", "products", product),
    Route::post("/v1/products/{id}", "products", &[], PRODUCT, update_product),
    Route::delete("/v1/products/{id}", "products", delete_product),
    Route::list("/v1/prices", "prices", &["active", "currency", "lookup_keys", "product", "type"], prices),
    Route::post(
        "/v1/prices",
        "prices",
        &["currency"],
        &[
            "active",
            "billing_scheme",
            "lookup_key",
            "metadata",
            "nickname",
            "product",
            "product_data",
            "recurring",
            "tax_behavior",
            "unit_amount",
            "unit_amount_decimal",
        ],
        create_price,
    ),
    Route::get("/v1/prices/{id}", "prices", price),
    Route::post(
        "/v1/prices/{id}",
        "prices",
        &[],
        &["active", "lookup_key", "metadata", "nickname", "tax_behavior"],
        update_price,
    ),
];

/// A product with this name.
pub fn product_document(tx: &mut Tx<'_>, name: &str) -> Value {
    let id = tx.id(Kind::Product);
    json!({
        "id": id, "object": "product", "active": true, "created": tx.now, "default_price": null, "description": null,
        "images": [], "livemode": tx.livemode(), "marketing_features": [], "metadata": {}, "name": name,
        "package_dimensions": null, "shippable": null, "statement_descriptor": null, "tax_code": null,
        "type": "service", "unit_label": null, "updated": tx.now, "url": null,
    })
}

/// What a price asks.
#[derive(Debug)]
pub struct NewPrice<'a> {
    pub product: &'a str,
    pub unit_amount: i64,
    pub currency: &'a str,
    /// Unit and count; nothing for a single payment.
    pub every: Option<(&'a str, i64)>,
}

pub fn price_document(tx: &mut Tx<'_>, new: &NewPrice<'_>) -> Value {
    let id = tx.id(Kind::Price);
    let recurring = new.every.map(|(interval, count)| {
        json!({"interval": interval, "interval_count": count, "meter": null, "trial_period_days": null,
            "usage_type": "licensed"})
    });
    json!({
        "id": id, "object": "price", "active": true, "billing_scheme": "per_unit", "created": tx.now,
        "currency": new.currency, "custom_unit_amount": null, "livemode": tx.livemode(), "lookup_key": null,
        "metadata": {}, "nickname": null, "product": new.product,
        "type": if recurring.is_some() { "recurring" } else { "one_time" }, "recurring": recurring,
        "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null,
        "unit_amount": new.unit_amount, "unit_amount_decimal": new.unit_amount.to_string(),
    })
}

/// The older face of a recurring price, which items still show.
pub fn plan(price: &Value) -> Value {
    json!({
        "id": price["id"], "object": "plan", "active": price["active"], "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"], "billing_scheme": "per_unit", "created": price["created"],
        "currency": price["currency"], "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"], "livemode": price["livemode"], "metadata": {},
        "meter": null, "nickname": null, "product": price["product"], "tiers_mode": null, "transform_usage": null,
        "trial_period_days": null, "usage_type": "licensed",
    })
}

fn create_product(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut product = product_document(tx, args.params.need("name")?);
    if let Some(id) = args.params.text("id") {
        product["id"] = id.into();
    }
    shape_product(&mut product, &args.params)?;
    tx.put(Kind::Product, product.clone());
    tx.emit("product.created", &product);
    if let Some(data) = args.params.part("default_price_data") {
        let price = make_price(tx, &data, product.text("id"))?;
        return Ok(tx.change_and_tell(Kind::Product, product.text("id"), "product.updated", |product| {
            product["default_price"] = price["id"].clone();
        }));
    }
    Ok(product)
}

fn shape_product(product: &mut Value, params: &Params) -> ApiResult<()> {
    params.copy(product, &["description", "name", "statement_descriptor", "tax_code", "unit_label", "url"]);
    if params.has("images") {
        product["images"] = params.texts("images").into();
    }
    if let Some(active) = params.flag("active")? {
        product["active"] = active.into();
    }
    params.merge_metadata(product)
}

fn product(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Product, args.id())
}

fn update_product(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut product = tx.find(Kind::Product, args.id())?;
    shape_product(&mut product, &args.params)?;
    product["updated"] = tx.now.into();
    Ok(tx.change_and_tell(Kind::Product, args.id(), "product.updated", |kept| *kept = product))
}

fn delete_product(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let product = tx.find(Kind::Product, args.id())?;
    if tx.owned_by(Kind::Price, args.id()).next().is_some() {
        let message = "This product cannot be deleted because it has one or more user-created prices.";
        return Err(ApiError::refused_by_state(message));
    }
    tx.remove(Kind::Product, args.id());
    tx.emit("product.deleted", &product);
    Ok(json!({"id": args.id(), "object": "product", "deleted": true}))
}

fn products(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let active = args.params.flag("active")?;
    let ids = args.params.texts("ids");
    let keep = |product: &Value| {
        active.is_none_or(|active| product.flag("active") == active)
            && (ids.is_empty() || ids.contains(&product.text("id")))
    };
    list::page(tx, Kind::Product, "/v1/products", &args.params, None, keep)
}

fn create_price(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let product = match (args.params.text("product"), args.params.part("product_data")) {
        (Some(id), _) => tx.find_param(Kind::Product, id, "product")?,
        (None, Some(data)) => {
            let product = product_document(tx, data.need("name")?);
            tx.put(Kind::Product, product.clone());
            tx.emit("product.created", &product);
            product
        }
        (None, None) => return Err(ApiError::missing("product")),
    };
    make_price(tx, &args.params, product.text("id"))
}

/// A price from `currency`, `unit_amount`, `recurring` and the like.
pub fn make_price(tx: &mut Tx<'_>, params: &Params, product: &str) -> ApiResult {
    let currency = currency(params)?;
    let decimal = params.text("unit_amount_decimal").and_then(|amount| amount.parse().ok());
    let unit_amount =
        params.int_from("unit_amount", 0)?.or(decimal).ok_or_else(|| ApiError::missing("unit_amount"))?;
    let recurring = params.part("recurring");
    let interval = recurring.as_ref().map(|part| part.one_of("interval", &["day", "week", "month", "year"]));
    let interval = interval.transpose()?.flatten();
    let count = recurring.as_ref().map(|part| part.int_from("interval_count", 1)).transpose()?.flatten();
    let every = interval.map(|interval| (interval, count.unwrap_or(1)));
    let mut price = price_document(tx, &NewPrice { product, unit_amount, currency: &currency, every });
    shape_price(&mut price, params)?;
    tx.put(Kind::Price, price.clone());
    tx.emit("price.created", &price);
    Ok(price)
}

fn shape_price(price: &mut Value, params: &Params) -> ApiResult<()> {
    params.copy(price, &["lookup_key", "nickname", "tax_behavior"]);
    if let Some(active) = params.flag("active")? {
        price["active"] = active.into();
    }
    params.merge_metadata(price)
}

fn price(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Price, args.id())
}

fn update_price(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut price = tx.find(Kind::Price, args.id())?;
    shape_price(&mut price, &args.params)?;
    Ok(tx.change_and_tell(Kind::Price, args.id(), "price.updated", |kept| *kept = price))
}

fn prices(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let active = params.flag("active")?;
    let keys = params.texts("lookup_keys");
    let keep = |price: &Value| {
        active.is_none_or(|active| price.flag("active") == active)
            && (keys.is_empty() || keys.contains(&price.text("lookup_key")))
            && ["currency", "type"]
                .iter()
                .all(|field| params.text(field).is_none_or(|wanted| price.text(field) == wanted))
    };
    list::page(tx, Kind::Price, "/v1/prices", params, params.text("product"), keep)
}

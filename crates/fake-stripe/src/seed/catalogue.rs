//! What Northwind sells: four plans in four currencies, by month and by year.

use serde_json::Value;

use crate::api::prices::{NewPrice, price_document, product_document};
use crate::world::{Kind, Tx};

/// Minor units a month for one seat or one plan: usd, eur, gbp, jpy.
const PLANS: [(&str, [i64; 4]); 4] = [
    ("Starter", [2_900, 2_700, 2_300, 4_300]),
    ("Team", [9_900, 9_200, 7_900, 14_800]),
    ("Business", [54_900, 49_900, 43_900, 79_800]),
    ("Enterprise", [185_000, 172_000, 149_000, 278_000]),
];

const CURRENCIES: [&str; 4] = ["usd", "eur", "gbp", "jpy"];

/// The prices, by plan, currency and interval.
#[derive(Debug)]
pub struct Catalogue {
    prices: Vec<(usize, &'static str, bool, Value)>,
}

impl Catalogue {
    /// Writes products and prices.
    pub fn write(tx: &mut Tx<'_>) -> Self {
        let mut prices = Vec::new();
        for (plan, (name, amounts)) in PLANS.iter().enumerate() {
            let mut product = product_document(tx, name);
            product["description"] = format!("Northwind {name}").into();
            product["metadata"]["tier"] = plan.to_string().into();
            let id = product["id"].as_str().unwrap_or_default().to_owned();
            tx.put(Kind::Product, product);
            for (currency, amount) in CURRENCIES.iter().zip(amounts) {
                for yearly in [false, true] {
                    // Two months are free when paid by the year.
                    let unit_amount = if yearly { amount * 10 } else { *amount };
                    let every = Some((if yearly { "year" } else { "month" }, 1));
                    let new = NewPrice { product: &id, unit_amount, currency, every };
                    let mut price = price_document(tx, &new);
                    let interval = if yearly { "yearly" } else { "monthly" };
                    price["nickname"] = format!("{name} {interval} {}", currency.to_uppercase()).into();
                    price["lookup_key"] = format!("{}_{interval}_{currency}", name.to_lowercase()).into();
                    tx.put(Kind::Price, price.clone());
                    prices.push((plan, *currency, yearly, price));
                }
            }
        }
        Self { prices }
    }

    pub fn price(&self, plan: usize, currency: &str, yearly: bool) -> Value {
        let fits = |entry: &&(usize, &'static str, bool, Value)| {
            entry.0 == plan && entry.1 == currency && entry.2 == yearly
        };
        self.prices.iter().find(fits).map(|entry| entry.3.clone()).unwrap_or_default()
    }
}

//! A call to Stripe as traces show it: method, path template and status. Ids, queries and bodies stay out.

use reqwest::Method;
use tracing::Span;
use tracing::field::Empty;

/// The words of Stripe's paths that we use. Whatever else stands in a path is somebody's id.
const WORDS: &[&str] = &[
    "account",
    "accounts",
    "balance_transactions",
    "billing_portal",
    "charges",
    "credit_notes",
    "customers",
    "disputes",
    "events",
    "invoice_payments",
    "invoices",
    "pay",
    "payment_intents",
    "payment_methods",
    "prices",
    "products",
    "refunds",
    "sessions",
    "subscriptions",
    "v1",
    "v2",
    "webhook_endpoints",
];

/// The span of one call, as yet without an answer.
pub(super) fn span(method: &Method, path: &str) -> Span {
    let template = template(path);
    tracing::info_span!(
        "stripe",
        otel.name = format!("{method} {template}"),
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        url.template = template,
        http.response.status_code = Empty,
    )
}

/// Notes what came: a status, or nothing.
pub(super) fn answered(span: &Span, status: Option<u16>) {
    if let Some(status) = status {
        span.record("http.response.status_code", i64::from(status));
    }
    if status.is_none_or(|status| status >= 400) {
        span.record("otel.status_code", "ERROR");
    }
}

/// The resource that a path is about, as permissions call it: `charges`, `billing_portal/sessions`.
pub(super) fn resource(path: &str) -> String {
    let template = template(path);
    let before_ids = template.split("/{id}").next().unwrap_or_default();
    before_ids.trim_start_matches("/v1/").to_owned()
}

/// `/v1/charges/ch_1` is `/v1/charges/{id}`.
fn template(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let part = |part| if WORDS.contains(&part) { part } else { "{id}" };
    path.split('/').skip(1).flat_map(|word| ["/", part(word)]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::permissions::{ENDPOINTS, WRITES, reads};
    use super::*;

    #[test]
    fn ids_never_stand_in_a_template() {
        for (path, expected) in [
            ("/v1/charges/ch_1", "/v1/charges/{id}"),
            ("/v1/invoices/in_1/pay", "/v1/invoices/{id}/pay"),
            ("/v1/customers/somebodys_own_name?expand[]=x", "/v1/customers/{id}"),
            ("/v1/billing_portal/sessions", "/v1/billing_portal/sessions"),
            ("/v1/events?limit=100&starting_after=evt_1", "/v1/events"),
        ] {
            assert_eq!(template(path), expected);
        }
    }

    #[test]
    fn every_resource_that_is_read_or_written_keeps_its_name() {
        let written = WRITES.iter().chain([&ENDPOINTS]).map(|write| write.resource);
        for known in reads().map(|(resource, _)| resource).chain(written) {
            let path = format!("/v1/{known}");
            assert_eq!(template(&path), path);
            assert_eq!(resource(&format!("{path}/xx_1")), known);
        }
    }

    #[test]
    fn what_is_asked_for_a_permission_names_its_resource() {
        for write in WRITES.iter().chain([&ENDPOINTS]) {
            assert_eq!(resource(write.probe), write.resource);
        }
    }
}

//! A page that only says something: not found, not yours, out of date, out of order.

use askama::Template;

use super::icon::Icon;
use super::inert::Inert;
use super::shell::{Link, Shell};
use super::status::Status;

#[derive(Template)]
#[template(path = "notice.html")]
pub struct NoticePage {
    pub shell: Shell,
    /// `Not found`, `Not allowed`, `Changed meanwhile`.
    pub status: Status,
    pub headline: String,
    pub text: Inert,
    /// What did not happen: `Nothing was sent to Stripe.`
    pub money: Option<String>,
    /// The public code, where there is one: `approval_expired`.
    pub code: Option<String>,
    /// The one next step.
    pub link: Option<Link>,
}

//! Why nobody answered.

/// What went wrong and what lay at the bottom of it, without the address, which may hold ids or be as good as a password.
pub fn why(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "the connection broke"
    };
    let causes = std::iter::successors(std::error::Error::source(error), |cause| (*cause).source());
    causes.last().map_or_else(|| kind.to_owned(), |cause| format!("{kind}: {cause}"))
}

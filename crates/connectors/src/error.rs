//! What can be wrong with how a connector was set up. What can go wrong with a delivery is a
//! [`DeliveryOutcome`](crate::DeliveryOutcome), never an error.

/// A setting that somebody has to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a delivery key is 1 to 128 ASCII letters, digits, `-` or `_`")]
    DeliveryKey,
    #[error("mail {setting} is not a usable address: {why}")]
    Address { setting: &'static str, why: String },
    #[error(
        "mail to {host} would travel unencrypted; use `starttls` or `tls`, plain text is for loopback only"
    )]
    PlaintextBeyondLoopback { host: String },
    #[error("mail host name `{given}` is not a DNS name or IP address")]
    Host { given: String },
    #[error("mail certificate authority cannot be used: {why}")]
    CertificateAuthority { why: String },
    #[error("the address of the webhook {why}")]
    WebhookAddress { why: &'static str },
    #[error("a secret of the webhook {why}")]
    WebhookSecret { why: &'static str },
    #[error("no client for webhooks can be built: {why}")]
    WebhookClient { why: String },
}

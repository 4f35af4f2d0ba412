//! The request as it will be sent, made by the same function that makes the bytes.

use bursar_domain::action::Action;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::Sources;
use crate::execute::{idempotency_key, request_of};

/// Method and path as a line, then one parameter a line.
pub(super) fn shown(from: &Sources<'_>) -> Value {
    let (action, id) = (&from.proposal.content.action, &from.proposal.id);
    let key = idempotency_key(from.installation, id);
    let request = request_of(action, id).ok();
    let (method, path) = request.as_ref().map_or(("", ""), |request| (request.method(), request.path()));
    let body = match action {
        Action::SendMail(mail) => {
            Some(format!("To: {}\nSubject: {}\n\n{}", mail.to, mail.subject, mail.text))
        }
        Action::CreateTask { title, body, .. } => Some(format!("{title}\n\n{body}")),
        _ => request.as_ref().map(|request| parameters(request.body())),
    };
    json!({"method": method, "path": path, "line": format!("{method} {path}"), "idempotency_key": key, "body": body})
}

fn parameters(form: &[u8]) -> String {
    let text = String::from_utf8_lossy(form).replace('+', " ");
    let lines: Vec<String> =
        text.split('&').map(|pair| percent_decode_str(pair).decode_utf8_lossy().replace('\n', " ")).collect();
    lines.join("\n")
}

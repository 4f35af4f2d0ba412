//! Yes and no. The vote carries the digest of the card that was shown here, so that it counts for that and nothing else.

use bursar_stripe::Money;
use serde_json::{Value, json};

use super::path;
use crate::cli::amount::AmountArg;
use crate::cli::client::Client;
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::installation::Identity;
use crate::cli::session::Session;
use crate::cli::{Outcome, ask, card, fields, idempotency, runtime};

#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    #[arg(value_name = "ID")]
    id: String,
    /// The amount you mean, such as 640.00usd; must be that of the card
    #[arg(long)]
    amount: Option<AmountArg>,
    /// Do not ask; needs --amount too when nobody is at the terminal
    #[arg(long, short)]
    yes: bool,
    /// Kept with the vote
    #[arg(long)]
    reason: Option<String>,
    /// Show the card and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    identity: Identity,
}

#[derive(Debug, clap::Args)]
pub struct RejectArgs {
    #[arg(value_name = "ID")]
    id: String,
    /// Why not; whoever asked will read it
    #[arg(long, value_parser = ask::reason)]
    reason: String,
    #[command(flatten)]
    identity: Identity,
}

pub fn approve(args: &ApproveArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity.clone().usually_controller())?;
    runtime::block_on(async {
        let approval = client.get(&path(&args.id), &[]).await?;
        // The card belongs to the question, the data to the answer.
        if !(session.output.is_json() && args.yes) {
            session.output.say(card::text(&approval));
        }
        let consent = Consent { amount: args.amount.map(|amount| amount.0), yes: args.yes };
        // A rehearsal needs nobody's yes.
        consent.check(&args.id, card::money(&approval), args.dry_run || ask::somebody_is_there())?;
        if args.dry_run {
            session.output.note("dry run: nothing was approved");
            return Ok(Exit::Done);
        }
        if !args.yes && !ask::yes(&format!("{}?", card::headline(&approval)))? {
            return Err(
                Failure::new(Code::NotConfirmed, format!("{} was not approved", args.id)).exits(Exit::Failed)
            );
        }
        vote(&client, session, &args.id, "approve", &body(&approval, args.reason.as_deref())?).await
    })
}

pub fn reject(args: &RejectArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity.clone().usually_controller())?;
    runtime::block_on(async {
        let approval = client.get(&path(&args.id), &[]).await?;
        vote(&client, session, &args.id, "reject", &body(&approval, Some(&args.reason))?).await
    })
}

/// What the person said before the card was shown.
struct Consent {
    amount: Option<Money>,
    yes: bool,
}

impl Consent {
    /// A program must name the amount and say yes; a person may be asked for the yes. A named amount must be the card's.
    fn check(&self, id: &str, on_card: Option<Money>, somebody_is_there: bool) -> Result<(), Failure> {
        match (self.amount, on_card) {
            (Some(said), Some(shown)) if said != shown => return Err(differs(id, said, &shown.to_string())),
            (Some(said), None) => return Err(differs(id, said, "no amount")),
            (None, Some(shown)) if !somebody_is_there => {
                return Err(
                    not_confirmed(id).help(format!("say what you approve: --amount {} --yes", typed(shown)))
                );
            }
            _ => {}
        }
        if self.yes || somebody_is_there {
            return Ok(());
        }
        Err(not_confirmed(id).help("say that you approve this: --yes"))
    }
}

fn body(approval: &Value, reason: Option<&str>) -> Result<Value, Failure> {
    let digest = fields::text(approval, &["/digest"]);
    if digest.is_empty() {
        return Err(Failure::new(
            Code::AnswerNotUnderstood,
            "the approval has no digest, so nothing was decided",
        ));
    }
    let mut body = json!({ "digest": digest });
    if let Some(reason) = reason {
        body["reason"] = json!(reason);
    }
    Ok(body)
}

async fn vote(client: &Client, session: &Session, id: &str, verb: &str, body: &Value) -> Outcome {
    let answer = client.post(&format!("{}/{verb}", path(id)), body, &idempotency::fresh_key()?).await?;
    let output = &session.output;
    if output.is_json() {
        output.document(&answer)?;
    } else {
        let status = fields::text(&answer, &["/status", "/approval/status"]);
        let done = if verb == "approve" { "approved" } else { "rejected" };
        let now = if status.is_empty() || status == done { String::new() } else { format!(", now {status}") };
        output.line(crate::cli::inert::inert(&format!("{done} {id}{now}")))?;
        if verb == "approve" {
            output.note(format_args!("the receipt: bursar approvals show {id}"));
        }
    }
    Ok(Exit::Done)
}

fn differs(id: &str, said: Money, shown: &str) -> Failure {
    Failure::new(Code::AmountDiffers, format!("{id} is about {shown}, not {said}"))
        .note("effect", "nothing was approved")
        .help(format!("look at it again: bursar approvals show {id}"))
}

fn not_confirmed(id: &str) -> Failure {
    Failure::new(Code::NotConfirmed, format!("{id} was not approved: nobody is at the terminal to say yes"))
}

/// As `--amount` takes it.
fn typed(money: Money) -> String {
    money.to_string().replace(' ', "").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Option<Money> {
        text.parse::<AmountArg>().ok().map(|amount| amount.0)
    }

    fn verdict(said: &str, yes: bool, shown: &str, somebody: bool) -> Result<(), Code> {
        let consent = Consent { amount: amount(said), yes };
        consent.check("apreq_1", amount(shown), somebody).map_err(|failure| failure.code())
    }

    #[test]
    fn a_program_must_name_the_amount_and_say_yes() {
        assert_eq!(verdict("640.00usd", true, "640.00usd", false), Ok(()));
        assert_eq!(verdict("", true, "640.00usd", false), Err(Code::NotConfirmed));
        assert_eq!(verdict("640.00usd", false, "640.00usd", false), Err(Code::NotConfirmed));
        assert_eq!(verdict("", true, "", false), Ok(()), "a message moves no money");
        assert_eq!(verdict("", false, "", false), Err(Code::NotConfirmed));
    }

    #[test]
    fn an_amount_that_is_named_must_be_the_cards_for_everybody() {
        for somebody in [true, false] {
            assert_eq!(verdict("64.00usd", true, "640.00usd", somebody), Err(Code::AmountDiffers));
            assert_eq!(verdict("640.00eur", true, "640.00usd", somebody), Err(Code::AmountDiffers));
            assert_eq!(verdict("640.00usd", true, "", somebody), Err(Code::AmountDiffers));
        }
        assert_eq!(verdict("", false, "640.00usd", true), Ok(()), "a person is asked");
    }

    #[test]
    fn what_is_suggested_can_be_typed() {
        let money = amount("640.00usd").unwrap();
        assert_eq!(typed(money), "640.00usd");
        assert_eq!(amount(&typed(money)), Some(money));
    }

    #[test]
    fn no_digest_no_vote() {
        assert!(body(&json!({}), None).is_err());
        assert_eq!(body(&json!({"digest": "d"}), Some("r")).unwrap(), json!({"digest": "d", "reason": "r"}));
    }
}

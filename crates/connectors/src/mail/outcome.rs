//! What an SMTP conversation means for the delivery. The one place where reply codes are judged.

use std::time::Duration;

use super::dialogue::{Step, Stopped};
use super::letter::Sealed;
use super::reply::Reply;
use crate::DeliveryOutcome;

/// The server was not there; servers restart quickly.
const AFTER_ABSENCE: Duration = Duration::from_mins(1);
/// Greylisting wants a pause of some minutes; before that every attempt fails again.
const AFTER_DELAY: Duration = Duration::from_mins(5);
/// Somebody has to change a setting first.
const AFTER_MISCONFIGURATION: Duration = Duration::from_mins(15);

/// The conversation ended before the final dot: the letter did not go out.
pub(super) fn of_stop(stopped: Stopped) -> DeliveryOutcome {
    let why = stopped.without_words();
    match stopped {
        Stopped::Unreachable(_) | Stopped::Lost(_) | Stopped::TooSlow(_) => {
            DeliveryOutcome::Retry { after: AFTER_ABSENCE, why }
        }
        Stopped::LacksUtf8 => DeliveryOutcome::Refused { code: None, text: why },
        Stopped::Answered { reply, .. } if is_transient(reply.code) => {
            DeliveryOutcome::Retry { after: AFTER_DELAY, why }
        }
        Stopped::Answered { step: Step::Sender | Step::Recipient | Step::Data, reply }
            if is_about_the_letter(reply.code) =>
        {
            DeliveryOutcome::Refused { code: Some(reply.code), text: reply.text() }
        }
        // It said no to us, not to the letter.
        Stopped::Lacks(_) | Stopped::Answered { .. } => {
            DeliveryOutcome::Retry { after: AFTER_MISCONFIGURATION, why }
        }
    }
}

/// The final dot was sent. `answer` is the server's verdict, or why there is none.
pub(super) fn of_answer(answer: Result<Reply, String>, sealed: &Sealed) -> DeliveryOutcome {
    match answer {
        Ok(reply) if reply.is_positive() => {
            DeliveryOutcome::Delivered { reference: sealed.message_id.clone() }
        }
        Ok(reply) if is_transient(reply.code) => DeliveryOutcome::Retry {
            after: AFTER_DELAY,
            why: format!("the mail server did not keep the message: {}", reply.codes()),
        },
        Ok(reply) if reply.code >= 500 => {
            DeliveryOutcome::Refused { code: Some(reply.code), text: reply.text() }
        }
        Ok(reply) => DeliveryOutcome::PossiblySent {
            why: format!("the message was handed over and answered with {}, which says nothing", reply.code),
        },
        Err(why) => {
            DeliveryOutcome::PossiblySent { why: format!("the message was handed over, then: {why}") }
        }
    }
}

fn is_transient(code: u16) -> bool {
    (400..500).contains(&code)
}

/// A definite no to this letter, as opposed to one that wants us to sign in or encrypt first (RFC 4954).
fn is_about_the_letter(code: u16) -> bool {
    (500..600).contains(&code) && !matches!(code, 530 | 534 | 535 | 538)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16) -> Reply {
        Reply { code, lines: vec!["words".to_owned()] }
    }

    fn stop(step: Step, code: u16) -> DeliveryOutcome {
        of_stop(Stopped::Answered { step, reply: reply(code) })
    }

    #[test]
    fn a_no_to_the_letter_is_final_and_a_no_to_us_is_not() {
        for step in [Step::Sender, Step::Recipient, Step::Data] {
            assert!(matches!(stop(step, 550), DeliveryOutcome::Refused { code: Some(550), .. }), "{step}");
            assert!(
                matches!(stop(step, 530), DeliveryOutcome::Retry { after: AFTER_MISCONFIGURATION, .. }),
                "{step}"
            );
            assert!(matches!(stop(step, 451), DeliveryOutcome::Retry { after: AFTER_DELAY, .. }), "{step}");
        }
        for step in [Step::Greeting, Step::Hello, Step::Encryption, Step::SignIn] {
            assert!(
                matches!(stop(step, 554), DeliveryOutcome::Retry { after: AFTER_MISCONFIGURATION, .. }),
                "{step}"
            );
        }
    }

    #[test]
    fn what_is_tried_again_says_codes_and_no_words_of_the_server() {
        let said = |words: &str| Reply { code: 451, lines: vec![words.to_owned()] };
        let stopped = |words| of_stop(Stopped::Answered { step: Step::Recipient, reply: said(words) });
        for (words, expected) in [
            ("4.7.1 <jane@example.com>: greylisted", "the mail server answered the recipient with 451 4.7.1"),
            ("<jane@example.com>: greylisted", "the mail server answered the recipient with 451"),
            ("4.7.jane@example.com", "the mail server answered the recipient with 451"),
        ] {
            let DeliveryOutcome::Retry { why, .. } = stopped(words) else { panic!("{words}") };
            assert_eq!(why, expected);
        }
    }

    #[test]
    fn a_positive_answer_to_data_that_is_not_354_sends_nothing() {
        assert!(matches!(stop(Step::Data, 250), DeliveryOutcome::Retry { .. }));
    }

    #[test]
    fn after_the_dot_only_a_clear_answer_is_believed() {
        let sealed = Sealed {
            from: "a@example.com".parse().unwrap(),
            to: "b@example.com".parse().unwrap(),
            message_id: "<k@example.com>".to_owned(),
            bytes: Vec::new(),
        };
        let after_dot = |code| of_answer(Ok(reply(code)), &sealed);
        assert_eq!(after_dot(250), DeliveryOutcome::Delivered { reference: "<k@example.com>".to_owned() });
        assert!(matches!(after_dot(451), DeliveryOutcome::Retry { .. }));
        assert!(matches!(after_dot(554), DeliveryOutcome::Refused { code: Some(554), .. }));
        assert!(matches!(after_dot(354), DeliveryOutcome::PossiblySent { .. }));
        assert!(matches!(of_answer(Err("gone".to_owned()), &sealed), DeliveryOutcome::PossiblySent { .. }));
    }
}

//! How long one judgement by the default policies takes, reasons included. Optimised builds are what counts:
//! `cargo run --release -p bursar-policy --example judge_speed`.

use std::hint::black_box;
use std::time::Instant;

use bursar_domain::actor::Actor;
use bursar_domain::effect::Effect;
use bursar_domain::facts::{FactName, FactValue, Facts, HomeAmount, Source};
use bursar_domain::lane::Lane;
use bursar_domain::time::BusinessTime;
use bursar_policy::{PolicySet, Question, default_set};
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;

const ROUNDS: u32 = 2000;

fn facts(amount: i64) -> Facts {
    let mut facts = Facts::default();
    let mut put = |name, value| facts.insert(name, value, Source::Stripe, BusinessTime::from_unix_s(0));
    for (name, amount) in
        [(FactName::Amount, amount), (FactName::Refundable, 90_000), (FactName::SpentToday, 20_000)]
    {
        let money = Money::new(amount, Currency::USD);
        let home = HomeAmount { money, rate: "same currency".to_owned() };
        put(name, FactValue::Money { money, home: Some(home) });
    }
    put(FactName::Disputed, FactValue::Flag(false));
    put(FactName::ChargeAgeDays, FactValue::Count(12));
    put(FactName::RefundReason, FactValue::Text("duplicate".to_owned()));
    facts
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch measures the machine, and decides nothing")]
#[expect(clippy::print_stdout, reason = "an example that prints what it measured")]
fn main() {
    let begun = Instant::now();
    let set = PolicySet::load(&default_set()).expect("the default policies are in order");
    println!("load: {} policies in {} µs", set.rules().len(), begun.elapsed().as_micros());
    let lane: Lane = "acct_1/live".parse().expect("a lane");
    for (case, amount) in [("allow", 4_200), ("ask", 64_000), ("deny", 95_000)] {
        let facts = facts(amount);
        let effects = &[Effect::MoneyOut];
        let question = Question {
            actor: &Actor::Engine,
            roles: &[],
            verb: "refund.create",
            effects,
            lane: &lane,
            target: None,
            facts: &facts,
        };
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            black_box(set.judge(black_box(&question)));
        }
        let each = begun.elapsed() / ROUNDS;
        println!("{case}: {:?}, {} µs", set.judge(&question).verdict.ruling, each.as_micros());
    }
}

//! What must hold for any value, any entry and any people. `PROPTEST_CASES` says how many are tried.

use bursar_domain::approval::{self, ApprovalState, Choice, Question, Tally, VoteError, Voter};
use bursar_domain::audit::{Commitment, Entry, GENESIS, chain_hash};
use bursar_domain::canonical::{digest, to_text};
use bursar_domain::id::{AuditId, PersonId};
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::Requirement;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Number, Value, json};

/// Any JSON without fractions.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// The same value as somebody else would write it: other order of keys, blanks, every character escaped.
fn written_otherwise(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => escaped(text, out),
        Value::Array(items) => {
            out.push_str("[ ");
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { "\n,\t" } else { "" });
                written_otherwise(item, out);
            }
            out.push_str(" ]");
        }
        Value::Object(fields) => {
            out.push_str("{\r\n");
            for (place, (key, item)) in fields.iter().rev().enumerate() {
                out.push_str(if place > 0 { " , " } else { "" });
                escaped(key, out);
                out.push_str(" : ");
                written_otherwise(item, out);
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn escaped(text: &str, out: &mut String) {
    out.push('"');
    out.extend(text.encode_utf16().map(|unit| format!("\\u{unit:04X}")));
    out.push('"');
}

/// Another value than this one, by one small change somewhere.
fn changed(value: &Value) -> Value {
    match value {
        Value::Null => json!(false),
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.to_string()),
        Value::String(text) => json!(format!("{text}\u{0}")),
        Value::Array(items) => match items.split_first() {
            Some((first, rest)) => std::iter::once(changed(first)).chain(rest.iter().cloned()).collect(),
            None => json!({}),
        },
        Value::Object(fields) => {
            let mut fields: Map<String, Value> = fields.clone();
            let Some(key) = fields.keys().next().cloned() else { return json!([]) };
            let value = fields.remove(&key).unwrap_or_default();
            fields.insert(format!("{key} "), value);
            Value::Object(fields)
        }
    }
}

fn any_fraction() -> impl Strategy<Value = Number> {
    any::<f64>().prop_filter_map("finite", Number::from_f64)
}

proptest! {
    #[test]
    fn one_value_has_one_canonical_text_however_it_is_written(value in any_json()) {
        let mut other = String::new();
        written_otherwise(&value, &mut other);
        let read: Value = serde_json::from_str(&other).unwrap();
        prop_assert_eq!(digest(&value).unwrap(), digest(&read).unwrap());
        let text = to_text(&value).unwrap();
        let again: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(to_text(&again).unwrap(), text);
        prop_assert_eq!(again, value);
    }

    #[test]
    fn two_values_have_two_digests(one in any_json(), other in any_json()) {
        let same = digest(&one).unwrap() == digest(&other).unwrap();
        prop_assert_eq!(same, one == other);
        let changed = changed(&one);
        prop_assume!(changed != one);
        prop_assert_ne!(digest(&one).unwrap(), digest(&changed).unwrap());
    }

    #[test]
    fn a_fraction_anywhere_is_refused(value in any_json(), fraction in any_fraction()) {
        let nested = json!([{"deep": [value, fraction]}]);
        prop_assert!(digest(&nested).is_err());
    }

    #[test]
    fn an_entry_survives_its_own_text_and_every_field_counts(entry in any_entry(), seq in any::<i64>()) {
        let body = entry.body().unwrap();
        let read: Entry = serde_json::from_str(&body).unwrap();
        prop_assert_eq!(read.body().unwrap(), body.clone());
        prop_assert_eq!(&read, &entry);
        let hash = chain_hash(GENESIS, seq, &body);
        for other in others(&entry) {
            prop_assert_ne!(&chain_hash(GENESIS, seq, &other.body().unwrap()), &hash, "{:?}", other);
        }
        prop_assert_ne!(chain_hash(&hash, seq, &body), hash.clone());
        prop_assert_ne!(chain_hash(GENESIS, seq.wrapping_add(1), &body), hash);
    }
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let commit = (any::<String>(), any::<String>(), "[0-9a-f]{64}")
        .prop_map(|(table, key, hash)| Commitment { table, key, hash });
    let commits = prop::collection::vec(commit, 0..4);
    let who = (any::<[u8; 16]>(), any::<String>(), any::<i64>());
    let what = (any::<i64>(), any::<String>(), any::<Option<String>>(), any::<Option<String>>());
    (who, what, any_json(), commits).prop_map(|(who, (at, kind, lane, actor), data, commits)| Entry {
        id: AuditId::from_entropy(who.0),
        writer: who.1,
        writer_seq: who.2,
        at,
        kind,
        lane,
        actor,
        data,
        commits,
    })
}

/// The entry with each of its fields changed.
fn others(entry: &Entry) -> Vec<Entry> {
    let more = Commitment { table: "votes".to_owned(), key: "k".to_owned(), hash: "0".repeat(64) };
    let longer = |text: Option<&String>| Some(format!("{}x", text.map_or("", String::as_str)));
    vec![
        Entry { writer: format!("{}x", entry.writer), ..entry.clone() },
        Entry { writer_seq: entry.writer_seq.wrapping_add(1), ..entry.clone() },
        Entry { at: entry.at.wrapping_sub(1), ..entry.clone() },
        Entry { kind: format!("{}x", entry.kind), ..entry.clone() },
        Entry { lane: longer(entry.lane.as_ref()), ..entry.clone() },
        Entry { actor: longer(entry.actor.as_ref()), ..entry.clone() },
        Entry { data: json!([entry.data]), ..entry.clone() },
        Entry { commits: entry.commits.iter().cloned().chain([more]).collect(), ..entry.clone() },
    ]
}

const END_S: i64 = 1_000;

#[derive(Clone, Debug)]
struct Ballot {
    voter: Voter,
    choice: Choice,
    digest: &'static str,
    reason: Option<&'static str>,
    at_s: i64,
}

fn person(number: u8) -> PersonId {
    PersonId::from_entropy([number; 16])
}

fn any_voter() -> impl Strategy<Value = Voter> {
    (0..6_u8, subsequence(Role::ALL.to_vec(), 0..=Role::ALL.len()))
        .prop_map(|(number, roles)| Voter { person: person(number), roles })
}

fn any_ballot() -> impl Strategy<Value = Ballot> {
    let choice = prop_oneof![8 => Just(Choice::Approve), 1 => Just(Choice::Reject)];
    let digest = prop_oneof![9 => Just("shown"), 1 => Just("other")];
    let reason = select(vec![None, Some(""), Some(" \t"), Some("no")]);
    (any_voter(), choice, digest, reason, 0..END_S + 50)
        .prop_map(|(voter, choice, digest, reason, at_s)| Ballot { voter, choice, digest, reason, at_s })
}

fn any_requirements() -> impl Strategy<Value = Vec<Requirement>> {
    let seat = (select(Role::ALL.to_vec()), 0..3_u32).prop_map(|(role, quorum)| Requirement { role, quorum });
    prop::collection::vec(seat, 0..3)
}

/// Whether every seat finds a person of its own, tried in every way.
fn seated(seats: &[Role], voters: &[Voter]) -> bool {
    let Some((seat, rest)) = seats.split_first() else { return true };
    (0..voters.len()).any(|place| {
        let mut left = voters.to_vec();
        let voter = left.remove(place);
        voter.roles.contains(seat) && seated(rest, &left)
    })
}

fn met(requirements: &[Requirement], voters: &[Voter]) -> bool {
    let seats = requirements.iter().flat_map(|asked| (0..asked.quorum).map(|_| asked.role));
    let seats: Vec<Role> = seats.collect();
    !seats.is_empty() && seated(&seats, voters)
}

proptest! {
    /// Any ballots in any order. The approval ends once; whoever counts was allowed to.
    #[test]
    fn no_row_of_votes_reaches_a_state_that_may_not_be(
        requirements in any_requirements(),
        makers in subsequence(vec![0_u8, 1, 2], 0..=3),
        single_operator in any::<bool>(),
        ballots in prop::collection::vec(any_ballot(), 0..12),
    ) {
        let makers: Vec<PersonId> = makers.into_iter().map(person).collect();
        let (mut state, mut counted): (ApprovalState, Vec<Voter>) = (ApprovalState::Open, Vec::new());
        for ballot in ballots {
            let expires_at = BusinessTime::from_unix_s(END_S);
            let (requirements, makers) = (requirements.as_slice(), makers.as_slice());
            let question = Question { digest: "shown", state, requirements, makers, single_operator, expires_at };
            let now = BusinessTime::from_unix_s(ballot.at_s);
            let Ballot { voter, choice, digest, reason, .. } = &ballot;
            let told = approval::cast(&question, voter, *choice, digest, *reason, &counted, now);
            if state != ApprovalState::Open {
                prop_assert_eq!(told, Err(VoteError::Decided), "an end is an end");
                continue;
            }
            let Ok(tally) = told else { continue };
            prop_assert!(ballot.at_s < END_S && *digest == "shown");
            prop_assert!(single_operator || !makers.contains(&voter.person), "nobody decides on their own");
            prop_assert!(counted.iter().all(|other| other.person != voter.person), "nobody counts twice");
            prop_assert!(requirements.iter().any(|asked| voter.roles.contains(&asked.role)));
            if *choice == Choice::Reject {
                prop_assert_eq!(tally, Tally::Refused);
                prop_assert!(reason.is_some_and(|text| !text.trim().is_empty()));
            } else {
                counted.push(voter.clone());
                prop_assert_eq!(tally == Tally::Met, met(requirements, &counted));
            }
            state = match tally {
                Tally::Open => ApprovalState::Open,
                Tally::Met => ApprovalState::Met,
                Tally::Refused => ApprovalState::Refused,
            };
        }
    }

    #[test]
    fn an_approval_is_met_when_every_seat_has_a_person_of_its_own(
        requirements in any_requirements(),
        voters in prop::collection::btree_map(0..6_u8, subsequence(Role::ALL.to_vec(), 0..=3), 0..6),
    ) {
        let voters = voters.into_iter().map(|(number, roles)| Voter { person: person(number), roles });
        let voters: Vec<Voter> = voters.collect();
        prop_assert_eq!(approval::is_met(&requirements, &voters), met(&requirements, &voters));
    }
}

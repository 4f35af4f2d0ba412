//! A world in which all is well, and each way to break it.

use super::*;

fn person(name: &str, role: Role, digest: &str) -> Yes {
    Yes { person: name.to_owned(), roles: vec![role], digest: digest.to_owned() }
}

fn action() -> Acted {
    Acted {
        id: "prop_1".to_owned(),
        lane: "acct_1/test".to_owned(),
        verb: "refund.create",
        target: Some("ch_1".to_owned()),
        amount: Some(500),
        state: ProposalState::Done,
        digest: "d".to_owned(),
        ruling: Ruling::Ask,
        execution: Some(Sent {
            key: "bursar_1".to_owned(),
            digest: "d".to_owned(),
            account: None,
            intended_s: 100,
            object: Some("re_1".to_owned()),
        }),
        approval: Some(Asked {
            digest: "d".to_owned(),
            requirements: vec![Requirement { role: Role::Controller, quorum: 2 }],
            makers: BTreeSet::from(["sam".to_owned()]),
            yes: vec![person("carl", Role::Controller, "d"), person("cora", Role::Controller, "d")],
        }),
        escalated: false,
    }
}

fn effect() -> Effect {
    Effect {
        kind: "refund.create".to_owned(),
        object: "re_1".to_owned(),
        key: Some("bursar_1".to_owned()),
        action: Some("prop_1".to_owned()),
        amount: Some(500),
        charge: Some("ch_1".to_owned()),
        account: "acct_1".to_owned(),
        livemode: false,
        at_s: 100,
    }
}

fn well() -> Seen {
    Seen {
        events: vec!["evt_1".to_owned()],
        acknowledged: BTreeSet::from(["evt_1".to_owned()]),
        answered: BTreeSet::from(["prop_1".to_owned()]),
        actions: vec![action()],
        effects: vec![effect()],
        captured: BTreeMap::from([("ch_1".to_owned(), 700)]),
        audit: None,
        left: Vec::new(),
    }
}

/// The invariants that are broken once `harm` is done.
fn broken(harm: impl FnOnce(&mut Seen)) -> Vec<&'static str> {
    let mut seen = well();
    harm(&mut seen);
    let mut names: Vec<&'static str> = seen.breaches().iter().map(|breach| breach.invariant).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn approval(seen: &mut Seen) -> &mut Asked {
    seen.actions[0].approval.as_mut().unwrap()
}

fn execution(seen: &mut Seen) -> &mut Sent {
    seen.actions[0].execution.as_mut().unwrap()
}

#[test]
fn all_is_well() {
    assert_eq!(well().breaches(), []);
}

#[test]
fn an_event_is_kept_once() {
    assert_eq!(broken(|seen| seen.events.clear()), ["I1"], "acknowledged and lost");
    assert_eq!(broken(|seen| seen.events.push("evt_1".to_owned())), ["I1"], "twice");
    assert_eq!(
        broken(|seen| seen.acknowledged.clear()),
        [""; 0],
        "kept, and nobody was told: they try again"
    );
    assert_eq!(broken(|seen| seen.answered.extend(["prop_2".to_owned()])), ["I1"], "told of, and lost");
}

#[test]
fn an_effect_happens_once() {
    let again = |seen: &mut Seen, change: fn(&mut Effect)| {
        let mut again = Effect { object: "re_2".to_owned(), ..effect() };
        change(&mut again);
        seen.captured.insert("ch_1".to_owned(), 2_000);
        seen.effects.push(again);
    };
    assert_eq!(broken(|seen| again(seen, |_| {})), ["I2"]);
    let fresh_key = broken(|seen| again(seen, |effect| effect.key = Some("bursar_2".to_owned())));
    assert_eq!(fresh_key, ["I2", "I3"], "under a new key its mark gives it away");
    assert_eq!(
        broken(|seen| again(seen, |effect| effect.action = None)),
        ["I2"],
        "without a mark its key does"
    );
    assert_eq!(broken(|seen| again(seen, |effect| effect.key = Some("random".to_owned()))), ["I2", "I3"]);
    let others = broken(|seen| again(seen, |effect| (effect.key, effect.action) = (None, None)));
    assert_eq!(others, [""; 0], "what others do is theirs");
}

#[test]
fn a_link_is_judged_by_what_somebody_was_handed() {
    let link = |state: ProposalState, made: bool| {
        broken(|seen| {
            let action = &mut seen.actions[0];
            (action.verb, action.state, action.amount) = (PORTAL, state, None);
            execution(seen).object = (state == ProposalState::Done).then(|| "bps_1".to_owned());
            let kind = "portal_session.create".to_owned();
            seen.effects =
                vec![Effect { kind, object: "bps_1".to_owned(), amount: None, charge: None, ..effect() }];
            seen.effects.truncate(usize::from(made));
        })
    };
    assert_eq!(link(ProposalState::Done, true), [""; 0]);
    assert_eq!(link(ProposalState::Done, false), ["I4"], "handed out, and never made");
    assert_eq!(link(ProposalState::NoEffect, true), [""; 0], "made, and nobody was handed it");
    assert_eq!(link(ProposalState::Refused, true), ["I4"]);
}

#[test]
fn an_effect_was_intended_and_allowed() {
    assert_eq!(broken(|seen| seen.actions[0].execution = None), ["I3"], "its intent is gone");
    assert_eq!(broken(|seen| execution(seen).intended_s = 101), ["I3"], "before it was intended");
    assert_eq!(broken(|seen| execution(seen).digest = "e".to_owned()), ["I3"], "something else");
    for ruling in [Ruling::Deny, Ruling::Observe] {
        assert_eq!(broken(|seen| seen.actions[0].ruling = ruling), ["I3"], "{ruling:?}");
    }
    assert_eq!(broken(|seen| seen.actions[0].approval = None), ["I3"], "nobody was asked");
    assert_eq!(broken(|seen| approval(seen).digest = "e".to_owned()), ["I3"], "asked something else");
    assert_eq!(broken(|seen| drop(approval(seen).yes.pop())), ["I3"], "one of two");
    assert_eq!(broken(|seen| approval(seen).yes[1].person = "carl".to_owned()), ["I3"], "one person twice");
    assert_eq!(broken(|seen| approval(seen).yes[1].person = "sam".to_owned()), ["I3"], "whoever asked");
    assert_eq!(
        broken(|seen| approval(seen).yes[1].digest = "e".to_owned()),
        ["I3"],
        "a yes to something else"
    );
    assert_eq!(broken(|seen| approval(seen).yes[1].roles = vec![Role::Support]), ["I3"], "not theirs to say");
}

#[test]
fn an_end_is_the_truth() {
    assert_eq!(broken(|seen| seen.effects.clear()), ["I4"], "done, and did not happen");
    for state in
        [ProposalState::Refused, ProposalState::NoEffect, ProposalState::Void, ProposalState::Expired]
    {
        assert_eq!(broken(|seen| seen.actions[0].state = state), ["I4"], "{state:?}, and happened");
    }
    assert_eq!(broken(|seen| seen.effects[0].amount = Some(501)), ["I4"]);
    assert_eq!(broken(|seen| seen.effects[0].charge = Some("ch_2".to_owned())), ["I4"]);
    assert_eq!(broken(|seen| execution(seen).object = Some("re_2".to_owned())), ["I4"]);
    assert_eq!(
        broken(|seen| seen.actions[0].state = ProposalState::Reversed),
        [""; 0],
        "it happened, and was taken back"
    );
}

#[test]
fn a_charge_gives_back_what_it_took_at_most() {
    assert_eq!(broken(|seen| seen.captured.extend([("ch_1".to_owned(), 499)])), ["I5"]);
}

#[test]
fn the_audit_verifies() {
    assert_eq!(broken(|seen| seen.audit = Some("a row was changed".to_owned())), ["I6"]);
}

#[test]
fn it_happened_where_it_was_decided() {
    assert_eq!(broken(|seen| seen.effects[0].account = "acct_2".to_owned()), ["I7"]);
    assert_eq!(broken(|seen| seen.effects[0].livemode = true), ["I7"]);
    assert_eq!(broken(|seen| execution(seen).account = Some("acct_2".to_owned())), ["I7"]);
}

#[test]
fn everything_comes_to_an_end() {
    assert_eq!(broken(|seen| seen.actions[0].state = ProposalState::Approved), ["I8"]);
    assert_eq!(
        broken(|seen| seen.actions[0].state = ProposalState::InDoubt),
        ["I8"],
        "and nobody was called"
    );
    let called =
        broken(|seen| (seen.actions[0].state, seen.actions[0].escalated) = (ProposalState::InDoubt, true));
    assert_eq!(called, [""; 0]);
    assert_eq!(broken(|seen| seen.left.push("gave up".to_owned())), ["I8"]);
}

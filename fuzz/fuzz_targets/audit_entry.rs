//! An entry of the audit, from its text. What reads reads back the same from its canonical text, which has no other form; the
//! chain's hash changes with every part of it, and with everything it stands on.
#![no_main]

use bursar_domain::audit::{Commitment, Entry, GENESIS, chain_hash, root_hash};
use bursar_domain::id::AuditId;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(
    init: bursar_fuzz::seeds([
        "{\"id\":\"aud_01JD0000000000000000000000\",\"writer\":\"node_a.0\",\"writer_seq\":1,\"at\":1795219200000000,\
         \"kind\":\"event.accepted\",\"lane\":\"acct_1/live\",\"actor\":\"engine\",\"data\":{\"b\":1,\"a\":[null,true,\"é\"]},\
         \"commits\":[{\"table\":\"events\",\"key\":\"1\",\"hash\":\"00\"}]}",
        "{\"id\":\"aud_01JD0000000000000000000000\",\"writer\":\"\",\"writer_seq\":-1,\"at\":0,\"kind\":\"\",\
         \"data\":{\"$serde_json::private::RawValue\":\"1\"},\"commits\":[]}",
        "{\"id\":\"aud_01JD0000000000000000000000\",\"writer\":\"\",\"writer_seq\":-1,\"at\":0,\"kind\":\"\",\"data\":1.5,\
         \"commits\":[]}",
    ]),
    |text: &str| {
        let Ok(entry) = serde_json::from_str::<Entry>(text) else { return };
        // A number with a fraction has no canonical text, and is refused instead of being written another way.
        let Ok(body) = entry.body() else { return };
        let again: Entry = serde_json::from_str(&body).expect("what is written reads");
        assert_eq!(again, entry);
        assert_eq!(again.body().expect("it had one"), body);
        let hash = chain_hash(GENESIS, 1, &body);
        for other in others(&entry) {
            assert_ne!(other, entry);
            assert_ne!(chain_hash(GENESIS, 1, &other.body().expect("it has one")), hash, "{other:?}");
        }
        assert_ne!(chain_hash(&hash, 1, &body), hash);
        assert_ne!(chain_hash(GENESIS, 2, &body), hash);
        roots(&entry.commits);
    }
);

/// The entry with one part changed, each in turn.
fn others(entry: &Entry) -> Vec<Entry> {
    let changed = |change: fn(&mut Entry)| {
        let mut other = entry.clone();
        change(&mut other);
        other
    };
    let mut others = vec![
        changed(|entry| entry.id = another_id(&entry.id)),
        changed(|entry| entry.writer.push('.')),
        changed(|entry| entry.writer_seq = entry.writer_seq.wrapping_add(1)),
        changed(|entry| entry.at = entry.at.wrapping_sub(1)),
        changed(|entry| entry.kind.push('\u{0}')),
        changed(|entry| entry.lane = entry.lane.take().map_or(Some(String::new()), |_| None)),
        changed(|entry| entry.actor = entry.actor.take().map_or(Some(String::new()), |_| None)),
        changed(|entry| entry.data = Value::Array(vec![entry.data.take()])),
        changed(|entry| {
            let (table, key, hash) = (String::new(), String::new(), String::new());
            entry.commits.push(Commitment { table, key, hash });
        }),
    ];
    if !entry.commits.is_empty() {
        others.push(changed(|entry| entry.commits[0].hash.push('0')));
        others.push(changed(|entry| {
            entry.commits.pop();
        }));
    }
    others
}

fn another_id(id: &AuditId) -> AuditId {
    let one = AuditId::from_entropy([1; 16]);
    if *id == one { AuditId::from_entropy([2; 16]) } else { one }
}

/// One hash over many says how many, which, and in what order.
fn roots(commits: &[Commitment]) {
    let hashes: Vec<&str> =
        commits.iter().map(|commit| commit.hash.as_str()).filter(|hash| !hash.contains('\n')).collect();
    let root = root_hash(hashes.iter().copied());
    assert_ne!(root_hash(hashes.iter().copied().chain([""])), root);
    let turned: Vec<&str> = hashes.iter().rev().copied().collect();
    assert_eq!(root_hash(turned.iter().copied()) == root, turned == hashes);
}

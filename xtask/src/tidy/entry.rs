//! Who may come in: licences, bans and duplicates, as `deny.toml` says, judged without a network.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use toml::{Table, Value};

use super::Problem;
use super::packages::Guest;

/// What `deny.toml` says.
#[derive(Debug)]
pub(super) struct Rules {
    licences: BTreeSet<String>,
    /// Banned crates, with the reason.
    banned: BTreeMap<String, String>,
    /// Crates that may stand in two versions, with the excuse.
    excused: BTreeMap<String, String>,
}

impl Rules {
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let table: Table = toml::from_str(text).context("deny.toml")?;
        let list = |section: &str, key: &str| {
            let value = table.get(section).and_then(|section| section.get(key)).and_then(Value::as_array);
            value.with_context(|| format!("deny.toml: [{section}] {key} is missing"))
        };
        let licences =
            list("licenses", "allow")?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let banned = list("bans", "deny")?.iter().map(reasoned).collect::<anyhow::Result<_>>()?;
        let excused = list("bans", "skip")?.iter().map(reasoned).collect::<anyhow::Result<_>>()?;
        Ok(Self { licences, banned, excused })
    }

    /// Banned crates that stand in the lock file, whoever asked for them and for whatever machine.
    pub(super) fn banned_from_lock(&self, lock: &str) -> Vec<Problem> {
        let stands = |name: &str| lock.lines().any(|line| line == format!("name = \"{name}\""));
        let found = self.banned.iter().filter(|(name, _)| stands(name));
        found
            .map(|(name, reason)| Problem::new("Cargo.lock", format!("{name} is banned: {reason}")))
            .collect()
    }

    /// Guests whose licence is not among those allowed.
    pub(super) fn unlicensed(&self, guests: &BTreeSet<Guest>) -> Vec<Problem> {
        let refused = guests.iter().filter(|guest| !self.allows(&guest.licence));
        let explain = |guest: &Guest| format!("licence `{}` is not in deny.toml", guest.licence);
        refused.map(|guest| Problem::new(&guest.name, explain(guest))).collect()
    }

    /// Crates built in two versions without an excuse, and excuses that are no longer needed.
    pub(super) fn duplicates(&self, guests: &BTreeSet<Guest>) -> Vec<Problem> {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for guest in guests {
            versions.entry(&guest.name).or_default().push(&guest.version);
        }
        versions.retain(|_, versions| versions.len() > 1);
        let mut found = Vec::new();
        for (name, versions) in &versions {
            if !self.excused.contains_key(*name) {
                found.push(Problem::new(
                    *name,
                    format!("{} without an excuse in deny.toml", versions.join(" and ")),
                ));
            }
        }
        for name in self.excused.keys().filter(|name| !versions.contains_key(name.as_str())) {
            found.push(Problem::new("deny.toml", format!("{name} needs no excuse any more")));
        }
        found
    }

    /// Whether an SPDX expression can be met: one side of an `OR`, both sides of an `AND`. A slash is the old `OR`.
    fn allows(&self, expression: &str) -> bool {
        let spaced =
            expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "~");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut at = 0;
        self.either(&words, &mut at) && at == words.len()
    }

    fn either(&self, words: &[&str], at: &mut usize) -> bool {
        let mut met = self.both(words, at);
        while words.get(*at) == Some(&"OR") {
            *at += 1;
            met |= self.both(words, at);
        }
        met
    }

    fn both(&self, words: &[&str], at: &mut usize) -> bool {
        let mut met = self.one(words, at);
        while words.get(*at) == Some(&"AND") {
            *at += 1;
            met &= self.one(words, at);
        }
        met
    }

    fn one(&self, words: &[&str], at: &mut usize) -> bool {
        let Some(word) = words.get(*at) else { return false };
        *at += 1;
        if *word != "(" {
            return self.licences.contains(&word.replace('~', " WITH "));
        }
        let met = self.either(words, at);
        *at += 1;
        met
    }
}

/// A `{ crate = "…", reason = "…" }`: none is banned or excused without a reason.
fn reasoned(value: &Value) -> anyhow::Result<(String, String)> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text("crate").context("deny.toml: a ban or excuse names no crate")?;
    let reason = text("reason").with_context(|| format!("deny.toml: {name} has no reason"))?;
    Ok((name.to_owned(), reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let text = "[licenses]\nallow = [\"MIT\", \"ISC\", \"Apache-2.0 WITH LLVM-exception\"]\n\
                    [bans]\ndeny = [{ crate = \"openssl-sys\", reason = \"rustls\" }]\n\
                    skip = [{ crate = \"syn\", reason = \"two generations of macros\" }]\n";
        Rules::read(text).expect("well formed")
    }

    fn guests(list: &[(&str, &str, &str)]) -> BTreeSet<Guest> {
        let guest = |(name, version, licence): &(&str, &str, &str)| Guest {
            name: (*name).into(),
            version: (*version).into(),
            licence: (*licence).into(),
        };
        list.iter().map(guest).collect()
    }

    #[test]
    fn a_banned_crate_is_found_by_its_whole_name() {
        assert_eq!(rules().banned_from_lock("name = \"openssl-sys\"\n").len(), 1);
        assert_eq!(rules().banned_from_lock("name = \"openssl-sys-helper\"\n"), []);
    }

    #[test]
    fn licence_expressions_are_met_or_not() {
        for met in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "(GPL-3.0 OR MIT) AND ISC",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(rules().allows(met), "{met}");
        }
        for unmet in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT OR ISC) AND GPL-3.0", "MIT MIT"] {
            assert!(!rules().allows(unmet), "{unmet}");
        }
    }

    #[test]
    fn a_guest_with_another_licence_is_found() {
        let found = rules().unlicensed(&guests(&[("a", "1.0.0", "MIT"), ("b", "1.0.0", "GPL-3.0")]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "b");
    }

    #[test]
    fn two_versions_need_an_excuse_and_an_excuse_two_versions() {
        let doubled = guests(&[("a", "1.0.0", "MIT"), ("a", "2.0.0", "MIT")]);
        let places: Vec<String> =
            rules().duplicates(&doubled).into_iter().map(|problem| problem.place).collect();
        assert_eq!(places, ["a", "deny.toml"]);
        assert_eq!(rules().duplicates(&guests(&[("syn", "2.0.0", "MIT"), ("syn", "3.0.0", "MIT")])), []);
    }

    #[test]
    fn a_ban_without_a_reason_is_refused() {
        let text = "[licenses]\nallow = []\n[bans]\ndeny = [{ crate = \"a\" }]\nskip = []\n";
        assert!(Rules::read(text).is_err());
    }
}

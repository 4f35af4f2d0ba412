//! The plan of the house: which crate may know which, and what none below the server may link.

use std::collections::BTreeSet;

use super::Problem;
use super::packages::{Packages, Use};

/// A room and the rooms of ours it may use in the code it ships.
const PLAN: &[(&str, &[&str])] = &[
    ("bursar-stripe", &[]),
    ("bursar-domain", &["bursar-stripe"]),
    ("bursar-policy", &["bursar-stripe", "bursar-domain"]),
    ("bursar-playbooks", &["bursar-stripe", "bursar-domain"]),
    ("bursar-ledger", &["bursar-stripe", "bursar-domain"]),
    ("bursar-insight", &["bursar-stripe", "bursar-domain"]),
    ("bursar-store", &["bursar-stripe", "bursar-domain"]),
    ("bursar-connectors", &["bursar-stripe", "bursar-domain"]),
    ("bursar-documents", &["bursar-stripe", "bursar-domain"]),
    (
        "bursar-engine",
        &[
            "bursar-stripe",
            "bursar-domain",
            "bursar-policy",
            "bursar-playbooks",
            "bursar-ledger",
            "bursar-insight",
            "bursar-store",
            "bursar-connectors",
            "bursar-documents",
        ],
    ),
    ("bursar-fake-stripe", &["bursar-stripe"]),
    ("bursar-sim", EVERYTHING_BELOW_SERVER),
    ("bursar-server", EVERYTHING_BELOW_SERVER),
    ("xtask", EVERYTHING_BELOW_SERVER),
];

const EVERYTHING_BELOW_SERVER: &[&str] = &[
    "bursar-stripe",
    "bursar-domain",
    "bursar-policy",
    "bursar-playbooks",
    "bursar-ledger",
    "bursar-insight",
    "bursar-store",
    "bursar-connectors",
    "bursar-documents",
    "bursar-engine",
    "bursar-fake-stripe",
];

/// What tests of any room may use besides: a Stripe that behaves.
const FOR_TESTS: &str = "bursar-fake-stripe";

/// Rooms whose code is a function of its arguments.
const PURE: &[&str] = &[
    "bursar-stripe",
    "bursar-domain",
    "bursar-policy",
    "bursar-playbooks",
    "bursar-ledger",
    "bursar-insight",
];

/// Input, output and chance: what a pure room may not even reach.
const IMPURE: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "async-std",
    "sqlx",
    "sqlx-core",
    "libsqlite3-sys",
    "axum",
    "tower",
    "reqwest",
    "hyper",
    "rustls",
    "rand",
    "fastrand",
    "getrandom",
    "iana-time-zone",
    "ring",
    "uuid",
];

/// What faces people: only the server, and the fake Stripe for its HTTP, may reach it.
const FACES: &[&str] = &["axum", "askama", "clap", "comfy-table", "indicatif", "rust-embed"];

/// What the store may not reach: HTTP in either direction, and logic.
const NOT_FOR_THE_STORE: &[&str] =
    &["reqwest", "hyper", "lettre", "minijinja", "bursar-playbooks", "bursar-policy"];

/// Who may hold a client of its own: package, then the rooms that may declare it for what they ship.
const CLIENTS: &[(&str, &[&str])] = &[
    (
        "reqwest",
        &["bursar-engine", "bursar-connectors", "bursar-fake-stripe", "bursar-server", "bursar-sim", "xtask"],
    ),
    ("sqlx", &["bursar-store"]),
    ("lettre", &["bursar-connectors"]),
    ("cedar-policy", &["bursar-policy"]),
    ("proc-macro2", &["xtask"]),
];

/// Members of the workspace that the plan does not know.
pub(super) fn unplaced(packages: &Packages) -> Vec<Problem> {
    let strangers = packages.names().filter(|name| room(name).is_none());
    strangers
        .map(|name| Problem::new(name, "is not in the plan: give it a place in xtask/src/tidy/house.rs"))
        .collect()
}

/// Edges between our crates that the plan does not draw.
pub(super) fn wrong_directions(packages: &Packages) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, package) in packages.iter() {
        let allowed = room(name).unwrap_or_default();
        for dependency in package.dependencies.iter().filter(|dependency| packages.contains(&dependency.name))
        {
            // Tests see their own crate, to ask it for what it has for tests.
            let for_tests = dependency.used_for == Use::Tests
                && (dependency.name == FOR_TESTS || dependency.name == name);
            if !allowed.contains(&dependency.name.as_str()) && !for_tests {
                found.push(Problem::new(name, format!("may not use {}", dependency.name)));
            }
        }
    }
    found
}

/// Clients of the outside declared where they do not belong.
pub(super) fn misplaced_clients(packages: &Packages) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, package) in packages.iter() {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.used_for != Use::Tests) {
            let owners =
                CLIENTS.iter().find(|(client, _)| *client == dependency.name).map(|(_, owners)| *owners);
            if owners.is_some_and(|owners| !owners.contains(&name)) {
                found.push(Problem::new(name, format!("may not hold {}", dependency.name)));
            }
        }
    }
    found
}

/// What `package` links in and may not.
pub(super) fn forbidden_reach(package: &str, reachable: &BTreeSet<String>) -> Vec<Problem> {
    let mut forbidden = Vec::new();
    if PURE.contains(&package) {
        forbidden.extend_from_slice(IMPURE);
    }
    if package == "bursar-store" {
        forbidden.extend_from_slice(NOT_FOR_THE_STORE);
    }
    if package != FOR_TESTS && room(package).is_some_and(|rooms| rooms != EVERYTHING_BELOW_SERVER) {
        forbidden.extend_from_slice(FACES);
    }
    let reached = forbidden.into_iter().filter(|name| reachable.contains(*name)).collect::<BTreeSet<_>>();
    let explain =
        |name| format!("reaches {name}; see `cargo tree -p {package} -e normal,no-proc-macro -i {name}`");
    reached.into_iter().map(|name| Problem::new(package, explain(name))).collect()
}

fn room(name: &str) -> Option<&'static [&'static str]> {
    PLAN.iter().find(|(room, _)| *room == name).map(|(_, allowed)| *allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn lines(problems: Vec<Problem>) -> Vec<String> {
        problems.into_iter().map(|problem| format!("{} {}", problem.place, problem.what)).collect()
    }

    #[test]
    fn an_edge_against_the_plan_is_found_and_one_along_it_is_not() {
        let packages = Packages::of([
            ("bursar-stripe", &[("bursar-domain", Use::Normal)]),
            ("bursar-domain", &[("bursar-stripe", Use::Normal)]),
        ]);
        assert_eq!(lines(wrong_directions(&packages)), ["bursar-stripe may not use bursar-domain"]);
    }

    #[test]
    fn only_the_fake_stripe_is_open_to_everybodys_tests() {
        let packages = Packages::of([
            ("bursar-domain", &[("bursar-fake-stripe", Use::Tests), ("bursar-store", Use::Tests)]),
            ("bursar-engine", &[("bursar-fake-stripe", Use::Normal)]),
            ("bursar-fake-stripe", &[]),
            ("bursar-store", &[]),
        ]);
        assert_eq!(
            lines(wrong_directions(&packages)),
            ["bursar-domain may not use bursar-store", "bursar-engine may not use bursar-fake-stripe"]
        );
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let packages = Packages::of([("bursar-attic", &[]), ("bursar-domain", &[])]);
        let found = unplaced(&packages);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "bursar-attic");
    }

    #[test]
    fn an_http_client_in_a_pure_room_is_found_and_one_for_its_tests_is_not() {
        let packages = Packages::of([
            ("bursar-policy", &[("reqwest", Use::Normal)]),
            ("bursar-domain", &[("reqwest", Use::Tests)]),
            ("bursar-engine", &[("reqwest", Use::Normal), ("sqlx", Use::Normal)]),
        ]);
        assert_eq!(
            lines(misplaced_clients(&packages)),
            ["bursar-engine may not hold sqlx", "bursar-policy may not hold reqwest"]
        );
    }

    #[test]
    fn purity_is_judged_by_what_is_reached() {
        let dirty = reach(&["serde", "getrandom", "tokio"]);
        assert_eq!(forbidden_reach("bursar-domain", &dirty).len(), 2);
        assert_eq!(forbidden_reach("bursar-engine", &dirty), []);
        assert_eq!(forbidden_reach("bursar-domain", &reach(&["serde"])), []);
    }

    #[test]
    fn nobody_below_the_server_reaches_a_face_and_the_store_no_http() {
        assert_eq!(forbidden_reach("bursar-engine", &reach(&["axum", "clap"])).len(), 2);
        assert_eq!(forbidden_reach("bursar-store", &reach(&["hyper", "bursar-playbooks"])).len(), 2);
        assert_eq!(forbidden_reach("bursar-server", &reach(&["axum", "clap", "askama"])), []);
        assert_eq!(forbidden_reach("bursar-fake-stripe", &reach(&["axum"])), []);
    }
}

//! Every command line that is documented can be typed, and help stays on a screen.

use clap::{CommandFactory, Parser};

use super::*;

/// What README, help and the reference show people.
const DOCUMENTED: &str = "
demo
demo --headless --seed 7 --speed 0 --data-dir ./d --listen 127.0.0.1:0 --proxy-listen 127.0.0.1:0 --stripe-listen 0 --json
init
init --single-operator --yes
connect stripe
connect stripe --name main --key-file ./key --webhook-url https://bursar.example.com/ingest/stripe --live
serve
serve --config /etc/bursar/bursar.toml --listen 0.0.0.0:7171 --public-url https://bursar.example.com
doctor
doctor --only stripe --json
status
status --quiet
mode
mode assist --playbook recovery
mode automate --scope refunds --lane acct_1/live
approvals list
approvals list --status all --limit 100
approvals list --status executed
approvals show apreq_1 --json
approvals approve apreq_1 --amount 640.00usd --yes --as controller
approvals approve apreq_1 --dry-run
approvals reject apreq_1 --reason no
approvals wait apreq_1
approvals wait apreq_1 --timeout 10m --executed
backfill
backfill --since 24mo --json
backfill --since 90d --detach
case list
case list --object in_1 --state open
case show case_1
case look-again prop_1
case settle prop_1 --happened --object re_1 --reason seen --yes
case settle prop_1 --did-not-happen --reason absent --yes
refund request ch_1 --amount 64.00usd --reason duplicate --yes
refund request ch_1 --reason duplicate --dry-run --idempotency-key ticket-1
audit verify --json
audit verify --data-dir ./d
audit export --output audit.ndjson --after 100
audit tail -n 5 --follow
events tail --type invoice.payment_failed
events list --limit 50 --starting-after evt_1
events get evt_1
events backfill --since 30d
events gaps --limit 5
events quarantine list
events quarantine show quar_1
events quarantine retry quar_1 --json
events dead
events retry job_1
alerts list --limit 5
alerts test --json
sim serve --listen 127.0.0.1:0 --seed 42 --speed 60 --company small
sim serve --webhook-url http://127.0.0.1:7171/ingest/stripe --webhook-secret whsec_1
sim serve --duplicate-percent 10 --reorder-percent 20 --rate-per-second 25 --live
sim trigger invoice.payment_failed --override amount=64000 --url http://127.0.0.1:7173
sim clock show
sim clock advance 3d
sim fault add --route /v1/refunds --kind timeout_after --nth 2 --times 3
sim fault add --route /v1/refunds --kind status --status 500
sim fault add --route /v1/refunds --kind status --status 500 --effect false
sim fault list
sim fault remove fault_1
config show
config show --origin
config check
config schema
completion bash
version
version --json
explain BUR-CFG-012
--color never --quiet version
";

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("bursar").chain(line.split_whitespace()))
}

#[test]
fn every_documented_command_line_is_understood() {
    for line in DOCUMENTED.lines().filter(|line| !line.is_empty()) {
        if let Err(error) = parse(line) {
            panic!("bursar {line}\n{error}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "",
        "approve apreq_1",
        "mode assist",
        "mode full --playbook recovery",
        "mode --playbook recovery",
        "approvals reject apreq_1",
        "approvals approve apreq_1 --amount 640.00",
        "approvals list --limit 0",
        "approvals list --status bogus",
        "refund request ch_1 --amount -5usd --reason x",
        "sim fault add --route /v1/refunds --kind status",
        "sim fault add --route /v1/refunds --kind drop --effect true",
        "sim serve --webhook-url http://127.0.0.1:1",
        "sim serve --duplicate-percent 101",
        "sim serve --rate-per-second 0",
        "sim clock advance 3",
        "events backfill --since yesterday",
        "backfill --since 24",
        "backfill --since 0mo",
        "demo --listen nowhere",
        "completion cmd",
    ] {
        assert!(parse(line).is_err(), "bursar {line}");
    }
}

#[test]
fn help_is_a_command_too() {
    for line in ["help", "help status", "help refund request"] {
        let kind = parse(line).map(|_| ()).unwrap_err().kind();
        assert_eq!(kind, clap::error::ErrorKind::DisplayHelp, "bursar {line}");
    }
}

#[test]
fn a_reason_is_words() {
    for blank in ["", " ", "\n\t"] {
        for command in ["refund request ch_1 --amount 5usd --yes", "approvals reject apreq_1"] {
            let words = ["bursar"].into_iter().chain(command.split(' ')).chain(["--reason", blank]);
            assert!(Cli::try_parse_from(words).is_err(), "{command} {blank:?}");
        }
    }
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn help_fits_a_screen_with_examples() {
    fn walk(command: &mut clap::Command, path: &str) {
        let help = command.render_help().to_string();
        let lines = help.lines().count();
        assert!(lines <= 48, "{path} --help takes {lines} lines");
        let wide = help.lines().find(|line| line.starts_with("  bursar") && line.chars().count() > 79);
        assert_eq!(wide, None, "{path} --help");
        for command in command.get_subcommands_mut() {
            let path = format!("{path} {}", command.get_name());
            walk(command, &path);
        }
    }
    let mut root = Cli::command();
    root.build();
    walk(&mut root, "bursar");
    assert!(root.render_help().to_string().contains("Examples:"));
}

#[test]
fn every_command_and_flag_says_what_it_is() {
    fn walk(command: &clap::Command, path: &str) {
        assert!(command.get_about().is_some(), "{path}");
        for argument in command.get_opts() {
            let id = argument.get_id().as_str();
            assert!(argument.get_help().is_some() || id == "kind", "{path} --{id}");
        }
        for command in command.get_subcommands() {
            walk(command, &format!("{path} {}", command.get_name()));
        }
    }
    walk(&Cli::command(), "bursar");
}

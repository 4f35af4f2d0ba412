//! What doctor says about installations that are well and that are not.

use std::path::Path;

use super::*;
use crate::cli::Globals;
use crate::cli::output::Output;
use crate::config::Environment;

fn findings(folder: &Path, config: &str) -> Vec<Finding> {
    let file = folder.join("bursar.toml");
    std::fs::write(&file, config).unwrap();
    let globals = Globals { config: Some(file), data_dir: Some(folder.join("data")), ..Globals::default() };
    let output = Output::new(&globals);
    // As `main` does; whoever comes second finds it done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    checks::all(&Session::new(globals, Environment::default(), output))
}

fn health(findings: &[Finding], check: &str) -> Option<Health> {
    findings.iter().find(|finding| finding.check == check).map(|finding| finding.health)
}

#[test]
fn a_broken_configuration_is_the_only_finding() {
    let folder = tempfile::tempdir().unwrap();
    let found = findings(folder.path(), "[server]\nlistn = \"127.0.0.1:0\"\n");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].check, found[0].health), ("config.read", Health::Sick));
    assert!(found[0].found.contains("BUR-CFG-012"), "{}", found[0].found);
}

#[test]
fn each_weak_point_is_named_with_its_fix() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let found = findings(
        folder.path(),
        "[server]\nlisten = \"0.0.0.0:0\"\n[approvals]\nsingle_operator = true\n[stripe.main]\n\
         api_base = \"http://127.0.0.1:1\"\napi_key = \"rk_test_0123456789abcdef\"\ningest = [\"webhook\"]\n[policies]\ndir = \"nowhere\"\n",
    );
    assert_eq!(health(&found, "data.writable"), Some(Health::Well));
    assert_eq!(health(&found, "secrets.kept"), Some(Health::Doubtful));
    assert_eq!(health(&found, "policies.load"), Some(Health::Sick));
    assert_eq!(health(&found, "stripe.ingest"), Some(Health::Sick));
    assert_eq!(health(&found, "approvals.separation"), Some(Health::Sick));
    assert_eq!(health(&found, "machine.clock"), Some(Health::Well));
    assert_eq!(health(&found, "server.exposed"), Some(Health::Doubtful));
    assert_eq!(health(&found, "audit.chain"), Some(Health::Well));
    let sound = |finding: &Finding| finding.health == Health::Well || finding.fix.is_some();
    assert!(found.iter().all(sound), "{found:?}");
    let shown = table(&found).for_programs();
    assert!(!shown.contains("0123456789"), "{shown}");
}

#[test]
fn an_installation_as_init_writes_it_lacks_only_its_account() {
    let folder = tempfile::tempdir().unwrap();
    let found = findings(folder.path(), "[server]\nlisten = \"127.0.0.1:0\"\n");
    let sick: Vec<&str> =
        found.iter().filter(|finding| finding.health == Health::Sick).map(|finding| finding.check).collect();
    assert_eq!(sick, ["stripe.account"]);
}

//! The binary as people and scripts run it: output, exit codes, files.

#[cfg(test)]
mod cli_bench;

use cli_bench::Bench;

#[test]
fn the_version_is_told_in_words_and_as_json() {
    let bench = Bench::new();
    assert_eq!(bench.run("version").stdout, format!("bursar {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(bench.run("version --json").json()["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn what_is_not_understood_exits_2_and_says_so_on_standard_error() {
    let bench = Bench::new();
    for line in ["", "approve", "mode assist", "approvals approve apreq_1 --amount 640"] {
        let ran = bench.run(line);
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{line}");
        assert!(!ran.stderr.is_empty(), "{line}");
    }
}

#[test]
fn every_code_can_be_explained() {
    let bench = Bench::new();
    let page = bench.run("explain cfg-012");
    assert!(page.stdout.starts_with("# BUR-CFG-012: unknown key\n"), "{}", page.stdout);
    let unknown = bench.run("explain BUR-CFG-013x");
    assert_eq!(unknown.exit, 3);
    assert!(unknown.stderr.contains("did you mean BUR-CFG-013?"), "{}", unknown.stderr);
}

#[test]
fn init_writes_an_installation_that_is_in_order() {
    let bench = Bench::new();
    let first = bench.run("init --yes");
    assert_eq!(first.exit, 0, "{}", first.stderr);
    for path in ["bursar.toml", ".gitignore", "policies/refunds.cedar", "policies/playbooks/recovery.toml"] {
        assert!(first.stdout.contains(&format!("wrote  {path}\n")), "{path} in {}", first.stdout);
        assert!(bench.path(path).is_file(), "{path}");
    }
    let check = bench.run("config check");
    assert_eq!((check.exit, check.stdout.as_str()), (0, "bursar.toml is in order\n"), "{}", check.stderr);
    let doctor = bench.run("doctor --only policies");
    assert_eq!(doctor.exit, 0, "{}{}", doctor.stdout, doctor.stderr);
    let shown = bench.run("config show").stdout;
    assert!(shown.contains("approvals.single_operator = false\n"), "{shown}");
}

#[test]
fn init_never_overwrites() {
    let bench = Bench::new();
    bench.write("bursar.toml", "# mine\n");
    bench.write("policies/refunds.cedar", "// mine\n");
    let ran = bench.run("init --yes --single-operator --json").json();
    let kept: Vec<&str> = ran["kept"].as_array().unwrap().iter().filter_map(|path| path.as_str()).collect();
    assert_eq!(kept, ["bursar.toml", "policies/refunds.cedar"]);
    assert_eq!(bench.read("bursar.toml"), "# mine\n");
    assert_eq!(bench.read("policies/refunds.cedar"), "// mine\n");
    let again = bench.run("init --yes --json").json();
    assert_eq!(again["written"].as_array().unwrap().len(), 0, "{again}");
}

#[test]
fn init_with_one_operator_and_a_place_says_so_in_the_file() {
    let bench = Bench::new();
    let data = bench.path("data \"x\"");
    let ran = bench.run_words(&["init", "--yes", "--single-operator", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let shown = bench.run("config show --json").json();
    let value = |key: &str| {
        let lines = shown["data"].as_array().unwrap();
        lines.iter().find(|line| line["key"] == key).map(|line| line["value"].clone()).unwrap_or_default()
    };
    assert_eq!(value("approvals.single_operator"), true);
    assert_eq!(value("data_dir"), data.to_str().unwrap());
    assert!(bench.read(".gitignore").contains("/data \"x\"/\n"));
}

#[test]
#[cfg(unix)]
fn only_the_owner_looks_into_a_new_data_directory() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.run("init --yes --data-dir data");
    let mode = std::fs::metadata(bench.path("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_broken_configuration_exits_78_with_the_place() {
    let bench = Bench::new();
    bench.write("bursar.toml", "[approvals]\nsingle_operater = true\n");
    let ran = bench.run("config check");
    assert_eq!((ran.exit, ran.stdout.as_str()), (78, ""));
    assert!(
        ran.stderr.contains("error[BUR-CFG-012]") && ran.stderr.contains("bursar.toml:2:1"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains('\u{1b}'), "no colour where there is no terminal");
    let json = bench.run("config check --json");
    let error: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!((json.exit, &error["error"]["exit_code"]), (78, &78.into()));
    assert!(bench.run("config check --color always").stderr.contains('\u{1b}'));
}

#[test]
fn no_secret_is_ever_printed() {
    let bench = Bench::new();
    bench.write("bursar.toml", "[stripe.main]\napi_key = \"rk_test_0123456789abcdef\"\n");
    for line in [
        "config show",
        "config show --origin",
        "config show --json",
        "config check",
        "doctor",
        "connect stripe",
    ] {
        let ran = bench.run(line);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!all.contains("0123456789"), "{line}: {all}");
    }
    assert!(bench.run("config show").stdout.contains("rk_test_…cdef"));
}

#[test]
fn the_schema_is_json_and_names_every_section() {
    let schema = Bench::new().run("config schema").json();
    for section in ["server", "storage", "stripe", "money", "approvals", "mail", "policies", "telemetry"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
}

#[test]
fn doctor_exits_11_with_a_fix_for_each_problem() {
    let bench = Bench::new();
    let ran = bench.run("doctor --json");
    assert_eq!(ran.exit, 11);
    let document = ran.json();
    assert_eq!(document["ok"], false);
    let mut sick = document["checks"].as_array().unwrap().iter().filter(|check| check["health"] == "sick");
    assert!(sick.all(|check| check["fix"].is_string()));
    assert_eq!(bench.run("doctor --only nothing").exit, 3);
}

#[test]
fn without_an_installation_commands_say_how_to_start_one() {
    let bench = Bench::new();
    for line in ["status", "case list", "approvals show apreq_1", "events list", "mode"] {
        let ran = bench.run(line);
        assert_eq!(ran.exit, 1, "{line}");
        assert!(
            ran.stderr.contains("error[BUR-API-001]") && ran.stderr.contains("bursar serve"),
            "{}",
            ran.stderr
        );
    }
    let nowhere = bench.run("audit verify --data-dir nowhere");
    assert_eq!(nowhere.exit, 3, "there is no audit here");
    assert!(nowhere.stderr.contains("there is no installation in"), "{}", nowhere.stderr);
}

#[test]
fn completion_scripts_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Bench::new().run(&format!("completion {shell}")).stdout;
        assert!(script.contains("approvals"), "{shell}");
    }
}

#[test]
#[cfg(unix)]
fn serve_makes_a_data_directory_that_only_its_owner_looks_into() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let ran = bench.run(&format!("serve --data-dir data --listen {}", taken.local_addr().unwrap()));
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    let mode = std::fs::metadata(bench.path("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_demo_that_runs_is_named_before_its_ports_are_tried() {
    let bench = Bench::new();
    bench.write("d/run.json", r#"{"api_url": "http://127.0.0.1:9", "pid": 1}"#);
    let lock = std::fs::File::create(bench.path("d/bursar.lock")).unwrap();
    lock.lock().unwrap();
    let ran = bench.run("demo --headless --data-dir d");
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("this demo already runs: http://127.0.0.1:9"), "{}", ran.stderr);
}

#[test]
fn a_key_that_cannot_be_meant_is_never_sent() {
    let bench = Bench::new();
    bench.write("live.key", "rk_live_0123456789abcdef");
    bench.write("other.key", "pk_test_0123456789abcdef");
    bench.write("bursar.toml", "[stripe.main]\napi_base = \"http://127.0.0.1:1\"\n");
    for (file, said) in
        [("live.key", "key of live mode"), ("other.key", "publishable"), ("no.key", "cannot be read")]
    {
        let ran = bench.run(&format!("connect stripe --key-file {file}"));
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{file}: {}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stderr.contains("nothing was"), "{file}: {}", ran.stderr);
        assert!(!ran.stderr.contains("0123456789"), "{file}: {}", ran.stderr);
    }
}

#[test]
fn what_is_about_an_installation_says_so_beside_a_demo() {
    let bench = Bench::new();
    for line in ["config show", "doctor --only data"] {
        assert!(!bench.run(line).stderr.contains("demo"), "{line}");
    }
    bench.write(".local/share/bursar-demo/bursar.db", "");
    for line in ["config show", "doctor --only data"] {
        let ran = bench.run(line);
        assert!(
            ran.stderr.contains("the demo in") && ran.stderr.contains("bursar-demo"),
            "{line}: {}",
            ran.stderr
        );
    }
}

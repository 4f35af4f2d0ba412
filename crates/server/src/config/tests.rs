//! Precedence, errors as people see them, and secrets that stay where they are.

use std::path::Path;

use super::*;
use crate::cli::code::Code;

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(config: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("bursar.toml", config);
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn options(&self) -> CliOptions {
        CliOptions { config: Some(self.path().join("bursar.toml")), ..CliOptions::default() }
    }

    fn load(&self, environment: impl Into<Environment>) -> Result<Config, ConfigErrors> {
        load(&self.options(), &environment.into())
    }

    /// What people would read, with the folder's name taken out.
    fn complaint(&self, environment: impl Into<Environment>) -> String {
        let errors = self.load(environment).expect_err("is refused");
        let text = anstream::adapter::strip_str(&errors.to_string()).to_string();
        text.replace(&format!("{}/", self.path().display()), "")
    }

    /// The same for what is only worth a warning.
    fn warnings(&self, environment: impl Into<Environment>) -> String {
        let config = self.load(environment).unwrap();
        let texts: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        anstream::adapter::strip_str(&texts.join("\n"))
            .to_string()
            .replace(&format!("{}/", self.path().display()), "")
    }
}

const HOME: [(&str, &str); 1] = [("HOME", "/home/olivia")];

fn origin(config: &Config, path: &str) -> String {
    config.origins.get(path).map_or_else(|| "default".to_owned(), ToString::to_string)
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let folder = Folder::with("[server]\nlisten = \"127.0.0.1:1\"\n");
    let listen = |config: &Config| (config.settings.server.listen.0.port(), origin(config, "server.listen"));
    let file = format!("{}/bursar.toml:2:10", folder.path().display());
    assert_eq!(listen(&folder.load(HOME).unwrap()), (1, file));

    let environment: Environment = [("HOME", "/h"), ("BURSAR_SERVER__LISTEN", "127.0.0.1:2")].into();
    let config = load(&folder.options(), &environment).unwrap();
    assert_eq!(listen(&config), (2, "BURSAR_SERVER__LISTEN".to_owned()));

    let flags = vec![("server.listen", "127.0.0.1:3".to_owned(), "--listen")];
    let config = load(&CliOptions { flags, ..folder.options() }, &environment).unwrap();
    assert_eq!(listen(&config), (3, "--listen".to_owned()));

    let empty = Folder::with("");
    assert_eq!(listen(&empty.load(HOME).unwrap()), (7171, "default".to_owned()));
}

#[test]
fn variables_take_the_kind_that_their_place_asks_for() {
    let folder = Folder::with("");
    folder.write("listen", "127.0.0.1:9\n");
    let file = folder.path().join("listen");
    let environment: Environment = [
        ("HOME", "/h"),
        ("BURSAR_SERVER__LISTEN_FILE", file.to_str().unwrap()),
        ("BURSAR_APPROVALS__SINGLE_OPERATOR", "true"),
        ("BURSAR_STRIPE__MAIN__API_KEY", "rk_test_0123456789abcdef"),
        ("BURSAR_STRIPE__MAIN__WEBHOOK_SECRETS", "whsec_a, whsec_b"),
        ("BURSAR_STRIPE__MAIN__INGEST", "poll,webhook"),
        ("BURSAR_STRIPE__MAIN__REQUESTS_PER_SECOND", "5"),
        ("BURSAR_MAIL__SMTP__URL", "smtp://127.0.0.1:2525"),
        ("BURSAR_TELEMETRY__LOG", ""),
    ]
    .into();
    let config = folder.load(environment).unwrap();
    let main = &config.settings.stripe["main"];
    assert_eq!(config.settings.server.listen.0.port(), 9);
    assert!(config.settings.approvals.single_operator);
    assert_eq!((main.webhook_secrets.len(), main.ingest.len(), main.requests_per_second), (2, 2, 5));
    assert_eq!(config.settings.mail.smtp.as_ref().unwrap().port, 2525);
    assert_eq!(config.settings.telemetry.log, "info", "an empty variable is none");
    assert!(config.warnings.is_empty(), "a variable is no place in clear");
}

#[test]
fn an_unknown_key_is_pointed_at_with_the_nearest_known_one() {
    let folder = Folder::with("[approvals]\ndefault_expiry = \"24h\"\n  single_operater = true\n");
    insta::assert_snapshot!(folder.complaint(HOME));
}

#[test]
fn every_unknown_key_is_reported_at_once_wherever_it_comes_from() {
    let folder =
        Folder::with("[servr]\nlisten = \"x\"\n[stripe.main]\napi_kye = \"sk_live_0123456789abcdef\"\n");
    let environment = [("HOME", "/h"), ("BURSAR_MONEY__ZONE", "UTC")];
    insta::assert_snapshot!(folder.complaint(environment));
}

#[test]
fn a_wrong_value_is_pointed_at() {
    let folder = Folder::with("[stripe.main]\nmode = \"asist\"\npoll_interval = \"10\"\n");
    insta::assert_snapshot!(folder.complaint(HOME));
}

#[test]
fn a_list_entry_is_pointed_at() {
    let text = "[money]\nrates = [\n  { currency = \"eur\", rate = \"1,0850\", date = 2026-11-20, source = \"ECB\" },\n]\n";
    insta::assert_snapshot!(Folder::with(text).complaint(HOME));
}

#[test]
fn what_is_not_toml_is_pointed_at_without_its_secret() {
    let folder = Folder::with("[stripe.main]\napi_key = \"sk_live_0123456789abcdef\n");
    insta::assert_snapshot!(folder.complaint(HOME));
}

#[test]
fn a_rate_keeps_its_digits_with_and_without_quotes() {
    let text =
        "[[money.rates]]\ncurrency = \"EUR\"\nrate = 1.0850\ndate = \"2026-11-20\"\nsource = \"ECB\"\n";
    let config = Folder::with(text).load(HOME).unwrap();
    assert_eq!(config.settings.money.rates[0].value.to_string(), "1.0850");
}

#[test]
fn a_live_key_in_clear_stops_everything_and_a_test_key_warns() {
    let live = Folder::with("[stripe.main]\napi_key = \"rk_live_0123456789abcdef\"\n");
    insta::assert_snapshot!("live_key_in_clear", live.complaint(HOME));
    let test = Folder::with("[stripe.main]\napi_key = \"rk_test_0123456789abcdef\"\n");
    insta::assert_snapshot!("test_key_in_clear", test.warnings(HOME));
    let mixed = "[stripe.a]\napi_key = { env = \"KEY\" }\n[mail.smtp]\nhost = \"mx.example\"\nuser = \"u\"\npassword = \"hunter2\"\n";
    let complaint = Folder::with(mixed).complaint([("HOME", "/h"), ("KEY", "sk_live_0123456789abcdef")]);
    assert!(complaint.contains("mail.smtp.password") && !complaint.contains("hunter2"), "{complaint}");
}

#[test]
fn a_secret_is_fetched_from_beside_the_file_or_from_a_variable() {
    let text = "[stripe.main]\napi_key = { file = \"stripe.key\" }\nwebhook_secrets = [{ env = \"HOOK\" }]\n";
    let folder = Folder::with(text);
    folder.write("stripe.key", "rk_live_0123456789abcdef\n");
    let config = folder.load([("HOME", "/h"), ("HOOK", "whsec_0123456789abcdef")]).unwrap();
    let main = &config.settings.stripe["main"];
    assert_eq!(main.api_key.as_ref().unwrap().masked(), "rk_live_…cdef");
    assert_eq!(main.webhook_secrets[0].masked(), "whsec_…cdef");
    assert!(config.warnings.is_empty());
}

#[test]
fn a_secret_that_cannot_be_read_says_where_it_was_looked_for() {
    let text = "[stripe.main]\napi_key = { file = \"stripe.key\" }\nwebhook_secrets = [{ env = \"HOOK\" }, { vault = \"x\" }]\n";
    insta::assert_snapshot!(Folder::with(text).complaint(HOME));
}

#[test]
fn no_secret_shows_in_debug_or_in_what_is_shown() {
    let text = "[stripe.main]\napi_key = \"rk_test_0123456789abcdef\"\n[mail.smtp]\nhost = \"mx.example\"\nuser = \"u\"\n\
                password = \"hunter2\"\n";
    let folder = Folder::with(text);
    let config = folder
        .load([("HOME", "/h"), ("BURSAR_STRIPE__MAIN__WEBHOOK_SECRETS", "whsec_0123456789abcdef")])
        .unwrap();
    let lines = show::lines(&config).unwrap();
    for text in [format!("{config:?}"), format!("{lines:?}")] {
        for secret in ["hunter2", "0123456789", "rk_test_0"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let key = lines.iter().find(|line| line.path == "stripe.main.api_key").unwrap();
    assert_eq!(key.value, "rk_test_…cdef");
    assert!(key.origin.ends_with("bursar.toml:2:11, in clear"), "{}", key.origin);
    let hook = lines.iter().find(|line| line.path == "stripe.main.webhook_secrets[0]").unwrap();
    assert_eq!(hook.origin, "BURSAR_STRIPE__MAIN__WEBHOOK_SECRETS");
}

#[test]
fn stripes_own_variable_is_used_where_no_account_is_configured() {
    let environment = [("HOME", "/h"), ("STRIPE_API_KEY", "rk_test_0123456789abcdef")];
    let config = Folder::with("").load(environment).unwrap();
    assert_eq!(config.settings.stripe["main"].api_key.as_ref().unwrap().masked(), "rk_test_…cdef");
    assert_eq!(config.warnings.len(), 1);
    let other = Folder::with("[stripe.eu]\n").load(environment).unwrap();
    assert_eq!(other.settings.stripe.keys().collect::<Vec<_>>(), ["eu"]);
}

#[test]
fn one_underscore_too_few_is_said() {
    let folder = Folder::with("");
    let warnings =
        folder.warnings([("HOME", "/h"), ("BURSAR_SERVER_LISTEN", "127.0.0.1:1"), ("BURSAR_TOKEN", "t")]);
    assert!(warnings.contains("BURSAR_SERVER__LISTEN"), "{warnings}");
    assert_eq!(warnings.matches("warning").count(), 1, "{warnings}");
}

#[test]
fn the_data_directory_follows_the_strongest_word() {
    let plain = Folder::with("");
    let placed = Folder::with("[storage]\nurl = \"sqlite:///srv/a/bursar.db\"\n");
    let relative = Folder::with("[storage]\nurl = \"sqlite://data/bursar.db\"\n");
    let settled = |folder: &Folder, flag: Option<&str>, environment: Environment| {
        let options = CliOptions { data_dir: flag.map(Into::into), ..folder.options() };
        let config = load(&options, &environment).unwrap();
        let database = config.data_dir.join("bursar.db");
        assert_eq!(config.settings.storage.url, value::StorageUrl::Sqlite(database));
        assert_eq!(data_dir(&options, &environment).unwrap(), config.data_dir);
        config.data_dir
    };
    assert_eq!(settled(&plain, None, HOME.into()), Path::new("/home/olivia/.local/share/bursar"));
    assert_eq!(settled(&plain, None, [("XDG_DATA_HOME", "/x")].into()), Path::new("/x/bursar"));
    assert_eq!(
        settled(&plain, None, [("STATE_DIRECTORY", "/var/lib/bursar")].into()),
        Path::new("/var/lib/bursar")
    );
    assert_eq!(settled(&placed, None, HOME.into()), Path::new("/srv/a"));
    assert_eq!(settled(&relative, None, HOME.into()), relative.path().join("data"));
    assert_eq!(settled(&placed, None, [("BURSAR_DATA_DIR", "/env")].into()), Path::new("/env"));
    assert_eq!(settled(&placed, Some("/flag"), [("BURSAR_DATA_DIR", "/env")].into()), Path::new("/flag"));
    let both = [("BURSAR_DATA_DIR", "/env"), ("BURSAR_STORAGE__URL", "sqlite:///url/bursar.db")];
    assert_eq!(settled(&placed, None, both.into()), Path::new("/url"));
    let errors = load(&plain.options(), &Environment::default()).unwrap_err();
    assert_eq!(errors.0[0].code(), Code::ConfigNoDataDir);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let options = CliOptions { config: Some("/nowhere/bursar.toml".into()), ..CliOptions::default() };
    assert_eq!(load(&options, &HOME.into()).unwrap_err().0[0].code(), Code::ConfigUnreadable);
    let environment: Environment = [("HOME", "/h"), ("BURSAR_CONFIG", "/nowhere/b.toml")].into();
    assert_eq!(load(&CliOptions::default(), &environment).unwrap_err().0[0].code(), Code::ConfigUnreadable);
}

#[test]
fn everything_that_can_be_set_is_shown() {
    let schema = schema::ConfigSchema::new();
    insta::assert_snapshot!(serde_json::to_string_pretty(&in_order(schema.as_json())).unwrap());
}

/// Keys by name, whatever order the JSON library was built to keep.
fn in_order(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, Value> =
                map.iter().map(|(key, value)| (key, in_order(value))).collect();
            sorted.into_iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(values) => values.iter().map(in_order).collect(),
        value => value.clone(),
    }
}

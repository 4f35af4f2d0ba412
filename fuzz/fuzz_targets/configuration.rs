//! The configuration file. It is read, or refused with reasons that say where, the same ones each time; nothing that is shown of
//! it holds a secret that stood in it; and what is read says of each setting where it is from.
#![no_main]

use bursar::fuzzing::{CliOptions, Environment, load, show};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "sk_live_0123456789abcdef";

fuzz_target!(
    init: bursar_fuzz::seeds([
        "[storage]\nurl = \"sqlite:///var/lib/bursar/bursar.db\"\n\n[stripe.main]\napi_key = \"sk_live_0123456789abcdef\"\n\
         webhook_secrets = [{ file = \"a\" }, \"sk_live_0123456789abcdef\"]\ningest = [\"webhook\", \"poll\"]\npoll_interval = \"1s\"\n\
         mode = \"automate\"\nrequests_per_second = 10\n",
        "[server]\nlisten = \"127.0.0.1:1\"\npublic_url = \"https://bursar.example.com\"\n[mail.smtp]\nurl = \"smtps://a:465\"\n\
         password = \"sk_live_0123456789abcdef\"\n",
        "[approvals]\ndefault_expiry = \"24h\"\n  single_operater = true\n",
        "[storage]\nurl = \"postgres://bursar:sk_live_0123456789abcdef@db/bursar\"\n",
        "[stripe.main]\napi_key = \"sk_live_0123456789abcdef\n",
        "stripe = { main = { api_key = { env = \"X\" }, mode = 'sk_live_0123456789abcdef' } }\n",
        "[stripe.main]\napi_key = 'sk_live_0123456789abcdef'\n\"sk_live_0123456789abcdef\" = 1\n",
        "[money]\nhome = \"eur\"\n[money.rates]\nusd = \"0.92\"\n",
        "",
    ]),
    |text: &str| {
        let shown = shown(text);
        assert_eq!(self::shown(text), shown, "the same file is read the same way");
        assert!(!shown.is_empty() && shown.iter().all(|part| !part.is_empty()), "it says something");
        // A secret by its look and in one piece: with another word around it, it is no secret any more.
        let apart = |at: usize| {
            let word = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
            !word(text[..at].chars().next_back()) && !word(text[at + SECRET.len()..].chars().next())
        };
        if text.match_indices(SECRET).all(|(at, _)| apart(at)) {
            for part in &shown {
                assert!(!part.contains(SECRET), "a secret is shown: {part}");
            }
        }
    }
);

/// Everything that people are shown of the file: its settings and warnings, or why it is refused.
fn shown(text: &str) -> Vec<String> {
    let path = bursar_fuzz::folder("configuration").join("bursar.toml");
    std::fs::write(&path, text).expect("the file can be written");
    let options = CliOptions { config: Some(path), ..CliOptions::default() };
    match load(&options, &Environment::from([("HOME", "/nowhere")])) {
        Err(errors) => {
            let whole = errors.0.iter().flat_map(|error| {
                let told = error.to_string();
                // At a line of the file, or by the path of the setting, which stands in backquotes.
                assert!(told.contains("bursar.toml") || told.contains('`'), "where? {told}");
                [told, format!("{error:?}"), error.to_json().to_string()]
            });
            whole.collect()
        }
        Ok(config) => {
            let lines = show::lines(&config).expect("settings are JSON");
            assert!(lines.iter().all(|line| !line.path.is_empty() && !line.origin.is_empty()));
            let lines = lines.iter().map(|line| format!("{} = {} ({})", line.path, line.value, line.origin));
            let warnings = config.warnings.iter().map(ToString::to_string);
            lines.chain(warnings).chain([format!("{config:?}")]).collect()
        }
    }
}

//! `bursar serve` beside a separately started `bursar sim serve`: two processes, so that either can die alone.

use std::path::Path;

use serde_json::Value;

use super::{Program, Ran, Site, Wish, until};

pub struct Pair {
    pub serve: Program,
    pub site: Site,
    // Ended after the engine that speaks to it.
    pub sim: Program,
    folder: tempfile::TempDir,
}

fn run(folder: &Path, line: &str) -> Ran {
    Wish { words: line.split_whitespace().collect(), folder }.run()
}

fn serve(folder: &Path) -> Program {
    let words = "serve --json --config bursar.toml --listen 127.0.0.1:0".split(' ').collect();
    Program::start(&Wish { words, folder })
}

fn sim(folder: &Path, address: &str) -> Program {
    let line = format!("sim serve --json --company small --speed 0 --listen {address} --data-dir stripe");
    Program::start(&Wish { words: line.split(' ').collect(), folder })
}

/// What `init` wrote, with a Stripe to speak to, and whatever else the test wants.
fn configure(folder: &Path, stripe: &str, (ingest, more): (&str, &str)) {
    let path = folder.join("bursar.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let stripe = format!(
        "\n[stripe.main]\napi_key = {{ file = \"stripe.key\" }}\napi_base = \"{stripe}\"\nmode = \"automate\"\n\
         poll_interval = \"1s\"\nrequests_per_second = 200\n{ingest}\n"
    );
    std::fs::write(path, text + &stripe + more).unwrap();
}

const POLL: &str = "ingest = [\"poll\"]";
const WEBHOOK_TOO: &str =
    "ingest = [\"poll\", \"webhook\"]\nwebhook_secrets = [{ file = \"webhook.secret\" }]";
const SECRET: &str = "whsec_of_the_endpoint";

impl Pair {
    /// Polls only. `more` is added to the configuration.
    #[track_caller]
    pub fn start(more: &str) -> Self {
        let pair = Self::open((POLL, more), |_| {});
        pair.connected();
        pair
    }

    /// Takes webhooks too; its Stripe was killed before it came up for the first time.
    #[track_caller]
    pub fn start_without_stripe() -> Self {
        Self::open((WEBHOOK_TOO, ""), Program::kill)
    }

    #[track_caller]
    fn open(config: (&str, &str), before: impl FnOnce(&mut Program)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut sim = sim(folder.path(), "127.0.0.1:0");
        let text = |name: &str| sim.told[name].as_str().unwrap().to_owned();
        let (url, key) = (text("stripe_url"), text("stripe_key"));
        let made = run(folder.path(), "init --yes --json --config bursar.toml --data-dir data").json(0);
        std::fs::write(folder.path().join("stripe.key"), &key).unwrap();
        std::fs::write(folder.path().join("webhook.secret"), SECRET).unwrap();
        configure(folder.path(), &url, config);
        let people = made["people_file"].as_str().unwrap_or_else(|| panic!("nobody was made: {made}"));
        let people = std::fs::read(folder.path().join(people)).unwrap();
        let people: Value = serde_json::from_slice(&people).unwrap();
        before(&mut sim);
        let serve = serve(folder.path());
        let site = Site::new(serve.told["api_url"].as_str().unwrap(), people["tokens"].clone(), (url, key));
        let site = match config.0 {
            WEBHOOK_TOO => site.taking_webhooks(serve.told["ingest_url"].as_str().unwrap(), SECRET),
            _ => site,
        };
        Self { serve, site, sim, folder }
    }

    /// Waits until the engine has read Stripe's events once.
    #[track_caller]
    pub fn connected(&self) {
        until("the lane to be polled", || {
            let status = self.site.get("operator", "/status");
            let lane = &status["lanes"][0];
            (lane["polled_age_s"].is_i64() && lane["last_error"].is_null()).then_some(())
        });
    }

    /// Starts the engine that was killed again.
    #[track_caller]
    pub fn serve_again(self) -> Self {
        let Self { serve: dead, site, sim, folder } = self;
        drop(dead);
        let serve = serve(folder.path());
        let site = site.moved_to(serve.told["api_url"].as_str().unwrap());
        let pair = Self { serve, site, sim, folder };
        pair.connected();
        pair
    }

    /// Starts the Stripe that was killed again, where it was.
    #[track_caller]
    pub fn sim_again(&mut self) {
        let address = self.sim.told["stripe_url"].as_str().unwrap().trim_start_matches("http://").to_owned();
        self.sim = sim(self.folder.path(), &address);
    }

    pub fn bursar(&self, line: &str) -> Ran {
        run(self.folder.path(), &format!("{line} --config bursar.toml"))
    }
}

//! The real server on a database of its own, beside a fake Stripe that says whose account it is.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bursar_fake_stripe::FakeStripe;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::place::Place;
use crate::process::Process;

pub struct Installation {
    pub process: Process,
    pub address: SocketAddr,
    url: String,
}

/// A fake Stripe that answers in this process from a thread of its own, for as long as the process lives.
pub fn fake_stripe() -> anyhow::Result<(FakeStripe, String)> {
    let options = bursar_fake_stripe::Options {
        start_s: bursar_engine::Clocks::system().machine().unix_s(),
        ..bursar_fake_stripe::Options::default()
    };
    let stripe = FakeStripe::open(options)?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = stripe.clone();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            served.serve(listener, std::future::pending()).await.map_err(anyhow::Error::from)
        })
    });
    Ok((stripe, url))
}

impl Installation {
    /// Starts `bursar serve`, told nothing but where its database and its Stripe are and what webhooks are signed with.
    pub fn start(
        program: &Path,
        place: &Place,
        stripe: (&FakeStripe, &str),
        secret: &str,
    ) -> anyhow::Result<Self> {
        let write = |name: &str, text: &str| {
            let path = place.folder().join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string()).map(|()| path)
        };
        let key_file = write("key", &stripe.0.secret_key())?;
        let secret_file = write("secret", secret)?;
        let storage = place.storage_url();
        let storage = storage.map_or_else(String::new, |url| format!("[storage]\nurl = \"{url}\"\n\n"));
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n\n{storage}[stripe.main]\napi_base = \"{}\"\n\
             api_key = {{ file = \"{}\" }}\nwebhook_secrets = [{{ file = \"{}\" }}]\n\
             ingest = [\"webhook\"]\nrequests_per_second = 10000\n",
            stripe.1,
            key_file.display(),
            secret_file.display(),
        );
        let (config, data_dir) = (write("bursar.toml", &config)?, place.data_dir());
        let words = ["serve", "--json", "--config"].map(OsStr::new);
        let arguments =
            [&words[..], &[config.as_os_str(), "--data-dir".as_ref(), data_dir.as_os_str()]].concat();
        let process = Process::start(program, &arguments)?;
        let said: Value = serde_json::from_str(&process.first_line).context("the server said no JSON")?;
        let url = said["console_url"].as_str().context("no console_url")?.to_owned();
        let address = url.trim_start_matches("http://").parse().context("no address")?;
        Ok(Self { process, address, url })
    }

    /// What it counted so far.
    pub async fn counts(&self, client: &reqwest::Client) -> anyhow::Result<Counts> {
        let text = client.get(format!("{}/metrics", self.url)).send().await?.text().await?;
        let sum = |name: &str| {
            let series =
                text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')));
            let counts = series.map(|line| line.rsplit(' ').next().unwrap_or_default().parse::<u32>());
            counts.sum::<Result<u32, _>>()
        };
        Ok(Counts { verdicts: sum("bursar_decisions_total")?, reads: sum("bursar_stripe_reads_total")? })
    }

    /// Waits until nothing is left to do, or the time is up; says how many jobs are left.
    pub async fn rest(&self, at_most: Duration) -> anyhow::Result<u32> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        let mut pause = tokio::time::interval(Duration::from_secs(1));
        let end = tokio::time::Instant::now() + at_most;
        loop {
            pause.tick().await;
            let text = client.get(format!("{}/metrics", self.url)).send().await?.text().await?;
            let left = gauge(&text, "bursar_jobs_due")? + gauge(&text, "bursar_jobs_leased")?;
            if left == 0 || tokio::time::Instant::now() >= end {
                return Ok(left);
            }
        }
    }
}

/// Verdicts that were saved, and reads from Stripe.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    pub verdicts: u32,
    pub reads: u32,
}

fn gauge(text: &str, name: &str) -> anyhow::Result<u32> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.with_context(|| format!("no {name}"))?.trim().parse().with_context(|| name.to_owned())
}

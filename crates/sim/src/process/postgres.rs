//! Databases on the server for tests, made and dropped with its own programs: only the store speaks SQL.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;

/// A database that goes with whoever holds it.
pub(super) struct Scratch {
    server: String,
    name: String,
}

impl Scratch {
    /// `server` is `postgres://user@host:port/any`.
    pub(super) async fn new(server: &str, name: &str) -> anyhow::Result<Self> {
        let server = server.rsplit_once('/').map(|(server, _)| server.to_owned());
        let made = Self { server: server.context("an address without a database")?, name: name.to_owned() };
        made.tell(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        made.tell(&format!("CREATE DATABASE {name}")).await?;
        Ok(made)
    }

    pub(super) fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// The same database by another way.
    pub(super) fn url_by(&self, address: &str) -> String {
        self.url().replace(address_of(&self.server), address)
    }

    async fn tell(&self, what: &str) -> anyhow::Result<()> {
        let mut psql = Command::new(programs()?.join("psql"));
        psql.args(["-qAt", "-c", what]).arg(format!("{}/postgres", self.server));
        psql.env("PGOPTIONS", "-c client_min_messages=error");
        let output = psql.output().await.context("psql")?;
        anyhow::ensure!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Another database that is the same, of which nobody makes use.
    pub(super) async fn twin(&self, name: &str) -> anyhow::Result<Self> {
        let twin = Self { server: self.server.clone(), name: name.to_owned() };
        twin.tell(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        twin.tell(&format!("CREATE DATABASE {name} TEMPLATE {}", self.name)).await?;
        Ok(twin)
    }

    /// A copy of one moment.
    pub(super) async fn dump(&self, copy: &Path) -> anyhow::Result<()> {
        let mut dump = Command::new(programs()?.join("pg_dump"));
        dump.arg("--format=custom").arg("--file").arg(copy).arg(self.url());
        succeeds(dump).await
    }

    /// Puts a copy in the place of the database, of which nothing stays.
    pub(super) async fn put_back(&self, copy: &Path) -> anyhow::Result<()> {
        self.tell(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await?;
        self.tell(&format!("CREATE DATABASE {}", self.name)).await?;
        let mut restore = Command::new(programs()?.join("pg_restore"));
        restore.args(["--exit-on-error", "--single-transaction", "--dbname"]).arg(self.url()).arg(copy);
        succeeds(restore).await
    }

    /// Nothing of it is needed any more.
    pub(super) async fn drop(self) -> anyhow::Result<()> {
        self.tell(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await
    }
}

async fn succeeds(mut command: Command) -> anyhow::Result<()> {
    let output = command.output().await.with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The folder of the newest server's programs.
pub(super) fn programs() -> anyhow::Result<PathBuf> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").context("no PostgreSQL in /usr/lib/postgresql")?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let version = |folder: &PathBuf| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let found = folders.filter(|folder| folder.join("psql").exists()).max_by_key(version);
    found.context("no psql below /usr/lib/postgresql")
}

/// The address of a server in its URL.
pub(super) fn address_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.split_once('/').map_or(rest, |(place, _)| place);
    place.rsplit_once('@').map_or(place, |(_, address)| address)
}

/// A server of our own, which may be stopped in any way.
pub(super) struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// Who owns it: the programs refuse root.
    owner: Option<&'static str>,
}

impl Cluster {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("bursar-prove-server-").tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        let id = Command::new("id").arg("-u").output().await?;
        let owner = (id.stdout.trim_ascii() == b"0").then_some("postgres");
        let cluster = Self { programs: programs()?, folder, port, owner };
        if let Some(owner) = owner {
            let given = Command::new("chown").arg(owner).arg(cluster.folder.path()).status().await?;
            anyhow::ensure!(given.success(), "the folder cannot be given to {owner}");
        }
        cluster
            .tell("initdb", &["--username=bursar", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"])
            .await?;
        cluster.go_on().await?;
        Ok(cluster)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://bursar@127.0.0.1:{}/postgres", self.port)
    }

    /// As a crash would: no checkpoint, nobody is told.
    pub(super) async fn stop_at_once(&self) -> anyhow::Result<()> {
        self.tell("pg_ctl", &["--mode=immediate", "--wait", "stop"]).await
    }

    pub(super) async fn go_on(&self) -> anyhow::Result<()> {
        let folder = self.folder.path().display();
        let options =
            format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}", self.port);
        let log = format!("--log={folder}/server.log");
        self.tell("pg_ctl", &["--wait", &log, "--options", &options, "start"]).await
    }

    pub(super) async fn end(self) -> anyhow::Result<()> {
        self.tell("pg_ctl", &["--mode=immediate", "--wait", "stop"]).await
    }

    async fn tell(&self, program: &str, words: &[&str]) -> anyhow::Result<()> {
        let path = self.programs.join(program);
        let mut command = match self.owner {
            Some(owner) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", owner, "--regid", owner, "--clear-groups"]).arg(path);
                command
            }
            None => Command::new(path),
        };
        command
            .arg("--pgdata")
            .arg(self.folder.path().join("data"))
            .args(words)
            .current_dir(self.folder.path());
        // The server inherits what it is started with, and would keep a pipe open.
        let told = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().await?;
        anyhow::ensure!(told.success(), "{program} {words:?}");
        Ok(())
    }
}

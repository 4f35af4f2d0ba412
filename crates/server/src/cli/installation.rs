//! Finds the running installation and what to say who we are: from what it wrote into its data directory, from the
//! environment, or from flags.

use std::path::{Path, PathBuf};

use bursar_domain::role::Role;
use secrecy::SecretString;
use serde_json::Value;

use super::code::Code;
use super::failure::Failure;
use super::session::Session;
use crate::config::paths;

/// Flags that say who is speaking.
#[derive(Clone, Debug, clap::Args)]
pub struct Identity {
    /// In a demo: as operator, controller, support or platform
    #[arg(long = "as", value_name = "ROLE")]
    role: Option<Role>,
    #[arg(long, value_name = "FILE", help = "A file that holds your token; else BURSAR_TOKEN")]
    token_file: Option<PathBuf>,
    /// Who speaks in a demo when nobody says.
    #[arg(skip = Role::Operator)]
    usually: Role,
}

impl Identity {
    /// Votes are a controller's business in a demo.
    #[must_use]
    pub fn usually_controller(self) -> Self {
        Self { usually: Role::Controller, ..self }
    }
}

#[derive(Debug)]
pub struct Installation {
    api_url: String,
    /// What `bursar demo --json` printed, where this is a demo.
    demo: Option<Value>,
}

impl Installation {
    /// The address from `BURSAR_API_URL`, else from the data directory. Where nothing names an installation at all, a
    /// running demo will do.
    pub fn find(session: &Session) -> Result<Self, Failure> {
        if let Some(url) = session.environment.get("BURSAR_API_URL") {
            return Ok(Self { api_url: url.to_owned(), demo: None });
        }
        let data_dir = session.data_dir()?;
        if let Some(found) = Self::at(&data_dir) {
            return Ok(found);
        }
        let demo = paths::demo_data_dir(&session.environment).filter(|_| !session.names_installation());
        demo.and_then(|dir| Self::at(&dir)).ok_or_else(|| not_running(&data_dir))
    }

    /// What answers for this data directory, as far as it wrote that down.
    pub fn at(data_dir: &Path) -> Option<Self> {
        let demo = document(&data_dir.join("demo.json"));
        let run = document(&data_dir.join("run.json"));
        let address = |document: &Value| document.get("api_url")?.as_str().map(str::to_owned);
        let api_url = run.as_ref().and_then(address).or_else(|| demo.as_ref().and_then(address))?;
        Some(Self { api_url, demo })
    }

    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Where the fake Stripe of a demo answers.
    pub fn stripe_url(&self) -> Option<&str> {
        self.demo.as_ref()?.get("stripe_url")?.as_str()
    }

    /// A named role or token file wins over `BURSAR_TOKEN`, which wins over the demo's own tokens.
    pub fn token(&self, identity: &Identity, session: &Session) -> Result<SecretString, Failure> {
        if let Some(path) = &identity.token_file {
            return read_token(path);
        }
        if let Some(role) = identity.role {
            let found = self.demo_token(role);
            return found.ok_or_else(|| {
                no_token().note("cause", "--as speaks for people of a demo, and this is none")
            });
        }
        if let Some(token) = session.environment.get("BURSAR_TOKEN") {
            return Ok(token.into());
        }
        if let Some(path) = session.environment.path("BURSAR_TOKEN_FILE") {
            return read_token(&path);
        }
        self.demo_token(identity.usually).ok_or_else(no_token)
    }

    fn demo_token(&self, role: Role) -> Option<SecretString> {
        let tokens = self.demo.as_ref()?.get("tokens")?;
        tokens.get(role.as_str())?.as_str().map(SecretString::from)
    }
}

/// A JSON file, or nothing when it is not there or half written.
fn document(path: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

fn read_token(path: &Path) -> Result<SecretString, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| no_token().note("cause", format!("{}: {error}", path.display())))?;
    match text.trim() {
        "" => Err(no_token().note("cause", format!("{} is empty", path.display()))),
        token => Ok(token.into()),
    }
}

fn no_token() -> Failure {
    Failure::new(Code::NoToken, "this needs a token that says who you are")
        .help("take yours from people.json, which `bursar init` wrote into the data directory, then: export BURSAR_TOKEN=…")
}

fn not_running(data_dir: &Path) -> Failure {
    Failure::new(Code::NotRunning, format!("no running installation in {}", data_dir.display())).help(
        "is `bursar serve` running? Name another with --data-dir or --config, or start a demo: bursar demo",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::Globals;
    use crate::cli::output::Output;
    use crate::config::Environment;
    use secrecy::ExposeSecret;

    fn session(data_dir: &Path, environment: Environment) -> Session {
        let globals = Globals { data_dir: Some(data_dir.to_owned()), ..Globals::default() };
        let output = Output::new(&globals);
        Session::new(globals, environment, output)
    }

    fn demo(dir: &Path) {
        let tokens = json!({"operator": "tok-o", "controller": "tok-c"});
        let told =
            json!({"api_url": "http://127.0.0.1:1", "stripe_url": "http://127.0.0.1:3", "tokens": tokens});
        std::fs::write(dir.join("demo.json"), told.to_string()).unwrap();
    }

    fn identity(role: Option<Role>) -> Identity {
        Identity { role, token_file: None, usually: Role::Operator }
    }

    #[test]
    fn a_demo_speaks_for_its_people_and_a_running_service_for_itself() {
        let dir = tempfile::tempdir().unwrap();
        let empty = session(dir.path(), Environment::default());
        assert_eq!(Installation::find(&empty).unwrap_err().code(), Code::NotRunning);
        demo(dir.path());
        let found = Installation::find(&empty).unwrap();
        assert_eq!((found.api_url(), found.stripe_url()), ("http://127.0.0.1:1", Some("http://127.0.0.1:3")));
        let token =
            |identity: &Identity| found.token(identity, &empty).map(|token| token.expose_secret().to_owned());
        assert_eq!(token(&identity(None)).unwrap(), "tok-o");
        assert_eq!(token(&identity(None).usually_controller()).unwrap(), "tok-c");
        assert_eq!(token(&identity(Some(Role::Support))).unwrap_err().code(), Code::NoToken);
        std::fs::write(dir.path().join("run.json"), r#"{"api_url": "http://127.0.0.1:2", "pid": 1}"#)
            .unwrap();
        assert_eq!(Installation::find(&empty).unwrap().api_url(), "http://127.0.0.1:2");
    }

    #[test]
    fn the_environment_names_the_token_and_a_flag_beats_it() {
        let dir = tempfile::tempdir().unwrap();
        demo(dir.path());
        let session = session(dir.path(), [("BURSAR_TOKEN", "tok-env")].into());
        let found = Installation::find(&session).unwrap();
        let token = |identity: &Identity| found.token(identity, &session).unwrap().expose_secret().to_owned();
        assert_eq!(token(&identity(None)), "tok-env");
        assert_eq!(token(&identity(Some(Role::Controller))), "tok-c");
        let path = dir.path().join("token");
        std::fs::write(&path, "tok-file\n").unwrap();
        assert_eq!(token(&Identity { token_file: Some(path), ..identity(None) }), "tok-file");
    }
}

//! What every command has at hand: the global flags, the environment, and where output goes.

use std::path::{Path, PathBuf};

use super::Globals;
use super::client::Client;
use super::failure::Failure;
use super::installation::{Identity, Installation};
use super::output::Output;
use crate::config::{self, CliOptions, Config, ConfigErrors, Environment, paths};

pub struct Session {
    pub globals: Globals,
    pub environment: Environment,
    pub output: Output,
}

/// A setting given as a flag: its path, its value, and the flag as it is typed.
pub type FlagSetting = (&'static str, String, &'static str);

impl Session {
    pub fn new(globals: Globals, environment: Environment, output: Output) -> Self {
        Self { globals, environment, output }
    }

    /// The configuration with these flags over it. Every problem but the last is reported here, the last is the failure.
    pub fn config(&self, flags: Vec<FlagSetting>) -> Result<Config, Failure> {
        let options = CliOptions { flags, ..self.options() };
        config::load(&options, &self.environment).map_err(|errors| self.all_but_last(errors))
    }

    /// Where the installation keeps its data; judges nothing else.
    pub fn data_dir(&self) -> Result<PathBuf, Failure> {
        config::data_dir(&self.options(), &self.environment).map_err(|errors| self.all_but_last(errors))
    }

    /// Where the installation's data lies, as the store wants it. Secrets are fetched only for a database that is elsewhere,
    /// so that people who may not read the service's secrets can still check what lies in a directory.
    pub fn store_options(&self, node: &str) -> Result<bursar_store::Options, Failure> {
        let options = self.options();
        if config::is_elsewhere(&options, &self.environment).map_err(|errors| self.all_but_last(errors))? {
            return self.config(Vec::new())?.store_options(node.to_owned());
        }
        let anchor =
            config::anchor_file(&options, &self.environment).map_err(|errors| self.all_but_last(errors))?;
        Ok(bursar_store::Options { anchor, ..bursar_store::Options::sqlite(self.data_dir()?, node) })
    }

    /// Where an installation that is being made will keep its data: what its file says if it has one already.
    pub fn data_dir_for_init(&self, config: &Path) -> Result<PathBuf, Failure> {
        let existing = config.is_file().then(|| config.to_owned());
        let options = CliOptions { config: existing, ..self.options() };
        config::new_data_dir(&options, &self.environment).map_err(|errors| self.all_but_last(errors))
    }

    /// The running installation that flags, environment or files name.
    pub fn installation(&self) -> Result<Installation, Failure> {
        Installation::find(self)
    }

    /// A client that speaks to it as `identity`.
    pub fn client(&self, identity: &Identity) -> Result<Client, Failure> {
        let installation = self.installation()?;
        let token = installation.token(identity, self)?;
        Client::new(installation.api_url(), token)
    }

    /// Whether anything names an installation.
    pub fn names_installation(&self) -> bool {
        config::names_installation(&self.options(), &self.environment)
    }

    /// The demo that commands speak of where nothing names an installation and there is none in `own`.
    pub fn demo_instead_of(&self, own: &Path) -> Option<PathBuf> {
        let exists = |dir: &Path| dir.join(paths::DATABASE_NAME).is_file();
        if self.names_installation() || exists(own) {
            return None;
        }
        paths::demo_data_dir(&self.environment).filter(|dir| exists(dir))
    }

    /// Says whom a command is about that judges what `serve` would run, where people may think that it is their demo.
    pub fn note_no_demo(&self, own: &Path) {
        if let Some(demo) = self.demo_instead_of(own) {
            self.output.note(format_args!(
                "this is about what `bursar serve` would run, with its data in {}; the demo in {} has no configuration\n",
                own.display(),
                demo.display()
            ));
        }
    }

    pub fn options(&self) -> CliOptions {
        CliOptions {
            config: self.globals.config.clone(),
            data_dir: self.globals.data_dir.clone(),
            flags: Vec::new(),
        }
    }

    fn all_but_last(&self, errors: ConfigErrors) -> Failure {
        let mut errors = errors.0;
        let last = errors.pop();
        for error in &errors {
            self.output.failure(error);
        }
        last.expect("errors hold at least one")
    }
}

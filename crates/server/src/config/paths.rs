//! Where things lie: the configuration file, and the data directory of an installation.

use std::path::{Path, PathBuf};

use super::environment::Environment;

pub const FILE_NAME: &str = "bursar.toml";
/// The database below the data directory, unless the configuration says otherwise.
pub const DATABASE_NAME: &str = "bursar.db";

/// Places of a configuration file that nobody named, best first.
pub fn candidates(environment: &Environment) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from(FILE_NAME)];
    let home = environment.path("HOME").map(|home| home.join(".config"));
    let base = environment.path("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or(home);
    found.extend(base.map(|base| base.join("bursar").join(FILE_NAME)));
    found.push(Path::new("/etc/bursar").join(FILE_NAME));
    found
}

/// The data directory when neither a flag, a variable nor the configuration names one: the service manager's, else the
/// user's. Nothing where there is no home either.
pub fn default_data_dir(environment: &Environment) -> Option<PathBuf> {
    // systemd sets it from StateDirectory=; several would be separated by colons.
    let service =
        environment.get("STATE_DIRECTORY").and_then(|list| list.split(':').next()).map(PathBuf::from);
    service.or_else(|| user_data_dir(environment).map(|base| base.join("bursar")))
}

/// Where `bursar demo` keeps what it made up, apart from anything real.
pub fn demo_data_dir(environment: &Environment) -> Option<PathBuf> {
    user_data_dir(environment).map(|base| base.join("bursar-demo"))
}

fn user_data_dir(environment: &Environment) -> Option<PathBuf> {
    let home = environment.path("HOME").map(|home| home.join(".local/share"));
    environment.path("XDG_DATA_HOME").filter(|path| path.is_absolute()).or(home)
}

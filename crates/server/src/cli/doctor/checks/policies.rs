//! The policy files load as one valid set; a set that does not would be refused.

use std::path::{Path, PathBuf};

use bursar_policy::{PolicyFile, PolicySet, default_set};

use super::Finding;
use crate::cli::session::Session;
use crate::config::Config;

pub fn check(config: &Config, _: &Session) -> Vec<Finding> {
    let beside = config.file.as_deref().and_then(Path::parent).map(|folder| folder.join("policies"));
    let dir = config.settings.policies.dir.clone().or_else(|| beside.filter(|dir| dir.is_dir()));
    let files = match &dir {
        None => default_set(),
        Some(dir) => match read(dir) {
            Ok(files) => files,
            Err((path, error)) => {
                let found = format!("{}: {error}", path.display());
                return vec![Finding::sick("policies.load", found, "[policies] dir must name their folder")];
            }
        },
    };
    match PolicySet::load(&files) {
        Ok(set) => vec![Finding::well(
            "policies.load",
            format!("{} policies in {} files", set.rules().len(), files.len()),
        )],
        Err(errors) => errors
            .into_iter()
            .map(|error| {
                let fix = error
                    .help
                    .clone()
                    .unwrap_or_else(|| "correct the policy; the old set stays until then".into());
                Finding::sick("policies.load", error.to_string(), fix)
            })
            .collect(),
    }
}

/// Every policy file of the folder, in order of names.
fn read(dir: &Path) -> Result<Vec<PolicyFile>, (PathBuf, std::io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(at(dir))? {
        let path = entry.map_err(at(dir))?.path();
        if path.extension().is_some_and(|ending| ending == "cedar") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(at(&path))?;
        files.push(PolicyFile::new(path.display().to_string(), text));
    }
    Ok(files)
}

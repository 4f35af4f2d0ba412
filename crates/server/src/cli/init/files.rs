//! The files that an installation begins with.

use std::path::{Path, PathBuf};

use rust_embed::Embed;

use crate::config::paths::DATABASE_NAME;

const TEMPLATE: &str = include_str!("bursar.toml");

/// Settings of the playbooks, as they lie in the repository.
#[derive(Embed)]
#[folder = "../../policies/playbooks"]
struct Playbooks;

/// Every file with its text. Policies stand beside the configuration, which names them.
pub fn plan(config: &Path, folder: &Path, data_dir: &Path, single_operator: bool) -> Vec<(PathBuf, String)> {
    let mut files = vec![(config.to_owned(), configuration(data_dir, single_operator))];
    for policy in bursar_policy::default_set() {
        files.push((folder.join(&policy.path), policy.text));
    }
    for name in Playbooks::iter() {
        if let Some(file) = Playbooks::get(&name) {
            let text = String::from_utf8_lossy(&file.data).into_owned();
            files.push((folder.join("policies/playbooks").join(name.as_ref()), text));
        }
    }
    files.push((folder.join(".gitignore"), gitignore(folder, data_dir)));
    files
}

fn configuration(data_dir: &Path, single_operator: bool) -> String {
    let url = format!("sqlite://{}", data_dir.join(DATABASE_NAME).display());
    TEMPLATE
        .replace("@STORAGE_URL@", &toml::Value::String(url).to_string())
        .replace("@SINGLE_OPERATOR@", if single_operator { "true" } else { "false" })
}

/// Secrets and data stay out of version control, wherever they were put.
fn gitignore(folder: &Path, data_dir: &Path) -> String {
    let mut lines = vec!["# Secrets and data of Bursar.", "*.key", "*.secret", "credentials/"];
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let base = std::path::absolute(here).ok();
    let inside =
        base.and_then(|base| data_dir.strip_prefix(base).ok().map(|path| format!("/{}/", path.display())));
    let inside = inside.filter(|path| path != "//");
    lines.extend(inside.as_deref());
    lines.join("\n") + "\n"
}

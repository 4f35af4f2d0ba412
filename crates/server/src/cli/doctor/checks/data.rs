//! The data directory can be written, and what is written reaches the disk.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::Finding;
use crate::cli::session::Session;
use crate::config::Config;

pub fn check(config: &Config, _: &Session) -> Vec<Finding> {
    let path = &config.data_dir;
    let place = path.display();
    if !path.exists() {
        let fix = format!("bursar init --data-dir {place}");
        return vec![Finding::doubtful("data.writable", format!("{place} does not exist yet"), fix)];
    }
    let mut found = vec![match probe(path) {
        Ok(()) => Finding::well("data.writable", format!("{place} takes data and keeps it")),
        Err(error) => Finding::sick(
            "data.writable",
            format!("{place}: {error}"),
            format!("chown or free space: {place}"),
        ),
    }];
    found.extend(open_to_others(path));
    found
}

/// Writes, syncs and removes a small file.
fn probe(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(b"bursar")?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o077;
    let found = || format!("other users may look into {}", path.display());
    (mode != 0).then(|| Finding::doubtful("data.private", found(), format!("chmod 700 {}", path.display())))
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Option<Finding> {
    None
}

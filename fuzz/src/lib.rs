//! What the targets share: a beginning for the fuzzer to vary, and an API to ask.

pub mod desk;

use std::path::PathBuf;

/// Where `scripts/fuzz` wants a target's seeds.
const FOLDER: &str = "BURSAR_FUZZ_SEEDS";

/// Writes what a target begins with, before the fuzzer looks for it.
pub fn seeds<T: AsRef<[u8]>>(seeds: impl IntoIterator<Item = T>) {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    for (number, seed) in seeds.into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), seed)
            .expect("the folder of the seeds can be written to");
    }
}

/// The text up to a line `----`, and what follows it: how one input becomes two.
pub fn parts(text: &str) -> (&str, &str) {
    text.split_once("\n----\n").unwrap_or((text, ""))
}

/// A folder of this process's own, kept from call to call.
pub fn folder(what: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("bursar-fuzz-{}-{what}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

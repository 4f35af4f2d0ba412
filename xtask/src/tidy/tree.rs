//! The files of the repository as they lie on disk, without what a build or a package manager left there.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::tokens::{self, Token};

/// Folders that no rule looks into: made by tools, never committed.
const NOT_OURS: &[&str] = &[".git", "target", "node_modules", ".venv", "demo-data", "__pycache__"];

/// One text file, by its path from the root, with `/` between the parts.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
    tokens: Option<Result<Vec<Token>, String>>,
}

impl File {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let tokens = (ending(&path) == "rs").then(|| tokens::read(&text));
        Self { path, text, tokens }
    }

    /// The ending after the last dot; for a file without one, empty.
    pub(super) fn ending(&self) -> &str {
        ending(&self.path)
    }

    /// A Rust file's tokens; nothing for other files and for one that does not lex, which [`File::lex_error`] tells.
    pub(super) fn tokens(&self) -> &[Token] {
        match &self.tokens {
            Some(Ok(tokens)) => tokens,
            _ => &[],
        }
    }

    pub(super) fn lex_error(&self) -> Option<&str> {
        match &self.tokens {
            Some(Err(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether the file ships in nothing, by its place: tests and examples.
    pub(super) fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.contains("/examples/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
    }
}

/// Every text file of the repository, in the order of paths.
#[derive(Debug)]
pub(super) struct Tree {
    files: Vec<File>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        walk(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(files: [(&str, &str); N]) -> Self {
        Self { files: files.into_iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// The files below a folder, which is given with its closing `/`.
    pub(super) fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.starts_with(folder))
    }

    pub(super) fn text(&self, path: &str) -> anyhow::Result<&str> {
        let file = self.files.iter().find(|file| file.path == path);
        file.map(|file| file.text.as_str()).with_context(|| format!("{path} is missing"))
    }
}

fn ending(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// Reads a folder and what is below it; files that are not UTF-8 are not text and are left out.
fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        // Also a file: in a second worktree `.git` is one.
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
        {
            files.push(File::new(format!("{prefix}{name}"), text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_and_test_files_are_told_by_the_path() {
        assert_eq!(File::new("a/b.mjs", "").ending(), "mjs");
        assert_eq!(File::new("a.b/run", "").ending(), "");
        assert!(File::new("crates/x/tests/a.rs", "").is_test());
        assert!(!File::new("crates/x/src/contests.rs", "").is_test());
    }
}

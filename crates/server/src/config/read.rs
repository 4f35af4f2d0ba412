//! From flags, environment and file to a `Config`, or to everything that is wrong with them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::check::{Check, nearest};
use super::environment::Environment;
use super::node::Node;
use super::origin::Origin;
use super::schema::{ConfigSchema, Part};
use super::settings::Settings;
use super::{CliOptions, Config, ConfigErrors, file, mask, paths, rules, variables};
use crate::cli::code::Code;
use crate::cli::failure::Failure;

/// The configuration in force. Reads files, writes none.
pub fn load(options: &CliOptions, environment: &Environment) -> Result<Config, ConfigErrors> {
    let found = find_file(options, environment);
    let schema = ConfigSchema::new();
    let mut tree = match &found {
        Some(path) => file::read(path)?,
        None => Node::table(Origin::Default),
    };
    let folder = found.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
    anchor(&mut tree, &folder);
    let mut problems = variables::lay_over(&mut tree, environment, schema.root());
    let mut warnings = variables::near_misses(environment, schema.root());
    for (path, value, flag) in &options.flags {
        let keys: Vec<&str> = path.split('.').collect();
        tree.set(&keys, Node::text(value.clone(), Origin::Flag(flag)));
    }
    rules::honour_stripe_key(&mut tree, environment, &mut warnings);
    let data_dir = settle_data_dir(&mut tree, options, environment)?;

    let mut check = Check { environment, folder: &folder, problems: Vec::new() };
    check.meet(&mut tree, schema.root(), "");
    problems.append(&mut check.problems);
    if !problems.is_empty() {
        return Err(ConfigErrors(problems));
    }
    let settings = typed(&tree, schema.root())?;
    let origins = tree.origins();
    warnings.extend(rules::secrets_in_clear(&settings, &origins)?);
    Ok(Config { settings, data_dir, file: found, warnings, origins })
}

/// Only where the installation's data lies: no secret is fetched and no setting judged, so that people who may not read
/// the service's secrets can still talk to it.
pub fn data_dir(options: &CliOptions, environment: &Environment) -> Result<PathBuf, ConfigErrors> {
    data_dir_by(find_file(options, environment).as_deref(), options, environment)
}

/// Whether the data lies in a database of its own server.
pub fn is_elsewhere(options: &CliOptions, environment: &Environment) -> Result<bool, ConfigErrors> {
    let mut tree = match find_file(options, environment) {
        Some(path) if path.is_file() => file::read(&path)?,
        _ => Node::table(Origin::Default),
    };
    variables::lay_over(&mut tree, environment, ConfigSchema::new().root());
    Ok(is_postgres(&tree))
}

/// The anchor of the audit, where the configuration gives it a place of its own; judges nothing else.
pub fn anchor_file(options: &CliOptions, environment: &Environment) -> Result<Option<PathBuf>, ConfigErrors> {
    let found = find_file(options, environment).filter(|path| path.is_file());
    let mut tree = match &found {
        Some(path) => file::read(path)?,
        None => Node::table(Origin::Default),
    };
    anchor(&mut tree, found.as_deref().and_then(Path::parent).unwrap_or(Path::new("")));
    variables::lay_over(&mut tree, environment, ConfigSchema::new().root());
    Ok(match tree.get(&["storage", "anchor"]) {
        Some(Node { kind: super::node::Kind::Text(path), .. }) => Some(PathBuf::from(path)),
        _ => None,
    })
}

/// The same for an installation that is being made: no file is looked for, and one that is named need not exist.
pub fn new_data_dir(options: &CliOptions, environment: &Environment) -> Result<PathBuf, ConfigErrors> {
    data_dir_by(options.config.as_deref(), options, environment)
}

fn data_dir_by(
    found: Option<&Path>,
    options: &CliOptions,
    environment: &Environment,
) -> Result<PathBuf, ConfigErrors> {
    let mut tree = match found {
        Some(path) => file::read(path)?,
        None => Node::table(Origin::Default),
    };
    anchor(&mut tree, found.and_then(Path::parent).unwrap_or(Path::new("")));
    variables::lay_over(&mut tree, environment, ConfigSchema::new().root());
    settle_data_dir(&mut tree, options, environment)
}

/// Whether anything names an installation: a flag, a variable or a file.
pub fn names_installation(options: &CliOptions, environment: &Environment) -> bool {
    let variables = ["BURSAR_DATA_DIR", "BURSAR_STORAGE__URL"];
    options.data_dir.is_some()
        || find_file(options, environment).is_some()
        || variables.iter().any(|name| environment.get(name).is_some())
}

/// The file somebody named, whether or not it exists, else the first that does.
fn find_file(options: &CliOptions, environment: &Environment) -> Option<PathBuf> {
    let named = options.config.clone().or_else(|| environment.path("BURSAR_CONFIG"));
    named.or_else(|| paths::candidates(environment).into_iter().find(|path| path.is_file()))
}

/// Paths in the file are seen from the file.
fn anchor(tree: &mut Node, folder: &Path) {
    if let Some(url) = sqlite_path(tree) {
        let origin = tree.get(&["storage", "url"]).map_or(Origin::Default, |node| node.origin.clone());
        tree.set(&["storage", "url"], Node::text(format!("sqlite://{}", folder.join(url).display()), origin));
    }
    for keys in [["policies", "dir"], ["storage", "anchor"]] {
        if let Some(Node { kind: super::node::Kind::Text(path), origin }) = tree.get(&keys) {
            let node = Node::text(folder.join(path).display().to_string(), origin.clone());
            tree.set(&keys, node);
        }
    }
}

/// Settles where data lies and says so in the tree. The more specific of two equally strong words wins: a flag moves a
/// database that the file placed; a variable does not move one that another variable placed.
fn settle_data_dir(
    tree: &mut Node,
    options: &CliOptions,
    environment: &Environment,
) -> Result<PathBuf, ConfigErrors> {
    let flag = options.data_dir.clone().map(|path| (path, Origin::Flag("--data-dir")));
    let variable =
        || environment.path("BURSAR_DATA_DIR").map(|path| (path, Origin::Variable("BURSAR_DATA_DIR".into())));
    let placed = tree.get(&["storage", "url"]).map(|node| node.origin.clone());
    let beside_database = sqlite_path(tree).and_then(|path| path.parent().map(Path::to_owned));
    let (path, origin) = match flag.or_else(variable) {
        Some(named) => named,
        None => match beside_database.or_else(|| paths::default_data_dir(environment)) {
            Some(path) => (path, Origin::Default),
            None => return Err(no_data_dir().into()),
        },
    };
    let data_dir = std::path::absolute(&path).map_err(|_| no_data_dir())?;
    // A database that is elsewhere does not move with the directory.
    if is_postgres(tree) {
        return Ok(data_dir);
    }
    let moves = match (&origin, &placed) {
        (_, None) | (Origin::Flag(_), _) => true,
        (Origin::Variable(_), Some(placed)) => placed.is_file(),
        _ => false,
    };
    if moves {
        let url = format!("sqlite://{}", data_dir.join(paths::DATABASE_NAME).display());
        tree.set(&["storage", "url"], Node::text(url, origin));
        return Ok(data_dir);
    }
    let beside_database = sqlite_path(tree).and_then(|path| path.parent().map(Path::to_owned));
    std::path::absolute(beside_database.unwrap_or(path)).map_err(|_| no_data_dir().into())
}

fn is_postgres(tree: &Node) -> bool {
    let Some(super::node::Kind::Text(url)) = tree.get(&["storage", "url"]).map(|node| &node.kind) else {
        return false;
    };
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn sqlite_path(tree: &Node) -> Option<PathBuf> {
    let super::node::Kind::Text(url) = &tree.get(&["storage", "url"])?.kind else { return None };
    let path = url.strip_prefix("sqlite://").filter(|path| !path.is_empty())?;
    Some(PathBuf::from(path))
}

fn no_data_dir() -> Failure {
    Failure::new(
        Code::ConfigNoDataDir,
        "no place for data: there is neither a home directory nor a data directory",
    )
    .help("name one: --data-dir /var/lib/bursar")
}

/// Gives the tree its types. The first value that does not fit is reported with its place.
fn typed(tree: &Node, schema: Part<'_>) -> Result<Settings, Failure> {
    let json: Value = tree.to_json();
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let origins = tree.origins();
        let origin = nearest_origin(&path, &origins);
        let why = mask::words(&error.inner().to_string());
        let failure =
            Failure::new(Code::ConfigWrongValue, format!("`{path}` has a wrong value{}", origin.aside()));
        let failure = failure.because(origin.place(why.clone()), why);
        match suggestion(tree, &path, schema) {
            Some(word) => failure.help(format!("did you mean `{word}`?")),
            None => failure.help("every setting and what it takes: bursar config schema"),
        }
    })
}

/// The allowed word nearest to what stands at `path`, where words are listed.
fn suggestion<'a>(tree: &Node, path: &str, schema: Part<'a>) -> Option<&'a str> {
    let plain = path.split('[').next().unwrap_or(path);
    let keys: Vec<&str> = plain.split('.').collect();
    let super::node::Kind::Text(given) = &tree.get(&keys)?.kind else { return None };
    nearest(given, &schema.at(&keys)?.words())
}

/// The origin of the value at `path`, or of the nearest thing around it.
fn nearest_origin(path: &str, origins: &std::collections::BTreeMap<String, Origin>) -> Origin {
    let mut path = path;
    loop {
        if let Some(origin) = origins.get(path) {
            return origin.clone();
        }
        match path.rfind(['.', '[']) {
            Some(at) => path = &path[..at],
            None => return Origin::Default,
        }
    }
}

//! Files in, a checked policy set out, or every complaint about them with its place. A set that does not validate
//! strictly is refused whole.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Policy, PolicyId, ValidationError, ValidationMode, Validator};
use miette::Diagnostic;

use crate::annotation::{self, Complaint};
use crate::error::LoadError;
use crate::schema::{self, MODEL};
use crate::set::{PolicySet, Rule};
use crate::shadow;
use crate::source::{self, PolicyFile};
use crate::stack::with_room;
use crate::threshold;

/// All files of a set together.
pub const SET_BYTES_MAX: usize = 1024 * 1024;
/// One policy: enough for any that a person can check. Together these bound how deep its tree can be.
pub const POLICY_BYTES_MAX: usize = 8 * 1024;
const OPERATORS_MAX: usize = 64;
const DOTS_MAX: usize = 256;
const NESTING_MAX: usize = 16;
const POLICIES_MAX: usize = 1000;

impl PolicySet {
    /// Checks files and makes a set of them.
    ///
    /// Refused are: what Cedar cannot parse or does not validate strictly against [`crate::schema::text`], also where
    /// it only warns; missing, malformed and repeated `@id`s; annotations that are unknown or make no sense; text that
    /// looks other than it is; sizes beyond the limits; and permits that ask where another permits automatically.
    pub fn load(files: &[PolicyFile]) -> Result<PolicySet, Vec<LoadError>> {
        with_room(|| checked(files))
    }
}

fn checked(files: &[PolicyFile]) -> Result<PolicySet, Vec<LoadError>> {
    check_whole(files)?;
    let mut errors = Vec::new();
    let mut drafts = Vec::new();
    for file in files {
        for statement in source::statements(&file.text) {
            match draft(file, &statement) {
                Ok(drafted) => drafts.push(drafted),
                Err(complaints) => errors.extend(complaints),
            }
        }
    }
    refuse(errors)?;
    refuse(repeated_ids(&drafts))?;
    refuse(drafts.iter().flat_map(unknown_facts).collect())?;
    refuse(validation_complaints(&drafts))?;
    let rules: Vec<Rule> = drafts.into_iter().map(Draft::into_rule).collect::<Result<_, _>>()?;
    refuse(shadow::complaints(&rules))?;
    Ok(PolicySet::of(rules, files))
}

#[cfg(test)]
impl PolicySet {
    /// A set that Cedar did not validate: what a bug in validation would let through.
    pub(crate) fn unvalidated(file: &PolicyFile) -> PolicySet {
        let drafts =
            source::statements(&file.text).into_iter().map(|statement| draft(file, &statement).unwrap());
        let rules = drafts.map(|draft| draft.into_rule().unwrap()).collect();
        PolicySet::of(rules, std::slice::from_ref(file))
    }
}

/// A policy that parsed, with where it stands.
struct Draft<'a> {
    file: &'a PolicyFile,
    statement: source::Statement,
    policy: Policy,
    id: String,
    asking: Option<annotation::Asking>,
}

fn refuse(errors: Vec<LoadError>) -> Result<(), Vec<LoadError>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// A complaint at an offset of a file.
fn at(file: &PolicyFile, offset: usize, complaint: Complaint) -> LoadError {
    let (line, column) = source::position(&file.text, offset);
    LoadError {
        file: file.path.clone(),
        line,
        column,
        message: complaint.message,
        help: Some(complaint.help),
    }
}

fn check_whole(files: &[PolicyFile]) -> Result<(), Vec<LoadError>> {
    let bytes: usize = files.iter().map(|file| file.text.len()).sum();
    if bytes > SET_BYTES_MAX {
        return Err(vec![LoadError {
            file: String::new(),
            line: 0,
            column: 0,
            message: format!("the policy set has {bytes} bytes; at most {SET_BYTES_MAX} are read"),
            help: Some("is one of the files something else?".to_owned()),
        }]);
    }
    let mut errors = Vec::new();
    for (place, file) in files.iter().enumerate() {
        if files[..place].iter().any(|other| other.path == file.path) {
            let help = "give each file of a set its own path".to_owned();
            errors.push(at(
                file,
                0,
                Complaint { message: "the file stands in the set twice".to_owned(), help },
            ));
        }
        if let Some((offset, letter)) = source::deceptive(&file.text) {
            let message = format!(
                "an invisible character (U+{:04X}) makes the text look other than it is",
                u32::from(letter)
            );
            errors.push(at(file, offset, Complaint { message, help: "delete it".to_owned() }));
        }
    }
    refuse(errors)
}

fn draft<'a>(file: &'a PolicyFile, statement: &source::Statement) -> Result<Draft<'a>, Vec<LoadError>> {
    let text = &file.text[statement.range.clone()];
    let here = |complaint| vec![at(file, statement.range.start, complaint)];
    for (what, count, most) in [
        ("bytes", text.len(), POLICY_BYTES_MAX),
        ("operators", statement.operators, OPERATORS_MAX),
        ("dots", statement.dots, DOTS_MAX),
        ("levels of brackets", statement.depth, NESTING_MAX),
    ] {
        if count > most {
            let message = format!("the policy is too big: {count} {what}; at most {most} are read");
            return Err(here(Complaint { message, help: "split it, or check for a missing `;`".to_owned() }));
        }
    }
    let policy = Policy::parse(None, text).map_err(|errors| {
        errors.iter().map(|error| cedar_complaint(file, statement.range.start, error)).collect::<Vec<_>>()
    })?;
    let id = annotation::id(&policy).map_err(here)?;
    let asking = annotation::asking(&policy).map_err(here)?;
    let policy = policy.new_id(PolicyId::new(&id));
    Ok(Draft { file, statement: statement.clone(), policy, id, asking })
}

/// What Cedar says, at the place it points to within the policy that begins at `start`.
fn cedar_complaint(file: &PolicyFile, start: usize, error: &dyn Diagnostic) -> LoadError {
    let within = error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
    let (line, column) = source::position(&file.text, start + within);
    // It quotes what stands there, which may go over several lines.
    let whole = error.to_string().split(char::is_control).map(str::trim).collect::<Vec<_>>().join(" ");
    // Which policy it is the place says better.
    let message = match whole.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
        Some((_, rest)) => rest.to_owned(),
        None => whole,
    };
    LoadError {
        file: file.path.clone(),
        line,
        column,
        message,
        help: error.help().map(|help| help.to_string()),
    }
}

fn repeated_ids(drafts: &[Draft<'_>]) -> Vec<LoadError> {
    let mut first: HashMap<&str, &Draft<'_>> = HashMap::new();
    let mut errors = Vec::new();
    for draft in drafts {
        if let Some(known) = first.insert(&draft.id, draft) {
            let (line, _) = source::position(&known.file.text, known.statement.range.start);
            let message =
                format!("the id `{}` is taken by the policy at {}:{line}", draft.id, known.file.path);
            let help = "give each policy of the set its own @id".to_owned();
            errors.push(at(draft.file, draft.statement.range.start, Complaint { message, help }));
        }
    }
    if drafts.len() > POLICIES_MAX {
        errors.push(LoadError {
            file: String::new(),
            line: 0,
            column: 0,
            message: format!("the set has {} policies; at most {POLICIES_MAX} are read", drafts.len()),
            help: None,
        });
    }
    errors
}

/// Names that no fact has. Cedar would only say that `context has …` is never true.
fn unknown_facts(draft: &Draft<'_>) -> Vec<LoadError> {
    let Ok(tree) = draft.policy.to_pst() else { return Vec::new() };
    let range = draft.statement.range.clone();
    let text = &draft.file.text[range.clone()];
    let unknown = threshold::attributes_named(tree.body().clauses()).into_iter().filter(|name| {
        threshold::fact_named(name).is_none() && !schema::OTHER_ATTRIBUTES.contains(&name.as_str())
    });
    unknown
        .map(|name| {
            let help = "the facts stand in schema.cedarschema, with what they mean".to_owned();
            let message = format!("there is no fact `{name}`");
            at(draft.file, range.start + text.find(&name).unwrap_or(0), Complaint { message, help })
        })
        .collect()
}

/// Errors and warnings alike: a policy that can never apply is a policy somebody believes to be there.
fn validation_complaints(drafts: &[Draft<'_>]) -> Vec<LoadError> {
    let policies = drafts.iter().map(|draft| draft.policy.clone());
    let set = cedar_policy::PolicySet::from_policies(policies).expect("ids were found to be unique");
    let result = Validator::new(MODEL.schema.clone()).validate(&set, ValidationMode::Strict);
    let place = |id: &PolicyId, error: &dyn Diagnostic| {
        let draft = drafts.iter().find(|draft| draft.policy.id() == id)?;
        Some(cedar_complaint(draft.file, draft.statement.range.start, error))
    };
    let errors = result.validation_errors().filter_map(|error| place(error.policy_id(), error));
    // That a policy with an error can never apply is no news.
    let broken: HashSet<&PolicyId> = result.validation_errors().map(ValidationError::policy_id).collect();
    let warnings = result.validation_warnings().filter(|warning| !broken.contains(warning.policy_id()));
    let warnings = warnings.filter_map(|warning| place(warning.policy_id(), warning));
    let mut all: Vec<LoadError> = errors.chain(warnings).collect();
    all.sort_by(|a, b| (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message)));
    all.dedup();
    all
}

impl Draft<'_> {
    fn into_rule(self) -> Result<Rule, Vec<LoadError>> {
        let start = self.statement.range.start;
        let tree = self.policy.to_pst().map_err(|error| {
            let help = "write it with plain comparisons".to_owned();
            vec![at(self.file, start, Complaint { message: format!("cannot be read back: {error}"), help })]
        })?;
        let clauses = tree.body().clauses();
        let attributes = threshold::attributes_named(clauses);
        let alone =
            cedar_policy::PolicySet::from_policies([self.policy.clone()]).expect("one policy has one id");
        Ok(Rule {
            file: self.file.path.clone(),
            line: source::position(&self.file.text, start).0,
            effect: self.policy.effect(),
            condition: source::condition(&self.file.text[self.statement.range.clone()]),
            thresholds: threshold::thresholds(clauses),
            facts: attributes.iter().filter_map(|name| threshold::fact_named(name)).collect(),
            id: self.id,
            asking: self.asking,
            policy: self.policy,
            alone,
        })
    }
}

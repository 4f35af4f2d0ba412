//! Sizes that stay pleasant: no hand-written file over 600 lines, and no more functions over 70 than there were.

use anyhow::Context;
use serde_json::Value;

use super::Problem;
use super::tokens;
use super::tree::{File, Tree};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Where the number of functions over the limit is kept. It may only go down.
pub(super) const RATCHET: &str = "xtask/ratchet.json";

/// Endings of what people write by hand; data, snapshots and lock files may be as long as they are.
const WRITTEN_BY_HAND: &[&str] =
    &["rs", "js", "mjs", "css", "html", "py", "sh", "sql", "toml", "md", "cedar", "cedarschema"];

/// Made by a chore from the code.
const GENERATED: &[&str] = &["docs/reference/"];

/// Hand-written files over the limit.
pub(super) fn long_files(tree: &Tree) -> Vec<Problem> {
    let by_hand = |file: &&File| {
        WRITTEN_BY_HAND.contains(&file.ending())
            && !GENERATED.iter().any(|place| file.path.starts_with(place))
    };
    let mut found = Vec::new();
    for file in tree.files().filter(by_hand) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            found.push(Problem::new(
                &file.path,
                format!("{lines} lines, at most {FILE_LINES_MAX}: give it two homes"),
            ));
        }
    }
    found
}

/// Functions over the limit, when there are more of them than the committed number, or fewer, so that it is lowered.
pub(super) fn ratchet(tree: &Tree, committed: &str) -> anyhow::Result<Vec<Problem>> {
    let committed: Value =
        serde_json::from_str(committed).with_context(|| format!("{RATCHET} is not JSON"))?;
    let allowed =
        committed["functions_over_70_lines"].as_u64().context("functions_over_70_lines is missing")?;
    let mut long = Vec::new();
    for file in tree.files() {
        let functions = tokens::functions(file.tokens()).into_iter();
        for function in functions.filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let place = format!("{}:{}", file.path, function.line);
            long.push(Problem::new(place, format!("fn {} takes {} lines", function.name, function.lines)));
        }
    }
    let count = u64::try_from(long.len())?;
    let turn = |what: &str| {
        Problem::new(RATCHET, format!("{count} functions over {FUNCTION_LINES_MAX} lines, {what}"))
    };
    match count.cmp(&allowed) {
        std::cmp::Ordering::Equal => long.clear(),
        std::cmp::Ordering::Greater => long.push(turn(&format!("at most {allowed}: shorten one"))),
        std::cmp::Ordering::Less => long = vec![turn(&format!("no longer {allowed}: lower the number"))],
    }
    Ok(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_unless_it_is_data_or_generated() {
        let long = "-- x\n".repeat(601);
        let tree = Tree::of([
            ("a.sql", &long),
            ("a.json", &long),
            ("docs/reference/a.md", &long),
            ("b.sql", &long[5..]),
        ]);
        let found = long_files(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "a.sql");
    }

    #[test]
    fn the_ratchet_turns_one_way() {
        let long = format!("fn a() {{\n{}}}\n", "// b\n".repeat(69));
        let tree = Tree::of([("a.rs", &long)]);
        let problems = |allowed: u64| {
            let committed = format!("{{\"functions_over_70_lines\": {allowed}}}");
            ratchet(&tree, &committed).expect("well formed").len()
        };
        assert_eq!(problems(0), 2, "the function and the number");
        assert_eq!(problems(1), 0);
        assert_eq!(problems(2), 1, "the number must come down");
    }

    #[test]
    fn seventy_lines_are_allowed() {
        let allowed = format!("fn a() {{\n{}}}\n", "// b\n".repeat(68));
        let tree = Tree::of([("a.rs", &allowed)]);
        assert_eq!(ratchet(&tree, "{\"functions_over_70_lines\": 0}").expect("well formed"), []);
    }
}

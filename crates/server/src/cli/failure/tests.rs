//! The look of failures, with the colour taken off.

use super::*;

fn plain(failure: &Failure) -> String {
    anstream::adapter::strip_str(&failure.to_string()).to_string()
}

#[test]
fn a_failure_points_at_its_place_and_helps() {
    let place = Place {
        file: "bursar.toml".into(),
        line: 31,
        column: 1,
        text: "quorom = 2".into(),
        width: 6,
        label: "not a known setting".into(),
    };
    let failure = Failure::new(Code::ConfigUnknownKey, "unknown key `approvals.quorom`")
        .at(Some(place))
        .help("did you mean `quorum`?");
    insta::assert_snapshot!(plain(&failure), @r"
    error[BUR-CFG-012]: unknown key `approvals.quorom`
        ╭─[bursar.toml:31:1]
     31 │ quorom = 2
        · ┬───── not a known setting
        ╰────
      help: did you mean `quorum`?
    ");
}

#[test]
fn lines_of_a_note_stay_below_one_another() {
    let failure = Failure::new(Code::NotRunning, "nothing answers").warning().note("next", "one\ntwo");
    insta::assert_snapshot!(plain(&failure), @r"
    warning[BUR-API-001]: nothing answers
      next: one
            two
    ");
}

#[test]
fn machines_get_the_same_facts() {
    let failure = Failure::new(Code::NotFound, "no case").help("bursar case list");
    assert_eq!(failure.to_json()["error"]["code"], "BUR-API-004");
    assert_eq!(failure.to_json()["error"]["notes"]["help"], "bursar case list");
    assert_eq!(failure.to_json()["error"]["exit_code"], 3);
}

//! What a person is asked to do inside Bursar. The same task is not set twice in one case, so its title must not hold
//! anything that ticks.

use bursar_domain::action::Action;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;

use super::history::History;

pub(super) fn task(
    (history, now): (History<'_>, BusinessTime),
    title: String,
    why: &str,
    evidence: &[String],
) -> Option<Action> {
    if history.has_task(&title, now) {
        return None;
    }
    let body = format!("{why}\n\n- {}\n", evidence.join("\n- "));
    Some(Action::CreateTask { title, body, role: Role::Operator })
}

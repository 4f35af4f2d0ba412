//! Waiting for another process: asked again every moment, and not for ever.

use std::time::Duration;

/// Between two looks.
const MOMENT: Duration = Duration::from_millis(100);
/// Looks until patience ends: 60 seconds, many times what anything here takes on a small and busy machine.
const LOOKS_MAX: usize = 600;

/// What `find` finds, once it does.
#[track_caller]
pub fn until<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = find() {
            return found;
        }
        std::thread::sleep(MOMENT);
    }
    panic!("waited a minute for {what}");
}

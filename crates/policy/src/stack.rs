//! Room for Cedar's recursion. Its evaluator gives up with an error when little stack is left, and an error is a denial:
//! without this a verdict would depend on how deep the caller stands. How deep a policy goes is bounded by the loader.

/// The deepest policy that the loader admits needs less than this; frames of builds without optimisation are far larger.
const ROOM_BYTES: usize = if cfg!(debug_assertions) { 12 << 20 } else { 4 << 20 };
/// Taken from the system when there is less room than that; only what is used of it becomes memory.
const STACK_BYTES: usize = 16 << 20;

pub(crate) fn with_room<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(ROOM_BYTES, STACK_BYTES, work)
}

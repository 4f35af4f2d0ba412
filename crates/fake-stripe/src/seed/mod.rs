//! The months of a company's life, written in one go.

use crate::error::Error;
use crate::world::World;

/// How large the company is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Small,
    Medium,
    Large,
}

pub fn populate(_world: &mut World, _now_s: i64, _size: Size) -> Result<(), Error> {
    Ok(())
}

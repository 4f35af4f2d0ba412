//! Keys that make repeating a request harmless.

use ring::rand::{SecureRandom, SystemRandom};

use super::code::Code;
use super::failure::Failure;

/// A key nobody used before, for one wish of one person.
pub fn fresh_key() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    let drawn = SystemRandom::new().fill(&mut bytes);
    drawn.map_err(|_| Failure::new(Code::CannotWrite, "this machine gives no randomness"))?;
    Ok(format!("cli_{}", hex::encode(bytes)))
}

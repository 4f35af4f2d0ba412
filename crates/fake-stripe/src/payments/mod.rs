//! Money on the move: cards and their issuers, charges, payment intents, refunds, disputes, balance.

pub mod amount;
pub mod balance;
pub mod cards;
pub mod charge;
pub mod declines;
pub mod dispute;
pub mod intent;
pub mod refund;

//! Our nouns and their rules. Pure: no clock, no randomness, no input or output; time and entropy are arguments.

pub mod action;
pub mod actor;
pub mod approval;
pub mod audit;
pub mod canonical;
pub mod case;
pub mod effect;
pub mod execution;
pub mod facts;
pub mod id;
pub mod known;
pub mod lane;
pub mod mode;
pub mod proposal;
pub mod role;
pub mod time;
pub mod verdict;

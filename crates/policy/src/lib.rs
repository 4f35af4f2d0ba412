//! The gate's judgement: Cedar policy sets, facts in, verdict out.
//!
//! Pure: the same set and the same question give the same verdict, anywhere and at any time.
//!
//! ```
//! use bursar_policy::{PolicySet, default_set};
//! let set = PolicySet::load(&default_set()).expect("the default policies are in order");
//! assert!(set.rules().iter().any(|rule| rule.id == "refunds.automatic"));
//! ```

mod annotation;
mod default_set;
mod error;
mod explain;
mod judge;
mod load;
mod path;
mod question;
pub mod schema;
mod set;
mod shadow;
mod source;
mod stack;
mod threshold;

pub use annotation::{Asking, EXPIRES_DEFAULT_S};
pub use default_set::default_set;
pub use error::LoadError;
pub use judge::Judgement;
pub use load::{POLICY_BYTES_MAX, SET_BYTES_MAX};
pub use question::Question;
pub use set::{PolicySet, Rule};
pub use source::PolicyFile;

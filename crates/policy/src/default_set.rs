//! The policies that an installation starts with. They lie in `policies/` of the repository, and in the binary.

use crate::source::PolicyFile;

const FILES: [(&str, &str); 5] = [
    ("policies/access.cedar", include_str!("../../../policies/access.cedar")),
    ("policies/internal.cedar", include_str!("../../../policies/internal.cedar")),
    ("policies/messages.cedar", include_str!("../../../policies/messages.cedar")),
    ("policies/payments.cedar", include_str!("../../../policies/payments.cedar")),
    ("policies/refunds.cedar", include_str!("../../../policies/refunds.cedar")),
];

/// The default policy set, ready to be loaded or written out.
pub fn default_set() -> Vec<PolicyFile> {
    FILES.iter().map(|(path, text)| PolicyFile::new(*path, *text)).collect()
}

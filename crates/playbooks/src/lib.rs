//! One folder a playbook: pure logic from a signal to proposals.

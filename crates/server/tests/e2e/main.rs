//! The program as people, scripts and Stripe meet it: the real binary, real sockets, real kills.
//!
//! Promises: every test starts processes of its own on ports that the system picks and ends them; every wait is bounded;
//! what the program says happened is held against the ledger of the simulated Stripe, which knows what really did.

// What is not test code here is small and wants the freedoms of test code.
#![cfg(test)]

mod absence;
mod announcement;
mod chaos;
mod command_line;
mod crash;
mod letters;
mod oracle;
mod polling;
mod resume;
mod spine;
mod stage;
mod tampering;

//! What the program lets the outside see of itself, from the outside: spans at a collector, numbers at `/metrics`, lines on
//! standard error. Nothing of it may hold a secret, and nothing of it may stop the program.

// What is not test code here is small and wants the freedoms of test code.
#![cfg(test)]

mod away;
mod collector;
mod installation;
mod numbers;
mod secrets;
mod spans;

//! The binary.

fn main() -> std::process::ExitCode {
    bursar::main()
}

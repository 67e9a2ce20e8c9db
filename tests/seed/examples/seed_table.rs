//! Runs every case and prints what came of it: number, rule, transport, backend, result.

use std::process::ExitCode;

use dlmanager_seed::CASES;

fn main() -> ExitCode {
    let (mut passed, mut failures) = (0, Vec::new());
    println!("{:>2}  {:<9}  {:<7}  {:<6}  rule", "nr", "transport", "backend", "result");
    for case in CASES {
        for setting in case.settings() {
            let result = case.run(setting);
            let word = if result.is_ok() { "ok" } else { "FAILED" };
            let transport = setting.transport.name;
            println!("{:>2}  {transport:<9}  {:<7}  {word:<6}  {}", case.number, setting.backend, case.rule);
            match result {
                Ok(()) => passed += 1,
                Err(error) => failures.push(format!("{} on {setting}: {error}", case.number)),
            }
        }
    }
    println!("\n{} numbers, {passed} runs passed, {} failed", CASES.len(), failures.len());
    for failure in &failures {
        println!("{failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

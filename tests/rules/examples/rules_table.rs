//! Runs every case on every transport and prints what came of it: result, transport, group, rule, case. Arguments choose
//! those lines in which all of them stand.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use dlmanager_rules::runs;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let (mut passed, mut failures) = (BTreeMap::<_, usize>::new(), Vec::new());
    println!("{:<6}  {:<9}  {:<11}  rule: case", "result", "transport", "group");
    for (group, rule, case, transport) in runs() {
        let line = format!("{:<9}  {:<11}  {}: {}", transport.name, group.name, rule.text, case.name);
        if !words.iter().all(|word| line.contains(word)) {
            continue;
        }
        match case.run(transport) {
            Ok(()) => {
                println!("ok      {line}");
                *passed.entry(group.name).or_default() += 1;
            }
            Err(error) => {
                println!("FAILED  {line}");
                failures.push(format!("{line}\n    {error}"));
            }
        }
    }
    println!();
    for (group, count) in &passed {
        println!("{count:>4}  {group}");
    }
    println!("{:>4}  runs passed, {} failed", passed.values().sum::<usize>(), failures.len());
    for failure in &failures {
        println!("{failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

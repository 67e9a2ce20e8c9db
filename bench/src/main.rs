//! What dlmanager costs, measured beside others. `README.md` beside this says how to read the figures.

mod compare;
mod counts;
mod latency;

use clap::{Parser, Subcommand};

/// Side-by-side comparisons with other programs.
#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetches the same files by several programs in turn, and prints one table (the default).
    Compare(compare::Options),
    /// Counts the core's instructions under callgrind, and compares them with the kept figures.
    Counts(counts::Arguments),
    /// Measures the core by the clock.
    Speed,
    /// Measures how long a cancel and an event take, as distributions.
    Latency(latency::Arguments),
    /// Does a piece of work in the core.
    #[command(hide = true)]
    Work(counts::WorkArguments),
    /// Runs a program and prints what it has used.
    #[command(hide = true)]
    Measure(compare::measure::Arguments),
    /// Fetches by a bare loop over a socket.
    #[command(hide = true)]
    Raw(compare::raw::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command.unwrap_or_else(|| Command::Compare(compare::Options::parse_from(["compare"]))) {
        Command::Compare(options) => compare::run(&options),
        Command::Counts(arguments) => counts::run(&arguments),
        Command::Speed => counts::speed(),
        Command::Latency(arguments) => latency::run(&arguments),
        Command::Work(arguments) => counts::work(&arguments),
        Command::Measure(arguments) => compare::measure::run(&arguments),
        Command::Raw(arguments) => compare::raw::run(&arguments),
    }
}

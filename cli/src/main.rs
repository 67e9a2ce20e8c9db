//! The program `dlmanager`: fetches files into a directory, and keeps it within its bounds.
#![forbid(unsafe_code)]

mod args;
mod demo;
mod directory;
mod evict;
mod exit;
mod get;
mod input;
mod interrupt;
mod list;
mod misuse;
mod open;
mod out;
mod pin;
mod plan;
mod report;
mod run;
mod text;
mod values;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Command, CommandLine};
use crate::exit::Exit;

fn main() -> ExitCode {
    let ended = match CommandLine::parse().command {
        Command::Get(args) => get::get(&args),
        Command::Evict(args) => evict::evict(&args),
        Command::List(args) => list::list(&args),
        Command::Pin(args) => pin::pin(&args),
        Command::Unpin(args) => pin::unpin(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Demo => demo::demo(),
    };
    let exit = ended.unwrap_or_else(|misuse| {
        out::say_lines(&misuse.to_string());
        Exit::Misuse
    });
    exit.into()
}

//! What is left when a program dies, or the machine.

mod power;
mod processes;
mod support;

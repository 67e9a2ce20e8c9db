//! The program `dlmanager`.

fn main() {}

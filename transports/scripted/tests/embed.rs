//! The example of embedding the core does what it says, and fits on a page.

#[path = "../examples/embed.rs"]
mod embed;

#[test]
fn the_core_is_embedded_in_at_most_40_lines() {
    embed::main().expect("it runs");
    let source = include_str!("../examples/embed.rs");
    let body = source.lines().skip_while(|line| !line.contains("fn main")).skip(1).take_while(|line| *line != "}");
    let lines = body.filter(|line| !line.trim().is_empty()).count();
    assert!((20..=40).contains(&lines), "{lines} lines");
}

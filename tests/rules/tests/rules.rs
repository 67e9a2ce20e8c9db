//! Every case on every transport, group by group, and tests of the list itself.

use std::collections::BTreeSet;

use dlmanager_rules::{GROUPS, TRANSPORTS, runs};

/// The promise of the list: fewer cases are not enough to say 'never a wrong byte'.
const CASES_MIN: usize = 120;

fn run(name: &str) {
    let mut failed = Vec::new();
    let mut count = 0;
    for (_, rule, case, transport) in runs().filter(|(group, ..)| group.name == name) {
        count += 1;
        if let Err(error) = case.run(transport) {
            failed.push(format!("{}: {}: {}\n    {error}", transport.name, rule.text, case.name));
        }
    }
    assert!(count > 0, "no case");
    assert!(failed.is_empty(), "{} of {count} failed\n  {}", failed.len(), failed.join("\n  "));
}

macro_rules! groups {
    ($($(#[$when:meta])* $test:ident $name:literal)*) => {
        $($(#[$when])* #[test] fn $test() { run($name); })*

        const TESTED: &[&str] = &[$($(#[$when])* $name),*];
    };
}

groups! {
    framing "framing"
    length "length"
    status "status"
    resume_within_a_run "resume"
    resume_in_later_runs "later runs"
    retries "retries"
    retry_after "retry-after"
    dead_servers "dead"
    timeouts "timeouts"
    redirects "redirects"
    credentials "credentials"
    names "names"
    suggested_names "suggested names"
    digests "digests"
    limits "limits"
    durability "durability"
    times "times"
}

#[test]
fn each_group_has_its_test() {
    assert_eq!(GROUPS.iter().map(|group| group.name).collect::<Vec<_>>(), TESTED);
}

#[test]
fn there_are_enough_cases_each_on_every_transport_and_none_twice() {
    let all: Vec<_> = runs().map(|(_, rule, case, transport)| (rule.text, case.name, transport.name)).collect();
    let cases: BTreeSet<_> = all.iter().map(|(rule, case, _)| (rule, case)).collect();
    assert!(cases.len() >= CASES_MIN, "{} cases", cases.len());
    assert_eq!(all.len(), cases.len() * TRANSPORTS.len());
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    let rules: BTreeSet<_> = all.iter().map(|(rule, ..)| rule).collect();
    assert_eq!(rules.len(), GROUPS.iter().map(|group| group.rules.len()).sum::<usize>(), "a rule stands once");
}

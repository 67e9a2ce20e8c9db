//! A program or its machine dies at every file action, and the next run brings it to an end: `cargo run -p dlmanager-world
//! --example crashes` runs as many more cases as one has time for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dlmanager_world::{
    Case, Report, Scenario, cases, cases_after_power, cases_behind, crash, crash_beside, scenario, scenarios,
};

/// Of the cases in which it is not a program alone that dies once, the suite runs one in so many.
const ONE_IN: usize = 10;

fn run(scenario: &Scenario, cases: impl Iterator<Item = Case>) -> Report {
    let mut report = Report::default();
    let mut ran = 0;
    for case in cases {
        ran += 1;
        match catch_unwind(AssertUnwindSafe(|| crash(scenario, &case, &mut report))) {
            Ok(Ok(())) => {}
            Ok(Err(text)) => panic!("{}: {case:?}: {text}", scenario.name),
            Err(_) => panic!("{}: {case:?}", scenario.name),
        }
    }
    assert!(ran > 20, "{}: {ran} cases prove nothing", scenario.name);
    report
}

/// The suite's cases of the scenarios whose number leaves this rest.
fn part(rest: usize) -> Report {
    let mut report = Report::default();
    for (_, scenario) in scenarios().into_iter().enumerate().filter(|(number, _)| number % 4 == rest) {
        let chosen = cases(&scenario, 1).into_iter().enumerate().filter(|(number, case)| {
            let dies_alone_once = case.deaths.len() == 1 && case.deaths[0].power.is_none();
            dies_alone_once || number % ONE_IN == 0
        });
        report.add(&run(&scenario, chosen.map(|(_, case)| case)));
    }
    assert_reached(&report, &["ended complete", "ended present", "asked for the rest", "only the rest was sent"]);
    for how in ["process died", "power lost"] {
        for what in ["", ": the file stands", ": an unfinished file", ": a record", ": bytes to go on from"] {
            assert_reached(&report, &[&format!("{how}{what}")]);
        }
    }
    report
}

fn assert_reached(report: &Report, expected: &[&str]) {
    for what in expected {
        assert!(report.count(what) > 0, "never reached: {what}, of\n{report}");
    }
}

// Four tests, so that they run beside each other.

#[test]
fn every_death_is_survived_first_part() {
    part(0);
}

#[test]
fn every_death_is_survived_second_part() {
    part(1);
}

#[test]
fn every_death_is_survived_third_part() {
    part(2);
}

#[test]
fn every_death_is_survived_fourth_part() {
    part(3);
}

#[test]
fn all_bytes_are_there_and_nothing_is_asked_of_the_server() {
    let scenario = scenario("all bytes came before the connection broke");
    let report = run(&scenario, cases(&scenario, 1).into_iter());
    assert_reached(&report, &["ended without a request"]);
}

#[test]
fn a_record_whose_removal_was_not_flushed_does_not_come_back_when_the_download_was_canceled() {
    let scenario = scenario("canceled, and asked for again");
    for history in 0..scenario.histories.len() {
        run(&scenario, cases_behind(&scenario, history, |at, words| at > words.len()).into_iter());
    }
}

#[test]
fn a_record_whose_removal_was_not_flushed_does_not_come_back_when_the_file_was_published() {
    let scenario = scenario("taken away, and asked for again");
    for history in 0..scenario.histories.len() {
        run(&scenario, cases_behind(&scenario, history, |at, words| at > words.len()).into_iter());
    }
}

#[test]
fn a_record_does_not_come_back_when_who_removed_it_died_before_the_flush() {
    for name in ["a large file", "cut once, and another version when asked for the rest"] {
        let scenario = scenario(name);
        let removed = |at: usize, words: &[&str]| at > 1 && words[at - 2] == "Delete";
        for history in 0..scenario.histories.len() {
            run(&scenario, cases_behind(&scenario, history, removed).into_iter());
        }
    }
}

#[test]
fn what_lay_behind_the_durable_bytes_is_not_gone_on_from_when_the_next_run_dies() {
    for name in ["a large file", "a large file, noted down only when it is flushed", "a date"] {
        let scenario = scenario(name);
        for history in 0..scenario.histories.len() {
            let report = run(&scenario, cases_after_power(&scenario, history).into_iter());
            assert_reached(&report, &["process died: bytes to go on from"]);
        }
    }
}

#[test]
fn two_programs_fetch_one_file_and_one_of_them_dies() {
    let mut report = Report::default();
    for seed in 0..4_000 {
        let death = (seed % 5 > 0).then_some(usize::try_from(seed / 5).unwrap_or(0) % 160);
        match catch_unwind(AssertUnwindSafe(|| crash_beside(seed, death, &mut report))) {
            Ok(Ok(())) => {}
            Ok(Err(text)) => panic!("seed {seed}, {death:?}: {text}"),
            Err(_) => panic!("seed {seed}, {death:?}"),
        }
    }
    assert_reached(
        &report,
        &[
            "the first program died",
            "the machine died",
            "waited for the lock",
            "gone on with by the other program",
            "fetched once",
            "ended present",
        ],
    );
}

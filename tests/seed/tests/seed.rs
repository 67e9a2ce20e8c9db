//! Each number a test of its own name, in every setting in which it makes sense.

use std::collections::BTreeSet;

use dlmanager_seed::{Backend, CASES, Needs, TRANSPORTS};

/// Runs a case in all of its settings.
fn run(name: &str) {
    let case = CASES.iter().find(|case| case.name == name).expect("a case of that name");
    let results = case.settings().into_iter().map(|setting| (setting, case.run(setting)));
    let failed = results.filter_map(|(setting, result)| Some(format!("on {setting}: {}", result.err()?)));
    let failed: Vec<String> = failed.collect();
    assert!(failed.is_empty(), "{}: {}\n  {}", case.number, case.rule, failed.join("\n  "));
}

macro_rules! seed {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

seed! {
    n01_the_directory_and_its_parents_are_made
    n02_files_already_there_count_at_once
    n03_a_limit_is_optional_and_made_beforehand
    n04_connections_are_shared_and_header_fields_go_to_their_origin_only
    n05_dest_tells_where_a_file_would_be
    n06_a_given_name_may_hold_subfolders
    n07_the_name_is_the_urls_last_segment_as_asked
    n08_one_that_runs_under_the_name_is_joined
    n09_a_file_that_is_there_is_present
    n10_one_that_drains_is_never_joined
    n11_eight_at_once_and_six_from_one_host
    n12_those_that_match_are_canceled
    n13_wait_is_for_all_and_lists_every_failure
    n14_the_end_is_told_once_and_after_all_that_it_causes
    n15_fetch_stands_alone
    n16_the_handle_is_shared_and_awaited_by_several
    n17_an_error_that_came_first_wins_over_a_cancel
    n18_the_end_is_a_result
    n19_progress_has_its_first_and_its_last_value
    n20_an_observer_is_set_at_any_time
    n21_an_observer_that_panics_is_dropped_and_reported
    n22_there_is_no_chunk_to_wait_for
    n23_what_ended_early_changes_no_file
    n24_what_is_unfinished_is_hidden
    n25_error_bodies_are_not_read
    n26_only_200_is_a_file
    n27_twenty_redirects_are_followed
    n28_a_short_body_is_an_error
    n29_a_failed_rename_is_an_error
    n30_a_file_that_appears_meanwhile_is_left_alone
    n31_the_mode_is_that_of_any_new_file
    n32_who_leaves_cancels
    n33_five_files_are_kept_unless_said_otherwise
    n34_a_limit_of_zero_is_none
    n35_the_oldest_by_access_goes_first
    n36_every_download_that_ends_causes_a_pass
    n37_what_is_missing_or_no_file_is_skipped
    n38_a_pattern_chooses_what_counts
    n39_old_files_are_removed_on_request
    n40_a_stubborn_folder_lets_go
    n41_a_file_is_looked_at_again_before_it_goes
}

#[test]
fn all_41_numbers_are_there_each_with_its_test() {
    let numbers: Vec<u8> = CASES.iter().map(|case| case.number).collect();
    assert_eq!(numbers, (1..=41).collect::<Vec<u8>>());
    assert_eq!(CASES.iter().map(|case| case.name).collect::<Vec<_>>(), TESTED);
    for case in CASES {
        assert!(case.name.starts_with(&format!("n{:02}_", case.number)), "{}", case.name);
        assert!(!case.rule.is_empty(), "{}", case.number);
    }
}

#[test]
fn every_case_runs_on_every_transport_and_on_every_backend_that_it_can_have() {
    for case in CASES {
        let settings = case.settings();
        let run: BTreeSet<_> =
            settings.iter().map(|setting| (setting.transport.name, setting.backend.to_string())).collect();
        assert_eq!(run.len(), settings.len());
        let backends = match case.needs {
            Needs::Anything => Backend::ALL.len(),
            Needs::Folder => 1,
            Needs::UnixFolder => usize::from(cfg!(unix)),
        };
        assert_eq!(settings.len(), backends * TRANSPORTS.len(), "{}", case.number);
    }
}

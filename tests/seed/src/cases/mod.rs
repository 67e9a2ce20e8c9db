//! The rules, in the order of their numbers.

use crate::case::{Case, Needs};

mod alone;
mod download;
mod files;
mod limit;
mod manager;
mod running;

macro_rules! cases {
    ($($number:literal $needs:ident $module:ident::$name:ident $rule:literal;)*) => {
        /// Every number, in order, with what holds here.
        pub const CASES: &[Case] = &[$(Case {
            number: $number,
            name: stringify!($name),
            rule: $rule,
            needs: Needs::$needs,
            check: $module::$name,
        },)*];
    };
}

cases! {
    1 Folder manager::n01_the_directory_and_its_parents_are_made
        "a manager makes its directory and the parents of it";
    2 Anything manager::n02_files_already_there_count_at_once
        "files already there count at once and may go after the first download that ended, in a directory that is ours or adopted; a stranger's is refused";
    3 Anything manager::n03_a_limit_is_optional_and_made_beforehand
        "there is no limit by default; one is made beforehand, stands alone with several directories and patterns, or is given to a manager";
    4 Anything manager::n04_connections_are_shared_and_header_fields_go_to_their_origin_only
        "connections are kept, and a transport value shares them and their bound between managers; there is no cookie jar; header fields, a manager's or a request's, go to the URL's own origin only";
    5 Anything manager::n05_dest_tells_where_a_file_would_be
        "dest(name) tells where a file is or would be";
    6 Anything manager::n06_a_given_name_may_hold_subfolders
        "a given name may hold subfolders, made on demand; a name from a URL is one component";
    7 Anything manager::n07_the_name_is_the_urls_last_segment_as_asked
        "the name is the last segment of the URL as asked, decoded once and validated";
    8 Anything manager::n08_one_that_runs_under_the_name_is_joined
        "one that runs under the name is joined, also when the URL differs, and a given observer replaces its own; another checksum is an error; the program refuses two lines with one name and different URLs";
    9 Anything manager::n09_a_file_that_is_there_is_present
        "a file that is there is Present; a folder, symlink or other non-file there is an error";
    10 Anything running::n10_one_that_drains_is_never_joined
        "a canceled download that still drains is not joined: the new one starts after it";
    11 Anything running::n11_eight_at_once_and_six_from_one_host
        "8 run at once, 6 from one host, unless set; is_running is true from admission on";
    12 Anything running::n12_those_that_match_are_canceled
        "cancel_if cancels those that match of what runs, promptly";
    13 Anything running::n13_wait_is_for_all_and_lists_every_failure
        "wait is for all that were started since the last one and lists every failure; wait_idle raises none";
    14 Anything running::n14_the_end_is_told_once_and_after_all_that_it_causes
        "hooks and events() tell of each start and, once, of each end, after the rename or removal and the eviction that it caused";
    15 Folder download::n15_fetch_stands_alone
        "fetch(url, path) needs no manager and takes any path, on any transport";
    16 Anything download::n16_the_handle_is_shared_and_awaited_by_several
        "a handle tells url, dest, is_running, is_canceled; it is Clone + Send + Sync + 'static, awaited by several, and wait() blocks";
    17 Anything download::n17_an_error_that_came_first_wins_over_a_cancel
        "error() is None when canceled; an error that came first wins over a cancel";
    18 Anything download::n18_the_end_is_a_result
        "the end is a Result; a canceled download's is Error::Canceled";
    19 Anything download::n19_progress_has_its_first_and_its_last_value
        "progress begins with (0, total), or at the offset that is gone on from, ends with (n, n) before Complete, and falls only where that is told; total is None without a length";
    20 Anything download::n20_an_observer_is_set_at_any_time
        "an observer is set and cleared at any time, and called by one thread at a time";
    21 Anything download::n21_an_observer_that_panics_is_dropped_and_reported
        "an observer that panics is dropped and reported; the download goes on";
    22 Anything download::n22_there_is_no_chunk_to_wait_for
        "there is no chunk size: a cancel waits for no byte";
    23 Anything files::n23_what_ended_early_changes_no_file
        "canceled: what is unfinished is removed; failed: it is kept, hidden, to go on with, unless Resume::Never; nothing else changes";
    24 Anything files::n24_what_is_unfinished_is_hidden
        "what is unfinished is in .dlmanager/";
    25 Anything files::n25_error_bodies_are_not_read
        "the body of an error status is not read";
    26 Anything files::n26_only_200_is_a_file
        "only 200 is taken for a file, or 206 of the rest that was asked for";
    27 Anything files::n27_twenty_redirects_are_followed
        "20 redirects are followed, and no more";
    28 Anything files::n28_a_short_body_is_an_error
        "a short body is an error";
    29 Anything files::n29_a_failed_rename_is_an_error
        "a failed rename is an error";
    30 Anything files::n30_a_file_that_appears_meanwhile_is_left_alone
        "a file that appears meanwhile is left alone (Present); Replace replaces atomically";
    31 UnixFolder files::n31_the_mode_is_that_of_any_new_file
        "the mode is 0666 less the umask";
    32 Anything files::n32_who_leaves_cancels
        "dropping the last manager, or an unfinished fetch, cancels; the program ends by Ctrl-C with 130, and the same command goes on where it stopped";
    33 Anything limit::n33_five_files_are_kept_unless_said_otherwise
        "a limit of a size keeps 5 files unless said otherwise";
    34 Anything limit::n34_a_limit_of_zero_is_none
        "nothing is removed when either limit is 0";
    35 Anything limit::n35_the_oldest_by_access_goes_first
        "while count > file_limit and total >= size_limit the oldest by access goes; of equals the first by name";
    36 Anything limit::n36_every_download_that_ends_causes_a_pass
        "a pass runs after every download that ended, complete, failed or canceled; not after Present";
    37 Anything limit::n37_what_is_missing_or_no_file_is_skipped
        "what is missing, or no regular file, is skipped in silence; symlinks are not followed";
    38 Anything limit::n38_a_pattern_chooses_what_counts
        "a glob chooses what counts; * matches no hidden file; taking over what is there is adoption";
    39 Anything limit::n39_old_files_are_removed_on_request
        "remove_old_files() runs a pass by itself, of a manager and of a limit that stands alone";
    40 UnixFolder limit::n40_a_stubborn_folder_lets_go
        "a read-only file, or one in a read-only folder below the directory, is removed all the same";
    41 Anything limit::n41_a_file_is_looked_at_again_before_it_goes
        "a file is looked at again before it goes, and counts once; a failed removal is told and the pass goes on";
}

//! The walls. Each answers with the places where it is broken, and with none where it stands.

mod core;
mod dependencies;
mod fuzz;
mod packaging;
mod sources;

pub use core::{
    core_has_the_dependencies_it_is_known_for, core_is_pure, core_iterates_nothing_unordered,
    mistakes_are_planted_in_simulations_alone,
};
pub use dependencies::{
    arrows_point_downwards, backends_know_no_http, named_packages_are_used_where_they_belong,
    transports_know_no_file_system,
};
pub use fuzz::fuzz_targets_have_a_corpus;
pub use packaging::{crates_are_complete, licences_are_there};
pub use sources::{files_are_small, nothing_is_left_undone, paths_of_machines_are_absent};

use crate::Tree;

/// A wall: the places where it is broken, each in a line of text.
pub type Wall = fn(&Tree) -> Vec<String>;

/// Every wall and its name.
pub const ALL: &[(&str, Wall)] = &[
    ("core_is_pure", core_is_pure),
    ("core_has_the_dependencies_it_is_known_for", core_has_the_dependencies_it_is_known_for),
    ("core_iterates_nothing_unordered", core_iterates_nothing_unordered),
    ("mistakes_are_planted_in_simulations_alone", mistakes_are_planted_in_simulations_alone),
    ("arrows_point_downwards", arrows_point_downwards),
    ("transports_know_no_file_system", transports_know_no_file_system),
    ("backends_know_no_http", backends_know_no_http),
    ("named_packages_are_used_where_they_belong", named_packages_are_used_where_they_belong),
    ("files_are_small", files_are_small),
    ("nothing_is_left_undone", nothing_is_left_undone),
    ("paths_of_machines_are_absent", paths_of_machines_are_absent),
    ("crates_are_complete", crates_are_complete),
    ("licences_are_there", licences_are_there),
    ("fuzz_targets_have_a_corpus", fuzz_targets_have_a_corpus),
];

//! Every wall of the workspace, as it stands now.

use std::sync::LazyLock;

use dlmanager_tidy::{Tree, walls};

static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::of_workspace().expect("the workspace can be read"));

fn stands(wall: walls::Wall) {
    let broken = wall(&TREE);
    assert!(broken.is_empty(), "broken at\n  {}", broken.join("\n  "));
}

/// A test for each wall, and one that none was forgotten.
macro_rules! walls {
    ($($name:ident)*) => {
        $(#[test] fn $name() { stands(walls::$name); })*

        #[test]
        fn every_wall_is_tested() {
            let named = [$(stringify!($name)),*];
            assert_eq!(walls::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>(), named);
        }
    };
}

walls! {
    core_is_pure
    core_has_the_dependencies_it_is_known_for
    core_iterates_nothing_unordered
    mistakes_are_planted_in_simulations_alone
    arrows_point_downwards
    transports_know_no_file_system
    backends_know_no_http
    named_packages_are_used_where_they_belong
    files_are_small
    nothing_is_left_undone
    paths_of_machines_are_absent
    crates_are_complete
    licences_are_there
    fuzz_targets_have_a_corpus
}

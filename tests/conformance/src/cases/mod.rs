//! The cases, by operation.

mod delete;
mod folders;
mod handles;
mod hash;
mod lock;
mod modes;
mod names;
mod open;
mod probe;
mod read;
mod rename;
mod scan;
mod symlinks;
mod times;
mod touch;
mod truncate;
mod write;

use crate::runner::Case;

/// All cases.
pub(crate) const ALL: &[&[Case]] = &[
    open::CASES,
    modes::CASES,
    read::CASES,
    write::CASES,
    truncate::CASES,
    times::CASES,
    hash::CASES,
    lock::CASES,
    rename::CASES,
    delete::CASES,
    touch::CASES,
    scan::CASES,
    folders::CASES,
    names::CASES,
    symlinks::CASES,
    handles::CASES,
    probe::CASES,
];

/// Cases, each as a function and the rule that it checks.
macro_rules! cases {
    ($($check:ident: $rule:literal,)*) => {
        pub(super) const CASES: &[$crate::runner::Case] =
            &[$($crate::runner::Case { name: stringify!($check), rule: $rule, check: $check },)*];
    };
}
use cases;

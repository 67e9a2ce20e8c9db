//! The cases, by operation.

mod delete;
mod folders;
mod handles;
mod names;
mod open;
mod rename;
mod scan;
mod symlinks;
mod touch;
mod write;

use crate::runner::Case;

/// All cases.
pub(crate) const ALL: &[&[Case]] = &[
    open::CASES,
    write::CASES,
    rename::CASES,
    delete::CASES,
    touch::CASES,
    scan::CASES,
    folders::CASES,
    names::CASES,
    symlinks::CASES,
    handles::CASES,
];

/// Cases, each as a function and the rule that it checks.
macro_rules! cases {
    ($($check:ident: $rule:literal,)*) => {
        pub(super) const CASES: &[$crate::runner::Case] =
            &[$($crate::runner::Case { name: stringify!($check), rule: $rule, check: $check },)*];
    };
}
use cases;

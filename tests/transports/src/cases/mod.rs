//! The cases, by subject.

mod bodies;
mod connections;
mod control;
mod faults;
mod tls;

use crate::runner::Case;

/// All cases.
pub(crate) const ALL: &[&[Case]] = &[bodies::CASES, connections::CASES, control::CASES, faults::CASES, tls::CASES];

/// Cases, each as a function and the rule that it checks.
macro_rules! cases {
    ($($check:ident: $rule:literal,)*) => {
        pub(super) const CASES: &[$crate::runner::Case] =
            &[$($crate::runner::Case { name: stringify!($check), rule: $rule, check: $check },)*];
    };
}
use cases;

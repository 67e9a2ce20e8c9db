//! The groups, in the order of the table.

use crate::case::Group;

mod credentials;
mod durability;
mod framing;
mod length;
mod limits;
mod names;
mod redirects;
mod retries;
mod status;
mod timeouts;

/// All groups.
pub const GROUPS: &[&Group] = &[
    &Group { name: "framing", rules: framing::RULES },
    &Group { name: "length", rules: length::RULES },
    &Group { name: "status", rules: status::RULES },
    &Group { name: "retries", rules: retries::RULES },
    &Group { name: "timeouts", rules: timeouts::RULES },
    &Group { name: "redirects", rules: redirects::RULES },
    &Group { name: "credentials", rules: credentials::RULES },
    &Group { name: "names", rules: names::RULES },
    &Group { name: "limits", rules: limits::RULES },
    &Group { name: "durability", rules: durability::RULES },
];

//! The groups, in the order of the table.

use crate::case::Group;

mod credentials;
mod dead_servers;
mod digests;
mod disposition;
mod durability;
mod framing;
mod length;
mod limits;
mod names;
mod redirects;
mod resume_across;
mod resume_within;
mod retries;
mod retry_after;
mod status;
mod timeouts;
mod times;

/// All groups.
pub const GROUPS: &[&Group] = &[
    &Group { name: "framing", rules: framing::RULES },
    &Group { name: "length", rules: length::RULES },
    &Group { name: "status", rules: status::RULES },
    &Group { name: "resume", rules: resume_within::RULES },
    &Group { name: "later runs", rules: resume_across::RULES },
    &Group { name: "retries", rules: retries::RULES },
    &Group { name: "retry-after", rules: retry_after::RULES },
    &Group { name: "dead", rules: dead_servers::RULES },
    &Group { name: "timeouts", rules: timeouts::RULES },
    &Group { name: "redirects", rules: redirects::RULES },
    &Group { name: "credentials", rules: credentials::RULES },
    &Group { name: "names", rules: names::RULES },
    &Group { name: "suggested names", rules: disposition::RULES },
    &Group { name: "digests", rules: digests::RULES },
    &Group { name: "limits", rules: limits::RULES },
    &Group { name: "durability", rules: durability::RULES },
    &Group { name: "times", rules: times::RULES },
];

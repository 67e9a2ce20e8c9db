//! Proxies, which are not used: who has set one is to know.

use std::ffi::OsString;

/// The variables that name a proxy, as curl knows them. curl alone passes over `HTTP_PROXY`; others do not, so who sets
/// it expects something of it.
const VARIABLES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// Those that name a proxy in this process's environment.
pub(crate) fn ignored() -> Vec<&'static str> {
    set_in(|name| std::env::var_os(name))
}

/// One that is empty names none.
fn set_in(value: impl Fn(&str) -> Option<OsString>) -> Vec<&'static str> {
    VARIABLES.into_iter().filter(|name| value(name).is_some_and(|value| !value.is_empty())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_counts_in_both_cases_unless_it_is_empty() {
        for variable in VARIABLES {
            assert_eq!(set_in(|name| (name == variable).then(|| "http://proxy:8080".into())), [variable]);
            assert!(set_in(|name| (name == variable).then(OsString::new)).is_empty());
        }
        assert_eq!(set_in(|_| Some("proxy".into())), VARIABLES);
        assert!(set_in(|name| (name == "no_proxy").then(|| "*".into())).is_empty());
    }
}

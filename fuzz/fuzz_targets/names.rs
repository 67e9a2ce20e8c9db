//! Names, given and taken from URLs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    dlmanager_world::names_body(data);
});

//! Fields of a head.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    dlmanager_world::parsers_body(data);
});

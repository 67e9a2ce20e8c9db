//! Records of unfinished files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    dlmanager_world::records_body(data);
});

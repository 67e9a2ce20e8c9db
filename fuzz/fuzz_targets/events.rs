//! Random runs beside the reference model.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dlmanager_world::fuzz_body(data));

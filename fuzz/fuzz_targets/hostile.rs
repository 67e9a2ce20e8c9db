//! A driver that breaks the contract.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    dlmanager_world::hostile_body(&data[..data.len().min(4_096)]);
});

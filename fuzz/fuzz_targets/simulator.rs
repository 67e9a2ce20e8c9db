//! Several programs, servers and a crashing disk, by decisions that the fuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = dlmanager_sim::simulator_body(data);
});

//! Timers: what happens when time passes and nothing else does.

use std::time::{Duration, Instant};

use dlmanager::core::Config;
use dlmanager::{DownloadError, Error, TimeoutKind};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{Scripted, close, end, in_memory};

const URL: &str = "http://origin.example/a";

#[test]
fn a_retry_comes_when_its_time_has_come() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().script(URL, [Script::refuse(), Script::refuse(), Script::ok(content(1, 10))]);
    let delay = Duration::from_millis(20);
    let config = Config { backoff_min: delay, backoff_max: delay, ..Config::default() };
    let manager = in_memory(&scripted, &MemoryDirectory::new()).config(config).open().unwrap();
    assert_eq!(end(&manager.download(URL).unwrap()).unwrap().requests, 3);
    close(&manager);
}

#[test]
fn a_stalled_body_times_out() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10_000)).stall_at(5_000));
    let timeout = Duration::from_millis(50);
    let builder = in_memory(&scripted, &MemoryDirectory::new()).stall_timeout(timeout).retries(0);
    let manager = builder.open().unwrap();
    let began = Instant::now();
    let error = end(&manager.download(URL).unwrap()).unwrap_err();
    assert_eq!(error, Error::Failed(DownloadError::Timeout(TimeoutKind::Stall)));
    assert!(began.elapsed() >= timeout);
    close(&manager);
    assert_eq!(scripted.open_exchanges(), 0);
}

#[test]
fn an_idle_manager_takes_a_command_at_once() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10)));
    let manager = in_memory(&scripted, &MemoryDirectory::new()).open().unwrap();
    for name in 0..100 {
        // Each time the loop has gone to sleep, or is about to.
        end(&manager.download(format!("{URL}{name}")).unwrap()).unwrap();
    }
    close(&manager);
}

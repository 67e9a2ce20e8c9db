//! Proxies in the environment, which are not used.

use std::process::Command;

use dlmanager::{DownloadManager, Event, SharedTransport};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{Origin, Reply};
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{Memory, Scripted, close, end, within};

/// Runs this test again, in a process of its own with that environment: the one of this process is everybody's. Returns
/// whether this is that process.
fn is_in_process_with(test: &str, variables: &[(&str, &str)]) -> bool {
    const MARK: &str = "DLMANAGER_TEST_IN_PROCESS";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(variable);
    }
    command.args(["--exact", test, "--nocapture"]).env(MARK, "1").envs(variables.iter().copied());
    let output = within(move || command.output()).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// What a manager tells of two downloads, one after the other.
fn told(manager: &DownloadManager, urls: [String; 2]) -> Vec<Event> {
    let events = manager.events();
    for url in urls {
        end(&manager.download(url).unwrap()).unwrap();
    }
    close(manager);
    within(move || events.into_iter().collect())
}

fn is_proxy(event: &Event) -> bool {
    matches!(event, Event::ProxyIgnored { .. })
}

#[test]
fn each_manager_tells_once_before_its_first_download_that_a_proxy_is_not_used() {
    let test = "proxies::each_manager_tells_once_before_its_first_download_that_a_proxy_is_not_used";
    if !is_in_process_with(test, &[("HTTPS_PROXY", "http://proxy:1"), ("all_proxy", "socks5://proxy:2")]) {
        return;
    }
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let transport = SharedTransport::new().unwrap();
    for name in ["a", "b", "shared"] {
        let mut builder = DownloadManager::builder(folder.path().join(name));
        if name == "shared" {
            builder = builder.shared_transport(&transport);
        }
        let urls = ["/1", "/2"].map(|path| {
            origin.serve(path, Reply::body("bytes"));
            origin.url(path)
        });
        let events = told(&builder.open().unwrap(), urls);
        let expected = Event::ProxyIgnored { variables: vec!["HTTPS_PROXY", "all_proxy"] };
        assert_eq!(events[0], expected, "{name}: {events:?}");
        assert_eq!(events.iter().filter(|event| is_proxy(event)).count(), 1, "{name}: {events:?}");
    }
}

#[test]
fn of_transports_of_ones_own_nothing_is_said() {
    if !is_in_process_with("proxies::of_transports_of_ones_own_nothing_is_said", &[("http_proxy", "http://proxy:1")]) {
        return;
    }
    let transport = || {
        let scripted = Scripted::new();
        scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 100)));
        scripted.transport()
    };
    let urls = || ["http://origin.example/1".to_owned(), "http://origin.example/2".to_owned()];
    let builder = || DownloadManager::builder("memory").store(Memory(MemoryDirectory::new()));
    let own = builder().transport(transport()).open().unwrap();
    assert!(!told(&own, urls()).iter().any(is_proxy));
    let shared = SharedTransport::from_fn(transport);
    let own = builder().shared_transport(&shared).open().unwrap();
    assert!(!told(&own, urls()).iter().any(is_proxy));
}

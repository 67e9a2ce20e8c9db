//! Names that the server gives: known by its URL until then, a download is looked for like any other from then on.

use std::time::Duration;

use dlmanager_core::{Admission, Config, DownloadError, DownloadId, FileName, Notice, Outcome, Phase, Request};
use dlmanager_scripted::{Reply, content};
use dlmanager_world::World;
use http::header::{CONTENT_DISPOSITION, ETAG};

const URL: &str = "http://h.example/get?id=7";

fn reply(name: &str) -> Reply {
    Reply::ok(content(1, 1_000)).header(CONTENT_DISPOSITION, name)
}

fn by_server(url: &str) -> Request {
    Request::new(url).unwrap().content_disposition(true)
}

fn names_told(world: &World) -> Vec<(DownloadId, String)> {
    let named = |notice: &Notice| match notice {
        Notice::Named { id, name } => Some((*id, name.to_string())),
        _ => None,
    };
    world.notices().iter().filter_map(|(_, notice)| named(notice)).collect()
}

#[test]
fn the_file_has_the_name_that_the_server_gives() {
    let mut world = World::new(Config::default());
    world.net.script(URL, [reply("attachment; filename=\"x.bin\"; filename*=UTF-8''%C3%A4%20b.zip")]);
    let id = world.admit(by_server(URL)).id();
    world.run();
    world.assert_complete(id, "\u{e4} b.zip", &content(1, 1_000));
    assert_eq!(names_told(&world), [(id, "\u{e4} b.zip".to_owned())]);
    assert_eq!(world.visible(), ["\u{e4} b.zip"]);
    world.close();
    assert_eq!(world.unfinished(), [""; 0]);
}

#[test]
fn without_one_it_has_the_urls_and_a_name_that_was_given_is_not_asked_for() {
    let mut world = World::new(Config::default());
    world.net.otherwise(reply("attachment"));
    let id = world.admit(by_server("http://h.example/a/tool.zip")).id();
    world.run();
    world.assert_complete(id, "tool.zip", &content(1, 1_000));

    world.net.otherwise(reply("attachment; filename=other"));
    let id = world.admit(by_server(URL).name(FileName::new("mine").unwrap())).id();
    world.run();
    world.assert_complete(id, "mine", &content(1, 1_000));
}

#[test]
fn a_name_that_leads_elsewhere_is_an_error_and_never_cut() {
    for bad in ["../up", "a/b", "..\\up", ".hidden", "con", ".dlmanager", "a\u{202e}b", ""] {
        let mut world = World::new(Config::default());
        world.net.script(URL, [reply(&format!("attachment; filename*=UTF-8''{}", percent(bad)))]);
        let id = world.admit(by_server(URL)).id();
        world.run();
        assert!(matches!(world.error(id), DownloadError::Name(_)), "{bad:?}: {:?}", world.outcome(id));
        assert_eq!(world.visible(), [""; 0]);
        world.close();
        assert_eq!(world.unfinished(), [""; 0]);
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn a_file_of_that_name_is_present_and_its_body_is_not_read() {
    let mut world = World::new(Config::default());
    world.directory.put_file("x.bin", b"there");
    world.net.script(URL, [reply("attachment; filename=x.bin").pieces(100, Duration::from_secs(1))]);
    let id = world.admit(by_server(URL)).id();
    world.run();
    assert_eq!(world.outcome(id), Some(&Outcome::Present { length: 5 }));
    world.assert_file("x.bin", b"there");
    world.close();
    assert_eq!(world.unfinished(), [""; 0]);
}

#[test]
fn a_live_download_of_that_name_keeps_it() {
    let mut world = World::new(Config::default());
    world.net.script("http://h.example/x.bin", [Reply::ok(content(2, 1_000)).pieces(100, Duration::from_secs(1))]);
    world.net.script(URL, [reply("attachment; filename=x.bin")]);
    let other = world.download("http://h.example/x.bin");
    world.run_to_phase(other, Phase::Receiving);
    let id = world.admit(by_server(URL)).id();
    world.run();
    assert_eq!(*world.error(id), DownloadError::NameTaken { name: FileName::new("x.bin").unwrap() });
    world.assert_complete(other, "x.bin", &content(2, 1_000));
}

#[test]
fn it_is_joined_by_its_url_before_and_by_its_name_behind() {
    let mut world = World::new(Config::default());
    let slow =
        reply("attachment; filename=x.bin").head_after(Duration::from_secs(1)).pieces(100, Duration::from_secs(1));
    world.net.script(URL, [slow]);
    let id = world.admit(by_server(URL)).id();
    world.run_to_phase(id, Phase::Connecting);
    assert_eq!(world.admit(by_server(URL)), Admission::Joined(id));
    world.run_to_phase(id, Phase::Receiving);
    let named = Request::new("http://else.example/").unwrap().name(FileName::new("x.bin").unwrap());
    assert_eq!(world.admit(named), Admission::Joined(id));
    world.run();
    world.assert_complete(id, "x.bin", &content(1, 1_000));
    assert_eq!(world.net.requests().len(), 1);
}

#[test]
fn a_cut_is_gone_on_with_under_the_name() {
    let mut world = World::new(Config::default());
    let whole = || reply("attachment; filename=x.bin").header(ETAG, "\"1\"");
    world.net.script(URL, [whole().cut_at(600), whole()]);
    let id = world.admit(by_server(URL)).id();
    world.run();
    world.assert_complete(id, "x.bin", &content(1, 1_000));
    assert_eq!(names_told(&world).len(), 1);
    world.close();
    assert_eq!(world.unfinished(), [""; 0]);
}

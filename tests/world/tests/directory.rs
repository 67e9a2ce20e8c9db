//! What stands in the directory: names, publishing, what was there, what appears meanwhile, and faults of the disk.

use std::time::Duration;

use dlmanager_core::{
    Config, DownloadError, DownloadId, Durability, Fault, FaultKind, FileKind, FileName, FileOp, FileStep, IfPresent,
    Notice, Outcome, Published, Request, Warning,
};
use dlmanager_fs_memory::Failure;
use dlmanager_scripted::{Reply, content};
use dlmanager_world::World;

const URL: &str = "http://h.example/file";

fn world_with(config: Config) -> World {
    let mut world = World::new(config);
    world.net.script(URL, [Reply::ok(content(1, 100_000)).pieces(20_000, Duration::from_millis(50))]);
    world
}

fn world() -> World {
    world_with(Config::default())
}

fn replacing() -> Request {
    Request::new(URL).expect("a URL").if_present(IfPresent::Replace)
}

fn ended(world: &World, id: DownloadId) -> Outcome {
    world.outcome(id).expect("ended").clone()
}

/// The fault with which every operation of a kind is answered instead of being done.
fn fail(world: &World, kind: FaultKind, which: impl Fn(&FileOp) -> bool + Send + 'static) {
    world.directory.fail_when(move |operation| which(operation.op).then(|| Fault::new(kind).into()));
}

#[test]
fn a_file_that_is_there_is_left_as_it_is_and_stamped_as_used() {
    let mut world = world();
    world.directory.put_file("file", b"what was there");
    world.run_for(Duration::from_secs(3_600));
    let before = world.directory.stat("file").expect("there");
    let id = world.download(URL);
    world.run();
    assert_eq!(ended(&world, id), Outcome::Present { length: 14 });
    world.assert_file("file", b"what was there");
    assert_eq!(world.net.requests().len(), 0);
    let after = world.directory.stat("file").expect("there");
    assert!(after.accessed > before.accessed && after.modified == before.modified);
}

#[test]
fn what_is_no_file_is_an_error_and_stays() {
    type Put = fn(&World);
    let put: [(Put, FileKind); 3] = [
        (|world| world.directory.put_folder("file"), FileKind::Folder),
        (|world| world.directory.put_symlink("file", "elsewhere"), FileKind::Symlink),
        (|world| world.directory.put_other("file"), FileKind::Other),
    ];
    for (put, kind) in put {
        for replaces in [false, true] {
            let mut world = world();
            put(&world);
            let request = if replaces { replacing() } else { Request::new(URL).expect("a URL") };
            let id = world.admit(request).id();
            world.run();
            assert!(matches!(world.error(id), DownloadError::NotAFile { kind: found, .. } if *found == kind));
            assert_eq!(world.directory.list().get("file"), Some(&kind));
            assert_eq!(world.net.requests().len(), 0);
        }
    }
}

#[test]
fn replacing_keeps_the_old_file_until_the_new_one_is_whole() {
    let mut world = world();
    world.directory.put_file("file", b"old");
    let id = world.admit(replacing()).id();
    world.run_until("half is received", |world| world.progress(id).last().is_some_and(|last| last.received >= 40_000));
    world.assert_file("file", b"old");
    world.run();
    world.assert_complete(id, "file", &content(1, 100_000));
}

#[test]
fn a_replacement_that_fails_leaves_the_old_file() {
    let mut world = World::new(Config { retries_max: 0, ..Config::default() });
    world.net.script(URL, [Reply::ok(content(1, 100_000)).cut_at(99_999)]);
    world.directory.put_file("file", b"old");
    let id = world.admit(replacing()).id();
    world.run();
    assert!(matches!(world.error(id), DownloadError::Network(_)));
    world.assert_file("file", b"old");
    world.close();
    assert!(world.unfinished().is_empty());
}

#[test]
fn a_file_that_appears_meanwhile_is_left_alone() {
    let mut world = world();
    let id = world.download(URL);
    world.run_until("half is received", |world| world.progress(id).last().is_some_and(|last| last.received >= 40_000));
    world.directory.put_file("file", b"another's");
    world.run();
    assert_eq!(ended(&world, id), Outcome::Present { length: 9 });
    world.assert_file("file", b"another's");
    world.close();
    assert!(world.unfinished().is_empty());
}

#[test]
fn a_folder_that_appears_meanwhile_is_an_error_and_stays() {
    for replaces in [false, true] {
        let mut world = world();
        let request = if replaces { replacing() } else { Request::new(URL).expect("a URL") };
        let id = world.admit(request).id();
        world.run_until("half is received", |world| {
            world.progress(id).last().is_some_and(|last| last.received >= 40_000)
        });
        world.directory.put_folder("file");
        world.run();
        assert!(matches!(ended(&world, id), Outcome::Failed(_)));
        assert_eq!(world.directory.list().get("file"), Some(&FileKind::Folder));
        world.close();
        assert!(world.unfinished().is_empty());
    }
}

#[test]
fn names_with_subfolders_get_their_folders() {
    let mut world = world();
    let name = FileName::new("tools/x86/file.bin").expect("a name");
    let id = world.admit(Request::new(URL).expect("a URL").name(name)).id();
    world.run();
    world.assert_complete(id, "tools/x86/file.bin", &content(1, 100_000));
    world.close();
    assert_eq!(world.visible(), ["tools", "tools/x86", "tools/x86/file.bin"]);
}

#[test]
fn a_file_in_the_way_of_a_folder_is_an_error_and_stays() {
    let mut world = world();
    world.directory.put_file("tools", b"a file");
    let name = FileName::new("tools/file.bin").expect("a name");
    let id = world.admit(Request::new(URL).expect("a URL").name(name)).id();
    world.run();
    assert!(matches!(ended(&world, id), Outcome::Failed(_)));
    world.close();
    assert_eq!(world.visible(), ["tools"]);
    assert!(world.unfinished().is_empty());
}

#[test]
fn nothing_unfinished_is_ever_visible() {
    let mut world = world();
    let id = world.download(URL);
    loop {
        let is_over = world.outcome(id).is_some();
        match world.directory.read("file") {
            None => assert!(world.visible().is_empty(), "{:?}", world.visible()),
            Some(bytes) => assert!(bytes == content(1, 100_000)),
        }
        if is_over {
            break;
        }
        world.run_for(Duration::from_millis(1));
    }
}

#[test]
fn no_room_is_said_and_the_partial_is_removed() {
    let mut world = world();
    world.directory.set_capacity(Some(60_000));
    let id = world.download(URL);
    world.run();
    assert!(world.error(id).is_no_space(), "{:?}", world.error(id));
    assert_eq!(world.net.requests().len(), 1, "a full disk is not tried again");
    assert_eq!(world.directory.used_bytes(), 0);
    world.net.script("http://h.example/small", [Reply::ok(content(2, 50_000))]);
    let small = world.download("http://h.example/small");
    world.run();
    world.assert_complete(small, "small", &content(2, 50_000));
}

#[test]
fn each_operation_that_fails_fails_the_download_with_its_step_and_leaves_nothing() {
    type Which = fn(&FileOp) -> bool;
    let cases: [(Which, FileStep); 5] = [
        (|op| matches!(op, FileOp::Stat { .. }), FileStep::Look),
        (|op| matches!(op, FileOp::Open { .. }), FileStep::Create),
        (|op| matches!(op, FileOp::Write { .. }), FileStep::Write),
        (|op| matches!(op, FileOp::Finish { .. }), FileStep::Verify),
        (|op| matches!(op, FileOp::Sync { .. }), FileStep::Flush),
    ];
    for (which, expected) in cases {
        for kind in [FaultKind::Io, FaultKind::Denied, FaultKind::ReadOnly, FaultKind::NoSpace] {
            let mut world = world();
            fail(&world, kind, which);
            let id = world.download(URL);
            world.run();
            match world.error(id) {
                DownloadError::File { step, fault } => assert_eq!((*step, fault.kind()), (expected, kind)),
                other => panic!("{other:?}"),
            }
            world.directory.clear_rules();
            world.close();
            assert!(world.visible().is_empty() && world.unfinished().is_empty(), "{:?}", world.directory);
        }
    }
}

#[test]
fn a_failed_flush_is_never_tried_again() {
    let mut world = world();
    fail(&world, FaultKind::Io, |op| matches!(op, FileOp::Sync { .. }));
    world.download(URL);
    world.run();
    let flushes = world.file_operations().iter().filter(|op| op.starts_with("Sync")).count();
    assert_eq!(flushes, 1, "{:?}", world.file_operations());
}

#[test]
fn a_rename_that_fails_is_an_error_that_says_that_the_file_is_not_there() {
    let mut world = world();
    fail(&world, FaultKind::Denied, |op| matches!(op, FileOp::Rename { .. }));
    let id = world.download(URL);
    world.run();
    assert_eq!(world.error(id).published(), Published::No);
    assert!(matches!(world.error(id), DownloadError::Publish { fault, .. } if fault.kind() == FaultKind::Denied));
    world.close();
    assert!(world.visible().is_empty() && world.unfinished().is_empty());
}

#[test]
fn a_rename_that_was_done_although_it_failed_is_found_out() {
    for replaces in [false, true] {
        let mut world = world();
        world.directory.fail_when(|operation| {
            matches!(operation.op, FileOp::Rename { .. }).then(|| Failure::after(Fault::new(FaultKind::Io)))
        });
        if replaces {
            world.directory.put_file("file", b"old");
        }
        let request = if replaces { replacing() } else { Request::new(URL).expect("a URL") };
        let id = world.admit(request).id();
        world.run();
        world.assert_complete(id, "file", &content(1, 100_000));
    }
}

#[test]
fn a_rename_that_was_not_done_is_not_taken_for_done_because_of_an_old_file() {
    let mut world = world();
    world.directory.put_file("file", &content(9, 100_000));
    fail(&world, FaultKind::Io, |op| matches!(op, FileOp::Rename { .. }));
    let id = world.admit(replacing()).id();
    world.run();
    assert_eq!(world.error(id).published(), Published::No, "the same length, and the old bytes");
    world.assert_file("file", &content(9, 100_000));
    world.close();
    assert!(world.unfinished().is_empty());
}

#[test]
fn a_directory_flush_that_fails_says_that_the_file_is_there() {
    let mut world = world_with(Config { durability: Durability::Full, ..Config::default() });
    fail(&world, FaultKind::Io, |op| matches!(op, FileOp::SyncDir { .. }));
    let id = world.download(URL);
    world.run();
    assert_eq!(world.error(id).published(), Published::Yes);
    world.assert_file("file", &content(1, 100_000));
}

#[test]
fn durability_decides_what_is_flushed_and_the_data_go_before_the_name() {
    let flushes = |durability| {
        let mut world = world_with(Config { durability, ..Config::default() });
        let id = world.download(URL);
        world.run();
        world.assert_complete(id, "file", &content(1, 100_000));
        let kinds = ["Sync", "Rename", "SyncDir"];
        let words = world.file_operations().iter().filter_map(|op| op.split([' ', '(', '{']).next().map(str::to_owned));
        words.filter(|word| kinds.contains(&word.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(flushes(Durability::None), ["Rename"]);
    assert_eq!(flushes(Durability::Data), ["Sync", "Rename"]);
    assert_eq!(flushes(Durability::Full), ["Sync", "Rename", "SyncDir"]);
}

#[test]
fn a_partial_that_cannot_be_removed_is_told_by_its_name() {
    let mut world = world();
    fail(&world, FaultKind::Denied, |op| matches!(op, FileOp::Write { .. } | FileOp::Delete { .. }));
    let id = world.download(URL);
    world.run();
    assert!(matches!(world.error(id), DownloadError::File { step: FileStep::Write, .. }));
    let told = world.notices().iter().find_map(|(_, notice)| match notice {
        Notice::Warning(Warning::Litter { path, fault }) => Some((path.to_string(), fault.kind())),
        _ => None,
    });
    let (path, kind) = told.expect("a warning");
    assert_eq!(kind, FaultKind::Denied);
    assert!(world.unfinished().contains(&path), "{path} of {:?}", world.unfinished());
}

#[test]
fn the_name_comes_from_the_url_unless_it_is_given() {
    let mut world = World::new(Config::default());
    world.net.otherwise(Reply::ok(content(1, 10)));
    let id = world.download("http://h.example/dir/b%20c.zip?version=2#part");
    world.run();
    world.assert_complete(id, "b c.zip", &content(1, 10));
    assert_eq!(world.net.requests()[0].uri, "http://h.example/dir/b%20c.zip?version=2");
    for url in ["http://h.example/", "http://h.example/a%2Fb", "http://h.example/..%5Cx", "http://h.example/nul.txt"] {
        let request = Request::new(url).expect("a URL");
        assert!(world.manager.download(world.now(), request).is_err(), "{url}");
    }
    assert_eq!(world.net.requests().len(), 1);
}

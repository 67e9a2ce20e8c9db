//! What shows only without root's rights, or on a file system of its own.
//!
//! Each test runs its own program again, as another user or among mounts of its own, and there does what it is about.
//! Where that cannot be done, for want of root's rights for one, the test says so and passes.
#![cfg(target_os = "linux")]

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dlmanager_core::testing::{Tickets, file_id, lane, path};
use dlmanager_core::{
    Answer, DeleteItem, Deleted, Expect, FaultKind, FileAction, FileOp, OpenMode, ScanBatch, Stamp, Ticket, op,
};
use dlmanager_fs::{CreateError, Directory};

/// Names the folder to work in, for the program that was run again.
const AGAIN: &str = "DLMANAGER_TEST_FOLDER";
const NOBODY: u32 = 65_534;

#[test]
fn a_directory_that_cannot_be_written_or_read_is_refused() {
    as_nobody(
        "a_directory_that_cannot_be_written_or_read_is_refused",
        |_| {},
        |folder| {
            for (mode, is_written) in [(0o555, true), (0o500, true), (0o300, false), (0o000, false)] {
                let path = folder.join(format!("{mode:o}"));
                fs::create_dir(&path).unwrap();
                set_mode(&path, mode);
                let error = Directory::create(&path).unwrap_err();
                let (CreateError::NotWritable { cause, .. } | CreateError::NotReadable { cause, .. }) = &error else {
                    panic!("{error:?}");
                };
                assert_eq!(cause.kind(), FaultKind::Denied);
                assert_eq!(matches!(error, CreateError::NotWritable { .. }), is_written, "{error}");
                assert_eq!(error.path(), path);
            }
            let below = folder.join("555/below");
            let error = Directory::create(&below).unwrap_err();
            assert!(
                matches!(&error, CreateError::NotMade { cause, .. } if cause.kind() == FaultKind::Denied),
                "{error}"
            );
            assert_eq!(
                error.to_string(),
                format!("cannot make the directory {}: permission denied (os error 13)", below.display())
            );
        },
    );
}

#[test]
fn a_stubborn_folder_lets_go_and_keeps_its_mode() {
    as_nobody(
        "a_stubborn_folder_lets_go_and_keeps_its_mode",
        |_| {},
        |folder| {
            let directory = Directory::create(folder).unwrap();
            for mode in [0o555, 0o444, 0o455, 0o755] {
                let sub = folder.join("sub");
                fs::create_dir_all(sub.join("empty")).unwrap();
                File::create(sub.join("read-only")).unwrap().set_permissions(Permissions::from_mode(0o444)).unwrap();
                set_mode(&sub, mode);
                assert_eq!(delete(&directory, "sub/read-only", Expect::File), Deleted::Deleted, "{mode:o}");
                assert_eq!(delete(&directory, "sub/read-only", Expect::File), Deleted::Gone, "{mode:o}");
                assert_eq!(delete(&directory, "sub/empty", Expect::EmptyFolder), Deleted::Deleted, "{mode:o}");
                assert_eq!(mode_of(&sub), mode);
                assert_eq!(delete(&directory, "sub", Expect::EmptyFolder), Deleted::Deleted, "{mode:o}");
            }
        },
    );
}

#[test]
fn a_stubborn_directory_lets_go_for_who_insists_and_keeps_its_mode() {
    as_nobody(
        "a_stubborn_directory_lets_go_for_who_insists_and_keeps_its_mode",
        |_| {},
        |folder| {
            for mode in [0o555, 0o455, 0o755] {
                let directory_path = folder.join(format!("{mode:o}"));
                fs::create_dir(&directory_path).unwrap();
                let file = File::create(directory_path.join("read-only")).unwrap();
                file.set_permissions(Permissions::from_mode(0o444)).unwrap();
                set_mode(&directory_path, mode);
                let directory = Directory::open(&directory_path).unwrap();
                let item = DeleteItem { path: path("read-only"), expect: Expect::File };
                assert_eq!(directory.delete(&item), Deleted::Deleted, "{mode:o}");
                assert_eq!(directory.delete(&item), Deleted::Gone, "{mode:o}");
                assert_eq!(mode_of(&directory_path), mode);
            }
        },
    );
}

#[test]
fn neither_the_directory_itself_nor_anything_outside_is_made_writable() {
    as_nobody(
        "neither_the_directory_itself_nor_anything_outside_is_made_writable",
        |_| {},
        |folder| {
            let (inside, outside) = (folder.join("inside"), folder.join("outside"));
            let directory = Directory::create(&inside).unwrap();
            fs::create_dir(&outside).unwrap();
            for file in [inside.join("kept"), outside.join("kept")] {
                fs::write(file, b"kept").unwrap();
            }
            symlink(&outside, inside.join("link")).unwrap();
            set_mode(&inside, 0o555);
            set_mode(&outside, 0o555);
            assert_denied(&delete(&directory, "kept", Expect::File), FaultKind::Denied);
            assert_denied(&delete(&directory, "link", Expect::File), FaultKind::Denied);
            assert_denied(&delete(&directory, "link/kept", Expect::File), FaultKind::WrongType);
            assert_eq!((mode_of(&inside), mode_of(&outside)), (0o555, 0o555));
            assert_eq!(fs::read(inside.join("kept")).unwrap(), b"kept");
            assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
            set_mode(&inside, 0o755);
            set_mode(&outside, 0o755);
        },
    );
}

#[test]
fn a_scan_goes_on_past_what_cannot_be_looked_at() {
    among_own_mounts("a_scan_goes_on_past_what_cannot_be_looked_at", |folder| {
        let directory = Directory::create(folder).unwrap();
        for name in ["a", "b"] {
            fs::write(folder.join(name), name).unwrap();
        }
        fs::create_dir(folder.join("dead")).unwrap();
        // A mount whose program is gone.
        let script = "exec 3<>/dev/fuse && \
            mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none \"$0\"";
        let output = Command::new("sh").arg("-c").arg(script).arg(folder.join("dead")).output().unwrap();
        if fs::symlink_metadata(folder.join("dead")).is_ok() {
            // Said past what looks whether the test did anything: nothing more can be done here.
            return println!("SKIPPED: no mount can be left dead: {}", String::from_utf8_lossy(&output.stderr));
        }
        let whole = || {
            let batch = scan(&directory, 10).unwrap();
            execute::<op::Close>(&directory, |ticket| FileOp::Close { ticket, file: file_id(2) });
            batch
        };
        let batch = whole();
        let mut names: Vec<&str> = batch.entries.iter().map(|entry| entry.path.as_str()).collect();
        names.sort_unstable();
        assert_eq!((names, batch.unnameable, batch.done), (vec!["a", "b"], 1, true));
        let output = Command::new("umount").arg("--lazy").arg(folder.join("dead")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(whole().entries.len(), 3);
    });
}

#[test]
fn a_scan_ends_where_nothing_at_all_can_be_looked_at() {
    as_nobody(
        "a_scan_ends_where_nothing_at_all_can_be_looked_at",
        |_| {},
        |folder| {
            let directory = Directory::create(folder).unwrap();
            for name in ["a", "b"] {
                fs::write(folder.join(name), name).unwrap();
            }
            assert_eq!(scan(&directory, 1).map(|batch| batch.entries.len()), Ok(1));
            set_mode(folder, 0o444);
            let scanned = scan(&directory, 1).map(drop);
            set_mode(folder, 0o755);
            assert_eq!(scanned, Err(FaultKind::Denied));
        },
    );
}

#[test]
fn a_file_without_write_permission_is_denied() {
    as_nobody(
        "a_file_without_write_permission_is_denied",
        |_| {},
        |folder| {
            let directory = Directory::create(folder).unwrap();
            File::create(folder.join("a")).unwrap().set_permissions(Permissions::from_mode(0o444)).unwrap();
            assert_eq!(open(&directory, "a", OpenMode::Existing), Err(FaultKind::Denied));
        },
    );
}

#[test]
fn a_strangers_file_is_touched_where_it_may_be_written() {
    fn prepare(folder: &Path) {
        for (name, mode) in [("writable", 0o666), ("not-writable", 0o644)] {
            let file = File::create(folder.join(name)).unwrap();
            file.set_permissions(Permissions::from_mode(mode)).unwrap();
            make_old(&file);
        }
    }
    if !is_root() && env::var_os(AGAIN).is_none() {
        return skip("only root can make a file that is somebody else's");
    }
    as_nobody("a_strangers_file_is_touched_where_it_may_be_written", prepare, |folder| {
        let directory = Directory::create(folder).unwrap();
        let stamp = touch(&directory, "writable").unwrap();
        let accessed = fs::metadata(folder.join("writable")).unwrap().accessed().unwrap();
        let since_1970 = accessed.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        assert_eq!(i128::from(stamp.as_nanos()), i128::try_from(since_1970).unwrap());
        assert!(accessed.elapsed().unwrap_or_default() < Duration::from_secs(60), "{accessed:?}");
        assert_eq!(touch(&directory, "not-writable"), Err(FaultKind::Denied));
    });
}

#[test]
fn a_strangers_file_is_stamped_now_where_no_other_time_may_be_chosen() {
    fn prepare(folder: &Path) {
        let file = File::create(folder.join("theirs")).unwrap();
        file.set_permissions(Permissions::from_mode(0o666)).unwrap();
        make_old(&file);
    }
    if !is_root() && env::var_os(AGAIN).is_none() {
        return skip("only root can make a file that is somebody else's");
    }
    as_nobody("a_strangers_file_is_stamped_now_where_no_other_time_may_be_chosen", prepare, |folder| {
        let directory = Directory::create(folder).unwrap();
        assert_eq!(open(&directory, "theirs", OpenMode::Existing), Ok(()));
        assert_eq!(set_times(&directory, Stamp::from_nanos(1_000_000_000_000_000_000)), Ok(()));
        let metadata = fs::metadata(folder.join("theirs")).unwrap();
        for time in [metadata.accessed(), metadata.modified()] {
            assert!(time.as_ref().unwrap().elapsed().unwrap_or_default() < Duration::from_secs(60), "{time:?}");
        }
    });
}

#[test]
fn a_file_that_may_only_be_read_is_read_and_locked() {
    as_nobody(
        "a_file_that_may_only_be_read_is_read_and_locked",
        |_| {},
        |folder| {
            let directory = Directory::create(folder).unwrap();
            File::create(folder.join("a")).unwrap().set_permissions(Permissions::from_mode(0o444)).unwrap();
            assert_eq!(open(&directory, "a", OpenMode::CreateOrExisting), Err(FaultKind::Denied));
            assert_eq!(open(&directory, "a", OpenMode::Read), Ok(()));
            assert_eq!(lock(&directory, "a"), Ok(()));
        },
    );
}

#[test]
fn a_read_only_file_system_is_refused() {
    among_own_mounts("a_read_only_file_system_is_refused", |folder| {
        mount(folder, "ro");
        let error = Directory::create(folder).unwrap_err();
        assert!(
            matches!(&error, CreateError::NotWritable { cause, .. } if cause.kind() == FaultKind::ReadOnly),
            "{error}"
        );
        let error = Directory::create(folder.join("sub/folder")).unwrap_err();
        assert!(matches!(&error, CreateError::NotMade { cause, .. } if cause.kind() == FaultKind::ReadOnly), "{error}");
    });
}

#[test]
fn a_file_system_that_becomes_read_only_fails_each_operation() {
    among_own_mounts("a_file_system_that_becomes_read_only_fails_each_operation", |folder| {
        mount(folder, "rw");
        let directory = Directory::create(folder).unwrap();
        fs::write(folder.join("a"), b"kept").unwrap();
        make_old(&File::options().write(true).open(folder.join("a")).unwrap());
        fs::create_dir(folder.join("folder")).unwrap();
        mount(folder, "remount,ro");
        assert_eq!(open(&directory, "b", OpenMode::CreateNew), Err(FaultKind::ReadOnly));
        assert_eq!(open(&directory, "a", OpenMode::CreateNew), Err(FaultKind::Exists));
        assert_eq!(open(&directory, "folder/b", OpenMode::CreateNew), Err(FaultKind::ReadOnly));
        assert_eq!(open(&directory, "a", OpenMode::Existing), Err(FaultKind::ReadOnly));
        assert_eq!(make_dir(&directory, "new/folder"), Err(FaultKind::ReadOnly));
        assert_eq!(make_dir(&directory, "folder"), Ok(()));
        assert_eq!(touch(&directory, "a"), Err(FaultKind::ReadOnly));
        assert_eq!(probe(&directory, "probe"), Err(FaultKind::ReadOnly));
        assert_eq!(open(&directory, "b", OpenMode::CreateOrExisting), Err(FaultKind::ReadOnly));
        assert_eq!(open(&directory, "a", OpenMode::CreateOrExisting), Err(FaultKind::ReadOnly));
        assert_eq!(open(&directory, "a", OpenMode::Read), Ok(()));
        for clobber in [false, true] {
            assert_eq!(rename(&directory, "a", "b", clobber), Err(FaultKind::ReadOnly));
        }
        assert_denied(&delete(&directory, "a", Expect::File), FaultKind::ReadOnly);
        assert_eq!(fs::read(folder.join("a")).unwrap(), b"kept");
    });
}

#[test]
fn a_full_file_system_is_no_space_until_something_goes() {
    among_own_mounts("a_full_file_system_is_no_space_until_something_goes", |folder| {
        mount(folder, "size=256k");
        let directory = Directory::create(folder).unwrap();
        let chunk = Bytes::from(vec![7; 64 * 1024]);
        assert_eq!(open(&directory, "a", OpenMode::CreateNew), Ok(()));
        assert_eq!(write(&directory, vec![chunk.clone(), chunk.clone()]), Ok(()));
        fs::write(folder.join("other"), vec![0; 100 * 1024]).unwrap();
        assert_eq!(write(&directory, vec![chunk.clone(); 4]), Err(FaultKind::NoSpace));
        assert_eq!(delete(&directory, "other", Expect::File), Deleted::Deleted);
        assert_eq!(write(&directory, vec![chunk; 3]), Ok(()));
        assert_eq!(fs::read(folder.join("a")).unwrap(), vec![7; 3 * 64 * 1024]);
    });
}

#[test]
fn a_pin_that_a_full_file_system_has_no_room_for_is_taken_back() {
    among_own_mounts("a_pin_that_a_full_file_system_has_no_room_for_is_taken_back", |folder| {
        mount(folder, "size=256k");
        let directory = Directory::create(folder).unwrap();
        // As much as there is room for.
        let _ = fs::write(folder.join("a"), vec![0; 1024 * 1024]);
        assert_eq!(directory.pin(&path("a")).unwrap_err().kind(), FaultKind::NoSpace);
        assert_eq!((directory.is_pinned(&path("a")), directory.pins()), (Ok(false), Ok(Vec::new())));
        assert!(!folder.join(".dlmanager").exists());
        File::options().write(true).open(folder.join("a")).unwrap().set_len(1).unwrap();
        directory.pin(&path("a")).unwrap();
        assert_eq!(directory.pins(), Ok(vec![path("a")]));
    });
}

#[test]
fn a_rename_to_a_file_system_mounted_below_is_refused() {
    among_own_mounts("a_rename_to_a_file_system_mounted_below_is_refused", |folder| {
        mount(folder, "rw");
        let directory = Directory::create(folder).unwrap();
        fs::write(folder.join("a"), b"kept").unwrap();
        fs::create_dir(folder.join("sub")).unwrap();
        mount(&folder.join("sub"), "rw");
        for clobber in [false, true] {
            assert_eq!(rename(&directory, "a", "sub/a", clobber), Err(FaultKind::Unsupported));
        }
        assert_eq!(delete(&directory, "sub", Expect::EmptyFolder), Deleted::Busy);
        assert_eq!(fs::read(folder.join("a")).unwrap(), b"kept");
        assert!(!folder.join("sub/a").exists());
    });
}

// How the tests run.

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says so past the test program's capture of what passing tests print.
fn skip(reason: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED: {reason}");
}

/// Runs `body` in a folder of its own, which `prepare` made with the rights that there are, without root's rights.
fn as_nobody(test: &str, prepare: fn(&Path), body: fn(&Path)) {
    if let Some(folder) = env::var_os(AGAIN) {
        return body(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    if !is_root() {
        return body(folder.path());
    }
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    // Where the test program was built may be root's alone.
    let reachable = tempfile::tempdir().unwrap();
    fs::set_permissions(reachable.path(), Permissions::from_mode(0o755)).unwrap();
    let copy = reachable.path().join("rights");
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    run_again(test, folder.path(), Command::new(copy).uid(NOBODY).gid(NOBODY));
}

/// Runs `body` in a folder of its own, among mounts that end with it.
fn among_own_mounts(test: &str, body: fn(&Path)) {
    if let Some(folder) = env::var_os(AGAIN) {
        return body(Path::new(&folder));
    }
    let can_mount = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !can_mount.is_ok_and(|output| output.status.success()) {
        return skip("nothing can be mounted");
    }
    let folder = tempfile::tempdir().unwrap();
    run_again(test, folder.path(), Command::new("unshare").arg("--mount").arg(env::current_exe().unwrap()));
}

fn run_again(test: &str, folder: &Path, command: &mut Command) {
    command.args(["--exact", test, "--nocapture"]).env(AGAIN, folder);
    let mut attempts = 0;
    let output = loop {
        attempts += 1;
        match command.output() {
            // Another test's child, forked while the copy was written, has it open until it starts its own program.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && attempts < 100 => {
                std::thread::sleep(Duration::from_millis(20));
            }
            output => break output,
        }
    };
    let output = match output {
        Ok(output) => output,
        Err(error) => return skip(&format!("the test program cannot be run again: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "the test was not found: {text}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("SKIPPED"), "what was run again did nothing: {errors}");
}

fn mount(folder: &Path, options: &str) {
    let arguments =
        [OsStr::new("-t"), "tmpfs".as_ref(), "-o".as_ref(), options.as_ref(), "none".as_ref(), folder.as_ref()];
    let output = Command::new("mount").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn make_old(file: &File) {
    let old = SystemTime::now() - Duration::from_secs(100_000);
    file.set_times(FileTimes::new().set_accessed(old).set_modified(old)).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

// The operations, on one file.

fn execute<O: dlmanager_core::Op>(directory: &Directory, op: impl FnOnce(Ticket<O>) -> FileOp) -> Answer {
    let op = op(Tickets::new().ticket());
    directory.execute(FileAction { lane: lane(1), epoch: 0, op }).into_answer()
}

macro_rules! kind_or {
    ($answer:expr, $op:ident) => {
        match $answer {
            Answer::$op(result) => result.map_err(|fault| fault.kind()),
            other => panic!("answered with {other:?}"),
        }
    };
}

fn open(directory: &Directory, name: &str, mode: OpenMode) -> Result<(), FaultKind> {
    let answer =
        execute::<op::Open>(directory, |ticket| FileOp::Open { ticket, file: file_id(1), path: path(name), mode });
    kind_or!(answer, Open).map(drop)
}

fn write(directory: &Directory, data: Vec<Bytes>) -> Result<(), FaultKind> {
    let answer = execute::<op::Write>(directory, |ticket| FileOp::Write { ticket, file: file_id(1), offset: 0, data });
    kind_or!(answer, Write).map(drop)
}

fn probe(directory: &Directory, name: &str) -> Result<(), FaultKind> {
    let answer = execute::<op::Probe>(directory, |ticket| FileOp::Probe { ticket, path: path(name) });
    kind_or!(answer, Probe).map(drop)
}

fn set_times(directory: &Directory, modified: Stamp) -> Result<(), FaultKind> {
    let answer = execute::<op::SetTimes>(directory, |ticket| FileOp::SetTimes { ticket, file: file_id(1), modified });
    kind_or!(answer, SetTimes)
}

fn lock(directory: &Directory, name: &str) -> Result<(), FaultKind> {
    let answer = execute::<op::Lock>(directory, |ticket| FileOp::Lock { ticket, file: file_id(1), path: path(name) });
    kind_or!(answer, Lock).map(drop)
}

fn make_dir(directory: &Directory, name: &str) -> Result<(), FaultKind> {
    kind_or!(execute::<op::MakeDir>(directory, |ticket| FileOp::MakeDir { ticket, path: path(name) }), MakeDir)
}

fn scan(directory: &Directory, entries_max: usize) -> Result<ScanBatch, FaultKind> {
    let (scan, folder) = (file_id(2), None);
    let answer = execute::<op::Scan>(directory, |ticket| FileOp::Scan { ticket, scan, folder, entries_max });
    kind_or!(answer, Scan)
}

fn rename(directory: &Directory, from: &str, to: &str, clobber: bool) -> Result<(), FaultKind> {
    let answer =
        execute::<op::Rename>(directory, |ticket| FileOp::Rename { ticket, from: path(from), to: path(to), clobber });
    kind_or!(answer, Rename)
}

fn touch(directory: &Directory, name: &str) -> Result<Stamp, FaultKind> {
    let unless_within = Duration::from_secs(60);
    kind_or!(execute::<op::Touch>(directory, |ticket| FileOp::Touch { ticket, path: path(name), unless_within }), Touch)
}

fn delete(directory: &Directory, name: &str, expect: Expect) -> Deleted {
    let items = vec![DeleteItem { path: path(name), expect }];
    match execute::<op::Delete>(directory, |ticket| FileOp::Delete { ticket, items }) {
        Answer::Delete(Ok(mut deleted)) => deleted.remove(0),
        other => panic!("answered with {other:?}"),
    }
}

#[track_caller]
fn assert_denied(deleted: &Deleted, kind: FaultKind) {
    assert!(matches!(deleted, Deleted::Denied(fault) if fault.kind() == kind), "{deleted:?}");
}

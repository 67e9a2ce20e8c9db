//! What stands where a folder or a regular file should, for the text of a fault.

use dlmanager_core::{DeleteItem, Deleted, Fault, FaultKind, FileKind, StorePath};

use crate::root::Root;

/// Adds to a fault about something of the wrong type which one that is: the first folder on the way to `path` that is none, or
/// what has the path itself where that is not what was `expected`. It is looked at anew, so that nothing can be decided by it.
pub(crate) fn named<R: Root, T>(
    root: &R,
    path: &StorePath,
    expected: Option<FileKind>,
    result: Result<T, Fault>,
) -> Result<T, Fault> {
    result.map_err(|fault| with_name(root, path, expected, fault))
}

/// The same for deletions, of which only the way there can be wrong.
pub(crate) fn each_named<R: Root>(root: &R, items: &[DeleteItem], deleted: Vec<Deleted>) -> Vec<Deleted> {
    let each = items.iter().zip(deleted).map(|(item, deleted)| match deleted {
        Deleted::Denied(fault) => Deleted::Denied(with_name(root, &item.path, None, fault)),
        deleted => deleted,
    });
    each.collect()
}

fn with_name<R: Root>(root: &R, path: &StorePath, expected: Option<FileKind>, fault: Fault) -> Fault {
    if fault.kind() != FaultKind::WrongType || fault.detail().is_some() {
        return fault;
    }
    match found(root, path, expected) {
        Some((found, kind, expected)) => {
            fault.with_detail(format!("{found} is {}, not {}", text(kind), text(expected)))
        }
        None => fault,
    }
}

fn found<R: Root>(root: &R, path: &StorePath, expected: Option<FileKind>) -> Option<(StorePath, FileKind, FileKind)> {
    let mut folder: Option<StorePath> = None;
    let mut components = path.components().peekable();
    while let Some(name) = components.next() {
        let is_last = components.peek().is_none();
        let expected = if is_last { expected? } else { FileKind::Folder };
        let here = match &folder {
            None => StorePath::entry(name),
            Some(folder) => StorePath::entry_of(folder, name),
        }?;
        let kind = root.stat(&here).ok()??.kind;
        if kind != expected {
            return Some((here, kind, expected));
        }
        folder = Some(here);
    }
    None
}

const fn text(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "a file",
        FileKind::Folder => "a folder",
        FileKind::Symlink => "a symbolic link",
        FileKind::Other => "a pipe, a socket or a device",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use dlmanager_core::testing::{Tickets, file_id, lane, path};
    use dlmanager_core::{Expect, FileAction, FileOp, Op, OpenMode, Ticket, op};

    use super::*;
    use crate::Directory;

    fn execute<O: Op>(directory: &Directory, op: impl FnOnce(Ticket<O>) -> FileOp) -> String {
        let op = op(Tickets::new().ticket());
        format!("{:?}", directory.execute(FileAction { lane: lane(1), epoch: 0, op }).into_answer())
    }

    fn detail<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
        result.unwrap_err().detail().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_fault_says_which_one_is_not_a_file_and_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("folder/below")).unwrap();
        fs::write(folder.path().join("file"), b"bytes").unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let no_file = "folder/below is a folder, not a file";
        let (below, file) = (path("folder/below"), path("file"));
        assert_eq!(detail(directory.lease(&below)), no_file);
        assert_eq!(detail(directory.is_in_use(&below)), no_file);
        assert_eq!(detail(directory.verify(&below)), no_file);
        let rename = execute::<op::Rename>(&directory, |ticket| FileOp::Rename {
            ticket,
            from: file,
            to: below.clone(),
            clobber: true,
        });
        assert!(rename.contains(no_file), "{rename}");
        let no_folder = "file is a file, not a folder";
        assert_eq!(detail(directory.stat(&path("file/far/below"))), no_folder);
        let item = DeleteItem { path: path("file/a"), expect: Expect::File };
        let Deleted::Denied(fault) = directory.delete(&item) else { panic!("it is below a file") };
        assert_eq!(fault.detail(), Some(no_folder));
        let items = vec![item];
        let deleted = execute::<op::Delete>(&directory, |ticket| FileOp::Delete { ticket, items });
        assert!(deleted.contains(no_folder), "{deleted}");
    }

    fn assert_says(folder: &Path, name: &str, said: &str) {
        let directory = Directory::open(folder).unwrap();
        let below = path(&format!("{name}/a"));
        let (file, mode, clobber) = (file_id(1), OpenMode::CreateNew, true);
        let answers = [
            execute::<op::MakeDir>(&directory, |ticket| FileOp::MakeDir { ticket, path: path(name) }),
            execute::<op::Open>(&directory, |ticket| FileOp::Open { ticket, file, path: below.clone(), mode }),
            execute::<op::Probe>(&directory, |ticket| FileOp::Probe { ticket, path: below.clone() }),
            execute::<op::SyncDir>(&directory, |ticket| FileOp::SyncDir { ticket, path: below.clone() }),
            execute::<op::Rename>(&directory, |ticket| {
                let (from, to) = (path("file"), below.clone());
                FileOp::Rename { ticket, from, to, clobber }
            }),
            execute::<op::Scan>(&directory, |ticket| {
                let (scan, folder) = (file_id(2), Some(path(name)));
                FileOp::Scan { ticket, scan, folder, entries_max: 1 }
            }),
        ];
        for answer in answers {
            assert!(answer.contains(said), "{answer}");
        }
        assert_eq!(detail(directory.pin(&path("file"))), said);
        assert_eq!(detail(directory.is_pinned(&path("file"))), said);
        assert_eq!(detail(directory.unpin(&path("file"))), said);
        assert_eq!(detail(directory.pins()), said);
    }

    #[test]
    fn a_fault_says_which_one_is_not_a_folder_and_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), b"bytes").unwrap();
        for name in [".dlmanager", ".dlmanager/pins"] {
            let full = folder.path().join(name);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(&full, b"").unwrap();
            assert_says(folder.path(), name, &format!("{name} is a file, not a folder"));
            fs::remove_file(&full).unwrap();
            #[cfg(unix)]
            {
                std::os::unix::fs::symlink(folder.path(), &full).unwrap();
                assert_says(folder.path(), name, &format!("{name} is a symbolic link, not a folder"));
                fs::remove_file(&full).unwrap();
            }
        }
    }
}

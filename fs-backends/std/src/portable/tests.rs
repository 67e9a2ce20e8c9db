use super::*;
use crate::create::create;

/// The greatest length of a path that a call takes (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;

/// One with a name that makes the whole path too long to be looked at.
#[test]
fn an_entry_that_cannot_be_looked_at_does_not_end_the_scan() {
    use rustix::fs::{CWD, Mode, OFlags};

    let folder = tempfile::tempdir().unwrap();
    let mut full = folder.path().canonicalize().unwrap();
    while full.as_os_str().len() < PATH_BYTES_MAX - 300 {
        full.push("n".repeat(100));
        fs::create_dir(&full).unwrap();
    }
    full.push("n".repeat(PATH_BYTES_MAX - 150 - full.as_os_str().len()));
    fs::create_dir(&full).unwrap();
    fs::write(full.join("a"), b"four").unwrap();
    let opened = rustix::fs::openat(CWD, &full, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let far = "f".repeat(200);
    rustix::fs::openat(&opened, &far, OFlags::CREATE | OFlags::WRONLY, Mode::from_raw_mode(0o600)).unwrap();

    let root = create::<PortableRoot>(&full).unwrap();
    let batch = root.scan_batch(&mut root.scan(None).unwrap(), 10).unwrap();
    assert_eq!((batch.entries.len(), batch.unnameable, batch.done), (1, 1, true));
    assert_eq!((batch.entries[0].path.as_str(), batch.entries[0].stat.length), ("a", 4));
    rustix::fs::unlinkat(&opened, &far, rustix::fs::AtFlags::empty()).unwrap();
}

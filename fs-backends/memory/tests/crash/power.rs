//! What a power loss leaves, against what was worked out by hand for each profile: all of it, and nothing else.

use std::collections::BTreeSet;

use dlmanager_core::OpenMode::{CreateNew, Existing};
use dlmanager_core::{Fault, FaultKind, FileKind};
use dlmanager_fs_memory::Profile::{Ext4, Posix};
use dlmanager_fs_memory::{BLOCK_BYTES, MemoryDirectory, Profile};

use crate::support::Program;

/// Blocks of two bytes, so that few bytes are several blocks.
const BLOCK: u64 = 2;

/// The directory in words: files as `name=bytes`, zeros as dots, folders as `name/`.
fn words(directory: &MemoryDirectory) -> String {
    let word = |(name, kind): (String, FileKind)| match directory.read(&name) {
        Some(bytes) => {
            let bytes: String = bytes.iter().map(|&byte| if byte == 0 { '.' } else { char::from(byte) }).collect();
            format!("{name}={bytes}")
        }
        None if kind == FileKind::Folder => format!("{name}/"),
        None => format!("{name}: {kind:?}"),
    };
    directory.list().into_iter().map(word).collect::<Vec<_>>().join(" ")
}

/// All that may be left, by all answers that there are.
fn outcomes(profile: Profile, script: impl Fn(&MemoryDirectory)) -> BTreeSet<String> {
    let mut left = BTreeSet::new();
    let mut path: Vec<(usize, usize)> = Vec::new();
    loop {
        let directory = MemoryDirectory::on_disk(profile, BLOCK);
        script(&directory);
        let mut asked = 0;
        directory.lose_power(&mut |bound| {
            if asked == path.len() {
                path.push((0, bound));
            }
            assert_eq!(path[asked].1, bound, "the questions depend on the answers alone");
            asked += 1;
            path[asked - 1].0
        });
        assert_eq!(asked, path.len());
        let found = words(&directory);
        // Nothing that was left is in question any more.
        directory.lose_power(&mut |bound| panic!("one of {bound} is to be chosen again"));
        assert_eq!(words(&directory), found);
        left.insert(found);
        while let Some(&(answer, bound)) = path.last() {
            path.pop();
            if answer + 1 < bound {
                path.push((answer + 1, bound));
                break;
            }
        }
        if path.is_empty() {
            return left;
        }
    }
}

#[track_caller]
fn assert_outcomes(profile: Profile, script: impl Fn(&MemoryDirectory), expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|&words| words.to_owned()).collect();
    assert_eq!(outcomes(profile, script), expected, "{profile:?}");
}

#[track_caller]
fn assert_both(script: impl Fn(&MemoryDirectory), expected: &[&str]) {
    assert_outcomes(Ext4, &script, expected);
    assert_outcomes(Posix, &script, expected);
}

fn create(directory: &MemoryDirectory, name: &str, bytes: &'static [u8]) {
    assert_eq!(directory.open(1, name, CreateNew), None);
    assert_eq!(directory.write(1, 0, bytes), None);
}

fn create_and_sync(directory: &MemoryDirectory, name: &str, bytes: &'static [u8]) {
    create(directory, name, bytes);
    assert_eq!(directory.sync(1), None);
}

#[test]
fn a_new_file_has_any_blocks_and_by_posix_any_length_or_no_name() {
    let script = |directory: &MemoryDirectory| create(directory, "a", b"abc");
    assert_outcomes(Ext4, script, &["", "a=", "a=ab", "a=..c", "a=abc"]);
    assert_outcomes(Posix, script, &["", "a=", "a=...", "a=ab.", "a=..c", "a=abc"]);
}

#[test]
fn a_flushed_file_is_whole_and_by_posix_it_may_have_no_name() {
    let script = |directory: &MemoryDirectory| create_and_sync(directory, "a", b"abc");
    assert_outcomes(Ext4, script, &["a=abc"]);
    assert_outcomes(Posix, script, &["", "a=abc"]);
}

#[test]
fn a_flushed_folder_has_its_names_without_the_files_bytes() {
    let script = |directory: &MemoryDirectory| {
        create(directory, "a", b"abc");
        assert_eq!(directory.sync_dir("a"), None);
    };
    assert_outcomes(Ext4, script, &["a=", "a=ab", "a=..c", "a=abc"]);
    assert_outcomes(Posix, script, &["a=", "a=...", "a=ab.", "a=..c", "a=abc"]);
}

#[test]
fn a_publish_leaves_the_old_name_or_the_new_one_and_with_a_flushed_folder_the_new_one() {
    let publish = |directory: &MemoryDirectory| {
        create_and_sync(directory, "part", b"abc");
        assert_eq!(directory.rename("part", "final"), None);
    };
    assert_outcomes(Ext4, publish, &["part=abc", "final=abc"]);
    assert_outcomes(Posix, publish, &["", "part=abc", "final=abc"]);
    assert_both(
        |directory| {
            publish(directory);
            assert_eq!(directory.sync_dir("final"), None);
        },
        &["final=abc"],
    );
}

#[test]
fn a_publish_without_a_flush_may_leave_a_final_name_without_bytes() {
    let script = |directory: &MemoryDirectory| {
        create(directory, "part", b"ab");
        assert_eq!(directory.rename("part", "final"), None);
    };
    assert_outcomes(Ext4, script, &["", "part=", "part=ab", "final=", "final=ab"]);
    assert_outcomes(Posix, script, &["", "part=", "part=..", "part=ab", "final=", "final=..", "final=ab"]);
}

#[test]
fn a_replaced_file_is_the_old_one_or_the_new_one_and_never_gone() {
    let script = |directory: &MemoryDirectory| {
        directory.put_file("final", b"old");
        create_and_sync(directory, "part", b"new");
        assert_eq!(directory.rename("part", "final"), None);
    };
    assert_outcomes(Ext4, script, &["final=old part=new", "final=new"]);
    assert_outcomes(Posix, script, &["final=old", "final=old part=new", "final=new"]);
}

#[test]
fn names_survive_in_order_or_by_posix_independently() {
    let script = |directory: &MemoryDirectory| {
        for name in ["a", "b", "c"] {
            assert_eq!(directory.open(1, name, CreateNew), None);
            assert_eq!(directory.close(1), None);
        }
    };
    assert_outcomes(Ext4, script, &["", "a=", "a= b=", "a= b= c="]);
    assert_outcomes(Posix, script, &["", "a=", "b=", "c=", "a= b=", "a= c=", "b= c=", "a= b= c="]);
}

#[test]
fn what_became_of_one_name_survives_in_its_order() {
    let script = |directory: &MemoryDirectory| {
        directory.put_file("a", b"1");
        assert_eq!(directory.delete("a"), None);
        create_and_sync(directory, "a", b"2");
        assert_eq!(directory.rename("a", "b"), None);
    };
    assert_outcomes(Ext4, script, &["a=2", "b=2"]);
    assert_outcomes(Posix, script, &["a=1", "", "a=2", "b=2"]);
}

#[test]
fn a_deletion_is_durable_with_its_folder() {
    let delete = |directory: &MemoryDirectory| {
        directory.put_file("a", b"1");
        assert_eq!(directory.delete("a"), None);
    };
    assert_both(delete, &["a=1", ""]);
    assert_both(
        |directory| {
            delete(directory);
            assert_eq!(directory.sync_dir("a"), None);
        },
        &[""],
    );
}

#[test]
fn a_file_that_was_deleted_while_open_comes_back_as_the_disk_has_it() {
    assert_both(
        |directory| {
            directory.put_file("a", b"old");
            assert_eq!(directory.open(1, "a", Existing), None);
            assert_eq!(directory.delete("a"), None);
            assert_eq!(directory.close(1), None);
        },
        &["a=old", ""],
    );
}

#[test]
fn by_posix_a_folder_that_is_flushed_needs_its_own_name() {
    let script = |directory: &MemoryDirectory| {
        assert_eq!(directory.make_dir("d"), None);
        create_and_sync(directory, "d/a", b"abc");
        assert_eq!(directory.sync_dir("d/a"), None);
    };
    assert_outcomes(Ext4, script, &["d/ d/a=abc"]);
    assert_outcomes(Posix, script, &["", "d/ d/a=abc"]);
    assert_both(
        |directory| {
            script(directory);
            assert_eq!(directory.sync_dir("d"), None);
        },
        &["d/ d/a=abc"],
    );
}

#[test]
fn a_rename_between_folders_is_one_change_and_durable_with_either_folder() {
    let rename = |directory: &MemoryDirectory| {
        directory.put_file("d/a", b"1");
        directory.put_folder("e");
        assert_eq!(directory.rename("d/a", "e/a"), None);
    };
    assert_both(rename, &["d/ d/a=1 e/", "d/ e/ e/a=1"]);
    for folder in ["d/a", "e/a"] {
        assert_both(
            |directory| {
                rename(directory);
                assert_eq!(directory.sync_dir(folder), None);
            },
            &["d/ e/ e/a=1"],
        );
    }
}

#[test]
fn a_file_that_was_renamed_twice_has_one_name() {
    let rename = |directory: &MemoryDirectory| {
        directory.put_file("d/a", b"1");
        directory.put_folder("e");
        directory.put_folder("f");
        assert_eq!((directory.rename("d/a", "e/b"), directory.rename("e/b", "f/c")), (None, None));
    };
    assert_both(rename, &["d/ d/a=1 e/ f/", "d/ e/ e/b=1 f/", "d/ e/ f/ f/c=1"]);
    // What became of the name elsewhere is flushed with it.
    assert_both(
        |directory| {
            rename(directory);
            assert_eq!(directory.sync_dir("f/c"), None);
        },
        &["d/ e/ f/ f/c=1"],
    );
}

#[test]
fn the_flush_of_one_folder_leaves_the_names_of_others_open_by_posix() {
    let script = |directory: &MemoryDirectory| {
        directory.put_folder("d");
        for name in ["a", "d/b"] {
            assert_eq!(directory.open(1, name, CreateNew), None);
            assert_eq!(directory.close(1), None);
        }
        assert_eq!(directory.sync_dir("d/b"), None);
    };
    assert_outcomes(Ext4, script, &["a= d/ d/b="]);
    assert_outcomes(Posix, script, &["d/ d/b=", "a= d/ d/b="]);
}

#[test]
fn a_block_that_was_written_twice_is_as_it_was_at_any_time() {
    assert_both(
        |directory| {
            directory.put_file("a", b"oooo");
            assert_eq!(directory.open(1, "a", Existing), None);
            assert_eq!(directory.write(1, 1, b"1"), None);
            assert_eq!(directory.write(1, 0, b"2"), None);
        },
        &["a=oooo", "a=o1oo", "a=21oo"],
    );
}

#[test]
fn a_file_that_was_cut_and_written_may_by_posix_be_a_splice() {
    let script = |directory: &MemoryDirectory| {
        directory.put_file("a", b"abcd");
        assert_eq!(directory.open(1, "a", Existing), None);
        assert_eq!(directory.truncate(1, 0), None);
        assert_eq!(directory.write(1, 0, b"xy"), None);
    };
    assert_outcomes(Ext4, script, &["a=abcd", "a=", "a=xy"]);
    // Of its first block: ab, zeros, xy; of the second: cd, zeros; and 4, 0 or 2 bytes.
    let spliced = ["a=", "a=ab", "a=..", "a=xy", "a=abcd", "a=ab..", "a=..cd", "a=....", "a=xycd", "a=xy.."];
    assert_outcomes(Posix, script, &spliced);
    assert_both(
        |directory| {
            script(directory);
            assert_eq!(directory.sync(1), None);
        },
        &["a=xy"],
    );
}

#[test]
fn the_cut_of_one_file_survives_in_the_order_of_names_where_there_is_one() {
    let script = |directory: &MemoryDirectory| {
        directory.put_file("part", b"ab");
        directory.put_file("record", b"1");
        assert_eq!(directory.open(1, "part", Existing), None);
        assert_eq!(directory.delete("record"), None);
        assert_eq!(directory.truncate(1, 0), None);
    };
    assert_outcomes(Ext4, script, &["part=ab record=1", "part=ab", "part="]);
    let lengths_and_blocks = ["part=ab", "part=..", "part="];
    let expected: Vec<String> =
        lengths_and_blocks.iter().flat_map(|part| [(*part).to_owned(), format!("{part} record=1")]).collect();
    assert_outcomes(Posix, script, &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_flush_of_another_file_makes_a_cut_durable_where_there_is_a_journal() {
    let script = |directory: &MemoryDirectory| {
        directory.put_file("a", b"abcd");
        directory.put_file("b", b"");
        assert_eq!(directory.open(1, "a", Existing), None);
        assert_eq!(directory.write(1, 0, b"xyz"), None);
        assert_eq!(directory.truncate(1, 1), None);
        assert_eq!(directory.open(2, "b", Existing), None);
        assert_eq!(directory.sync(2), None);
    };
    assert_outcomes(Ext4, script, &["a=a b=", "a=x b="]);
}

#[test]
fn a_cut_tells_the_length_also_of_bytes_that_were_never_flushed() {
    let script = |directory: &MemoryDirectory| {
        assert_eq!(directory.open(1, "a", CreateNew), None);
        assert_eq!((directory.write(1, 0, b"abcd"), directory.truncate(1, 3)), (None, None));
        assert_eq!(directory.sync_dir("a"), None);
    };
    assert_outcomes(Ext4, script, &["a=...", "a=ab.", "a=..c", "a=abc"]);
}

#[test]
fn what_a_failed_flush_has_lost_is_readable_until_the_power_goes_and_no_later_flush_saves_it() {
    let failing = |directory: &MemoryDirectory| {
        create(directory, "a", b"abcde");
        directory.fail_operation(1, Fault::new(FaultKind::Io));
        assert_eq!(directory.sync(1), Some(FaultKind::Io));
        assert_eq!(directory.read("a").unwrap(), b"abcde");
    };
    assert_both(
        |directory| {
            failing(directory);
            assert_eq!((directory.sync(1), directory.sync_dir("a")), (None, None));
            assert_eq!(directory.read("a").unwrap(), b"abcde");
        },
        &["a=....."],
    );
    // A block that is written again is flushed as a whole.
    assert_both(
        |directory| {
            failing(directory);
            assert_eq!(directory.write(1, 3, b"X"), None);
            assert_eq!((directory.sync(1), directory.sync_dir("a")), (None, None));
        },
        &["a=..cX."],
    );
    assert_outcomes(Posix, failing, &["", "a=", "a=....."]);
}

#[test]
fn in_memory_nothing_is_left_and_the_directory_can_be_used_again() {
    let directory = MemoryDirectory::new();
    create_and_sync(&directory, "d", b"abc");
    directory.put_folder("e");
    directory.lose_power(&mut |_| panic!("there is nothing to choose"));
    assert_eq!((words(&directory), directory.used_bytes(), directory.open_handles()), (String::new(), 0, 0));
    create_and_sync(&directory, "d", b"abc");
    assert_eq!(words(&directory), "d=abc");
}

#[test]
fn what_tests_put_there_is_on_the_disk_with_what_was_done_to_its_name_before() {
    assert_both(
        |directory| {
            create(directory, "d", b"ours");
            assert_eq!((directory.close(1), directory.delete("d")), (None, None));
            directory.put_file("d/a", b"1");
            directory.put_symlink("d/b", "a");
            directory.put_link("c", "d/a");
            directory.remove("d/a");
        },
        &["c=1 d/ d/b: Symlink"],
    );
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}

const NAMES: &[&str] = &["a", "b", "d/a", "d/b", "d/e/a"];

/// One random operation.
fn step(directory: &MemoryDirectory, random: &mut Random) {
    let name = NAMES[random.index(NAMES.len())];
    let file = 1 + random.below(3);
    let _ = match random.below(12) {
        0 | 1 => directory.open(file, name, CreateNew),
        2 => directory.open(file, name, Existing),
        3..=5 => directory.write(file, random.below(9), &b"0123456789"[random.index(5)..][..random.index(5)]),
        6 => directory.truncate(file, random.below(5)),
        7 => directory.close(file),
        8 => directory.rename(name, NAMES[random.index(NAMES.len())]),
        9 => directory.delete(name),
        10 => directory.sync(file),
        _ => directory.sync_dir(name),
    };
}

#[test]
fn whoever_is_lucky_loses_nothing_and_what_was_flushed_nobody_loses() {
    let (mut unlucky, mut lost) = (0, 0);
    for profile in [Ext4, Posix] {
        for seed in 1..=400 {
            let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
            let directory = MemoryDirectory::on_disk(profile, 1 + seed % 5);
            directory.put_folder("d/e");
            for _round in 0..3 {
                (0..30).for_each(|_| step(&directory, &mut random));
                let live = words(&directory);
                let boot = directory.boot();
                match random.below(3) {
                    0 => directory.lose_power(&mut |bound| bound - 1),
                    1 => {
                        for (file, name) in (10..).zip(NAMES) {
                            if directory.open(file, name, Existing).is_none() {
                                assert_eq!(directory.sync(file), None);
                            }
                            assert_eq!(directory.sync_dir(name), None);
                        }
                        directory.lose_power(&mut |bound| panic!("one of {bound} is to be chosen"));
                    }
                    _ => {
                        directory.lose_power(&mut |bound| random.index(bound));
                        unlucky += 1;
                        lost += u32::from(words(&directory) != live);
                        continue;
                    }
                }
                assert_eq!(words(&directory), live, "{profile:?}, seed {seed}");
                assert_eq!(directory.open_handles(), 0);
                assert_ne!(directory.boot(), boot);
                let stored: u64 =
                    NAMES.iter().filter_map(|name| directory.read(name)).map(|read| read.len() as u64).sum();
                assert!(directory.used_bytes() <= stored + BLOCK_BYTES, "{} of {stored}", directory.used_bytes());
            }
        }
    }
    assert!(unlucky > 300 && lost * 2 > unlucky, "{lost} of {unlucky} lost something");
}

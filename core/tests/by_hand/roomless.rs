//! A download that finds the disk full: what dead processes left unfinished goes first, and it is tried once more.

use std::time::Duration;

use dlmanager_core::{
    Completion, Config, Deleted, DownloadError, DownloadId, Expect, FaultKind, FileAction, FileKind, FileOp, FileStat,
    FileStep, Gauged, NetOp, Notice, Opened, Outcome, Request, ScanBatch, ScanEntry, Stamp, StorePath, TimeoutKind,
};

use crate::hand::{Asked, Hand, chunk, head, usual};

const OTHER: &str = "0123456789abcdef0123456789abcdef";
const MINUTE: i64 = 60;

/// A disk that is full until something was deleted, and so often.
struct Disk {
    hand: Hand,
    /// What another process left in the work folder: the unfinished file and its record were written to so long ago.
    left: Option<i64>,
    deleted: Deleted,
    /// So many writes find it full.
    full: u32,
    /// The answer to the scan of the work folder is held back.
    holds_scan: bool,
    held: Option<Completion>,
    /// The next write is not answered.
    holds_write: bool,
    /// What is behind it in its lane.
    behind: Vec<FileAction>,
    free_bytes: Option<u64>,
    fetches: u32,
    /// The folder's names were flushed behind the removal of a record.
    flushed: Vec<String>,
    /// Where the unfinished files of this manager stood.
    opened: Vec<String>,
    /// What is in the work folder beside that.
    further: Vec<String>,
    scans: u32,
    writes: u32,
    removed: Vec<String>,
    told: Vec<Notice>,
}

impl Disk {
    fn new(config: Config, full: u32) -> Self {
        Self {
            hand: Hand::new(config),
            left: None,
            deleted: Deleted::Deleted,
            full,
            holds_scan: false,
            held: None,
            holds_write: false,
            behind: vec![],
            free_bytes: None,
            fetches: 0,
            flushed: vec![],
            opened: vec![],
            further: vec![],
            scans: 0,
            writes: 0,
            removed: vec![],
            told: vec![],
        }
    }

    fn download(&mut self, name: &str) -> DownloadId {
        let request = Request::new(&format!("http://example.org/{name}")).unwrap();
        self.hand.manager.download(self.hand.now, request).unwrap().id()
    }

    /// Goes on until there is nothing to do but to wait.
    fn run(&mut self) {
        loop {
            match self.hand.next() {
                Asked::File(action) if self.holds_write && self.held.is_some() => self.behind.push(action),
                Asked::File(action) => {
                    let completion = self.file(action.op);
                    if let Some(completion) = completion {
                        self.hand.answer(completion);
                    }
                }
                Asked::Net(op) => {
                    let completion = match op {
                        NetOp::Fetch { request, .. } if request.uri().path() == "/silent" => continue,
                        NetOp::Fetch { ticket, .. } => {
                            self.fetches += 1;
                            ticket.done(Ok(head(200, &[("content-length", "4")])))
                        }
                        NetOp::ReadBody { ticket, .. } => ticket.done(Ok(chunk(4, true))),
                        NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
                    };
                    self.hand.answer(completion);
                }
                Asked::Told(notice) => self.told.push(notice),
                Asked::Waits(_) => return,
            }
        }
    }

    fn file(&mut self, op: FileOp) -> Option<Completion> {
        Some(match op {
            FileOp::SyncDir { ticket, path } => {
                self.flushed.push(path.file_name().to_owned());
                ticket.done(Ok(()))
            }
            FileOp::Open { ticket, path, .. } => {
                self.opened.push(path.file_name().to_owned());
                ticket.done(Ok(Opened { created: true, length: 0 }))
            }
            FileOp::Write { ticket, .. } if self.writes < self.full => {
                self.writes += 1;
                let completion = ticket.done(Err(FaultKind::NoSpace.into()));
                if self.holds_write {
                    self.held = Some(completion);
                    return None;
                }
                completion
            }
            FileOp::Gauge { ticket } => {
                let now = Stamp::from_nanos(1_000_000 * MINUTE * 1_000_000_000);
                ticket.done(Ok(Gauged { now, free_bytes: self.free_bytes }))
            }
            FileOp::Scan { ticket, folder, .. } => {
                let folder = folder.expect("there is no limit");
                self.scans += 1;
                let batch = ScanBatch { entries: self.entries(&folder), unnameable: 0, done: true };
                let completion = ticket.done(Ok(batch));
                if self.holds_scan {
                    self.held = Some(completion);
                    return None;
                }
                completion
            }
            FileOp::Delete { ticket, items } if matches!(items[0].expect, Expect::Unchanged { .. }) => {
                self.removed.extend(items.iter().map(|item| item.path.file_name().to_owned()));
                self.left = None;
                ticket.done(Ok(vec![self.deleted.clone(); items.len()]))
            }
            op => usual(op),
        })
    }

    fn entries(&self, folder: &StorePath) -> Vec<ScanEntry> {
        let Some(seconds_ago) = self.left else { return vec![] };
        let stamp = Stamp::from_nanos((1_000_000 * MINUTE - seconds_ago) * 1_000_000_000);
        let stat = FileStat { kind: FileKind::Regular, length: 1, accessed: stamp, modified: stamp };
        let names = ["part", "rec"].map(|extension| format!("{OTHER}.{extension}"));
        let entry = |name: &String| ScanEntry { path: StorePath::entry_of(folder, name).unwrap(), stat };
        names.iter().chain(&self.further).map(entry).collect()
    }

    fn outcome(&self, id: DownloadId) -> Option<&Outcome> {
        self.told.iter().find_map(|notice| match notice {
            Notice::Finished { id: of, outcome } if *of == id => Some(outcome),
            _ => None,
        })
    }

    fn retries(&self) -> usize {
        self.told.iter().filter(|notice| matches!(notice, Notice::Retrying { .. })).count()
    }
}

fn is_full(outcome: Option<&Outcome>) -> bool {
    matches!(
        outcome,
        Some(Outcome::Failed(DownloadError::File { step: FileStep::Write, fault })) if fault.kind() == FaultKind::NoSpace
    )
}

#[test]
fn what_a_dead_process_left_goes_however_young_and_the_download_is_tried_once_more() {
    for retries_max in [0, 5] {
        let mut disk = Disk::new(Config { retries_max, ..Config::default() }, 1);
        disk.left = Some(2 * MINUTE);
        let id = disk.download("file");
        disk.run();
        assert_eq!(disk.removed, [format!("{OTHER}.part"), format!("{OTHER}.rec")]);
        assert!(matches!(disk.outcome(id), Some(Outcome::Complete(_))), "{:?}", disk.told);
        assert_eq!((disk.retries(), disk.scans), (1, 1), "{:?}", disk.told);
        assert_eq!(disk.flushed, [format!("{OTHER}.rec")], "it does not come back after a loss of power");
    }
}

#[test]
fn where_there_is_nothing_to_go_it_fails_as_it_would_have() {
    for (left, deleted) in [(None, Deleted::Deleted), (Some(30), Deleted::Deleted), (Some(2 * MINUTE), Deleted::Busy)] {
        let mut disk = Disk::new(Config::default(), 1);
        disk.deleted = deleted;
        disk.left = left;
        let id = disk.download("file");
        disk.run();
        assert!(is_full(disk.outcome(id)), "{:?}", disk.told);
        assert_eq!((disk.retries(), disk.scans), (0, 1));
    }
}

#[test]
fn it_is_done_once_for_each() {
    let mut disk = Disk::new(Config::default(), 3);
    disk.left = Some(2 * MINUTE);
    let id = disk.download("file");
    disk.run();
    assert!(is_full(disk.outcome(id)), "{:?}", disk.told);
    assert_eq!((disk.retries(), disk.scans, disk.writes), (1, 1, 2));
    // The next one has it done again.
    disk.left = Some(2 * MINUTE);
    let id = disk.download("other");
    disk.run();
    assert!(matches!(disk.outcome(id), Some(Outcome::Complete(_))), "{:?}", disk.told);
    assert_eq!(disk.scans, 2);
}

#[test]
fn who_comes_while_it_is_done_has_it_done_afterwards() {
    let mut disk = Disk::new(Config::default(), 2);
    disk.left = Some(2 * MINUTE);
    disk.holds_scan = true;
    let first = disk.download("first");
    disk.run();
    let held = disk.held.take().expect("what is there is being looked at");
    let second = disk.download("second");
    disk.run();
    assert!(disk.held.is_none() && disk.writes == 2, "not beside the other");
    disk.holds_scan = false;
    disk.hand.answer(held);
    disk.run();
    assert_eq!(disk.scans, 2);
    assert!(matches!(disk.outcome(first), Some(Outcome::Complete(_))), "{:?}", disk.told);
    assert!(is_full(disk.outcome(second)), "by then there was nothing left: {:?}", disk.told);
}

#[test]
fn who_waits_for_it_can_be_canceled_and_runs_out_of_time() {
    let config = Config { timeout: Some(Duration::from_secs(5)), ..Config::default() };
    let waiting = || {
        let mut disk = Disk::new(config.clone(), 1);
        disk.left = Some(2 * MINUTE);
        disk.holds_scan = true;
        let id = disk.download("file");
        disk.run();
        assert!(disk.held.is_some() && disk.outcome(id).is_none(), "{:?}", disk.told);
        (disk, id)
    };
    let answered = |mut disk: Disk| {
        let held = disk.held.take().unwrap();
        disk.hand.answer(held);
        disk.run();
        disk.hand.manager.close(disk.hand.now);
        disk.run();
        assert!(disk.hand.manager.is_drained());
        disk.told.iter().filter(|notice| matches!(notice, Notice::Finished { .. })).count()
    };

    let (mut disk, id) = waiting();
    disk.hand.manager.cancel(disk.hand.now, id).unwrap();
    disk.run();
    assert_eq!(disk.outcome(id), Some(&Outcome::Canceled));
    assert_eq!(answered(disk), 1);

    let (mut disk, id) = waiting();
    disk.hand.pass(Some(disk.hand.now + Duration::from_secs(5)));
    disk.run();
    let is_late = matches!(disk.outcome(id), Some(Outcome::Failed(DownloadError::Timeout(TimeoutKind::Whole))));
    assert!(is_late, "{:?}", disk.told);
    assert_eq!(answered(disk), 1);
}

#[test]
fn what_an_earlier_run_left_of_a_download_that_is_yet_to_come_stays() {
    let mut disk = Disk::new(Config { jobs: 1, ..Config::default() }, 0);
    disk.download("queued");
    disk.run();
    let part = disk.opened[0].clone();
    let record = part.replace(".part", ".rec");

    let mut disk = Disk::new(Config { jobs: 1, ..Config::default() }, 1);
    disk.left = Some(2 * MINUTE);
    disk.further = vec![part, record];
    disk.download("first");
    disk.download("silent");
    disk.download("queued");
    disk.run();
    assert_eq!(disk.opened.len(), 2, "nothing of the third is open");
    assert_eq!(disk.removed, [format!("{OTHER}.part"), format!("{OTHER}.rec")]);
}

#[test]
fn where_there_is_room_for_all_of_it_something_else_was_wrong_and_nothing_goes() {
    // A file system whose files cannot be longer says the same.
    for (free_bytes, goes) in [(4, false), (3, true)] {
        let mut disk = Disk::new(Config::default(), 1);
        disk.left = Some(2 * MINUTE);
        disk.free_bytes = Some(free_bytes);
        let id = disk.download("file");
        disk.run();
        assert_eq!((is_full(disk.outcome(id)), disk.removed.is_empty()), (!goes, !goes), "{:?}", disk.told);
    }
}

#[test]
fn a_look_that_says_so_is_no_full_disk() {
    let mut hand = Hand::of(Config::default(), Request::new("http://example.org/file").unwrap());
    let outcome = loop {
        match hand.next() {
            Asked::File(action) => {
                let is_look = matches!(action.op, FileOp::Stat { .. });
                hand.answer(if is_look { action.fail(FaultKind::NoSpace.into()) } else { usual(action.op) });
            }
            Asked::Told(Notice::Finished { outcome, .. }) => break outcome,
            Asked::Told(_) => {}
            asked @ (Asked::Net(_) | Asked::Waits(_)) => panic!("{asked:?}"),
        }
    };
    assert!(matches!(outcome, Outcome::Failed(DownloadError::File { step: FileStep::Look, .. })), "{outcome:?}");
}

#[test]
fn a_closed_manager_begins_nothing_anew() {
    for keeps in [false, true] {
        let mut disk = Disk::new(Config::default(), 1);
        disk.left = Some(2 * MINUTE);
        disk.holds_write = true;
        let id = disk.download("file");
        disk.run();
        let held = disk.held.take().expect("it is being published");
        if keeps {
            disk.hand.manager.close_keeping(disk.hand.now);
        } else {
            disk.hand.manager.close(disk.hand.now);
        }
        disk.holds_write = false;
        disk.hand.answer(held);
        for action in std::mem::take(&mut disk.behind) {
            let is_closer = action.op.is_closer();
            disk.hand.answer(if is_closer { usual(action.op) } else { action.fail(FaultKind::Skipped.into()) });
        }
        disk.run();
        assert_eq!((disk.outcome(id), disk.fetches), (Some(&Outcome::Canceled), 1), "{:?}", disk.told);
        assert!(disk.hand.manager.is_drained() && disk.removed.is_empty());
    }
}

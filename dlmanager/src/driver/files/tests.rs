use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use dlmanager_core::testing::{Tickets, file_id, lane, path};
use dlmanager_core::{Algorithm, Algorithms, Answer, DeleteItem, Expect, Stamp, op};

use super::*;
use crate::Task;
use crate::sync::block_on_until;

const DEADLINE: Duration = Duration::from_secs(20);

/// A store that executes nothing: it notes the order, fails what it is told to, and holds flushes until they are let go.
#[derive(Default)]
struct Notes {
    executed: Mutex<Vec<ActionId>>,
    failing: Mutex<Vec<ActionId>>,
    panicking: Mutex<Vec<ActionId>>,
    held: Mutex<Option<Receiver<()>>>,
}

impl Store for Notes {
    fn execute(&self, action: FileAction) -> Completion {
        let id = action.id();
        if matches!(action.op, FileOp::Sync { .. })
            && let Some(held) = &*lock(&self.held)
        {
            let _ = held.recv_timeout(DEADLINE);
        }
        lock(&self.executed).push(id);
        assert!(!lock(&self.panicking).contains(&id), "a store that panics, on purpose");
        if lock(&self.failing).contains(&id) {
            return action.fail(Fault::new(FaultKind::Io));
        }
        match action.op {
            FileOp::Sync { ticket, .. } => ticket.done(Ok(())),
            FileOp::Finish { ticket, .. } => ticket.done(Ok(())),
            FileOp::Close { ticket, .. } => ticket.done(Ok(())),
            FileOp::Delete { ticket, .. } => ticket.done(Ok(Vec::new())),
            other => FileAction { op: other, ..action }.fail(Fault::new(FaultKind::Unsupported)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Done,
    Failed,
    Skipped,
    Aborted,
}

struct World {
    files: Files,
    notes: Arc<Notes>,
    tickets: Tickets,
    polled: Vec<FileAction>,
    told: HashMap<ActionId, Told>,
}

impl World {
    fn new() -> Self {
        let notes = Arc::new(Notes::default());
        let files = Files::new(Arc::clone(&notes) as Arc<dyn Store>, false, Arc::new(drop::<Task>));
        Self { files, notes, tickets: Tickets::new(), polled: Vec::new(), told: HashMap::new() }
    }

    fn add(&mut self, lane_number: u64, epoch: u32, op: FileOp) -> ActionId {
        let id = op.id();
        self.polled.push(FileAction { lane: lane(lane_number), epoch, op });
        id
    }

    fn light(&mut self, lane: u64, epoch: u32) -> ActionId {
        let ticket = self.tickets.ticket::<op::Finish>();
        self.add(lane, epoch, FileOp::Finish { ticket, file: file_id(lane), length: 0, path: None })
    }

    fn flush(&mut self, lane: u64, epoch: u32) -> ActionId {
        let ticket = self.tickets.ticket::<op::Sync>();
        self.add(lane, epoch, FileOp::Sync { ticket, file: file_id(lane) })
    }

    fn closer(&mut self, lane: u64, epoch: u32) -> ActionId {
        let ticket = self.tickets.ticket::<op::Close>();
        self.add(lane, epoch, FileOp::Close { ticket, file: file_id(lane) })
    }

    fn fail(&self, id: ActionId) {
        lock(&self.notes.failing).push(id);
    }

    /// Holds flushes until what it returns is sent to, once for each, or dropped.
    fn hold(&self) -> Sender<()> {
        let (release, held) = channel();
        *lock(&self.notes.held) = Some(held);
        release
    }

    fn start(&mut self) {
        self.files.start(&mut self.polled);
    }

    fn collect(&mut self, context: &Context<'_>) {
        let mut events = Vec::new();
        self.files.collect(context, &mut events);
        for event in events {
            let Event::Completed(completion) = event else { panic!("files have answers only") };
            let id = completion.id();
            let failed = completion.is_failure();
            let skipped = |fault: &Fault| fault.kind() == FaultKind::Skipped;
            let told = match completion.into_answer() {
                Answer::Aborted => Told::Aborted,
                Answer::Sync(Err(fault)) | Answer::Finish(Err(fault)) | Answer::Close(Err(fault))
                    if skipped(&fault) =>
                {
                    Told::Skipped
                }
                _ if failed => Told::Failed,
                _ => Told::Done,
            };
            assert_eq!(self.told.insert(id, told), None, "one answer for each action");
        }
    }

    fn collect_now(&mut self) {
        self.collect(&Context::from_waker(Waker::noop()));
    }

    /// Collects until all of these are answered.
    fn collect_until(&mut self, ids: &[ActionId]) {
        let deadline = Instant::now() + DEADLINE;
        let answered = std::future::poll_fn(|context| {
            self.collect(context);
            let all = ids.iter().all(|id| self.told.contains_key(id));
            if all { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        block_on_until(answered, deadline).expect("all is answered in time");
    }

    fn told(&self, ids: &[ActionId]) -> Vec<Option<Told>> {
        ids.iter().map(|id| self.told.get(id).copied()).collect()
    }

    fn executed(&self) -> Vec<ActionId> {
        lock(&self.notes.executed).clone()
    }
}

#[test]
fn after_an_inline_failure_the_rest_of_its_epoch_is_skipped_but_closers_are_not() {
    let mut world = World::new();
    let failing = world.light(1, 0);
    let (same, other_lane) = (world.light(1, 0), world.light(2, 0));
    let (closer, next_epoch) = (world.closer(1, 0), world.light(1, 1));
    world.fail(failing);
    world.start();
    world.collect_now();
    let told = world.told(&[failing, same, other_lane, closer, next_epoch]);
    let done = Some(Told::Done);
    assert_eq!(told, [Some(Told::Failed), Some(Told::Skipped), done, done, done]);
    assert_eq!(world.executed(), [failing, other_lane, closer, next_epoch]);
    // The core is told of it in the turn that comes now, and may have queued this before.
    let queued = world.light(1, 0);
    world.start();
    world.collect_now();
    assert_eq!(world.told(&[queued]), [Some(Told::Skipped)]);
    assert!(!world.executed().contains(&queued), "it would be written behind a gap");
    let later = world.light(1, 0);
    world.start();
    world.collect_now();
    assert_eq!(world.told(&[later]), [done], "nothing is remembered for ever");
}

#[test]
fn a_failure_is_remembered_between_the_parts_of_a_drain() {
    let mut world = World::new();
    let failing = world.light(1, 0);
    world.fail(failing);
    world.start();
    let same = world.light(1, 0);
    world.start();
    world.collect_now();
    assert_eq!(world.told(&[failing, same]), [Some(Told::Failed), Some(Told::Skipped)]);
}

#[test]
fn a_batch_with_a_flush_leaves_as_a_whole_and_in_order() {
    let mut world = World::new();
    let batch = [world.light(1, 0), world.flush(1, 0), world.light(1, 0), world.closer(1, 0)];
    let release = world.hold();
    world.start();
    world.collect_now();
    assert_eq!(world.told(&batch), [None; 4]);
    let other = world.light(2, 0);
    let behind = world.light(1, 0);
    world.start();
    world.collect_now();
    assert_eq!(world.told(&[other, behind]), [Some(Told::Done), None], "other lanes do not wait");
    drop(release);
    world.collect_until(&[behind]);
    let executed: Vec<_> = world.executed().into_iter().filter(|id| *id != other).collect();
    assert_eq!(executed, [batch[0], batch[1], batch[2], batch[3], behind]);
    assert!(world.files.lanes.is_empty());
}

#[test]
fn what_was_polled_behind_a_batch_that_failed_is_skipped_with_it() {
    let mut world = World::new();
    let (flush, with_it) = (world.flush(1, 0), world.light(1, 0));
    world.fail(flush);
    let release = world.hold();
    world.start();
    let (same, closer, next) = (world.light(1, 0), world.closer(1, 0), world.light(1, 1));
    world.start();
    drop(release);
    world.collect_until(&[flush, with_it, same, closer, next]);
    let told = world.told(&[flush, with_it, same, closer, next]);
    let skipped = Some(Told::Skipped);
    assert_eq!(told, [Some(Told::Failed), skipped, skipped, Some(Told::Done), Some(Told::Done)]);
    assert_eq!(world.executed(), [flush, closer, next]);
}

#[test]
fn what_the_core_had_queued_when_it_was_told_of_a_failed_batch_is_skipped() {
    let mut world = World::new();
    let flush = world.flush(1, 0);
    world.fail(flush);
    world.start();
    world.collect_until(&[flush]);
    let queued = world.light(1, 0);
    world.start();
    world.collect_now();
    let later = world.light(1, 0);
    world.start();
    world.collect_now();
    assert_eq!(world.told(&[queued, later]), [Some(Told::Skipped), Some(Told::Done)]);
}

#[test]
fn an_aborted_action_that_waits_is_answered_at_once_and_its_epoch_is_skipped() {
    let mut world = World::new();
    let flush = world.flush(1, 0);
    let release = world.hold();
    world.start();
    let (before, target, same) = (world.light(1, 0), world.light(1, 0), world.light(1, 0));
    let (closer, next) = (world.closer(1, 0), world.light(1, 1));
    world.start();
    world.files.abort(target);
    world.files.abort(flush);
    world.files.abort(closer);
    world.collect_now();
    let skipped = Some(Told::Skipped);
    assert_eq!(world.told(&[flush, before, target, same, closer, next]), [None, None, skipped, skipped, None, None]);
    let late = world.light(1, 0);
    world.start();
    drop(release);
    world.collect_until(&[flush, before, late, closer, next]);
    let done = Some(Told::Done);
    assert_eq!(world.told(&[flush, before, late, closer, next]), [done, done, skipped, done, done]);
}

#[test]
fn a_panic_on_a_worker_is_answered_as_aborted_and_skips_the_rest() {
    let mut world = World::new();
    let (flush, same, closer) = (world.flush(1, 0), world.light(1, 0), world.closer(1, 0));
    lock(&world.notes.panicking).push(flush);
    world.start();
    world.collect_until(&[flush, same, closer]);
    let told = world.told(&[flush, same, closer]);
    assert_eq!(told, [Some(Told::Aborted), Some(Told::Skipped), Some(Told::Done)]);
}

#[test]
fn work_that_is_dropped_answers_as_aborted() {
    let mut world = World::new();
    let (flush, closer) = (world.flush(1, 0), world.closer(1, 0));
    let batch = Batch::new(lane(1), world.polled.drain(..).collect());
    world.files.lanes.insert(lane(1), LaneAtWork::default());
    let inbox = Arc::clone(&world.files.inbox);
    drop(Work { batches: VecDeque::from([batch]), done: Vec::new(), inbox });
    world.collect_now();
    assert_eq!(world.told(&[flush, closer]), [Some(Told::Aborted), Some(Told::Aborted)]);
    assert!(world.executed().is_empty());
}

#[test]
fn what_may_take_long_is_heavy_and_what_holds_no_disk_up_is_not() {
    let tickets = &mut Tickets::new();
    let file = file_id(1);
    let items = |count| vec![DeleteItem { path: path("a"), expect: Expect::File }; count];
    let algorithms = Algorithms::NONE.with(Algorithm::Sha256);
    for op in [
        FileOp::Probe { ticket: tickets.ticket(), path: path("a") },
        FileOp::Truncate { ticket: tickets.ticket(), file, length: 0 },
        // However short: it is not the loop's thread that computes.
        FileOp::Hash { ticket: tickets.ticket(), file, algorithms, from: 0, to: 1 },
        FileOp::Sync { ticket: tickets.ticket(), file },
        FileOp::Delete { ticket: tickets.ticket(), items: items(2) },
    ] {
        assert!(is_heavy(&op), "{op:?}");
    }
    for op in [
        FileOp::Read { ticket: tickets.ticket(), file, offset: 0, bytes_max: 1 },
        FileOp::SetTimes { ticket: tickets.ticket(), file, modified: Stamp::default() },
        FileOp::Lock { ticket: tickets.ticket(), file, path: path("a") },
        FileOp::Unlock { ticket: tickets.ticket(), file },
        FileOp::Delete { ticket: tickets.ticket(), items: items(1) },
    ] {
        assert!(!is_heavy(&op), "{op:?}");
    }
}

/// A stream of numbers that is the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX generator; its high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What a lane's actions are to be told, as the contract says: each runs in its turn, unless one before it failed in its
/// epoch. The moves are those of the core, which opens an epoch once it was told of a failure.
#[test]
fn any_mix_of_lanes_batches_and_failures_keeps_order_and_answers_each_action_once() {
    let (mut skips, mut worked) = (0, 0);
    for seed in 0..200 {
        let mut numbers = Numbers(seed);
        let mut world = World::new();
        let mut epochs: BTreeMap<u64, u32> = BTreeMap::new();
        let mut polled: Vec<(u64, u32, ActionId, bool)> = Vec::new();
        for _ in 0..20 {
            for _ in 0..numbers.below(8) {
                let lane = numbers.below(4);
                let epoch = *epochs.entry(lane).or_default();
                let (id, closer) = match numbers.below(10) {
                    0 => (world.flush(lane, epoch), false),
                    1 => (world.closer(lane, epoch), true),
                    _ => (world.light(lane, epoch), false),
                };
                if numbers.below(6) == 0 && !closer {
                    world.fail(id);
                }
                polled.push((lane, epoch, id, closer));
            }
            world.start();
            world.collect_now();
            // Now and then the core had queued something before it was told.
            if numbers.below(3) == 0 {
                let lane = numbers.below(4);
                let epoch = *epochs.entry(lane).or_default();
                polled.push((lane, epoch, world.light(lane, epoch), false));
            }
            for (lane, epoch, id, _) in &polled {
                if matches!(world.told.get(id), Some(Told::Failed)) && epochs.get(lane) == Some(epoch) {
                    epochs.insert(*lane, epoch + 1);
                }
            }
        }
        world.start();
        let ids: Vec<ActionId> = polled.iter().map(|(_, _, id, _)| *id).collect();
        world.collect_until(&ids);
        let failing = lock(&world.notes.failing).clone();
        let mut broken: Vec<(u64, u32)> = Vec::new();
        let mut expected: BTreeMap<u64, Vec<ActionId>> = BTreeMap::new();
        for (lane, epoch, id, closer) in polled {
            let skipped = broken.contains(&(lane, epoch)) && !closer;
            let told = match (skipped, failing.contains(&id)) {
                (true, _) => Told::Skipped,
                (false, true) => Told::Failed,
                (false, false) => Told::Done,
            };
            assert_eq!(world.told[&id], told, "seed {seed}, lane {lane}, epoch {epoch}");
            if told == Told::Failed {
                broken.push((lane, epoch));
            }
            if skipped {
                skips += 1;
            } else {
                worked += 1;
                expected.entry(lane).or_default().push(id);
            }
        }
        let executed = world.executed();
        for (lane, expected) in expected {
            let order: Vec<_> = executed.iter().copied().filter(|id| expected.contains(id)).collect();
            assert_eq!(order, expected, "seed {seed}: lane {lane} ran out of order");
        }
        assert!(world.files.lanes.is_empty() && world.files.leaving.is_empty());
    }
    assert!(skips > 500 && worked > 5000, "{skips} skipped, {worked} executed: the mix tests too little");
}

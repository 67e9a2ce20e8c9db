//! The manager: many downloads, who may go on, and when.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;

use http::{HeaderName, HeaderValue};

use crate::arena::{Arena, Key};
use crate::download::{Context, Download, Input, State};
use crate::effects::{Effects, Owner};
use crate::evict::{Evictor, causes_pass};
use crate::info::DownloadInfo;
use crate::litter::Litter;
use crate::planted::Planted;
use crate::queue::{Grant, Queues};
use crate::rivals::Rivals;
use crate::rng::Rng;
use crate::ticket::Answer;
use crate::timers::Timers;
use crate::{
    Admission, AdmitError, CancelError, Config, DownloadId, Event, FileName, Instant, Notice, Outcome, Output,
    PersistLimit, Phase, Request, Wait, WakeReason,
};

mod invariants;
mod limit;
mod probe;
mod room;

use probe::Probe;
use room::Roomless;

/// Many downloads into one directory, as one state machine.
///
/// Commands and events go in, each with the time; [`poll`](Self::poll) yields what is to be done and told, and ends with
/// [`Output::Wait`]. A driver's turn is: the completions that have come, then [`Event::Tick`], then `poll` until `Wait`,
/// whose time then lies ahead. How many events stand between two drains makes no difference.
///
/// Nothing here performs IO, reads a clock, or draws a random number of its own: the same configuration, seed, commands
/// and events yield the same outputs.
///
/// ```
/// use dlmanager_core::{Admission, Config, Instant, Manager, Output, Request};
///
/// let mut manager = Manager::new(Config { jobs: 2, ..Config::default() }, 42);
/// let request = Request::new("https://example.org/tool.zip")?;
/// let Admission::Started(id) = manager.download(Instant::ZERO, request.clone())? else { panic!() };
/// assert_eq!(manager.download(Instant::ZERO, request)?, Admission::Joined(id));
/// assert!(!matches!(manager.poll(), Output::Wait(_))); // there is something to do
/// manager.cancel(Instant::ZERO, id)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Manager {
    config: Config,
    nonce: u32,
    rng: Rng,
    now: Instant,
    closed: bool,
    /// What is unfinished then is kept.
    closed_keeping: bool,
    downloads: Arena<Download>,
    /// The downloads of each name, in the order of their admission: only the first one is under way.
    names: BTreeMap<FileName, Rivals>,
    /// The value of `User-Agent`, made once.
    user_agent: Option<HeaderValue>,
    /// Those whose file the server is yet to name, by their URL.
    unnamed: BTreeMap<Box<str>, Key>,
    /// Downloads that stand in no line yet, because a file of their name is being deleted.
    held_back: Vec<Key>,
    queues: Queues,
    timers: Timers,
    effects: Effects,
    evictor: Option<Evictor>,
    litter: Litter,
    /// The bytes that are on their way to each download that announced them, where the limit reserves room.
    reserved: BTreeMap<Key, u64>,
    /// How many downloads are being verified or published.
    publishing: usize,
    probe: Probe,
    /// The downloads for which room is to be made.
    roomless: Roomless,
    /// What dead processes left is being removed for a pass of eviction that waits for it.
    litter_is_for_pass: bool,
    /// Something happened that may allow other machines more than they could do before.
    stirred: bool,
    cleanup: Cleanup,
}

/// The removal of the empty work folder, the last thing that a closed manager does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cleanup {
    NotYet,
    Asked,
    /// There is something in it, which may be litter.
    Littered,
    Done,
}

/// Header fields on which the exchange itself depends, so that a request may not set them.
const RESERVED_FIELDS: &[HeaderName] = &[
    http::header::CONNECTION,
    http::header::CONTENT_LENGTH,
    http::header::EXPECT,
    http::header::HOST,
    http::header::IF_MATCH,
    http::header::IF_MODIFIED_SINCE,
    http::header::IF_NONE_MATCH,
    http::header::IF_RANGE,
    http::header::IF_UNMODIFIED_SINCE,
    http::header::RANGE,
    http::header::TE,
    http::header::TRAILER,
    http::header::TRANSFER_ENCODING,
    http::header::UPGRADE,
];

impl Manager {
    /// A manager for one directory. Every random choice comes from the seed: a program draws it from the operating system,
    /// so that its unfinished files do not meet those of another.
    ///
    /// With a [limit](Config::limit) the first outputs scan the directory, and nothing is fetched before
    /// [`Notice::DirectoryReady`].
    pub fn new(config: Config, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let nonce = u32::try_from(rng.next_u64() >> 32).unwrap_or(0);
        let mut effects = Effects::default();
        let bound = config.limit.clone().filter(|limit| PersistLimit::of(limit).is_bounded());
        Self {
            evictor: bound.map(|limit| Evictor::new(limit, config.durability, rng.next_u64(), &mut effects)),
            queues: Queues::new(config.jobs, config.per_host),
            user_agent: HeaderValue::from_str(&config.user_agent).ok(),
            config,
            nonce,
            rng,
            now: Instant::ZERO,
            closed: false,
            closed_keeping: false,
            downloads: Arena::default(),
            names: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            held_back: Vec::new(),
            timers: Timers::default(),
            effects,
            litter: Litter::default(),
            reserved: BTreeMap::new(),
            publishing: 0,
            probe: Probe::NotYet,
            roomless: Roomless::default(),
            litter_is_for_pass: false,
            stirred: false,
            cleanup: Cleanup::NotYet,
        }
    }

    /// Admits a download: joins the live one of that name, whatever its URL, or starts a new one. One that has ended but is
    /// not gone yet is not joined; the new one starts behind it. Whether the file is there already, the outcome will tell.
    ///
    /// # Errors
    ///
    /// The name or a header field is not acceptable, the directory was refused, or the manager is closed; nothing changed
    /// then.
    pub fn download(&mut self, now: Instant, request: Request) -> Result<Admission, AdmitError> {
        self.advance(now);
        if self.closed {
            return Err(AdmitError::Closed);
        }
        if let Some(error) = self.evictor.as_ref().and_then(Evictor::refusal) {
            return Err(error.clone().into());
        }
        if let Some(name) =
            request.headers.iter().flat_map(|headers| headers.keys()).find(|name| RESERVED_FIELDS.contains(name))
        {
            return Err(AdmitError::Header { name: name.as_str().into() });
        }
        if request.is_named_by_server() {
            return self.admit_unnamed(request);
        }
        let name = request.file_name()?;
        let rivals = self.names.get(&name);
        let joinable = |key: Key| {
            let download = self.downloads.get(key)?;
            download.ending().is_none().then_some(download.id)
        };
        if let Some(id) = rivals.and_then(|rivals| rivals.iter().rev().find_map(joinable)) {
            return self.join(id, &request);
        }
        let id = self.admit(name, request);
        self.pump();
        Ok(Admission::Started(id))
    }

    fn join(&self, id: DownloadId, request: &Request) -> Result<Admission, AdmitError> {
        let running = self.key(id).and_then(|key| self.downloads.get(key)).and_then(|live| live.request.checksum);
        if request.checksum.is_some() && request.checksum != running {
            return Err(AdmitError::Conflict { running: running.map(Box::new) });
        }
        Ok(Admission::Joined(id))
    }

    /// A download whose file the server is to name: known by its URL until then.
    fn admit_unnamed(&mut self, request: Request) -> Result<Admission, AdmitError> {
        let url = request.url().as_str();
        if let Some(key) = self.unnamed.get(url)
            && let Some(live) = self.downloads.get(*key).filter(|live| live.ending().is_none())
        {
            return self.join(live.id, &request);
        }
        // What it may be called, for who asks before it is.
        let suggestion = FileName::from_url(request.url()).or_else(|_| FileName::sanitized(url))?;
        let url: Box<str> = url.into();
        let key = self.insert(suggestion, request);
        self.unnamed.insert(url, key);
        self.enqueue(key);
        self.pump();
        Ok(Admission::Started(self.id_of(key)))
    }

    /// Cancels a download: its connection is dropped at once and its unfinished file removed.
    ///
    /// # Errors
    ///
    /// It is too late, and the outcome will tell what happened instead; or there is no such download.
    pub fn cancel(&mut self, now: Instant, id: DownloadId) -> Result<(), CancelError> {
        self.cancel_one(now, id, false)
    }

    /// Cancels a download as [`cancel`](Self::cancel) does, but keeps what there is of it, so that a later run can go on
    /// with it where that is [allowed](Config::resume).
    ///
    /// # Errors
    ///
    /// As [`cancel`](Self::cancel).
    pub fn interrupt(&mut self, now: Instant, id: DownloadId) -> Result<(), CancelError> {
        self.cancel_one(now, id, true)
    }

    /// Cancels the downloads that match, in the order of their admission. Returns how many.
    pub fn cancel_if(&mut self, now: Instant, mut matches: impl FnMut(&DownloadInfo<'_>) -> bool) -> usize {
        self.advance(now);
        let mut keys: Vec<Key> =
            self.downloads.iter().filter(|(_, download)| matches(&info(download))).map(|(key, _)| key).collect();
        keys.sort_unstable();
        let canceled = keys.into_iter().filter(|key| self.cancel_key(*key, false).is_ok()).count();
        self.pump();
        canceled
    }

    /// Cancels all downloads that still can be, and admits no more. [`is_drained`](Self::is_drained) tells the end.
    pub fn close(&mut self, now: Instant) {
        self.closed = true;
        self.cancel_if(now, |_| true);
    }

    /// Closes as [`close`](Self::close) does, but keeps what is unfinished, so that a later run can go on with it where that
    /// is [allowed](Config::resume): for a program that is interrupted.
    pub fn close_keeping(&mut self, now: Instant) {
        self.advance(now);
        self.closed_keeping = true;
        let mut keys: Vec<Key> = self.downloads.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        for key in keys {
            // Who can no longer be canceled ends by himself.
            let _ = self.cancel_key(key, true);
        }
        self.close(now);
    }

    /// Runs a pass of eviction as soon as the directory is scanned; [`Notice::Swept`] tells its end. Nothing happens without
    /// a limit, or once the manager is closed.
    pub fn remove_old_files(&mut self, now: Instant) {
        self.advance(now);
        if let Some(evictor) = self.evictor.as_mut().filter(|_| !self.closed) {
            evictor.request(None);
            self.litter.reset();
        }
        self.pump();
    }

    /// Takes an event in. Never fails: answers that are late, repeated or unknown are ignored, and time that runs backwards
    /// stands still instead.
    pub fn handle(&mut self, now: Instant, event: Event) {
        self.advance(now);
        match event {
            Event::Completed(completion) => {
                let id = completion.id;
                match self.effects.settle(id, completion.answer) {
                    Some((Owner::Download(key, role), reply)) => self.step(key, Input::Reply(role, id, reply)),
                    Some((Owner::Evictor, reply)) => {
                        self.stirred = true;
                        self.evictor_reply(id, reply);
                    }
                    Some((Owner::Litter, reply)) => {
                        self.stirred = true;
                        self.litter.reply(reply, &mut self.effects);
                    }
                    Some((Owner::Manager, reply)) => {
                        self.stirred = true;
                        self.own_reply(reply);
                    }
                    None => {}
                }
            }
            Event::Connected(id) => {
                if let Some(Owner::Download(key, _)) = self.effects.owner(id) {
                    self.step(key, Input::Connected(id));
                }
            }
            Event::Tick => self.tick(),
        }
        // Most events are of one download alone, and leave it as far as it was.
        if self.stirred || self.queues.has_news() || self.evictor.is_some() {
            self.pump();
        }
    }

    /// The next output. After [`Output::Wait`] there is none until another command or event.
    pub fn poll(&mut self) -> Output {
        if let Some(output) = self.effects.pop() {
            return output;
        }
        // Behind the removal of litter: its answer wakes.
        let is_clearing = !self.litter.is_due() && !self.litter.is_done();
        let turn = self.evictor.as_ref().filter(|_| !is_clearing).and_then(Evictor::wake_at);
        let until = [self.timers.next(), self.queues.next_unblock(), turn].into_iter().flatten().min();
        let why = if self.effects.unanswered() > 0 {
            WakeReason::Answer
        } else if until.is_some() {
            WakeReason::Time
        } else {
            WakeReason::Command
        };
        Output::Wait(Wait { until, why })
    }

    /// Closed, and done: no download is live, no action unanswered, no output left.
    pub fn is_drained(&self) -> bool {
        let cleaned = !self.effects.work_folder_asked || self.cleanup == Cleanup::Done;
        self.is_quiet() && cleaned && self.effects.unanswered() == 0 && !self.effects.has_outputs()
    }

    /// The live downloads, in no particular order.
    pub fn downloads(&self) -> impl Iterator<Item = DownloadInfo<'_>> {
        self.downloads.iter().map(|(_, download)| info(download))
    }

    /// A live download.
    pub fn info(&self, id: DownloadId) -> Option<DownloadInfo<'_>> {
        self.downloads.get(self.key(id)?).map(info)
    }

    /// How many actions are unanswered.
    pub fn outstanding(&self) -> usize {
        self.effects.unanswered()
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    // Downloads.

    fn admit(&mut self, name: FileName, request: Request) -> DownloadId {
        let key = self.insert(name.clone(), request);
        match self.names.entry(name) {
            Entry::Occupied(mut rivals) => rivals.get_mut().push(key),
            Entry::Vacant(place) => {
                place.insert(Rivals::of(key));
                self.enqueue(key);
            }
        }
        self.id_of(key)
    }

    fn insert(&mut self, name: FileName, request: Request) -> Key {
        let (nonce, rng, effects) = (self.nonce, &self.rng, &mut self.effects);
        let key = self.downloads.insert_with(|key| {
            let id = DownloadId { serial: key.serial, slot: key.slot, nonce };
            Download::new(id, key, name, request, rng.fork(key.serial), effects)
        });
        if self.config.redact_queries
            && let Some(download) = self.downloads.get_mut(key)
        {
            download.shown = Some(Box::new(self.config.shown(download.request.url())));
        }
        self.effects.notice(Notice::Started { id: self.id_of(key) });
        key
    }

    const fn id_of(&self, key: Key) -> DownloadId {
        DownloadId { serial: key.serial, slot: key.slot, nonce: self.nonce }
    }

    fn enqueue(&mut self, key: Key) {
        if let Some(download) = self.downloads.get_mut(key)
            && download.place.is_none()
            && let State::Queued = download.state
        {
            let is_deleting = self.evictor.as_ref().is_some_and(|evictor| evictor.is_deleting(download.name.as_str()));
            if is_deleting && download.is_named {
                return self.held_back.push(key);
            }
            let origin = download.origin();
            let place = self.queues.join(&origin, key, download.is_fresh());
            download.place = Some((origin, place));
        }
    }

    fn cancel_one(&mut self, now: Instant, id: DownloadId, keeps: bool) -> Result<(), CancelError> {
        self.advance(now);
        let key = self.key(id).ok_or(CancelError::Unknown)?;
        self.cancel_key(key, keeps)?;
        self.pump();
        Ok(())
    }

    fn cancel_key(&mut self, key: Key, keeps: bool) -> Result<(), CancelError> {
        let download = self.downloads.get(key).ok_or(CancelError::Unknown)?;
        match (&download.state, download.ending()) {
            (State::Publishing(_), _) | (_, Some(Outcome::Complete(_) | Outcome::Present { .. })) => {
                Err(CancelError::AlreadyPublishing)
            }
            (_, Some(Outcome::Failed(_))) => Err(CancelError::AlreadyFailed),
            (_, Some(Outcome::Canceled)) => Ok(()),
            (_, None) => {
                self.step(key, Input::Cancel { keeps });
                Ok(())
            }
        }
    }

    /// One transition of a download, and what follows from it for the others.
    fn step(&mut self, key: Key, input: Input) {
        let bounded = self.evictor.as_ref().is_some_and(Evictor::is_ready);
        let Some(download) = self.downloads.get_mut(key) else { return };
        let before = download.phase();
        let (config, effects, queues) = (&self.config, &mut self.effects, &mut self.queues);
        let (locks, boot) = match &self.probe {
            Probe::Known(probed) => (probed.locks, probed.boot),
            Probe::NotYet | Probe::Asked => (false, None),
        };
        let room_max = self.evictor.as_ref().and_then(|evictor| evictor.limit().room_max());
        let was_named = download.is_named;
        let (names, user_agent) = (&self.names, self.user_agent.as_ref());
        let now = self.now;
        let evictor = self.evictor.as_mut();
        let mut context =
            Context { now, config, effects, queues, locks, boot, names, user_agent, bounded, room_max, evictor };
        let released = download.on(input, &mut context);
        if !was_named && download.is_named {
            // The name was found to be free in this very step.
            self.names.insert(download.name.clone(), Rivals::of(key));
            let url = download.request.url().as_str();
            if self.unnamed.get(url) == Some(&key) {
                self.unnamed.remove(url);
            }
        }
        let after = download.phase();
        if after != before {
            self.publishing += usize::from(is_publishing(after));
            self.publishing -= usize::from(is_publishing(before));
            self.stirred = true;
        }
        if let Some(origin) = released {
            self.queues.release(&origin);
            self.stirred = true;
        }
        if let Some(evictor) = &mut self.evictor {
            for (path, stat) in self.effects.seen.drain(..) {
                evictor.seen(path, &stat);
            }
            let announced = download.announced().map_or(0, |(length, _)| length);
            self.reserve(key, announced);
        }
        let Some(download) = self.downloads.get_mut(key) else { return };
        if self.closed && matches!(download.state, State::Queued | State::Waiting { .. } | State::MakingRoom(_)) {
            // It could not be canceled when all were, and would begin anew.
            return self.step(key, Input::Cancel { keeps: self.closed_keeping });
        }
        match &download.state {
            State::Queued => self.enqueue(key),
            State::Evicting(outcome) if before != Phase::Evicting => {
                let causes_pass = causes_pass(outcome);
                self.leave_queue(key);
                match self.evictor.as_mut().filter(|evictor| causes_pass || evictor.owes_pass()) {
                    Some(evictor) => evictor.request(Some(key)),
                    None => return self.step(key, Input::Swept),
                }
            }
            State::Gone(_) => return self.finish(key),
            State::MakingRoom(_) if before != Phase::Waiting => self.roomless.waiting.push(key),
            State::Checking(_)
            | State::Connecting { .. }
            | State::Redirecting { .. }
            | State::Rewinding(_)
            | State::Receiving
            | State::Verifying
            | State::Publishing(_)
            | State::Waiting { .. }
            | State::MakingRoom(_)
            | State::Draining(_)
            | State::Evicting(_) => {
                if let Some((origin, place)) = download.place.take() {
                    self.queues.leave(&origin, place);
                }
                return arm(&mut self.timers, self.now, &self.config, key, download);
            }
        }
        self.arm(key);
    }

    fn arm(&mut self, key: Key) {
        if let Some(download) = self.downloads.get_mut(key) {
            arm(&mut self.timers, self.now, &self.config, key, download);
        }
    }

    fn leave_queue(&mut self, key: Key) {
        if let Some((origin, place)) = self.downloads.get_mut(key).and_then(|download| download.place.take()) {
            self.queues.leave(&origin, place);
        }
    }

    fn finish(&mut self, key: Key) {
        self.leave_queue(key);
        self.reserve(key, 0);
        let Some(mut download) = self.downloads.remove(key) else { return };
        self.timers.disarm(key, &mut download.armed);
        if let State::Gone(outcome) = download.state {
            // Before another pass can choose the file.
            if let Some(evictor) = &mut self.evictor {
                let holds = !self.config.makes(Planted::OutcomeEvicted);
                evictor.ended((&download.name).into(), &outcome, holds);
            }
            self.effects.notice(Notice::Finished { id: download.id, outcome });
        }
        let url = download.request.url().as_str();
        if !download.is_named && self.unnamed.get(url) == Some(&key) {
            self.unnamed.remove(url);
        }
        let Some(rivals) = self.names.get_mut(&download.name).filter(|_| download.is_named) else { return };
        if rivals.remove(key) {
            let next = rivals.first();
            self.enqueue(next);
        } else {
            self.names.remove(&download.name);
        }
    }

    fn tick(&mut self) {
        self.queues.unblock(self.now);
        while let Some(key) = self.timers.pop_due(self.now) {
            let Some(download) = self.downloads.get_mut(key) else { continue };
            if self.config.makes(Planted::TimerNotCleared) {
                return self.timers.stay(key, self.now);
            }
            download.armed = None;
            if download.deadline(&self.config).is_some_and(|deadline| deadline <= self.now) {
                self.step(key, Input::Timer);
            } else {
                self.arm(key);
            }
        }
    }

    // What one machine's step allows the others.

    /// Does all that has become possible.
    fn pump(&mut self) {
        self.stirred = false;
        if !self.held_back.is_empty() {
            for key in core::mem::take(&mut self.held_back) {
                self.enqueue(key);
            }
        }
        loop {
            self.grant();
            if self.end_dead() {
                continue;
            }
            if !self.clear_litter() {
                break;
            }
            if self.tell_roomless() {
                continue;
            }
            self.note_unwritten();
            let Some(evictor) = &mut self.evictor else { break };
            let names = &self.names;
            let spares = !self.config.makes(Planted::NewEvicted);
            evictor.proceed(self.now, &mut self.effects, |path| spares && names.contains_key(path.as_str()));
            if let Some(key) = evictor.take_swept() {
                self.step(key, Input::Swept);
            } else if !evictor.wants_litter() && !self.may_tell_roomless() {
                break;
            }
        }
        if self.closed && self.downloads.is_empty() {
            if let Some(evictor) = &mut self.evictor {
                evictor.stop(&mut self.effects);
            }
            self.clean_up();
        }
    }

    fn grant(&mut self) {
        if self.evictor.as_ref().is_some_and(|evictor| !evictor.is_ready()) {
            return;
        }
        match self.probe {
            Probe::NotYet if self.queues.waiting().next().is_some() => return self.ask_probe(),
            Probe::NotYet | Probe::Asked => return,
            Probe::Known(_) => {}
        }
        while self.publishing < self.config.publishing_max.max(1) {
            let Some(Grant { key, origin, is_probe }) = self.queues.grant() else { return };
            if let Some(download) = self.downloads.get_mut(key) {
                download.place = None;
            }
            self.step(key, Input::Granted { origin, is_probe });
        }
    }

    /// Ends those who wait for an origin that is not there. Whether there was one.
    fn end_dead(&mut self) -> bool {
        let Some((origin, error)) = self.queues.take_dead() else { return false };
        let waits = |download: &Download| {
            let waits = matches!(download.state, State::Queued | State::Waiting { .. }) && !download.is_locked_out();
            waits && download.origin() == origin
        };
        let mut keys: Vec<Key> =
            self.downloads.iter().filter(|(_, download)| waits(download)).map(|(key, _)| key).collect();
        keys.sort_unstable();
        for key in keys {
            self.step(key, Input::Dead(error.clone()));
        }
        true
    }

    fn evictor_reply(&mut self, id: crate::ActionId, reply: Answer) {
        let Some(evictor) = &mut self.evictor else { return };
        let known = evictor.refusal().is_some();
        evictor.reply(self.now, id, reply, &mut self.effects);
        let Some(error) = evictor.refusal().filter(|_| !known).cloned() else { return };
        let mut keys: Vec<Key> = self.downloads.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        for key in keys {
            self.step(key, Input::Refused(error.clone()));
        }
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn key(&self, id: DownloadId) -> Option<Key> {
        (id.nonce == self.nonce).then_some(Key { serial: id.serial, slot: id.slot })
    }
}

fn arm(timers: &mut Timers, now: Instant, config: &Config, key: Key, download: &mut Download) {
    if let Some(deadline) = download.deadline(config) {
        let soonest = now + core::time::Duration::from_nanos(1);
        timers.arm(key, &mut download.armed, Some(deadline.max(soonest)));
    }
}

fn info(download: &Download) -> DownloadInfo<'_> {
    DownloadInfo {
        id: download.id,
        url: download.shown.as_deref().unwrap_or_else(|| download.request.url()),
        name: &download.name,
        phase: download.phase(),
        progress: download.progress(),
    }
}

/// Whether a download counts for the [bound](Config::publishing_max) of those.
const fn is_publishing(phase: Phase) -> bool {
    matches!(phase, Phase::Verifying | Phase::Publishing)
}

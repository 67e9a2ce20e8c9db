//! What a download holds: what answers say of it, and the actions that take hold and let go.

use alloc::vec::Vec;
use core::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};

use super::partial::{HASH_BYTES_MAX, Lock};
use super::{Context, Download, File, Net, State, Step};
use crate::action::{Chunk, FetchRequest, OpenMode};
use crate::arena::Key;
use crate::backoff::Attempts;
use crate::effects::{Effects, Owner, Role};
use crate::gather::Gather;
use crate::meter::Meter;
use crate::origin;
use crate::planted::Planted;
use crate::reply::Announced;
use crate::resume::{Asked, source_of};
use crate::rng::Rng;
use crate::stall::StallClock;
use crate::ticket::{Answer, Kinded};
use crate::{
    ActionId, Algorithms, BodyId, DownloadError, DownloadId, Durability, Fault, FileId, FileName, FileOp, FileStep,
    Lane, NetOp, Notice, Progress, Request, StorePath, Ticket,
};

/// A file that is used is stamped as accessed unless it was within this time.
const TOUCH_GRANULARITY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Body {
    pub(super) id: BodyId,
    pub(super) lane: Lane,
    pub(super) fetch: ActionId,
    /// It asks for the rest of the file.
    pub(super) asks_for_rest: bool,
}

/// A body on its way to the disk.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) announced: Announced,
    pub(super) meter: Meter,
    pub(super) stall: StallClock,
    pub(super) gather: Gather,
    pub(super) reading: bool,
}

/// A file that has the name already, open to be hashed.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) file: FileId,
    pub(super) hashed: u64,
    pub(super) next: u64,
}

impl Download {
    pub(crate) fn new(
        id: DownloadId,
        key: Key,
        name: FileName,
        request: Request,
        rng: Rng,
        effects: &mut Effects,
    ) -> Self {
        Self {
            id,
            key,
            name,
            is_named: !request.is_named_by_server(),
            shown: None,
            hop: request.target.clone(),
            request,
            state: State::Queued,
            place: None,
            armed: None,
            unanswered: 0,
            doomed: None,
            redirects: 0,
            followed_status: 0,
            requests: 0,
            attempts: Attempts::default(),
            whole_deadline: None,
            rng,
            told: Progress::default(),
            if_range: true,
            retry_after: None,
            mismatched: false,
            locked_since: None,
            lacks_locks: false,
            only_looks: false,
            stands_alone: false,
            claims: 0,
            keeps_partial: false,
            had_room_made: false,
            slot: None,
            is_probe: false,
            body: None,
            dropping: false,
            partial: None,
            compared: None,
            transfer: None,
            awaiting: None,
            lane: effects.lane(),
            epoch: 0,
            making_work_folder: None,
            removing: Vec::new(),
        }
    }

    /// Notes what an answer says of what is held.
    pub(super) fn note(&mut self, role: Role, action: ActionId, reply: Answer, cx: &mut Context<'_>) -> Step {
        self.unanswered -= 1;
        match role {
            Role::Main => self.note_main(action, reply),
            Role::Compare => {
                if let Answer::Hash(result) = reply {
                    if let (Ok(_), Some(compared)) = (&result, &mut self.compared) {
                        compared.hashed = compared.next;
                    }
                    return Step::File(File::Hashed(result));
                }
                let Answer::Open(Err(fault)) = reply else { return Step::File(File::Done) };
                Step::File(File::Faulted(FileStep::Hash, fault))
            }
            Role::Reading => {
                if let Answer::Read(result) = reply {
                    return Step::File(File::Record(result));
                }
                let Answer::Open(Err(fault)) = reply else { return Step::File(File::Done) };
                Step::File(File::Record(Err(fault)))
            }
            Role::Rewind => {
                let fault = if let Answer::Delete(result) = reply {
                    let fault = result.as_ref().err().cloned();
                    self.record_deleted(result);
                    fault
                } else if let Answer::Truncate(result) = reply {
                    self.truncated(result).err()
                } else if let Answer::SyncDir(result) = reply {
                    self.removal_flushed(result).err()
                } else {
                    None
                };
                fault.map_or(Step::File(File::Done), |fault| Step::File(File::Faulted(FileStep::Rewind, fault)))
            }
            Role::Checkpoint => {
                if let Answer::Sync(result) | Answer::SyncDir(result) = reply {
                    self.checkpointed(Some(FileStep::Flush), result);
                } else if let Answer::Lock(result) = reply {
                    self.checkpointed(Some(FileStep::Lock), result.map(drop));
                } else if let Answer::Open(result) = reply {
                    self.checkpointed(Some(FileStep::Create), result.map(drop));
                } else if let Answer::Write(result) = reply {
                    self.checkpointed(Some(FileStep::Write), result.map(drop));
                } else {
                    self.checkpointed(None, Ok(()));
                }
                Step::File(File::Done)
            }
            Role::Removal => {
                if let Answer::Delete(result) = reply {
                    self.removed(action, result, cx);
                } else if let Answer::SyncDir(Err(fault)) = reply {
                    self.record_may_come_back(fault, cx);
                }
                Step::File(File::Done)
            }
        }
    }

    fn note_main(&mut self, action: ActionId, reply: Answer) -> Step {
        let done = |step, result: Result<(), Fault>| match result {
            Ok(()) => Step::File(File::Done),
            Err(fault) => Step::File(File::Faulted(step, fault)),
        };
        match reply {
            Answer::Fetch(result) => Step::Net(Net::Head(result)),
            Answer::ReadBody(result) => {
                if let Some(transfer) = self.transfer.as_deref_mut() {
                    transfer.reading = false;
                }
                Step::Net(Net::Chunk(result))
            }
            Answer::DropBody(Ok(()) | Err(_)) => {
                self.dropping = false;
                Step::Net(Net::Dropped)
            }
            Answer::MakeDir(result) => {
                if self.making_work_folder != Some(action) {
                    return done(FileStep::Folder, result);
                }
                self.making_work_folder = None;
                done(FileStep::Create, result)
            }
            Answer::Stat(result) => Step::File(File::Looked(action, result)),
            Answer::Open(result) => {
                self.opened(&result);
                done(FileStep::Create, result.map(drop))
            }
            Answer::Lock(result) => {
                self.locked(&result);
                done(FileStep::Lock, result.map(drop))
            }
            Answer::Write(result) => {
                let (emptied, result) = match result {
                    Ok(emptied) => (Some(emptied), Ok(())),
                    Err(fault) => (None, Err(fault)),
                };
                if let Some(transfer) = self.transfer.as_deref_mut() {
                    transfer.gather.written(action, emptied);
                    if let Some(partial) = self.partial.as_deref_mut() {
                        partial.length = transfer.gather.written_to();
                    }
                }
                done(FileStep::Write, result)
            }
            Answer::Hash(result) => match self.partial.as_deref_mut().map(|partial| partial.hashing.done(result)) {
                Some(result) => done(FileStep::Hash, result),
                None => Step::File(File::Done),
            },
            Answer::SetTimes(result) => done(FileStep::Write, result),
            Answer::KeepDigests(result) => done(FileStep::Write, result),
            Answer::Sync(result) => {
                if let (Some(partial), Err(fault)) = (self.partial.as_deref_mut(), &result) {
                    partial.spoil(FileStep::Flush, fault.clone());
                }
                done(FileStep::Flush, result)
            }
            Answer::Finish(result) => done(FileStep::Verify, result),
            Answer::Rename(result) => Step::File(File::Renamed(result)),
            Answer::SyncDir(result) => Step::File(File::DirectorySynced(result)),
            Answer::Touch(result) => Step::File(File::Touched(result)),
            Answer::Close(Ok(()) | Err(_))
            | Answer::Unlock(Ok(()) | Err(_))
            | Answer::Probe(_)
            | Answer::Gauge(_)
            | Answer::Scan(_)
            | Answer::Read(_)
            | Answer::Delete(_)
            | Answer::Truncate(_)
            | Answer::Aborted => Step::File(File::Done),
        }
    }

    /// The server is there.
    pub(super) fn is_connected(&self, cx: &mut Context<'_>) {
        if let Some(origin) = &self.slot {
            cx.queues.connected(origin);
        }
    }

    /// The unfinished file has its final name.
    pub(super) fn has_its_name(&mut self) {
        if let Some(partial) = self.partial.as_deref_mut() {
            partial.is_published = true;
        }
    }

    // Actions.

    pub(super) fn net<O: Kinded>(
        &mut self,
        cx: &mut Context<'_>,
        lane: Lane,
        op: impl FnOnce(Ticket<O>) -> NetOp,
    ) -> ActionId {
        self.unanswered += 1;
        cx.effects.net(Owner::Download(self.key, Role::Main), lane, op)
    }

    pub(super) fn file_op<O: Kinded>(
        &mut self,
        cx: &mut Context<'_>,
        op: impl FnOnce(Ticket<O>) -> FileOp,
    ) -> ActionId {
        self.file_op_for(Role::Main, cx, op)
    }

    pub(super) fn file_op_for<O: Kinded>(
        &mut self,
        role: Role,
        cx: &mut Context<'_>,
        op: impl FnOnce(Ticket<O>) -> FileOp,
    ) -> ActionId {
        self.file_op_in((self.lane, self.epoch), role, cx, op)
    }

    pub(super) fn file_op_in<O: Kinded>(
        &mut self,
        place: (Lane, u32),
        role: Role,
        cx: &mut Context<'_>,
        op: impl FnOnce(Ticket<O>) -> FileOp,
    ) -> ActionId {
        self.unanswered += 1;
        cx.effects.file_op(Owner::Download(self.key, role), place, op)
    }

    /// Writes what is worth it, and asks for more.
    pub(super) fn go_on(&mut self, cx: &mut Context<'_>) {
        if let Some(Transfer { gather, .. }) = self.transfer.as_deref() {
            // Small chunks can pin large buffers: then no more is asked for until some are written.
            let crammed = gather.held() >= cx.config.held_bytes_max && !gather.is_empty() && !gather.is_writing();
            if crammed || gather.is_full(cx.config.gather_bytes) {
                self.write(cx);
            }
        }
        self.ask(cx);
    }

    /// Asks for more of the body, where there is room for it.
    pub(super) fn ask(&mut self, cx: &mut Context<'_>) {
        let Some(transfer) = self.transfer.as_deref_mut() else { return };
        let is_full = transfer.gather.held() >= cx.config.held_bytes_max.max(1);
        if transfer.reading || self.body.is_none() || (is_full && !cx.config.makes(Planted::CreditIgnored)) {
            return;
        }
        transfer.reading = true;
        transfer.stall.asked(cx.now);
        self.read_body(cx.config.read_bytes_max as u64, cx);
    }

    pub(super) fn read_body(&mut self, bytes_max: u64, cx: &mut Context<'_>) {
        let Some(&Body { id, lane, .. }) = self.body.as_ref() else { return };
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(cx.config.read_bytes_max).max(1);
        self.net(cx, lane, |ticket| NetOp::ReadBody { ticket, body: id, bytes_max });
    }

    pub(super) fn drop_body(&mut self, cx: &mut Context<'_>) {
        if let Some(Body { id, lane, .. }) = self.body.take() {
            self.dropping = true;
            self.net(cx, lane, |ticket| NetOp::DropBody { ticket, body: id });
        }
    }

    pub(super) fn write(&mut self, cx: &mut Context<'_>) {
        let (Some(transfer), Some(partial)) = (self.transfer.as_deref_mut(), self.partial.as_deref_mut()) else {
            return;
        };
        let batch = transfer.gather.take();
        let pinned = batch.pinned();
        partial.disk_length = batch.offset.saturating_add(batch.length());
        let (file, offset, data) = (partial.file, batch.offset, batch.data);
        let action = self.file_op(cx, |ticket| FileOp::Write { ticket, file, offset, data });
        if let Some(transfer) = self.transfer.as_deref_mut() {
            transfer.gather.writing(action, offset, pinned);
        }
    }

    pub(super) fn write_if_due(&mut self, cx: &mut Context<'_>) {
        let since = self.transfer.as_deref().and_then(|transfer| transfer.gather.since());
        if since.is_some_and(|since| since + cx.config.gather_time <= cx.now) {
            self.write(cx);
        }
    }

    /// A file has the name already: stamps it as accessed.
    pub(super) fn touch(&mut self, cx: &mut Context<'_>) {
        self.epoch += 1;
        let path = StorePath::from(&self.name);
        self.file_op(cx, |ticket| FileOp::Touch { ticket, path, unless_within: TOUCH_GRANULARITY });
        self.epoch += 1;
    }

    // The file that has the name already, compared with its checksum.

    /// Opens it, and begins to hash it.
    pub(super) fn compare(&mut self, length: u64, cx: &mut Context<'_>) {
        self.epoch += 1;
        let (file, path) = (cx.effects.file(), StorePath::from(&self.name));
        self.compared = Some(Compared { file, hashed: 0, next: 0 });
        self.file_op_for(Role::Compare, cx, |ticket| FileOp::Open { ticket, file, path, mode: OpenMode::Read });
        self.compare_on(length, cx);
    }

    /// Hashes the next part of it.
    pub(super) fn compare_on(&mut self, length: u64, cx: &mut Context<'_>) {
        let (Some(compared), Some(checksum)) = (&mut self.compared, &self.request.checksum) else { return };
        let algorithms = Algorithms::NONE.with(checksum.algorithm());
        compared.next = length.min(compared.hashed.saturating_add(HASH_BYTES_MAX));
        let (file, from, to) = (compared.file, compared.hashed, compared.next);
        self.file_op_for(Role::Compare, cx, |ticket| FileOp::Hash { ticket, file, algorithms, from, to });
    }

    pub(super) fn close_compared(&mut self, cx: &mut Context<'_>) {
        if let Some(Compared { file, .. }) = self.compared.take() {
            self.file_op_for(Role::Compare, cx, |ticket| FileOp::Close { ticket, file });
            // Whatever failed while it was compared is of no matter to what comes next.
            self.epoch += 1;
        }
    }

    pub(super) fn report(&mut self, cx: &mut Context<'_>) {
        if let Some(progress) = self.transfer.as_deref_mut().and_then(|transfer| transfer.meter.report(cx.now)) {
            self.tell(progress, cx);
        }
    }

    pub(super) fn tell(&mut self, progress: Progress, cx: &mut Context<'_>) {
        self.told = progress;
        cx.effects.notice(Notice::Progress { id: self.id, progress });
    }

    /// Takes a chunk in. Says whether it was the last one.
    pub(super) fn take_chunk(&mut self, chunk: Chunk, cx: &mut Context<'_>) -> Result<bool, DownloadError> {
        let Some(transfer) = self.transfer.as_deref_mut() else { return Ok(false) };
        let last = chunk.last;
        transfer.stall.came(cx.now, chunk.data.len());
        transfer.meter.add(cx.now, chunk.data.len());
        let received = transfer.meter.received();
        self.attempts.reached(received);
        let bytes_max = cx.config.file_bytes_max.unwrap_or(u64::MAX);
        if received > bytes_max {
            return Err(DownloadError::TooLarge { length: received, bytes_max });
        }
        if let Some(end) = transfer.announced.end
            && received > end
        {
            return Err(DownloadError::Overlong { expected: end });
        }
        if let Some(expected) = transfer.announced.length
            && last
            && received < expected
            && !cx.config.makes(Planted::CutTakenForWhole)
        {
            transfer.gather.push(cx.now, chunk);
            return Err(DownloadError::Truncated { expected, received });
        }
        transfer.gather.push(cx.now, chunk);
        if last {
            return Ok(true);
        }
        self.go_on(cx);
        self.report(cx);
        Ok(false)
    }

    pub(super) fn rename(&mut self, cx: &mut Context<'_>) {
        let Some(from) = self.partial.as_deref().map(|partial| partial.path.clone()) else { return };
        let to = StorePath::from(&self.name);
        let clobber = self.clobbers();
        if let (Some(transfer), Some(partial)) = (self.transfer.as_deref(), self.partial.as_deref()) {
            // The name may lead to a file of somebody else's by now, where all that was unfinished was removed by hand.
            let (file, length, is_held) = (partial.file, transfer.meter.received(), partial.lock == Lock::Held);
            let path = is_held.then(|| from.clone());
            self.file_op(cx, |ticket| FileOp::Finish { ticket, file, length, path });
        }
        self.file_op(cx, |ticket| FileOp::Rename { ticket, from, to, clobber });
        self.follow_rename(cx);
    }

    /// What is to be done once the file has its name.
    pub(super) fn follow_rename(&mut self, cx: &mut Context<'_>) {
        if cx.config.durability == Durability::Full {
            // A folder that was made for the file is a name in its own parent.
            let mut path = Some(StorePath::from(&self.name));
            while let Some(name) = path {
                path = name.parent();
                self.file_op(cx, |ticket| FileOp::SyncDir { ticket, path: name });
            }
        }
        if cx.bounded {
            let path = StorePath::from(&self.name);
            self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
        }
    }

    /// The request for the rest of the file, where there are bytes to go on from.
    pub(super) fn asked(&self) -> Option<Asked<'_>> {
        let partial = self.partial.as_deref().filter(|partial| partial.length > 0)?;
        // What a redirect leads to now may be another resource; a checksum tells.
        let is_there = partial.known.source == source_of(&self.hop.url) || self.request.checksum.is_some();
        Some(Asked { offset: partial.length, known: &partial.known, if_range: self.if_range, is_there })
    }

    /// Each hop's header fields are made anew: what the caller gave goes to the first URL's origin only.
    pub(super) fn build_request(&self, user_agent: Option<&HeaderValue>) -> FetchRequest {
        let url = &self.hop.url;
        let mut headers = HeaderMap::new();
        if let Some(user_agent) = user_agent {
            headers.insert(USER_AGENT, user_agent.clone());
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let first = &self.request.target;
        let at_home = self.hop.origin == first.origin;
        let own = first.authorization.as_deref().filter(|_| at_home);
        if let Some(authorization) = self.hop.authorization.as_deref().or(own) {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if at_home {
            for (name, value) in self.request.headers.iter().flat_map(|headers| headers.iter()) {
                headers.insert(name, value.clone());
            }
        }
        if let Some(asked) = self.asked() {
            asked.fields(&mut headers);
        }
        if let Some(host) = origin::host_header(&self.hop.origin) {
            headers.insert(HOST, host);
        }
        let mut request = FetchRequest::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = origin::uri(url).unwrap_or_default();
        *request.headers_mut() = headers;
        request
    }
}

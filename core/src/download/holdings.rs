//! What a download holds: what answers say of it, and the actions that take hold and let go.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};

use super::{Context, Download, File, Net, State, Step};
use crate::action::{Chunk, DeleteItem, Deleted, Expect, FetchRequest, OpenMode};
use crate::arena::Key;
use crate::backoff::Attempts;
use crate::effects::{Effects, Kinded, Owner, Reply};
use crate::gather::Gather;
use crate::meter::Meter;
use crate::origin::{self, Origin};
use crate::reply::Announced;
use crate::rng::Rng;
use crate::stall::StallClock;
use crate::{
    ActionId, BodyId, Config, DownloadError, DownloadId, Durability, Fault, FaultKind, FileId, FileName, FileOp,
    FileStep, Lane, NetOp, Notice, Progress, Request, StorePath, Ticket, Warning,
};

/// A file that is used is stamped as accessed unless it was within this time.
const TOUCH_GRANULARITY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Body {
    pub(super) id: BodyId,
    pub(super) lane: Lane,
    pub(super) fetch: ActionId,
}

#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) id: FileId,
    pub(super) answered: bool,
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
            hop: request.target.clone(),
            request,
            state: State::Queued { checked: false },
            place: None,
            armed: None,
            unanswered: 0,
            redirects: 0,
            redirect_status: 0,
            requests: 0,
            attempts: Attempts::default(),
            whole_deadline: None,
            rng,
            told: Progress::default(),
            slot: None,
            body: None,
            dropping: false,
            file: None,
            partial: None,
            transfer: None,
            lane: effects.lane(),
            epoch: 0,
            making_work_folder: None,
            deleting: None,
        }
    }

    /// Notes what an answer says of what is held.
    pub(super) fn note(&mut self, action: ActionId, reply: Reply, cx: &mut Context<'_>) -> Step {
        self.unanswered -= 1;
        let done = |step, result: Result<(), Fault>| match result {
            Ok(()) => Step::File(File::Done),
            Err(fault) => Step::File(File::Faulted(step, fault)),
        };
        match reply {
            Reply::Fetch(result) => Step::Net(Net::Head(result)),
            Reply::ReadBody(result) => {
                if let Some(transfer) = self.transfer.as_deref_mut() {
                    transfer.reading = false;
                }
                Step::Net(Net::Chunk(result))
            }
            Reply::DropBody(Ok(()) | Err(_)) => {
                self.dropping = false;
                Step::Net(Net::Dropped)
            }
            Reply::MakeDir(result) => {
                if self.making_work_folder != Some(action) {
                    return done(FileStep::Folder, result);
                }
                self.making_work_folder = None;
                done(FileStep::Create, result)
            }
            Reply::Stat(result) => Step::File(File::Looked(action, result)),
            Reply::Open(result) => {
                if let Some(file) = &mut self.file {
                    file.answered = true;
                }
                if let Err(fault) = &result {
                    // Only a lost ticket leaves open whether it was made.
                    if fault.kind() != FaultKind::Aborted {
                        self.partial = None;
                    }
                }
                done(FileStep::Create, result.map(|_| ()))
            }
            Reply::Write(result) => {
                let (emptied, result) = match result {
                    Ok(emptied) => (Some(emptied), Ok(())),
                    Err(fault) => (None, Err(fault)),
                };
                if let Some(transfer) = self.transfer.as_deref_mut() {
                    transfer.gather.written(action, emptied);
                }
                done(FileStep::Write, result)
            }
            Reply::Sync(result) => done(FileStep::Flush, result),
            Reply::Finish(result) => done(FileStep::Verify, result),
            Reply::Rename(result) => Step::File(File::Renamed(result)),
            Reply::SyncDir(result) => Step::File(File::DirectorySynced(result)),
            Reply::Touch(result) => Step::File(File::Touched(result)),
            Reply::Delete(result) => {
                self.deleted(result, cx);
                Step::File(File::Done)
            }
            Reply::Close(Ok(()) | Err(_))
            | Reply::Unlock(Ok(()) | Err(_))
            | Reply::Probe(_)
            | Reply::Scan(_)
            | Reply::Read(_)
            | Reply::Truncate(_)
            | Reply::SetTimes(_)
            | Reply::Hash(_)
            | Reply::Lock(_) => Step::File(File::Done),
        }
    }

    fn deleted(&mut self, result: Result<Vec<Deleted>, Fault>, cx: &mut Context<'_>) {
        let Some(path) = self.deleting.take() else { return };
        let fault = match result.map(|deleted| deleted.into_iter().next()) {
            Ok(Some(Deleted::Deleted | Deleted::Gone) | None) => return,
            Ok(Some(Deleted::Changed)) => Fault::new(FaultKind::Changed),
            Ok(Some(Deleted::Busy)) => Fault::new(FaultKind::Busy),
            Ok(Some(Deleted::Denied(fault))) | Err(fault) => fault,
        };
        cx.effects.notice(Notice::Warning(Warning::Litter { path, fault }));
    }

    // Actions.

    pub(super) fn net<O: Kinded>(
        &mut self,
        cx: &mut Context<'_>,
        lane: Lane,
        op: impl FnOnce(Ticket<O>) -> NetOp,
    ) -> ActionId {
        self.unanswered += 1;
        cx.effects.net(Owner::Download(self.key), lane, op)
    }

    pub(super) fn file_op<O: Kinded>(
        &mut self,
        cx: &mut Context<'_>,
        op: impl FnOnce(Ticket<O>) -> FileOp,
    ) -> ActionId {
        self.unanswered += 1;
        cx.effects.file_op(Owner::Download(self.key), (self.lane, self.epoch), op)
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
        if transfer.reading || self.body.is_none() || transfer.gather.held() >= cx.config.held_bytes_max.max(1) {
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

    /// The unfinished file, made on first use.
    pub(super) fn open(&mut self, cx: &mut Context<'_>) -> FileId {
        if let Some(file) = &self.file {
            return file.id;
        }
        // Each time, as another process may have removed the empty folder since.
        cx.effects.work_folder_asked = true;
        let folder = StorePath::work_folder();
        self.making_work_folder = Some(self.file_op(cx, |ticket| FileOp::MakeDir { ticket, path: folder }));
        let (key, random) = (self.name.key(), self.rng.next_u64());
        let path = StorePath::in_work_folder(&alloc::format!("{key:032x}.{random:016x}.part"));
        let id = cx.effects.file();
        self.file = Some(OpenFile { id, answered: false });
        self.partial = Some(path.clone());
        self.file_op(cx, |ticket| FileOp::Open { ticket, file: id, path, mode: OpenMode::CreateNew });
        id
    }

    pub(super) fn write(&mut self, cx: &mut Context<'_>) {
        let file = self.open(cx);
        let Some(transfer) = self.transfer.as_deref_mut() else { return };
        let batch = transfer.gather.take();
        let pinned = batch.pinned();
        let (offset, data) = (batch.offset, batch.data);
        let action = self.file_op(cx, |ticket| FileOp::Write { ticket, file, offset, data });
        if let Some(transfer) = self.transfer.as_deref_mut() {
            transfer.gather.writing(action, pinned);
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
    }

    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        if let Some(OpenFile { id, .. }) = self.file.take() {
            self.file_op(cx, |ticket| FileOp::Close { ticket, file: id });
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
        match transfer.announced.length {
            Some(expected) if received > expected => return Err(DownloadError::Overlong { expected }),
            Some(expected) if last && received < expected => {
                return Err(DownloadError::Truncated { expected, received });
            }
            Some(_) | None => {}
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
        let Some(from) = self.partial.clone() else { return };
        let to = StorePath::from(&self.name);
        let clobber = self.clobbers();
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

    /// Issues the closer of all that is held.
    pub(super) fn let_go(&mut self, cx: &mut Context<'_>) {
        self.drop_body(cx);
        // Whether the file was made, and so is to be deleted, the answer to its Open tells.
        if self.file.as_ref().is_some_and(|file| file.answered) {
            self.close(cx);
        }
        if self.file.is_none()
            && let Some(path) = self.partial.take()
        {
            // In an epoch of its own: a Close that fails is no reason to leave the file.
            self.epoch += 1;
            self.deleting = Some(path.clone());
            let items = vec![DeleteItem { path, expect: Expect::File }];
            self.file_op(cx, |ticket| FileOp::Delete { ticket, items });
        }
    }

    /// Each hop's header fields are made anew: what the caller gave goes to the first URL's origin only.
    pub(super) fn build_request(&self, config: &Config) -> FetchRequest {
        let url = &self.hop.url;
        let mut headers = HeaderMap::new();
        if let Ok(user_agent) = HeaderValue::from_str(&config.user_agent) {
            headers.insert(USER_AGENT, user_agent);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let first = &self.request.target;
        let at_home = Origin::of(url) == Origin::of(&first.url);
        let own = first.authorization.as_ref().filter(|_| at_home);
        if let Some(authorization) = self.hop.authorization.as_ref().or(own) {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if at_home {
            for (name, value) in &self.request.headers {
                headers.insert(name, value.clone());
            }
        }
        if let Some(host) = origin::host_header(url) {
            headers.insert(HOST, host);
        }
        let mut request = FetchRequest::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = origin::uri(url).unwrap_or_default();
        *request.headers_mut() = headers;
        request
    }
}

//! What users ask for, what strangers do in the directory, and how a run comes to its end.

use std::sync::Arc;

use dlmanager::{Algorithm, Digest, IfPresent};
use dlmanager_core::FileKind;

use crate::decisions::Stream;
use crate::marks::Mark;
use crate::process::InUse;
use crate::server::{NAMES, url};
use crate::sim::{Sim, Stage, State, What, nanos};

/// How often users ask again for what is not there, once nothing goes wrong any more.
const ROUNDS_MAX: u32 = 3;
/// How often they look.
const LOOKS: u64 = 5_000_000_000;

impl Sim {
    /// Users give a command, if there are any left.
    pub(crate) fn command(self: &Arc<Self>) {
        let (place, name, source, is_over) = {
            let mut state = self.state();
            let state = &mut *state;
            let d = &mut state.decisions;
            let place = d.below(Stream::User, u32::try_from(state.setting.managers).unwrap_or(1)) as usize;
            let name = d.below(Stream::User, u32::try_from(state.setting.names).unwrap_or(1)) as usize;
            // Seldom from elsewhere.
            let source = if d.below(Stream::User, 4) == 3 { d.below(Stream::User, state.setting.sources) } else { 0 };
            let gap = d.one_of(Stream::User, state.setting.gaps);
            let is_over = state.commands_left == 0;
            if is_over {
                self.schedule(state, gap, What::Calm);
            } else {
                state.commands_left -= 1;
                self.schedule(state, gap, What::Command);
                let strangers = [
                    Mark::ForeignDeleted,
                    Mark::ForeignReplaced,
                    Mark::ForeignPut,
                    Mark::ForeignFolder,
                    Mark::ForeignCut,
                    Mark::ForeignRecord,
                    Mark::ForeignSwept,
                ];
                if strangers.iter().any(|mark| state.setting.rate(*mark) > 0) {
                    let span = state.decisions.one_of(Stream::Stranger, state.setting.gaps);
                    self.schedule(state, span, What::Stranger);
                }
            }
            (place, name, source, is_over)
        };
        if is_over {
            return;
        }
        let Some(process) = self.state().places[place] else { return };
        self.use_outcomes(process);
        let happens = |mark| self.state().happens(Stream::User, mark);
        if happens(Mark::Cancel) {
            self.cancel(process, false);
        } else if happens(Mark::Interrupt) {
            self.cancel(process, true);
        } else if happens(Mark::Close) {
            self.close(process, false);
        } else if happens(Mark::CloseKeeping) {
            self.close(process, true);
        } else if happens(Mark::Swept) {
            let manager = self.state().processes[process].manager.clone();
            // It takes place whether it is waited for or not.
            drop(manager.map(|manager| manager.remove_old_files()));
        } else {
            let replaces = happens(Mark::Replace);
            let checksum = if happens(Mark::RightChecksum) {
                Some(true)
            } else if happens(Mark::WrongChecksum) {
                Some(false)
            } else {
                None
            };
            self.state().take_away(name, self.now());
            self.download(process, name, source, replaces, checksum);
        }
    }

    /// Users ask for the outcomes of downloads that have ended, and let go of them by and by: some at once, some later.
    fn use_outcomes(&self, process: usize) {
        let (downloads, mut asked) = {
            let mut state = self.state();
            let program = &mut state.processes[process];
            (std::mem::take(&mut program.downloads), std::mem::take(&mut program.asked))
        };
        // Outside the lock, as all that wakes a loop.
        let mut told = Vec::new();
        for download in &downloads {
            let serial = download.id().serial();
            if let Some(result) = (!asked.contains(&serial)).then(|| download.result()).flatten() {
                asked.insert(serial);
                told.extend(result.ok().map(|file| InUse { serial, looks: serial % 3, _file: file }));
            }
        }
        let let_go: Vec<InUse> = {
            let mut state = self.state();
            let state = &mut *state;
            let program = &mut state.processes[process];
            (program.downloads, program.asked) = (downloads, asked);
            program.outcomes.extend(told);
            let used = std::mem::take(&mut program.outcomes);
            let (let_go, mut kept): (Vec<_>, Vec<_>) = used.into_iter().partition(|used| used.looks == 0);
            kept.iter_mut().for_each(|used| used.looks -= 1);
            program.outcomes = kept;
            for used in &let_go {
                state.oracle.let_go(process, used.serial);
            }
            let_go
        };
        drop(let_go);
    }

    /// Users ask for a file. Whether they were heard.
    fn download(
        self: &Arc<Self>,
        process: usize,
        name: usize,
        source: u32,
        replaces: bool,
        checksum: Option<bool>,
    ) -> bool {
        let (manager, digest) = {
            let state = self.state();
            let Some(manager) = state.processes[process].manager.clone() else { return false };
            let now = &state.resources[name * 2 + source as usize].now();
            let digest = checksum.map(|is_right| if is_right { now.sha256() } else { [9; 32] });
            (manager, digest)
        };
        let mut request = manager.request(url(name, source)).name(NAMES[name]);
        if replaces {
            request = request.if_present(IfPresent::Replace);
        }
        let digest = digest.and_then(|digest| Digest::new(Algorithm::Sha256, &digest));
        if let Some(digest) = digest {
            request = request.checksum(digest);
        }
        let result = request.start();
        let mut state = self.state();
        let state = &mut *state;
        let text = match &result {
            Ok(download) => format!("as {}", download.id().serial()),
            Err(error) => format!("{error}"),
        };
        let number = result.as_ref().map_or(u64::MAX, |download| download.id().serial());
        state.trace.note(&[30, process as u64, name as u64, u64::from(source), number], || {
            let what = if replaces { ", to be replaced" } else { "" };
            let checked = checksum.map_or("", |right| if right { ", checked" } else { ", wrongly checked" });
            format!("p{process} is asked for {} from {source}{what}{checked}: {text}", NAMES[name])
        });
        let Ok(download) = result else { return false };
        let known = state.processes[process].downloads.iter().any(|other| other.id() == download.id());
        if known {
            state.tally.hit(Mark::Joined);
        } else {
            let digest = digest.map(|digest| digest.as_bytes().try_into().unwrap_or([0; 32]));
            let when = (self.now(), state.stage != Stage::Safety);
            state.oracle.admitted(process, download.id().serial(), (name, source), digest, when);
            state.processes[process].downloads.push(download);
        }
        true
    }

    fn cancel(&self, process: usize, keeps: bool) {
        let download = {
            let mut state = self.state();
            let state = &mut *state;
            let downloads = &state.processes[process].downloads;
            let running: Vec<_> = downloads.iter().filter(|download| download.is_running()).collect();
            let count = u32::try_from(running.len()).unwrap_or(u32::MAX);
            if count == 0 {
                return;
            }
            running[state.decisions.below(Stream::User, count) as usize].clone()
        };
        let result = if keeps { download.interrupt() } else { download.cancel() };
        let mut state = self.state();
        let serial = download.id().serial();
        state.trace.note(&[31, process as u64, serial, u64::from(result.is_ok())], || {
            format!("p{process}: {serial} is {}: {result:?}", if keeps { "interrupted" } else { "canceled" })
        });
        if result.is_ok() {
            state.oracle.canceled(process, serial, keeps);
        }
    }

    fn close(&self, process: usize, keeps: bool) {
        let manager = self.state().processes[process].manager.clone();
        let Some(manager) = manager else { return };
        if self.state().processes[process].closed.is_some() {
            return;
        }
        let closed = if keeps { manager.close_keeping() } else { manager.close() };
        let mut state = self.state();
        state.trace.note(&[32, process as u64, u64::from(keeps)], || format!("p{process} is closed, keeping {keeps}"));
        state.oracle.closed(process, keeps);
        state.processes[process].closed = Some(closed);
    }

    /// Somebody else works in the directory.
    pub(crate) fn stranger(&self) {
        let mut state = self.state();
        let state = &mut *state;
        if state.stage != Stage::Safety {
            return;
        }
        let name = state.decisions.below(Stream::Stranger, u32::try_from(state.setting.names).unwrap_or(1)) as usize;
        let (path, now) = (NAMES[name], self.now());
        let there = state.root.stat(path).map(|stat| stat.kind);
        let is_file = there == Some(FileKind::Regular);
        if is_file && state.happens(Stream::Stranger, Mark::ForeignDeleted) {
            state.stranger_did(name, "deletes");
            state.root.remove(path);
            state.oracle.foreign(name, None, now);
        } else if is_file && state.happens(Stream::Stranger, Mark::ForeignReplaced) {
            state.stranger_did(name, "replaces");
            state.root.put_file(path, b"a stranger's");
            state.oracle.foreign(name, Some(b"a stranger's"), now);
        } else if there.is_none() && state.happens(Stream::Stranger, Mark::ForeignPut) {
            state.stranger_did(name, "takes");
            state.root.put_file(path, b"somebody else's");
            state.oracle.foreign(name, Some(b"somebody else's"), now);
        } else if there.is_none() && state.happens(Stream::Stranger, Mark::ForeignFolder) {
            state.stranger_did(name, "makes a folder of");
            state.root.put_folder(path);
            state.oracle.foreign(name, None, now);
        } else if let Some(path) = state.cuttable(name)
            && state.happens(Stream::Stranger, Mark::ForeignCut)
        {
            state.cut_unfinished(name, &path);
        } else if let Some(path) = state.unfinished_path(name, "rec")
            && state.happens(Stream::Stranger, Mark::ForeignRecord)
        {
            state.damage_record(name, &path);
        } else if !state.oracle.is_sure() && state.happens(Stream::Stranger, Mark::ForeignSwept) {
            state.stranger_did(name, "sweeps, and with it all");
            state.root.remove(".dlmanager");
            state.oracle.swept_away();
        }
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm(self: &Arc<Self>) {
        {
            let mut state = self.state();
            let state = &mut *state;
            state.trace.note(&[40], || "-- nothing goes wrong any more".to_owned());
            state.stage = Stage::Liveness;
            state.actions_before_calm = state.actions;
            state.setting.calm();
            state.root.set_capacity(None);
            state.read_only_until = 0;
            state.strikes.clear();
            for reply in state.exchanges.values_mut().filter_map(|exchange| exchange.reply.as_mut()) {
                reply.drips = false;
            }
            state.calm_since = self.now();
            // What nobody can fetch over.
            for name in NAMES.iter().take(state.setting.names) {
                if state.root.stat(name).is_some_and(|stat| stat.kind == FileKind::Folder) {
                    state.root.remove(name);
                }
            }
            self.schedule(state, 0, What::Look);
        }
    }

    /// Users look whether all is done, ask for what is not there, and close the managers in the end.
    pub(crate) fn look(self: &Arc<Self>) {
        let now = self.now();
        let (stage, is_late, places) = {
            let mut state = self.state();
            let state = &mut *state;
            let is_late = now > state.calm_since + nanos(state.setting.convergence());
            (state.stage, is_late, state.places.clone())
        };
        if is_late {
            let text = self.state().unfinished();
            return self.state().fail(format!("not done in time, although nothing goes wrong any more: {text}"));
        }
        match stage {
            Stage::Liveness => self.look_for_files(&places),
            Stage::Closing => self.look_for_managers(&places),
            Stage::Safety | Stage::Over => return,
        }
        let mut state = self.state();
        if state.stage != Stage::Over {
            self.schedule(&mut state, LOOKS, What::Look);
        }
    }

    fn look_for_files(self: &Arc<Self>, places: &[Option<usize>]) {
        let mut running = None;
        for (place, process) in places.iter().enumerate() {
            let Some(process) = *process else {
                self.start(place);
                return;
            };
            let state = self.state();
            let program = &state.processes[process];
            if program.manager.is_none() {
                return;
            }
            if program.downloads.iter().any(dlmanager::Download::is_running) {
                return;
            }
            let is_closed = program.closed.is_some();
            drop(state);
            self.use_outcomes(process);
            if !is_closed {
                running = Some(process);
            }
        }
        // All that was asked for has ended.
        let Some(process) = running else { return };
        let (round, wanted) = {
            let mut state = self.state();
            let state = &mut *state;
            let result = state.check_round(state.rounds);
            let is_last = state.rounds >= ROUNDS_MAX;
            state.rounds += 1;
            match result {
                Ok(wanted) if wanted.is_empty() => {
                    state.stage = Stage::Closing;
                    (0, wanted)
                }
                Ok(wanted) if !is_last => (state.rounds, wanted),
                Ok(wanted) => return state.fail(format!("in the end not there: {wanted:?}")),
                Err(text) => return state.fail(text),
            }
        };
        for name in wanted {
            self.download(process, name, 0, false, None);
        }
        if round == 0 {
            for process in places.iter().flatten() {
                let keeps = self.state().decisions.below(Stream::User, 2) == 1;
                self.close(*process, keeps);
            }
        }
    }

    fn look_for_managers(&self, places: &[Option<usize>]) {
        if places.iter().any(Option::is_some) {
            return;
        }
        let mut state = self.state();
        let state = &mut *state;
        // Those whose managers did not open have no place, and may be held up.
        if state.processes.iter().any(|program| program.is_alive) {
            return;
        }
        state.stage = Stage::Over;
        let result = state.check_end(self.now());
        state.check(result);
    }
}

impl State {
    fn stranger_did(&mut self, name: usize, what: &str) {
        self.trace.note(&[33, name as u64, what.len() as u64], || format!("a stranger {what} {}", NAMES[name]));
    }

    /// As often as not a user has no use for a file any more that is there, so that it is fetched anew.
    fn take_away(&mut self, name: usize, now: u64) {
        let is_file = self.root.stat(NAMES[name]).is_some_and(|stat| stat.kind == FileKind::Regular);
        if is_file && self.decisions.below(Stream::User, 3) > 0 {
            self.trace.note(&[34, name as u64], || format!("{} is of no use any more", NAMES[name]));
            self.root.remove(NAMES[name]);
            self.oracle.taken_away(name, now);
        }
    }

    /// The path of a name's unfinished file, where there is one.
    fn unfinished_path(&self, name: usize, ending: &str) -> Option<String> {
        let key = self.oracle.key_of(name)?;
        let path = format!(".dlmanager/{key}.{ending}");
        self.root.stat(&path).filter(|stat| stat.kind == FileKind::Regular).map(|_| path)
    }

    /// The unfinished file of a name, where it has bytes and nobody has it open.
    fn cuttable(&self, name: usize) -> Option<String> {
        let path = self.unfinished_path(name, "part")?;
        let length = self.root.stat(&path).map_or(0, |stat| stat.length);
        Some(path).filter(|path| length > 0 && !self.oracle.is_open(path))
    }

    fn cut_unfinished(&mut self, name: usize, path: &str) {
        let Some(bytes) = self.root.read(path) else { return };
        let bound = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let length = self.decisions.below(Stream::Stranger, bound) as usize;
        self.stranger_did(name, "cuts what is unfinished of");
        self.root.put_file(path, &bytes[..length]);
        self.oracle.cut(name);
        self.oracle.damaged(name, path);
    }

    fn damage_record(&mut self, name: usize, path: &str) {
        let Some(mut bytes) = self.root.read(path).filter(|bytes| !bytes.is_empty()) else { return };
        let bound = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let at = self.decisions.below(Stream::Stranger, bound) as usize;
        bytes[at] ^= 0x40;
        self.stranger_did(name, "damages the record of");
        self.root.put_file(path, &bytes);
        self.oracle.damaged(name, path);
    }
}

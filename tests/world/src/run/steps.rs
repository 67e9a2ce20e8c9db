//! The moves of a random run.

use std::collections::BTreeMap;
use std::time::Duration;

use dlmanager_core::{CancelError, Completion, DownloadId, Event, FileName, IfPresent, Manager, NetOp, Phase, Request};
use http::{HeaderName, HeaderValue};

use super::Run;
use super::network::Going;
use crate::lanes::FileLanes;
use crate::model::{Asked, Wanted};
use crate::server::sha256;

/// From a millisecond to a driver that has stalled for minutes, in milliseconds.
const SPANS: [u64; 12] = [1, 10, 100, 500, 1_000, 5_000, 9_999, 10_001, 29_999, 31_000, 61_000, 300_000];

impl Run<'_> {
    /// One move.
    pub(super) fn step(&mut self) {
        match self.choices.byte() {
            0..=84 => self.answer_one(Going::Chosen),
            85..=134 => self.deliver_one(),
            135..=144 => self.deliver_some(),
            145..=169 => self.turn(),
            170..=194 => self.admit(),
            195..=200 => self.cancel_one(),
            201 => self.cancel_those_that_match(),
            202 if self.choices.happens(48) => self.close(),
            202 => self.remove_old_files(),
            203 if self.choices.happens(100) => self.restart(),
            203 => self.hold_or_release(),
            204..=210 => self.strangers(),
            211 => {
                // A server that takes the connection and then says nothing.
                self.connected();
                self.advance(Duration::from_millis(30_001));
                self.tick();
            }
            212..=222 => {
                let span = self.choices.one_of(&SPANS);
                self.advance(Duration::from_millis(span));
            }
            223..=227 => self.tick(),
            228..=235 => self.connected(),
            236..=239 => self.repeated(),
            240..=243 => self.burst(Going::Well),
            244..=252 => self.burst(Going::Chosen),
            253..=255 if self.model.setting.file_faults > 0 => self.answer_one(Going::Badly),
            253..=255 => self.answer_one(Going::Chosen),
        }
        let lags = !self.model.setting.drains_at_once && self.choices.happens(190);
        if !lags {
            self.drain();
        } else {
            self.report.reached("outputs left for later");
        }
    }

    /// Some action is done by the disk, or answered by a server; the core does not hear of it yet.
    fn answer_one(&mut self, going: Going) {
        let lanes = self.lanes.waiting();
        let exchanges = self.answerable();
        let choice = self.choices.index(lanes.len() + exchanges.len());
        if let Some(lane) = lanes.get(choice) {
            self.do_file(*lane, going);
        } else if let Some(at) = exchanges.get(choice - lanes.len()) {
            self.answer_net(*at, going);
        }
    }

    /// The core hears of one answer, whichever.
    fn deliver_one(&mut self) {
        if self.answered.is_empty() {
            self.answer_one(Going::Chosen);
        }
        let at = self.choices.index(self.answered.len());
        if at < self.answered.len() {
            let answered = self.answered.swap_remove(at);
            self.deliver(answered);
        }
    }

    /// The core hears of several answers at once, in any order.
    fn deliver_some(&mut self) {
        let count = 1 + self.choices.index(4);
        let mut chosen = Vec::new();
        for _ in 0..count.min(self.answered.len()) {
            let at = self.choices.index(self.answered.len());
            chosen.push(self.answered.swap_remove(at));
        }
        self.deliver_all(chosen);
    }

    /// Everything is answered and told, a few times over.
    fn burst(&mut self, going: Going) {
        for _ in 0..6 {
            for lane in self.lanes.waiting() {
                while self.lanes.first(lane).is_some() {
                    self.do_file(lane, going);
                }
            }
            for at in self.answerable().into_iter().rev() {
                self.answer_net(at, going);
            }
            self.turn();
        }
    }

    fn admit(&mut self) {
        let name = self.choices.one_of(self.model.setting.names);
        // An origin allows few retries in a row.
        let host = self.choices.index(if self.model.setting.resumes { 24 } else { 3 });
        let kind = self.choices.byte();
        let replaces = if self.model.setting.resumes { kind & 24 != 0 } else { kind & 24 == 24 };
        let again = Some(name).filter(|_| kind & 64 != 0).and_then(|name| self.model.asked_before(name));
        let serial = again.unwrap_or(self.model.asked.len());
        let asked =
            again.map_or_else(|| new_admission(serial, name, host, kind), |serial| self.model.asked[serial].clone());
        let url = asked.url.clone();
        let Ok(mut request) = Request::new(&url) else { panic!("not a URL: {url}") };
        if url.ends_with("/file") {
            let Ok(name) = FileName::new(name) else { panic!("not a name: {name}") };
            request = request.name(name);
        }
        if asked.has_secrets {
            request = request.header(HeaderName::from_static("x-secret"), HeaderValue::from_static("word"));
        }
        if replaces {
            request = request.if_present(IfPresent::Replace);
        }
        let checksum = match self.choices.byte() {
            0..=219 => None,
            220..=247 => Some(sha256(&self.resource(serial, Going::Chosen).bytes())),
            248..=255 => Some(sha256(b"another file")),
        };
        if let Some(checksum) = checksum {
            request = request.checksum(checksum);
        }
        let before = self.phases();
        let phase = self.model.newest_id(name).and_then(|id| before.get(&id)).copied();
        self.model.tells_at(self.now);
        let result = self.manager.download(self.now, request);
        self.was_given();
        self.note(|at| format!("{at:>12} <- download {url} as {name}, replace {replaces}: {result:?}"));
        self.report.reached(match &result {
            Ok(dlmanager_core::Admission::Started(_)) => "started",
            Ok(dlmanager_core::Admission::Joined(_)) => "joined",
            Err(_) => "not admitted",
        });
        let wanted = Wanted { serial, asked, replaces, checksum };
        self.model.admitted(self.now, &wanted, name, phase, &result);
    }

    fn phases(&self) -> BTreeMap<DownloadId, Phase> {
        self.manager.downloads().map(|info| (info.id, info.phase)).collect()
    }

    fn cancel_one(&mut self) {
        let at = self.choices.index(self.model.downloads.len());
        let Some(id) = self.model.downloads.get(at).map(|download| download.id) else { return };
        if let Some(phase) = self.phases().get(&id) {
            self.report.reached(format!("cancel while {phase:?}"));
        }
        let is_known = self.manager.info(id).is_some();
        self.model.tells_at(self.now);
        let keeps = self.choices.happens(128);
        let (word, result) = match keeps {
            true => ("interrupt", self.manager.interrupt(self.now, id)),
            false => ("cancel", self.manager.cancel(self.now, id)),
        };
        assert_eq!(result != Err(CancelError::Unknown), is_known, "listed and unknown, or the other way round");
        self.note(|at| format!("{at:>12} <- {word} {id:?}: {result:?}"));
        self.was_given();
        self.report.reached(format!("{word} {result:?}"));
        self.model.canceled(id, keeps, result);
    }

    fn cancel_those_that_match(&mut self) {
        let name = self.choices.one_of(self.model.setting.names);
        let before = self.phases();
        let mut matched = Vec::new();
        self.model.tells_at(self.now);
        let count = self.manager.cancel_if(self.now, |info| {
            let matches = info.name.as_str() == name;
            if matches {
                matched.push(info.id);
            }
            matches
        });
        self.note(|at| format!("{at:>12} <- cancel_if named {name}: {count} of {matched:?}"));
        self.was_given();
        assert!(count <= matched.len(), "canceled more than match");
        self.report.reached("cancel_if");
        self.model.canceled_matching(&matched, count);
        let _ = before;
    }

    pub(super) fn close(&mut self) {
        let keeps = self.choices.happens(128);
        self.note(|at| format!("{at:>12} <- close, keeping {keeps}"));
        self.model.tells_at(self.now);
        if keeps {
            self.manager.close_keeping(self.now);
            self.report.reached("close_keeping");
        } else {
            self.manager.close(self.now);
            self.report.reached("close");
        }
        self.was_given();
        self.model.close_asked(keeps);
    }

    pub(super) fn remove_old_files(&mut self) {
        self.note(|at| format!("{at:>12} <- remove_old_files"));
        self.model.tells_at(self.now);
        self.manager.remove_old_files(self.now);
        self.was_given();
    }

    /// The program holds a name, once or more, or lets go of it, after which a pass is due.
    fn hold_or_release(&mut self) {
        let Ok(name) = FileName::new(self.choices.one_of(self.model.setting.names)) else { return };
        // What was asked for before the hold is asked for before it.
        self.drain();
        let is_held = self.model.held.contains_key(name.as_str());
        if is_held && self.choices.happens(160) {
            self.note(|at| format!("{at:>12} <- release {name}"));
            self.manager.release(self.now, &name);
            self.model.released(name.as_str());
            self.report.reached("released");
            self.remove_old_files();
        } else {
            self.note(|at| format!("{at:>12} <- hold {name}"));
            self.manager.hold(&name);
            *self.model.held.entry(name.to_string()).or_default() += 1;
            self.report.reached("held");
        }
    }

    fn strangers(&mut self) {
        let name = self.choices.one_of(self.model.setting.names);
        if self.model.setting.strangers {
            self.strangers_move(name);
        }
    }

    /// A connection stands: of a request that waits for its head, or, late, of one that does not.
    fn connected(&mut self) {
        let mut waiting = Vec::new();
        for action in &self.asked_of_net {
            if let NetOp::Fetch { ticket, body, .. } = &action.op {
                waiting.push((ticket.id(), Some(*body)));
            }
        }
        let late = self.old_ids.len().checked_sub(1 + self.choices.index(4)).and_then(|at| self.old_ids.get(at));
        waiting.extend(late.map(|id| (*id, None)));
        let Some((id, body)) = waiting.get(self.choices.index(waiting.len())).copied() else { return };
        match body {
            Some(body) => self.model.connected_told(self.now, body),
            None => self.report.reached("connected, late"),
        }
        self.handle(Event::Connected(id));
    }

    /// An answer that was given already is given again, as aborted.
    fn repeated(&mut self) {
        let at = self.choices.index(self.old_ids.len());
        if let Some(id) = self.old_ids.get(at).copied() {
            self.report.reached("repeated");
            self.handle(Event::Completed(Completion::aborted(id)));
        }
    }

    /// The program dies, and another one takes its place: what the directory holds is all that it knows.
    fn restart(&mut self) {
        self.directory.crash_process();
        self.note(|at| format!("{at:>12} .. the program dies, and another one begins"));
        self.report.reached("restart");
        self.lanes = FileLanes::default();
        self.asked_of_net.clear();
        self.answered.clear();
        self.old_ids.clear();
        self.taken.clear();
        self.outstanding = 0;
        // What the dead one had made is left behind, whoever comes next.
        self.file_faults += 1;
        self.restarts += 1;
        let setting = &self.model.setting;
        self.manager = Manager::new(setting.config.clone(), setting.seed + 1_000 * self.restarts);
        for (name, count) in &self.model.held {
            let Ok(name) = FileName::new(name) else { continue };
            (0..*count).for_each(|_| self.manager.hold(&name));
        }
        self.model.restart(&self.directory, &mut self.report);
        self.drain();
    }
}

/// Every admission has a URL of its own, so that a request tells whose it is.
fn new_admission(serial: usize, name: &str, host: usize, kind: u8) -> Asked {
    let (scheme, has_secrets) = (if kind & 1 == 0 { "http" } else { "https" }, kind & 6 == 6);
    let user = if has_secrets { "user:word@" } else { "" };
    let last = if name.contains('/') || kind & 32 == 0 { "file" } else { name };
    Asked {
        origin: format!("{scheme}://h{host}.example"),
        url: format!("{scheme}://{user}h{host}.example/{serial}/{last}"),
        name: name.to_owned(),
        has_secrets,
        download: None,
    }
}

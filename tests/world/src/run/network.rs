//! The servers' side of a random run.

use dlmanager_core::{ActionId, BodyId, Chunk, Fault, FaultKind, NetAction, NetOp};

use super::{Run, body_of};
use crate::server::{LENGTHS, LONG, Resource, ServedReply};
use crate::told::{Answered, Reason, Told};

/// How an action goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Going {
    Well,
    Badly,
    Chosen,
}

impl Run<'_> {
    pub(super) fn take_on_net(&mut self, action: NetAction) {
        self.outstanding += 1;
        match &action.op {
            NetOp::Fetch { body, request, .. } => {
                if let Some(what) = self.model.fetch_asked(self.now, *body, request) {
                    self.report.reached(what);
                }
                self.asked_of_net.push(action);
            }
            NetOp::ReadBody { body, bytes_max, .. } => {
                self.model.read_asked(self.now, *body, *bytes_max);
                self.asked_of_net.push(action);
            }
            NetOp::DropBody { body, .. } => {
                let body = *body;
                self.model.drop_asked(body);
                // It overtakes: what is under way in its lane is answered as aborted.
                while let Some(at) = self.asked_of_net.iter().position(|other| body_of(other) == body) {
                    self.abort_net(at);
                }
                self.asked_of_net.push(action);
            }
        }
    }

    fn abort_net(&mut self, at: usize) {
        let action = self.asked_of_net.remove(at);
        let body = body_of(&action);
        let told = match action.op {
            NetOp::Fetch { .. } => Told::NoHead(body, Reason::Aborted),
            NetOp::ReadBody { .. } => Told::NoChunk(body, Reason::Aborted),
            NetOp::DropBody { .. } => Told::Dropped(body),
        };
        self.report.reached("aborted in the network");
        self.answer_aborted(action.id(), told);
    }

    /// Advice to cut an action short, which a driver may follow.
    pub(super) fn abort(&mut self, id: ActionId) {
        self.report.reached("advice to abort");
        let at = self
            .asked_of_net
            .iter()
            .position(|action| action.id() == id && !matches!(action.op, NetOp::DropBody { .. }));
        if let Some(at) = at
            && self.choices.happens(128)
        {
            self.abort_net(at);
        }
    }

    /// The exchanges whose first action may be answered.
    pub(super) fn answerable(&self) -> Vec<usize> {
        let is_first = |at: &usize| {
            let body = body_of(&self.asked_of_net[*at]);
            self.asked_of_net[..*at].iter().all(|earlier| body_of(earlier) != body)
        };
        (0..self.asked_of_net.len()).filter(is_first).collect()
    }

    /// A server answers.
    pub(super) fn answer_net(&mut self, at: usize, going: Going) {
        let action = self.asked_of_net.remove(at);
        let goes_wrong = match going {
            Going::Well => false,
            Going::Badly => true,
            Going::Chosen => {
                // What breaks off in the middle can be gone on with, what never begins ends in vain.
                let begins = matches!(action.op, NetOp::Fetch { .. }) && self.model.setting.resumes;
                let chances = self.model.setting.net_faults / if begins { 8 } else { 1 };
                self.choices.happens(chances)
            }
        };
        if goes_wrong {
            self.answer_net_badly(action);
            return;
        }
        let answered = match action.op {
            NetOp::Fetch { ticket, body, .. } => {
                let reply = self.reply(body, going);
                let head = reply.head();
                self.report.reached(format!("status {}", reply.status.as_u16()));
                if let Some(exchange) = self.model.exchanges.get_mut(&body) {
                    exchange.reply = Some(reply);
                }
                Answered { completion: ticket.done(Ok(Box::new(head))), told: Told::Head(body) }
            }
            NetOp::ReadBody { ticket, body, bytes_max } => {
                let chunk = self.chunk(body, bytes_max, going);
                let told = Told::chunk(body, &chunk);
                Answered { completion: ticket.done(Ok(chunk)), told }
            }
            NetOp::DropBody { ticket, body } => Answered { completion: ticket.done(Ok(())), told: Told::Dropped(body) },
        };
        self.answered.push(answered);
    }

    fn answer_net_badly(&mut self, action: NetAction) {
        let body = body_of(&action);
        let (is_aborted, mut kind) = self.bad_luck();
        if self.model.setting.resumes && self.choices.happens(230) {
            // What passes, and does not tell of an origin that is not there.
            kind = FaultKind::Reset;
        }
        let reason = if is_aborted { Reason::Aborted } else { Reason::Fault(kind) };
        let (word, told) = match action.op {
            NetOp::Fetch { .. } => ("Fetch", Told::NoHead(body, reason)),
            NetOp::ReadBody { .. } => ("ReadBody", Told::NoChunk(body, reason)),
            NetOp::DropBody { .. } => ("DropBody", Told::Dropped(body)),
        };
        self.report.reached(format!("{word} {reason:?}"));
        if is_aborted {
            self.answer_aborted(action.id(), told);
        } else {
            self.answered.push(Answered { completion: action.fail(Fault::new(kind)), told });
        }
    }

    /// Whether an action is aborted, else with what it fails.
    pub(super) fn bad_luck(&mut self) -> (bool, FaultKind) {
        let kinds: Vec<FaultKind> = FaultKind::ALL.iter().copied().filter(|kind| *kind != FaultKind::Skipped).collect();
        let choice = self.choices.index(kinds.len() + 4);
        match kinds.get(choice) {
            Some(kind) => (false, *kind),
            None => (true, FaultKind::Io),
        }
    }

    /// What stands behind an admission's URL.
    pub(super) fn resource(&mut self, admission: usize, going: Going) -> &mut Resource {
        if !self.resources.contains_key(&admission) {
            self.versions += 1;
            let length = match (going, self.model.setting.resumes) {
                (Going::Well, _) => 20,
                (_, true) => self.choices.one_of(LONG),
                (_, false) => self.choices.one_of(LENGTHS),
            };
            let mut kind = self.choices.byte();
            if self.model.setting.resumes && self.choices.happens(200) {
                // A strong ETag.
                kind &= 3;
            }
            self.resources.insert(admission, Resource::new(self.versions, length, kind));
        }
        self.resources.get_mut(&admission).expect("it was just made")
    }

    fn reply(&mut self, body: BodyId, going: Going) -> ServedReply {
        let admission = self.model.exchanges[&body].admission;
        self.resource(admission, going);
        let exchange = &self.model.exchanges[&body];
        let resource = self.resources.get_mut(&admission).expect("it was just made");
        if going == Going::Well {
            return resource.proper(exchange);
        }
        if self.choices.happens(50) {
            self.versions += 1;
            resource.change(&mut self.choices, self.versions);
        }
        resource.any(&mut self.choices, exchange, self.model.setting.resumes)
    }

    fn chunk(&mut self, body: BodyId, bytes_max: usize, going: Going) -> Chunk {
        let Some(exchange) = self.model.exchanges.get_mut(&body) else {
            return Chunk { data: bytes::Bytes::new(), pinned: 0, last: true };
        };
        let rest = exchange.reply.as_ref().map_or(0, |reply| reply.body.len()) - exchange.handed_out;
        let (length, ends_early, says_last) = if going == Going::Well {
            (rest.min(bytes_max), false, true)
        } else {
            let most = rest.min(bytes_max);
            let length = if self.choices.happens(140) || most <= 1 { most } else { 1 + self.choices.index(most) };
            (length.min(most), self.choices.happens(6), self.choices.happens(128))
        };
        let data = exchange.hand_out(length);
        let is_whole = length == rest;
        let last = ends_early || data.is_empty() || (is_whole && says_last);
        exchange.ended |= last;
        if ends_early && !is_whole {
            self.report.reached("a body that ends early");
        }
        Chunk { pinned: data.len(), data, last }
    }
}

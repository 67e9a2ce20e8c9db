//! The end of a random run: nothing goes wrong any more, so everything must come to an end.

use super::Run;
use super::network::Going;

/// As many turns as that, and no more, may be needed until all is done.
const TURNS_MAX: usize = 3_000;

impl Run<'_> {
    pub(super) fn settle(&mut self) {
        self.drain();
        self.run_until_all_ended();
        let is_faultless = self.file_faults == 0;
        if !self.model.closed {
            if is_faultless && self.model.is_undisturbed && self.model.check_limit_by_itself(&self.directory) {
                self.report.reached("the limit checked when all had ended");
            }
            self.remove_old_files();
            self.drain();
            self.run_until_idle();
            if is_faultless && self.model.is_undisturbed {
                self.model.check_limit(&self.directory);
                self.report.reached("the limit checked at the end");
            }
            self.close();
            self.drain();
            self.run_until_idle();
        }
        assert!(self.manager.is_drained(), "closed, and not drained");
        self.model.check_end(&self.directory, is_faultless, &mut self.report);
    }

    fn run_until_all_ended(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.model.all_ended() {
                return self.run_until_idle();
            }
            self.settle_turn();
        }
        panic!("no end: {:?} {:?}", self.wait, self.model.downloads);
    }

    fn run_until_idle(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.outstanding == 0 && self.wait.until.is_none() {
                return;
            }
            self.settle_turn();
        }
        panic!("never idle: {:?}, {} unanswered", self.wait, self.outstanding);
    }

    /// All that is asked for is done well; where nothing is, time passes.
    fn settle_turn(&mut self) {
        let before = self.outstanding;
        for lane in self.lanes.waiting() {
            while self.lanes.first(lane).is_some() {
                self.do_file(lane, Going::Well);
            }
        }
        while let Some(at) = self.answerable().first().copied() {
            self.answer_net(at, Going::Well);
        }
        if before == 0 {
            let Some(until) = self.wait.until else { panic!("waits for nothing: {:?}", self.model.downloads) };
            self.advance(until.since(self.now));
        }
        self.turn();
    }
}

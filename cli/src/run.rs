//! The run of many downloads, from their admission to the end of the manager.

use std::collections::BTreeMap;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use dlmanager::{Download, DownloadId, DownloadManager, Event, Events, Notice};

use crate::interrupt::Interrupt;
use crate::report::Report;

/// How long it takes at most until an interrupt is noticed while nothing else happens.
const TICK: Duration = Duration::from_millis(50);

/// While more downloads than this run, ...
const MANY: usize = 64;
/// ... it is looked so often what has happened.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// Downloads that were started and have not ended, and what happens to them.
pub(crate) struct Run<'a> {
    manager: &'a DownloadManager,
    events: Events,
    running: BTreeMap<DownloadId, Download>,
    interrupt: &'a Interrupt,
    interrupted: bool,
    /// What is said then.
    interruption: &'static str,
}

impl<'a> Run<'a> {
    /// From now on an interrupt cancels what runs, keeps what can be gone on with, and says `interruption`.
    pub(crate) fn new(manager: &'a DownloadManager, interrupt: &'a Interrupt, interruption: &'static str) -> Self {
        interrupt.catch();
        let events = manager.events();
        Self { events, manager, running: BTreeMap::new(), interrupt, interrupted: false, interruption }
    }

    /// Waits for the end of this download, too.
    pub(crate) fn add(&mut self, download: Download, report: &mut Report) {
        self.running.insert(download.id(), download);
        // What happened meanwhile is told at once: else the events of a long list would be more than are kept.
        while let Ok(event) = self.events.try_recv() {
            self.event(&event, report);
        }
    }

    /// Whether there was an interrupt, after which nothing can be added.
    pub(crate) fn is_interrupted(&mut self, report: &mut Report) -> bool {
        if self.interrupt.is_set() && !self.interrupted {
            self.interrupted = true;
            report.note(&format!("interrupted: {} (once more to leave at once)", self.interruption));
            // Waited for at the end.
            drop(self.manager.close_keeping());
        }
        self.interrupted
    }

    /// Tells what happens until `over` says so, or nothing runs any more.
    pub(crate) fn until(&mut self, report: &mut Report, mut over: impl FnMut(&Event) -> bool) {
        while !self.running.is_empty() {
            self.is_interrupted(report);
            match self.next(report) {
                Ok(event) => {
                    self.event(&event, report);
                    if over(&event) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.settle(report);
    }

    fn next(&mut self, report: &mut Report) -> Result<Event, RecvTimeoutError> {
        if let Ok(event) = self.events.try_recv() {
            return Ok(event);
        }
        report.flush();
        if self.running.len() > MANY {
            // To be woken costs more than most of what there is to tell, and many tell all the time.
            thread::sleep(LOOK_INTERVAL);
            if let Ok(event) = self.events.try_recv() {
                return Ok(event);
            }
        }
        self.events.recv_timeout(TICK)
    }

    /// Tells what happens until all is over, and nothing is half done. Returns whether it was interrupted.
    pub(crate) fn finish(mut self, report: &mut Report) -> bool {
        self.until(report, |_| false);
        report.flush();
        let closed = self.manager.close().wait();
        while let Ok(event) = self.events.try_recv() {
            self.event(&event, report);
        }
        report.evicted_all();
        if let Err(gone) = closed {
            report.error(&gone.to_string());
        }
        self.is_interrupted(report)
    }

    fn event(&mut self, event: &Event, report: &mut Report) {
        match event {
            Event::Download { download, notice: Notice::Finished { id, .. } } => {
                // The result is there with the notice, or a moment after it.
                if let Some(handle) = self.running.remove(id) {
                    report.finished(download, &handle.wait());
                }
            }
            Event::Download { download, notice } => report.news(download, notice),
            Event::Directory { notice } => report.directory(self.manager.directory(), notice),
            Event::ProxyIgnored { variables } => report.warning(&format!(
                "the proxy in {} is not used: proxies are not supported yet, so connections are direct",
                variables.join(", ")
            )),
            // Ends among them are made up for when all is over.
            Event::Missed { count } => report.warning(&format!("{count} events were not told: the output is too slow")),
            _ => {}
        }
    }

    /// No event will come for what is left: its end was missed, or the manager is gone.
    fn settle(&mut self, report: &mut Report) {
        for (_, handle) in std::mem::take(&mut self.running) {
            report.finished(handle.subject(), &handle.wait());
        }
    }
}

//! Rules about what the application is told.

use std::time::Duration;

use dlmanager_core::{
    Complete, DownloadError, Durability, FaultKind, FileStep, Instant, Notice, Outcome, Progress, Published, Resume,
    TimeoutKind,
};

use http::StatusCode;

use super::{Model, Retry};
use crate::report::Report;
use crate::server::{Exchange, ServedReply, sha256};
use crate::told::Reason;

impl Model {
    /// A notice came.
    pub(crate) fn notice(&mut self, now: Instant, notice: &Notice, report: &mut Report) {
        let decided_from = self.decided_from;
        let live = match notice {
            Notice::Started { id }
            | Notice::Progress { id, .. }
            | Notice::Redirected { id, .. }
            | Notice::Locked { id }
            | Notice::Named { id, .. }
            | Notice::Retrying { id, .. }
            | Notice::Rewound { id, .. }
            | Notice::Finished { id, .. } => {
                let at = self.find(*id);
                let download = &mut self.downloads[at];
                assert!(download.outcome.is_none(), "{notice:?} after the end of {download:?}");
                let is_first = matches!(notice, Notice::Started { .. });
                assert_eq!(download.started_told, !is_first, "{notice:?} {download:?}");
                download.started_told = true;
                Some(at)
            }
            Notice::DirectoryReady
            | Notice::DirectoryRefused { .. }
            | Notice::EvictionWaits
            | Notice::Evicted { .. }
            | Notice::Kept { .. }
            | Notice::Swept { .. }
            | Notice::Warning(_) => None,
        };
        match (notice, live) {
            (Notice::Progress { progress, .. }, Some(at)) => {
                self.progress_told(at, *progress);
                let from = self.downloads[at].bodies.last().map(|body| self.exchanges[body].range);
                match from {
                    Some(Some(from)) if progress.received > from as u64 => report.reached("goes on"),
                    None => report.reached("all is there already"),
                    Some(_) => {}
                }
            }
            (Notice::Locked { .. }, Some(_)) => report.reached("locked"),
            (Notice::Rewound { from, to, .. }, Some(at)) => {
                let download = &mut self.downloads[at];
                let last = download.progress.map_or(0, |(received, _)| received);
                assert!(from >= &last && to < from, "{notice:?} after {last} bytes");
                download.progress = Some((*to, None));
                report.reached("rewound");
            }
            (Notice::Retrying { attempt, delay, cause, .. }, Some(at)) => {
                report.error("retrying after", cause);
                self.count_connect_failure(cause);
                self.check_retry(at, *attempt, *delay, cause);
                self.check_error(now, at, cause);
                self.downloads[at].retry = Some(Retry { from: decided_from, told: now, delay: *delay });
            }
            (Notice::Redirected { to, .. }, Some(at)) => {
                let status = self.last_status(at).map(|status| status.as_u16());
                assert!(matches!(status, Some(301 | 302 | 303 | 307 | 308)), "redirected by {status:?}");
                assert!(matches!(to.scheme(), "http" | "https"), "redirected to {to}");
                report.reached("redirected");
            }
            (Notice::Finished { outcome, .. }, Some(at)) => {
                report.outcome(outcome);
                if let Outcome::Failed(error) = outcome {
                    self.count_connect_failure(error);
                }
                self.check_outcome(now, at, outcome);
                self.downloads[at].outcome = Some(outcome.clone());
                let is_present = matches!(outcome, Outcome::Present { .. });
                self.ended_last = (!is_present).then(|| self.downloads[at].name.clone());
                self.passed_last = self.ended_last.clone().or(self.passed_last.take());
            }
            (Notice::DirectoryRefused { .. }, _) => {
                assert!(self.setting.config.limit.is_some(), "refused without a limit");
                self.refused = true;
                report.reached("directory refused");
            }
            (Notice::Evicted { path, .. }, _) => {
                let told = self.evicted_told.entry(path.to_string()).or_default();
                *told += 1;
                let done = self.evictions.get(path.as_str()).copied().unwrap_or(0);
                assert!(*told <= done, "{path} is said to be evicted, and is not");
                report.reached("evicted");
            }
            (Notice::Swept { files, bytes, unmet, .. }, _) => {
                self.swept = Some((*files, *bytes));
                report.reached(format!("swept, unmet {unmet:?}"));
            }
            (Notice::EvictionWaits, _) => report.reached("waits for its turn to evict"),
            (Notice::Warning(_), _) => report.reached("warning"),
            _ => {}
        }
    }

    fn count_connect_failure(&mut self, error: &DownloadError) {
        let is_one = match error {
            DownloadError::Network(fault) => matches!(fault.kind(), FaultKind::Connect | FaultKind::Resolve),
            DownloadError::Timeout(kind) => *kind == TimeoutKind::Connect,
            _ => false,
        };
        self.connect_failures += usize::from(is_one);
    }

    fn progress_told(&mut self, at: usize, progress: Progress) {
        let exchange = self.downloads[at].bodies.last().map(|body| &self.exchanges[body]);
        let kept = exchange.and_then(|exchange| exchange.range).map_or(0, |from| from as u64);
        let is_whole = progress.total == Some(progress.received) && self.setting.config.resume == Resume::AcrossRuns;
        let Some(reply) = exchange.and_then(|exchange| exchange.reply.as_ref()) else {
            assert!(is_whole && exchange.is_none(), "progress before a reply: {progress:?} {:?}", self.downloads[at]);
            self.downloads[at].progress = Some((progress.received, progress.total));
            return;
        };
        let (announced, told) = (reply.total(), reply.offset + exchange.map_or(0, |exchange| exchange.told));
        let download = &mut self.downloads[at];
        let Progress { received, total, .. } = progress;
        assert!(received <= told as u64, "{progress:?}, and {told} bytes came");
        match download.progress {
            // From where it goes on, or from its beginning.
            None => assert!(received == 0 || received == kept, "the first progress of {download:?}"),
            Some((before, _)) => {
                assert!(received >= before, "progress falls from {before} to {received}: {download:?}");
            }
        }
        match (total, announced) {
            (Some(total), Some(announced)) => assert_eq!(total, announced),
            (Some(total), None) => assert_eq!((received, received), (total, told as u64), "a total out of nowhere"),
            (None, Some(_)) => panic!("the total is known and not told: {progress:?}"),
            (None, None) => {}
        }
        download.progress = Some((received, total));
    }

    fn check_retry(&mut self, at: usize, attempt: u32, delay: Duration, cause: &DownloadError) {
        if cause.is_no_space() {
            let had_room_made = std::mem::replace(&mut self.downloads[at].had_room_made, true);
            assert!(!had_room_made && delay.is_zero(), "room is made once: {:?}", self.downloads[at]);
            return;
        }
        let config = &self.setting.config;
        let may_pass = match cause {
            DownloadError::Status { status } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            DownloadError::Timeout(kind) => *kind != TimeoutKind::Whole,
            DownloadError::Network(fault) => {
                matches!(fault.kind(), FaultKind::Resolve | FaultKind::Connect | FaultKind::Reset | FaultKind::Aborted)
            }
            DownloadError::Truncated { .. } | DownloadError::ChecksumMismatch { .. } => true,
            // The folder of the unfinished is another program's to remove once it is empty.
            DownloadError::File { step: FileStep::Create, fault } => {
                matches!(fault.kind(), FaultKind::NotFound | FaultKind::Exists)
            }
            _ => false,
        };
        assert!(may_pass, "{cause:?} does not pass, and is tried again");
        assert!((1..=config.retries_max).contains(&attempt), "attempt {attempt} of {}", config.retries_max);
        let doubled = config.backoff_min.saturating_mul(1 << (attempt - 1).min(31)).min(config.backoff_max);
        let reply = self.downloads[at].bodies.last().and_then(|body| self.exchanges[body].reply.as_ref());
        let asked_for = reply.and_then(|reply| reply.retry_after).map(Duration::from_secs).unwrap_or_default();
        let asked_for = asked_for.min(config.retry_after_max);
        let longest = doubled.max(asked_for + config.backoff_min.max(asked_for / 10));
        assert!(delay <= longest, "waits {delay:?} and may wait {longest:?} before retry {attempt}");
        let refuses = matches!(cause, DownloadError::Status { status: 429 | 503 });
        assert!(!refuses || delay >= asked_for, "waits {delay:?}, and was asked to wait {asked_for:?}");
        let download = &mut self.downloads[at];
        assert!(attempt == download.attempts + 1 || attempt == 1, "retry {attempt} follows {}", download.attempts);
        assert!(!download.cancel_is_settled, "retries although canceled: {download:?}");
        download.attempts = attempt;
    }

    fn check_outcome(&mut self, now: Instant, at: usize, outcome: &Outcome) {
        let download = &self.downloads[at];
        if download.cancel_accepted {
            assert_eq!(*outcome, Outcome::Canceled, "a canceled download ends so: {download:?}");
        }
        for body in &download.bodies {
            assert!(self.exchanges[body].drop_told, "ends with an open exchange: {download:?}");
        }
        match outcome {
            Outcome::Complete(complete) => self.check_complete(at, complete),
            Outcome::Present { length } => {
                assert!(
                    !download.replaces || download.checksum.is_some(),
                    "present, and should have been replaced: {download:?}"
                );
                assert!(download.renamed.is_none(), "present, and was published: {download:?}");
                assert!(download.seen_lengths.contains(length), "present with {length} bytes, unseen: {download:?}");
            }
            Outcome::Canceled => {
                assert!(download.cancel_accepted || download.close_asked, "canceled, and nobody asked: {download:?}");
                assert!(!download.rename_asked, "canceled behind the commit point: {download:?}");
                assert!(download.renamed.is_none());
            }
            Outcome::Failed(error) => {
                let published = match error.published() {
                    Published::Yes => Some(true),
                    Published::No => Some(false),
                    Published::Unknown => None,
                };
                if let Some(published) = published {
                    // What was published and then taken away by somebody else is not there either.
                    let is_gone = self.visible.get(&download.name) != Some(&download.renamed);
                    let was = download.renamed.is_some();
                    assert!(was == published || (was && is_gone), "{error:?} {download:?}");
                } else {
                    // Both answers were lost, or somebody took the file away as soon as it was there.
                    let lost = download.file_reasons.len();
                    // That an unfinished file is not there may be told by a second try of its rename.
                    let is_second = download.file_reasons.contains(&Reason::Fault(FaultKind::NotFound));
                    assert!(
                        is_second || lost >= 2 || (lost == 1 && !self.is_undisturbed),
                        "unknown, and nothing was lost: {download:?}"
                    );
                }
                self.check_error(now, at, error);
            }
        }
    }

    fn check_complete(&self, at: usize, complete: &Complete) {
        let download = &self.downloads[at];
        let Some(file) = &download.renamed else { panic!("complete, and not published: {download:?}") };
        let length = file.len() as u64;
        assert_eq!(complete.length, length);
        assert_eq!(complete.requests as usize, download.bodies.len(), "{download:?}");
        assert!(download.checksum.is_none_or(|expected| expected == sha256(file)), "another digest: {download:?}");
        let Some(exchange) = download.bodies.last().map(|body| &self.exchanges[body]) else { return };
        assert!(exchange.file().as_ref() == Some(file), "complete without a file: {download:?}");
        let sent = exchange.reply.as_ref().and_then(|reply| reply.repr_digest);
        assert!(sent.is_none_or(|expected| expected == sha256(file)), "another digest than the server's: {exchange:?}");
        assert_eq!(complete.url.as_str(), exchange.uri.to_string());
        let reply = exchange.reply.as_ref();
        let verified = reply.is_some_and(|reply| {
            reply.announced.is_some()
                || sent.is_some()
                || download.checksum.is_some()
                || reply.has_end
                || reply.status == StatusCode::PARTIAL_CONTENT
        });
        assert_eq!(complete.length_unverified, !verified);
        let coding = reply.and_then(|reply| reply.coding);
        if complete.content_encoding.as_deref() != coding {
            // What goes on with a file need not say again how that is coded.
            let goes_on =
                reply.is_some_and(|reply| reply.status == StatusCode::PARTIAL_CONTENT && reply.coding.is_none());
            let before = download.bodies.iter().filter_map(|body| self.exchanges[body].reply.as_ref()?.coding);
            let was_told = before.map(Some).any(|before| before == complete.content_encoding.as_deref());
            assert!(goes_on && was_told, "{complete:?}: {download:?}");
        }
        assert_eq!(download.progress, Some((length, Some(length))), "the last progress of {download:?}");
    }

    /// An error is what the world did.
    fn check_error(&self, now: Instant, at: usize, error: &DownloadError) {
        let download = &self.downloads[at];
        let config = &self.setting.config;
        let exchange = download.bodies.last().map(|body| &self.exchanges[body]);
        let reply = exchange.and_then(|exchange| exchange.reply.as_ref()).filter(|reply| reply.head_told);
        let offset = reply.map_or(0, |reply| reply.offset);
        let told = exchange.map_or(0, |exchange| (offset + exchange.told) as u64);
        let announced = reply.and_then(ServedReply::total);
        let end = reply.and_then(ServedReply::end);
        let file_reason = |kind| {
            assert_ne!(kind, FaultKind::Skipped, "a consequence is told as a cause: {error:?}");
            let reasons = &download.file_reasons;
            assert!(
                reasons.contains(&Reason::Fault(kind)) || reasons.contains(&Reason::Aborted),
                "{error:?} {download:?}"
            );
        };
        match error {
            // It waited for an origin that another one found dead.
            DownloadError::Network(_) | DownloadError::Timeout(TimeoutKind::Connect)
                if self.connect_failures > 10 && exchange.is_none_or(|exchange| exchange.drop_told) => {}
            DownloadError::Network(fault) => {
                let reasons = &download.net_reasons;
                let is_told = reasons.contains(&Reason::Fault(fault.kind())) || reasons.contains(&Reason::Aborted);
                assert!(is_told, "{error:?}, and no such thing happened: {download:?}");
            }
            DownloadError::Timeout(kind) => self.check_timeout(now, at, *kind),
            DownloadError::Status { status } => {
                assert_eq!(reply.map(|reply| reply.status.as_u16()), Some(*status));
                let is_asked = exchange.is_some_and(|exchange| exchange.range.is_some());
                assert!(*status != 200 && (*status != 206 || !is_asked), "{error:?} {exchange:?}");
            }
            DownloadError::BadReply(_) => {
                let is_bad =
                    |reply: &ServedReply| reply.is_bad || (reply.status.is_redirection() && reply.location.is_none());
                let is_asked = exchange.is_some_and(|exchange| exchange.range.is_some());
                assert!(is_asked || reply.is_some_and(is_bad), "{error:?} {exchange:?}");
            }
            DownloadError::Truncated { expected, received } => {
                assert_eq!((Some(*expected), *received), (announced, told));
                assert!(received < expected && exchange.is_some_and(|exchange| exchange.told_last));
            }
            DownloadError::Overlong { expected } => {
                assert!(Some(*expected) == end && told > *expected, "{error:?} {exchange:?}");
            }
            DownloadError::TooLarge { length, bytes_max } => {
                assert_eq!(Some(*bytes_max), config.file_bytes_max);
                assert!(
                    length > bytes_max && (announced == Some(*length) || told >= *length),
                    "{error:?} {exchange:?}"
                );
            }
            DownloadError::TooManyRedirects { redirects_max } => {
                assert_eq!(*redirects_max, config.redirects_max);
                assert!(download.bodies.len() > *redirects_max as usize);
            }
            DownloadError::BadRedirect { .. } => {
                assert!(reply.is_some_and(|reply| reply.status.is_redirection()), "{error:?} {exchange:?}");
            }
            DownloadError::TooManyRequests { requests_max, cause } => {
                assert_eq!(*requests_max, config.requests_max);
                assert_eq!(download.bodies.len(), *requests_max as usize);
                self.check_error(now, at, cause);
            }
            DownloadError::NotAFile { name, kind } => {
                assert_eq!(name.as_str(), download.name);
                assert_eq!(download.seen_non_file, Some(*kind));
            }
            DownloadError::File { step, fault } => {
                // What is found out by looking is no fault of the disk.
                let is_look = matches!(step, FileStep::Verify | FileStep::Lock | FileStep::Rewind);
                if !is_look {
                    file_reason(fault.kind());
                }
                assert_ne!(fault.kind(), FaultKind::Skipped);
                assert!(*step != FileStep::Flush || config.durability != Durability::None);
            }
            DownloadError::ChecksumMismatch { expected, actual } => {
                assert_ne!(expected, actual);
                let sent = |exchange: &Exchange| exchange.reply.as_ref().and_then(|reply| reply.repr_digest);
                let is_sent =
                    self.past.iter().chain(self.exchanges.values()).filter_map(sent).any(|own| own == **expected);
                assert!(is_sent || download.checksum == Some(**expected), "{error:?} {download:?}");
            }
            DownloadError::PresentMismatch { name, expected, actual } => {
                assert_ne!(expected, actual);
                assert!(name.as_str() == download.name && download.checksum == Some(**expected) && !download.replaces);
            }
            DownloadError::Publish { fault, .. } => file_reason(fault.kind()),
            DownloadError::Directory(_) => assert!(self.refused, "{error:?}, and nobody was told"),
            other => panic!("an unknown error: {other:?}"),
        }
    }
}

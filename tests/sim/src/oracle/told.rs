//! What users are told: once, in time, and what is so.

use dlmanager::Subject;
use dlmanager_core::{DownloadError, Notice, Outcome, Progress};

use super::{ByName, final_name};
use crate::marks::Mark;
use crate::server::NAMES;
use crate::sim::{Stage, State, nanos};

impl State {
    /// A program tells of a download, at that time or later.
    pub(crate) fn noticed(&mut self, process: usize, subject: &Subject, notice: &Notice, since: u64) {
        let serial = subject.id.serial();
        let number = [50, process as u64, serial, kind(notice)];
        self.trace.note(&number, || format!("p{process} tells of {serial}: {notice:?}"));
        let Some(name) = final_name(subject.name.as_str()) else {
            return self.fail(format!("p{process} tells of {}", subject.name));
        };
        let result = self.check_notice(process, serial, name, notice, since);
        self.check(result);
    }

    fn check_notice(
        &mut self,
        process: usize,
        serial: u64,
        name: usize,
        notice: &Notice,
        since: u64,
    ) -> Result<(), String> {
        let program = &mut self.oracle.programs[process];
        let Some(watched) = program.downloads.get_mut(&serial) else {
            return Err(format!("p{process} tells of {serial}, which nobody asked for: {notice:?}"));
        };
        if watched.is_finished {
            return Err(format!("p{process} tells of {serial} behind its end: {notice:?}"));
        }
        match notice {
            Notice::Started { .. } if std::mem::replace(&mut watched.is_started, true) => {
                return Err(format!("p{process} starts {serial} twice"));
            }
            Notice::Progress { progress, .. } => {
                check_progress((watched.received, watched.rewinds), *progress)
                    .map_err(|text| format!("p{process}, {serial}: {text}"))?;
                (watched.received, watched.rewinds) = (progress.received, progress.rewinds);
                watched.total = progress.total;
                let source = watched.source as usize;
                let versions = self.resources[name * 2 + source].versions.iter().map(|one| one.bytes.len());
                let cut = program.by_name[name].endless.as_ref().map(Vec::len);
                if progress.total.is_some_and(|total| !versions.chain(cut).any(|length| length as u64 == total)) {
                    return Err(format!("p{process}, {serial}: a total that no version has: {progress:?}"));
                }
            }
            Notice::Retrying { attempt, delay, cause, .. } => {
                self.tally.hit(Mark::Retrying);
                // Another attempt once room was made is none of those that are allowed after failures.
                let is_room_made = cause.is_no_space();
                if is_room_made {
                    self.tally.hit(Mark::RoomMade);
                    if std::mem::replace(&mut watched.had_room_made, true) {
                        return Err(format!("p{process}, {serial}: room is made twice"));
                    }
                }
                let most = self.setting.config.retries_max + u32::from(is_room_made);
                if *attempt > most || *attempt == 0 {
                    return Err(format!("p{process}, {serial}: attempt {attempt} of at most {most}"));
                }
                let by_name = &mut program.by_name[name];
                by_name.not_before = since + nanos(*delay);
                let is_good = matches!(
                    cause,
                    DownloadError::Network(_)
                        | DownloadError::Timeout(_)
                        | DownloadError::Status { .. }
                        | DownloadError::Truncated { .. }
                );
                if !is_good {
                    by_name.kept = 0;
                }
            }
            Notice::Redirected { .. } => self.tally.hit(Mark::Redirected),
            Notice::Locked { .. } => self.tally.hit(Mark::Locked),
            Notice::Rewound { .. } => self.tally.hit(Mark::Rewound),
            Notice::Finished { outcome, .. } => return self.finished(process, serial, name, outcome),
            _ => {}
        }
        Ok(())
    }

    fn finished(&mut self, process: usize, serial: u64, name: usize, outcome: &Outcome) -> Result<(), String> {
        let stands = self.root.stat(NAMES[name]).is_some();
        let program = &mut self.oracle.programs[process];
        let is_closed = program.is_closed;
        let is_first = program.downloads.iter().find(|(_, other)| other.name == name && !other.is_finished);
        let is_first = is_first.is_some_and(|(first, _)| *first == serial);
        let Some(watched) = program.downloads.get_mut(&serial) else { return Ok(()) };
        watched.is_finished = true;
        watched.is_well = matches!(outcome, Outcome::Complete(_) | Outcome::Present { .. });
        if let Outcome::Failed(error) = outcome {
            watched.failure = Some(error.to_string());
        }
        // Who waited behind another has done nothing yet.
        let ByName { published, part, is_faulted, .. } = match is_first {
            true => std::mem::take(&mut program.by_name[name]),
            false => ByName::default(),
        };
        if part.is_some_and(|(path, _)| !super::is_shared(&path)) {
            self.tally.hit(Mark::StandsAlone);
        }
        let watched = &program.downloads[&serial];
        match outcome {
            Outcome::Complete(complete) => {
                let Some(published) = published else {
                    // A rename that finds nothing to rename may have been done before; and somebody else's file of the
                    // same length is there.
                    if is_faulted && stands {
                        return Ok(());
                    }
                    return Err(format!("p{process}: {serial} is complete, and {} was not published", NAMES[name]));
                };
                if complete.length != published.length || watched.received != published.length {
                    let received = watched.received;
                    return Err(format!("p{process}: {serial} is complete with {received} bytes: {complete:?}"));
                }
                if watched.total.is_some_and(|total| total != published.length) {
                    return Err(format!("p{process}: {serial} is complete, of {:?}", watched.total));
                }
                if watched.checksum.is_some_and(|checksum| checksum != published.sha256) {
                    return Err(format!("p{process}: {serial} is complete, and its checksum is another"));
                }
                if published.is_cut && !complete.length_unverified {
                    return Err(format!("p{process}: {serial} is cut off, and is told to be complete"));
                }
                self.tally.hit(if complete.length_unverified { Mark::Unverified } else { Mark::Complete });
                if complete.requests == 0 {
                    self.tally.hit(Mark::WholeAlready);
                }
                // It may be told late, and not of what stands there now.
                let was_removed = self.oracle.names[name].removed_at.is_some_and(|at| at >= published.at);
                if stands && self.oracle.is_full && !was_removed {
                    self.oracle.names[name].is_promised = true;
                }
            }
            Outcome::Present { .. } => {
                self.tally.hit(Mark::Present);
                let stood = self.oracle.names[name].gone_at.is_some_and(|at| at >= watched.admitted_at);
                if !stands && !stood {
                    return Err(format!("p{process}: {serial} is present, and {} never was", NAMES[name]));
                }
            }
            Outcome::Canceled => {
                self.tally.hit(Mark::Canceled);
                if !watched.is_canceled && !is_closed {
                    return Err(format!("p{process}: {serial} is canceled, and nobody asked for it"));
                }
            }
            Outcome::Failed(error) => {
                self.oracle.has_kept = true;
                self.tally.hit(match error {
                    DownloadError::Network(_) => Mark::FailedNetwork,
                    DownloadError::Timeout(_) => Mark::FailedTimeout,
                    DownloadError::Status { .. } => Mark::FailedStatus,
                    DownloadError::BadReply(_) | DownloadError::Truncated { .. } | DownloadError::Overlong { .. } => {
                        Mark::FailedReply
                    }
                    DownloadError::ChecksumMismatch { .. } | DownloadError::PresentMismatch { .. } => {
                        Mark::FailedChecksum
                    }
                    DownloadError::File { .. } => Mark::FailedFile,
                    DownloadError::Publish { .. } => Mark::FailedPublish,
                    _ => Mark::FailedOther,
                });
            }
        }
        Ok(())
    }

    /// A program tells of its directory.
    pub(crate) fn directory_noticed(&mut self, process: usize, notice: &Notice) {
        self.trace.note(&[51, process as u64, kind(notice)], || format!("p{process} tells: {notice:?}"));
        match notice {
            Notice::Evicted { .. } => self.tally.hit(Mark::Evicted),
            Notice::Swept { .. } => self.tally.hit(Mark::PassTold),
            Notice::Warning(_) if self.oracle.is_disturbed => self.tally.hit(Mark::Litter),
            Notice::Warning(warning) if self.stage == Stage::Safety && self.setting.managers == 1 => {
                self.fail(format!("p{process} warns, and nothing is wrong: {warning:?}"));
            }
            Notice::DirectoryRefused { error } if !self.oracle.is_disturbed => {
                self.fail(format!("p{process}: the directory is refused: {error}"));
            }
            _ => {}
        }
    }
}

fn check_progress((received, rewinds): (u64, u32), progress: Progress) -> Result<(), String> {
    if progress.total.is_some_and(|total| progress.received > total) {
        return Err(format!("more than there is: {progress:?}"));
    }
    if progress.received < received && progress.rewinds == rewinds {
        return Err(format!("back from {received} without a word: {progress:?}"));
    }
    Ok(())
}

/// For the hash of a run.
fn kind(notice: &Notice) -> u64 {
    match notice {
        Notice::Started { .. } => 1,
        Notice::Progress { progress, .. } => 2 ^ progress.received << 8,
        Notice::Named { .. } => 3,
        Notice::Redirected { .. } => 4,
        Notice::Locked { .. } => 5,
        Notice::Retrying { attempt, delay, .. } => 6 ^ u64::from(*attempt) << 8 ^ nanos(*delay) << 16,
        Notice::Rewound { from, to, .. } => 7 ^ from << 8 ^ to << 32,
        Notice::Finished { outcome, .. } => match outcome {
            Outcome::Complete(complete) => 8 ^ complete.length << 8,
            Outcome::Present { length } => 9 ^ length << 8,
            Outcome::Canceled => 10,
            Outcome::Failed(error) => 11 ^ crate::trace::hash_of(error.kind().as_bytes()),
        },
        Notice::DirectoryReady => 12,
        Notice::DirectoryRefused { .. } => 13,
        Notice::Evicted { length, .. } => 14 ^ length << 8,
        Notice::Swept { files, bytes, .. } => 15 ^ files << 8 ^ bytes << 16,
        Notice::Warning(_) => 16,
        Notice::Kept { length, .. } => 17 ^ (length << 8),
        Notice::EvictionWaits => 18,
    }
}

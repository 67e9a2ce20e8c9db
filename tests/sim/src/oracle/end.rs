//! That everything comes to an end, and what is left then.

use dlmanager_core::FileKind;

use crate::server::NAMES;
use crate::sim::State;

impl State {
    /// What has not ended, in words.
    pub(crate) fn unfinished(&self) -> String {
        let mut text = format!("{:?}", self.stage);
        for (number, program) in self.oracle.programs.iter().enumerate().filter(|(_, program)| program.is_alive) {
            for (serial, watched) in program.downloads.iter().filter(|(_, watched)| !watched.is_finished) {
                text += &format!(", p{number}: {serial} for {}", NAMES[watched.name]);
            }
        }
        text
    }

    /// All downloads have ended. The names that are to be asked for now.
    pub(crate) fn check_round(&self, round: u32) -> Result<Vec<usize>, String> {
        if round == 0 {
            return Ok((0..self.setting.names).collect());
        }
        let mut count = 0;
        for (process, program) in self.oracle.programs.iter().enumerate() {
            for (serial, watched) in program.downloads.iter().filter(|(_, watched)| watched.is_calm) {
                count += 1;
                if !watched.is_well {
                    let why = watched.failure.clone().unwrap_or_default();
                    return Err(format!("p{process}: {serial} does not come to a file, and nothing goes wrong: {why}"));
                }
            }
        }
        if count == 0 { Err("nothing was asked for in the end".to_owned()) } else { Ok(Vec::new()) }
    }

    /// A program's manager is drained: nothing of it is left half done.
    pub(crate) fn drained(&mut self, process: usize) -> Result<(), String> {
        let program = &self.oracle.programs[process];
        if let Some((serial, _)) = program.downloads.iter().find(|(_, watched)| !watched.is_finished) {
            return Err(format!("p{process} is drained, and {serial} has not ended"));
        }
        if let Some((key, _)) = self.exchanges.iter().find(|((owner, _), _)| *owner == process) {
            return Err(format!("p{process} is drained, and exchange {} is not ended", key.1));
        }
        match program.files.values().next() {
            Some(file) => Err(format!("p{process} is drained, and {} is open", file.path)),
            None => Ok(()),
        }
    }

    /// All is over.
    pub(crate) fn check_end(&mut self, now: u64) -> Result<(), String> {
        for name in 0..self.setting.names {
            self.check_final(name)?;
        }
        if self.root.open_handles() > 0 {
            return Err("a file stays open".to_owned());
        }
        self.check_left()?;
        // And should the power fail now:
        self.before_power_loss();
        self.lose_power();
        self.after_death(now, true)
    }

    /// What is left in the directory is what may be left.
    fn check_left(&self) -> Result<(), String> {
        let entries = self.root.list();
        let mut left = Vec::new();
        for (path, kind) in &entries {
            if NAMES.contains(&path.as_str()) || path == ".dlmanager" {
                continue;
            }
            let Some(rest) = path.strip_prefix(".dlmanager/").filter(|_| *kind == FileKind::Regular) else {
                return Err(format!("{path} is left in the directory"));
            };
            let is_mark = rest == "owner" && self.oracle.has_limit;
            if is_mark {
                left.push(rest);
                continue;
            }
            let is_kept = self.oracle.is_across
                && self.oracle.has_kept
                && self.oracle.name_of(path).is_some()
                && rest.split('.').count() == 2;
            let is_known =
                self.oracle.name_of(path).is_some() || rest.starts_with("probe.") || rest.starts_with("owner.");
            if !(is_kept || (self.oracle.is_disturbed && is_known)) {
                return Err(format!("{path} is left behind"));
            }
            left.push(rest);
        }
        if left.is_empty()
            && entries.contains_key(".dlmanager")
            && self.setting.managers == 1
            && !self.oracle.is_disturbed
        {
            return Err("the work folder is left behind, empty".to_owned());
        }
        Ok(())
    }
}

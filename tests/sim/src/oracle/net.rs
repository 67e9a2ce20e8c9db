//! What may be asked of servers, when, and from which byte on.

use dlmanager_core::Resume;
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::marks::Mark;
use crate::server::{NAMES, Place, url};
use crate::sim::{State, nanos};

/// A request.
pub(crate) struct Asked<'a> {
    pub(crate) process: usize,
    pub(crate) body: u64,
    pub(crate) place: Place,
    pub(crate) range: Option<u64>,
    pub(crate) if_range: Option<&'a str>,
    pub(crate) uri: &'a http::Uri,
}

/// How long the looking for a file takes at most on the slowest of disks, in nanoseconds.
const LOOKS_MAX: u64 = 15_000_000_000;

type Checked = Result<(), String>;

impl State {
    /// A program asks a server.
    pub(crate) fn fetch_asked(&mut self, now: u64, asked: &Asked<'_>) -> Checked {
        let &Asked { process, place, uri, .. } = asked;
        let name = place.name;
        let config = &self.setting.config;
        let program = &mut self.oracle.programs[process];
        let by_name = program.by_name[name].clone();
        let Some(watched) = program.live(name) else {
            return Err(format!("p{process}: a request for {uri}, and nobody waits for it"));
        };
        watched.requests += 1;
        if watched.requests > config.requests_max.max(1) {
            return Err(format!("p{process}: request {} for {uri}", watched.requests));
        }
        if watched.source != place.source {
            return Err(format!("p{process}: a request for {uri}, which is another file"));
        }
        let source = watched.source;
        if now < by_name.not_before {
            let early = by_name.not_before - now;
            let text = format!("p{process}: another attempt for {uri}, {early} ns before its time");
            program.by_name[name].early = Some((asked.body, text));
        }
        // Who had a slot before the server said so, and looks for his file, asks all the same.
        let had_slot = |since: u64| by_name.began_at <= since + LOOKS_MAX;
        if let Some((since, until)) = program.blocked.get(&place.host).filter(|(_, until)| now < *until)
            && !had_slot(*since)
        {
            return Err(format!("p{process}: {uri} is asked {} ns before it wants to be", until - now));
        }
        let own: Vec<_> = self.exchanges.iter().filter(|((owner, _), _)| *owner == process).collect();
        if own.iter().any(|(_, other)| other.place.name == name) {
            return Err(format!("p{process}: two exchanges for {} at once", NAMES[name]));
        }
        if own.len() >= config.jobs.max(1) {
            return Err(format!("p{process}: exchange {} of at most {}", own.len() + 1, config.jobs));
        }
        let with_origin = own.iter().filter(|(_, other)| other.place.host == place.host).count();
        if with_origin >= config.per_host.max(1) {
            return Err(format!("p{process}: exchange {} with one origin", with_origin + 1));
        }
        self.check_alone(process, name)?;
        self.check_range(asked, source, by_name.part.as_ref())?;
        self.check_not_again(asked, source, &by_name)
    }

    /// One name is fetched once, where locks work.
    fn check_alone(&self, process: usize, name: usize) -> Checked {
        let Some((path, file)) = &self.oracle.programs[process].by_name[name].part else {
            return Err(format!("p{process}: a request without a file for {}", NAMES[name]));
        };
        if !self.oracle.has_locks || !super::is_shared(path) {
            return Ok(());
        }
        let is_locked = self.oracle.programs[process].files.get(file).is_some_and(|open| open.is_locked);
        if !is_locked {
            return Err(format!("p{process}: a request for {} without its lock", NAMES[name]));
        }
        let other = self.exchanges.iter().find(|((owner, _), other)| {
            let is_over = other.told_last || other.is_dropped();
            *owner != process && !is_over && other.part.as_ref() == Some(path) && self.oracle.programs[*owner].is_alive
        });
        // What a stranger has taken away is nobody's any more.
        let is_faulted = |owner: usize| self.oracle.programs[owner].by_name[name].is_faulted;
        match other.filter(|((owner, _), _)| !is_faulted(*owner) && !is_faulted(process)) {
            Some(((owner, _), _)) => Err(format!("p{process} and p{owner} fetch {} at once", NAMES[name])),
            None => Ok(()),
        }
    }

    /// The rest is asked for of what is there, and of the version that it is of.
    fn check_range(&mut self, asked: &Asked<'_>, source: u32, part: Option<&(String, u64)>) -> Checked {
        let &Asked { process, place, range, if_range, uri, .. } = asked;
        let Some(from) = range else {
            return match if_range {
                Some(_) => Err(format!("p{process}: If-Range without Range, for {uri}")),
                None => Ok(()),
            };
        };
        self.tally.hit(Mark::Asked);
        if self.setting.config.resume == Resume::Never {
            return Err(format!("p{process}: goes on with {uri}, and should not"));
        }
        if if_range.is_some_and(|validator| validator.starts_with("W/")) {
            return Err(format!("p{process}: a weak validator in If-Range, for {uri}"));
        }
        // What a stranger has taken away can no longer be looked at.
        let files = &self.oracle.programs[process].files;
        let Some((path, _)) = part.filter(|(path, file)| files.get(file).is_some_and(|open| open.path == *path)) else {
            return Ok(());
        };
        let bytes = self.root.read(path).unwrap_or_default();
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let Some(before) = bytes.get(..from) else {
            // What a stranger has cut is not what the program has written.
            let is_strangers = self.oracle.programs[process].by_name[place.name].is_faulted;
            let text = format!("p{process}: asks for {uri} from {from} on, and has {}", bytes.len());
            return if is_strangers { Ok(()) } else { Err(text) };
        };
        let resource = &self.resources[place.name * 2 + source as usize];
        let is_it = |version: &&crate::server::Version| {
            version.bytes.starts_with(before) && if_range.is_none_or(|validator| version.was_named(validator))
        };
        if !resource.versions.iter().any(|version| is_it(&version)) {
            let best = format!("{from} bytes, {if_range:?}");
            return Err(format!("p{process}: asks for the rest of {uri} behind bytes that are not its: {best}"));
        }
        Ok(())
    }

    /// What is there is not fetched again.
    fn check_not_again(&mut self, asked: &Asked<'_>, source: u32, by_name: &super::ByName) -> Checked {
        let &Asked { process, place, range, uri, .. } = asked;
        if by_name.is_faulted
            || self.oracle.names[place.name].is_swept_under
            || self.setting.config.resume == Resume::Never
        {
            return Ok(());
        }
        let from = range.unwrap_or(0);
        if from < by_name.kept {
            return Err(format!("p{process}: {uri} is asked from {from} on, and {} bytes came already", by_name.kept));
        }
        let is_shared = by_name.part.as_ref().is_some_and(|(path, _)| super::is_shared(path));
        if !self.oracle.is_across || !is_shared {
            return Ok(());
        }
        let Some((record, bytes)) = self.unfinished_of(place.name) else { return Ok(()) };
        let length = bytes.len() as u64;
        let vouched = record.vouched(self.root.boot().map(|boot| boot.0), length);
        let fits = vouched <= length && record.total.is_none_or(|total| vouched <= total);
        if record.url != url(place.name, source) || !fits || vouched == 0 {
            return Ok(());
        }
        if record.total == Some(vouched) {
            return Err(format!("p{process}: a request for {uri}, all of which is there"));
        }
        if from < vouched {
            return Err(format!(
                "p{process}: {uri} is asked from {from} on, and {vouched} bytes are there: {record:?}"
            ));
        }
        self.tally.hit(Mark::OtherRun);
        Ok(())
    }

    /// A program hears of an exchange. One that was held up asks for what it has given up by then, and ends that before it
    /// can hear of it.
    pub(crate) fn exchange_heard(&mut self, (process, body): (usize, u64)) -> Checked {
        let Some(exchange) = self.exchanges.get(&(process, body)) else { return Ok(()) };
        let by_name = &mut self.oracle.programs[process].by_name[exchange.place.name];
        match by_name.early.take_if(|(early, _)| *early == body).filter(|_| !exchange.is_dropped()) {
            Some((_, text)) => Err(text),
            None => Ok(()),
        }
    }

    /// A program has taken in what there was of an exchange.
    pub(crate) fn exchange_told(&mut self, now: u64, (process, body): (usize, u64), is_head: bool) {
        let Some(exchange) = self.exchanges.get(&(process, body)) else { return };
        let Some(reply) = &exchange.reply else { return };
        let name = exchange.place.name;
        let status = reply.head.status;
        let is_file = matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT);
        let by_name = &mut self.oracle.programs[process].by_name[name];
        if is_head && (is_file || status == StatusCode::RANGE_NOT_SATISFIABLE) {
            (by_name.kept, by_name.endless) = (0, None);
        }
        if is_file && exchange.broken.is_some() && reply.is_strong && !reply.is_overlong {
            by_name.kept = exchange.reached();
        }
        if is_file && reply.is_endless && exchange.told_last {
            by_name.endless = Some(reply.body.slice(..exchange.told).to_vec());
        }
        let refuses = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let wait = reply.head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(seconds);
        if let Some(wait) = wait.filter(|_| is_head && refuses) {
            let most = nanos(self.setting.config.retry_after_max);
            let until = now + wait.saturating_mul(1_000_000_000).min(most);
            let blocked = self.oracle.programs[process].blocked.entry(exchange.place.host).or_default();
            *blocked = (now, until.max(blocked.1));
        }
    }
}

/// How long the servers of this world ask to be left alone by that.
fn seconds(value: &str) -> Option<u64> {
    match value {
        "Thu, 01 Jan 2026 00:00:20 GMT" => Some(20),
        "Wed, 31 Dec 2025 23:00:00 GMT" => Some(0),
        "99999999999999999999999" => Some(u64::MAX),
        digits => digits.parse().ok(),
    }
}

//! Rules about requests and bodies.

use std::time::Duration;

use dlmanager_core::{BodyId, FetchRequest, Instant, Manager, Phase, Resume, TimeoutKind};
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, IF_RANGE, RANGE, USER_AGENT};

use super::{Model, Retry, Watched};
use crate::server::{Exchange, origin};
use crate::told::Reason;

impl Model {
    /// A request is asked for. What the one before it has led to, where it asked for a part.
    pub(crate) fn fetch_asked(&mut self, now: Instant, body: BodyId, request: &FetchRequest) -> Option<&'static str> {
        let uri = request.uri().clone();
        let admission = uri.path().split('/').nth(1).and_then(|number| number.parse::<usize>().ok());
        let Some(asked) = admission.and_then(|admission| self.asked.get(admission)) else {
            panic!("a request that nobody asked for: {uri}")
        };
        let Some(at) = asked.download else { panic!("a request for an admission that was refused or joined: {uri}") };
        let download = &self.downloads[at];
        assert!(download.outcome.is_none(), "a request after the end: {uri} {download:?}");
        assert!(!download.cancel_is_settled, "a request after a cancel: {uri} {download:?}");
        assert!(!download.rename_asked, "a request after the commit point: {uri} {download:?}");
        assert_eq!(self.working(&download.name), Some(at), "two downloads of one name work at once: {download:?}");
        if let Some(Retry { from, delay, .. }) = download.retry {
            assert!(now >= from + delay, "a retry before its time: {download:?}");
        }
        self.check_headers(asked.has_secrets, &asked.origin, request);

        for other in &download.bodies {
            assert!(self.exchanges[other].drop_asked, "two exchanges of one download at once: {download:?}");
        }
        let config = &self.setting.config;
        let used = u32::try_from(download.bodies.len()).unwrap_or(u32::MAX);
        assert!(used < config.requests_max, "more requests than allowed: {download:?}");
        let mut exchange = Exchange::new(admission.unwrap_or(0), uri, self.decided_from, now);
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        exchange.range = text(RANGE).map(|range| {
            let from = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')?.parse().ok());
            let Some(from) = from.filter(|from| *from > 0) else { panic!("asks for {range:?}") };
            from
        });
        exchange.if_range = text(IF_RANGE).map(str::to_owned);
        self.check_range(at, &exchange);
        let open = self.exchanges.values().filter(|other| !other.drop_told);
        assert!(open.clone().count() < config.jobs, "more exchanges than jobs");
        let with_origin = open.filter(|other| other.origin() == exchange.origin()).count();
        assert!(with_origin < config.per_host, "more exchanges than per_host with {}", exchange.origin());
        let before = self.downloads[at].bodies.last().map(|body| &self.exchanges[body]);
        let led_to = before.filter(|before| before.range.is_some()).and_then(|before| {
            match (exchange.range, &exchange.if_range, &before.if_range) {
                (None, ..) => Some("starts over"),
                (Some(from), None, Some(_)) if before.range == Some(from) => Some("asked again without If-Range"),
                (Some(_), ..) => None,
            }
        });
        assert!(self.exchanges.insert(body, exchange).is_none(), "{body:?} was used twice");
        self.downloads[at].bodies.push(body);
        self.downloads[at].retry = None;
        led_to
    }

    /// Only the rest of what came is asked for, by the validator that came with it.
    fn check_range(&self, at: usize, exchange: &Exchange) {
        let Some(from) = exchange.range else {
            assert!(exchange.if_range.is_none(), "If-Range without Range: {exchange:?}");
            return;
        };
        assert_ne!(self.setting.config.resume, Resume::Never, "goes on, and should not");
        let own: Vec<&Exchange> = match self.setting.config.resume {
            Resume::AcrossRuns => self.earlier(at).collect(),
            Resume::WithinRun | Resume::Never => {
                self.downloads[at].bodies.iter().map(|body| &self.exchanges[body]).collect()
            }
        };
        let mut of_that_version = own.into_iter().filter(|earlier| {
            let Some(reply) = earlier.reply.as_ref().filter(|reply| reply.head_told) else { return false };
            let shown = [&reply.etag, &reply.last_modified];
            let by_validator = match &exchange.if_range {
                Some(validator) => shown.into_iter().any(|own| own.as_ref() == Some(validator)),
                None => shown.into_iter().any(Option::is_some),
            };
            by_validator && reply.offset + earlier.told >= from
        });
        assert!(of_that_version.next().is_some(), "asks for a rest from {from} that nothing leads up to: {exchange:?}");
        if let Some(weak) = exchange.if_range.as_ref().filter(|validator| validator.starts_with("W/")) {
            panic!("a weak validator in If-Range: {weak}");
        }
    }

    fn check_headers(&self, has_secrets: bool, home: &str, request: &FetchRequest) {
        assert_eq!(request.method(), http::Method::GET);
        let headers = request.headers();
        let to = origin(request.uri());
        let value =
            |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).unwrap_or_default();
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        assert_eq!(Some(value(HOST)), authority, "the host named is the host asked");
        assert_eq!(value(ACCEPT_ENCODING), "identity");
        assert_eq!(value(USER_AGENT), "world");
        if to != home {
            assert!(!headers.contains_key("x-secret"), "a caller's header travels to {to}");
            assert!(!headers.contains_key(AUTHORIZATION), "credentials travel to {to}");
        } else if has_secrets {
            assert!(headers.contains_key("x-secret") && headers.contains_key(AUTHORIZATION), "a header is missing");
        } else {
            assert!(!headers.contains_key("x-secret") && !headers.contains_key(AUTHORIZATION));
        }
    }

    /// A piece of a body is asked for.
    pub(crate) fn read_asked(&mut self, now: Instant, body: BodyId, bytes_max: usize) {
        let config = &self.setting.config;
        assert!((1..=config.read_bytes_max).contains(&bytes_max), "asked for {bytes_max} bytes");
        let from = self.decided_from;
        let Some(exchange) = self.exchanges.get_mut(&body) else { panic!("{body:?} was never asked for") };
        assert!(!exchange.drop_asked, "a read behind the end of {body:?}");
        assert!(exchange.reading_since.is_none(), "two reads of {body:?} at once");
        assert!(exchange.reply.as_ref().is_some_and(|reply| reply.head_told), "a read before the head of {body:?}");
        exchange.reading_since = Some(from);
        exchange.reading_polled = Some(now);
    }

    pub(crate) fn drop_asked(&mut self, body: BodyId) {
        let Some(exchange) = self.exchanges.get_mut(&body) else { panic!("{body:?} was never asked for") };
        assert!(!exchange.drop_asked, "{body:?} was ended twice");
        exchange.drop_asked = true;
    }

    pub(crate) fn connected_told(&mut self, now: Instant, body: BodyId) {
        if let Some(exchange) = self.exchanges.get_mut(&body) {
            exchange.connected_at.get_or_insert(now);
        }
    }

    pub(crate) fn head_told(&mut self, body: BodyId) {
        if let Some(reply) = self.exchanges.get_mut(&body).and_then(|exchange| exchange.reply.as_mut()) {
            reply.head_told = true;
        }
    }

    pub(crate) fn chunk_told(&mut self, now: Instant, body: BodyId, bytes: usize, last: bool) {
        if let Some(exchange) = self.exchanges.get_mut(&body) {
            exchange.told += bytes;
            exchange.told_last |= last;
            exchange.stop_reading(now);
        }
    }

    pub(crate) fn body_failed(&mut self, now: Instant, body: BodyId, reason: Reason) {
        if let Some(exchange) = self.exchanges.get_mut(&body) {
            exchange.broken = true;
            exchange.stop_reading(now);
            let download = self.asked[exchange.admission].download;
            if let Some(at) = download {
                self.downloads[at].net_reasons.push(reason);
            }
        }
    }

    pub(crate) fn drop_told(&mut self, body: BodyId) {
        if let Some(exchange) = self.exchanges.get_mut(&body) {
            exchange.drop_told = true;
        }
    }

    /// The bytes that a download keeps from being let go are bounded, whatever happens.
    pub(crate) fn check_memory(&self) {
        let config = &self.setting.config;
        let bound = config.held_bytes_max + config.read_bytes_max;
        for (body, exchange) in &self.exchanges {
            let held = exchange.bytes_held();
            assert!(held < bound, "{held} bytes of {body:?} are held, and less than {bound} may be");
        }
    }

    /// After a turn: what should have timed out has, and what should time out later is waited for.
    pub(crate) fn check_deadlines(&self, now: Instant, manager: &Manager, until: Option<Instant>) {
        self.check_retries(now, manager, until);
        let config = manager.config();
        for (body, exchange) in self.exchanges.iter().filter(|(_, exchange)| !exchange.drop_asked) {
            let head_told = exchange.reply.as_ref().is_some_and(|reply| reply.head_told);
            let deadline = match (exchange.broken, head_told, exchange.connected_at, exchange.reading_polled) {
                (true, ..) => continue,
                (false, false, None, _) => exchange.asked_polled + config.connect_timeout,
                (false, false, Some(at), _) => at + config.first_byte_timeout,
                (false, true, _, Some(at)) => at + config.stall_timeout,
                (false, true, _, None) => continue,
            };
            assert!(deadline > now, "{body:?} should have timed out at {deadline:?}, and it is {now:?}: {exchange:?}");
            assert!(
                until.is_some_and(|until| until <= deadline),
                "{body:?} times out at {deadline:?}, and the manager waits until {until:?}"
            );
        }
    }

    fn check_retries(&self, now: Instant, manager: &Manager, until: Option<Instant>) {
        let waits = |download: &&Watched| manager.info(download.id).is_some_and(|info| info.phase == Phase::Waiting);
        for download in self.downloads.iter().filter(waits) {
            let Some(Retry { told, delay, .. }) = download.retry else { continue };
            let deadline = told + delay;
            let is_waited_for = until.is_some_and(|until| until <= deadline);
            assert!(
                deadline <= now || is_waited_for,
                "a retry at {deadline:?} is not waited for: {until:?} {download:?}"
            );
        }
    }

    /// Whether enough time has passed for this timeout.
    pub(crate) fn check_timeout(&self, now: Instant, at: usize, kind: TimeoutKind) {
        let config = &self.setting.config;
        let download = &self.downloads[at];
        if kind == TimeoutKind::Whole {
            let least = config.timeout.expect("a whole timeout that nobody set");
            assert!(now.since(download.admitted_at) >= least, "the whole timeout is early: {download:?}");
            return;
        }
        let Some(exchange) = download.bodies.last().map(|body| &self.exchanges[body]) else {
            panic!("a timeout without an exchange: {download:?}")
        };
        let (waited, least) = match kind {
            TimeoutKind::Connect => {
                // Unless the connection came after the decision.
                let latest = exchange.asked_at + config.connect_timeout;
                let stood = exchange.connected_at.is_some_and(|at| at < latest);
                assert!(!stood, "a connect timeout of a standing connection: {exchange:?}");
                (now.since(exchange.asked_at), config.connect_timeout)
            }
            TimeoutKind::FirstByte => {
                let Some(connected_at) = exchange.connected_at else { panic!("no connection stood: {exchange:?}") };
                (now.since(connected_at), config.first_byte_timeout)
            }
            TimeoutKind::Stall | TimeoutKind::Whole => (exchange.read_time(now), config.stall_timeout),
        };
        assert!(waited >= least, "{kind:?} after {waited:?} instead of {least:?}: {exchange:?}");
    }

    /// The file that was given to a download: by its last exchange, or, where it had none, by those of earlier programs,
    /// if it is one of theirs.
    pub(crate) fn file_given(&self, at: usize, published: &[u8]) -> Option<bytes::Bytes> {
        if let Some(body) = self.downloads[at].bodies.last() {
            return self.exchanges[body].file();
        }
        let goes_on = self.setting.config.resume == Resume::AcrossRuns;
        let mut earlier = self.earlier(at).filter(|_| goes_on).filter_map(|exchange| exchange.reply.as_ref());
        earlier.find(|reply| reply.whole == *published).map(|reply| reply.whole.clone())
    }

    /// The exchanges for the URL of a download, of whichever download they were.
    fn earlier(&self, at: usize) -> impl Iterator<Item = &Exchange> {
        let exchanges = self.past.iter().chain(self.exchanges.values());
        exchanges.filter(move |exchange| self.asked[exchange.admission].download == Some(at))
    }

    pub(crate) fn last_status(&self, at: usize) -> Option<StatusCode> {
        let exchange = &self.exchanges[self.downloads[at].bodies.last()?];
        exchange.reply.as_ref().filter(|reply| reply.head_told).map(|reply| reply.status)
    }
}

impl Exchange {
    fn stop_reading(&mut self, now: Instant) {
        if let Some(since) = self.reading_since.take() {
            self.read_time += now.since(since);
        }
        self.reading_polled = None;
    }

    /// How long bytes were asked for.
    fn read_time(&self, now: Instant) -> Duration {
        self.read_time + self.reading_since.map(|since| now.since(since)).unwrap_or_default()
    }
}

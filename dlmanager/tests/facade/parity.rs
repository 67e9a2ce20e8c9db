//! Both transports, the same script: whoever listens hears the same.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use dlmanager::core::Config;
use dlmanager::{DownloadManager, Event, IoRuntime, Notice, SharedTransport, TlsConfig};
use dlmanager_origin::{At, Authority, Body, Cut, Origin, Reply, ServerCertificate, Tls};
use socket2::{Domain, Socket, Type};

use crate::support::{close, end, runtimes, within};

/// All servers of the script.
struct World {
    plain: Origin,
    secured: Origin,
    expired: Origin,
    ca_pem: String,
    /// Accepts for the system's part, and never says a word.
    mute: TcpListener,
    /// Bound, so that nobody else gets the port, and not listening.
    deaf: Socket,
}

impl World {
    fn new() -> Self {
        let authority = Authority::new("a CA of the tests").unwrap();
        let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        deaf.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        Self {
            plain: Origin::start().unwrap(),
            secured: Origin::start_tls(&Tls::new(&authority)).unwrap(),
            expired: Origin::start_tls(&Tls::new(&authority).certificate(ServerCertificate::Expired)).unwrap(),
            ca_pem: authority.pem(),
            mute: TcpListener::bind("127.0.0.1:0").unwrap(),
            deaf,
        }
    }

    /// The servers' ports, and how they are called in what is compared.
    fn ports(&self) -> [(String, &'static str); 5] {
        [
            (self.plain.addr().port(), "PLAIN"),
            (self.secured.addr().port(), "SECURED"),
            (self.expired.addr().port(), "EXPIRED"),
            (self.mute.local_addr().unwrap().port(), "MUTE"),
            (self.deaf.local_addr().unwrap().as_socket().unwrap().port(), "DEAF"),
        ]
        .map(|(port, name)| (port.to_string(), name))
    }

    /// Sets the script up, and says what is asked for, in order.
    fn urls(&self) -> Vec<String> {
        let whole = || Reply::body(Body::pattern(1, 100_000));
        let plain: [(&str, Vec<Reply>); 12] = [
            ("/whole", vec![whole()]),
            ("/chunked", vec![whole().chunked(&[1000])]),
            ("/until-close", vec![whole().until_close()]),
            ("/empty", vec![Reply::body("")]),
            ("/moved", vec![Reply::redirect(302, "/elsewhere")]),
            ("/round", vec![Reply::redirect(302, "/round")]),
            ("/cut", vec![whole().cut_at(At::Body(20_000), Cut::Fin), whole()]),
            ("/closed", vec![Reply::close(), whole()]),
            ("/busy", vec![Reply::empty(503), whole()]),
            ("/gone", vec![Reply::empty(410)]),
            ("/stalled", vec![whole().stall_at(At::Body(20_000)), whole()]),
            ("/nonsense", vec![Reply::raw("nonsense\r\n\r\n")]),
        ];
        let mut urls: Vec<_> = plain.iter().map(|(path, _)| self.plain.url(path)).collect();
        for (path, replies) in plain {
            self.plain.script(path, replies);
        }
        self.plain.serve("/elsewhere", whole());
        self.secured.serve("/secured", whole());
        self.expired.serve("/expired", whole());
        urls.push(self.secured.url("/secured"));
        urls.push(self.expired.url("/expired"));
        urls.push(self.plain.url("/not-tls").replace("http:", "https:"));
        urls.push(self.secured.url("/not-plain").replace("https:", "http:"));
        urls.push(format!("https://{}/mute", self.mute.local_addr().unwrap()));
        urls.push(format!("http://{}/refused", self.deaf.local_addr().unwrap().as_socket().unwrap()));
        urls.push(format!("http://{}.invalid/unresolved", "a".repeat(64)));
        urls
    }

    /// What is told of the script, but for progress, which comes as time allows: of that the first and the last.
    fn told(&self, runtime: IoRuntime, shared: bool) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let tls = TlsConfig::builder().ca_pem(self.ca_pem.clone()).build().unwrap();
        let short = Duration::from_millis(1);
        let config = Config { backoff_min: short, backoff_max: short, ..Config::default() };
        let mut builder = DownloadManager::builder(folder.path())
            .config(config)
            .runtime(runtime)
            .tls(tls.clone())
            .retries(1)
            .progress_interval(Duration::ZERO)
            .seed(1)
            .connect_timeout(Duration::from_secs(1))
            .stall_timeout(Duration::from_secs(1));
        if shared {
            let transport = SharedTransport::builder().runtime(runtime).tls(tls).open().unwrap();
            builder = builder.shared_transport(&transport);
        }
        let manager = builder.open().unwrap();
        let events = manager.events();
        for url in self.urls() {
            // One after the other: how several mix is a matter of time.
            let _ = end(&manager.download(url).unwrap());
        }
        close(&manager);
        let events: Vec<_> = within(move || events.into_iter().collect());
        let about = |event: &Event| match event {
            Event::Download { download, notice: Notice::Progress { .. } } => Some(download.id),
            _ => None,
        };
        let kept = events.iter().enumerate().filter(|(at, event)| {
            about(event).is_none_or(|id| {
                !events[..*at].iter().any(|other| about(other) == Some(id))
                    || !events[at + 1..].iter().any(|other| about(other) == Some(id))
            })
        });
        kept.map(|(_, event)| self.in_words(event)).collect()
    }

    /// An event without what depends on time and place.
    fn in_words(&self, event: &Event) -> String {
        let words = match event {
            Event::Download { download, notice: Notice::Progress { progress, .. } } => {
                format!(
                    "{}: {} of {:?}, {} rewinds",
                    download.name, progress.received, progress.total, progress.rewinds
                )
            }
            Event::Download { download, notice } => format!("{}: {notice:?}", download.name),
            event => format!("{event:?}"),
        };
        // What the clock says.
        let words = words.split("it says").next().unwrap_or(&words);
        let words = words.to_owned();
        self.ports().iter().fold(words, |words, (port, name)| {
            words.replace(&format!(":{port}"), &format!(":{name}")).replace(&format!("Some({port})"), name)
        })
    }
}

/// Shows the first line that differs, not all.
#[track_caller]
fn assert_same(told: &[String], expected: &[String], whose: &str) {
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!(told, expected, "{whose}");
    }
    assert_eq!(told.len(), expected.len(), "{whose}: {:?}", told.last());
}

#[test]
fn the_same_script_yields_the_same_events_on_each_transport_shared_or_not() {
    let runs = runtimes().into_iter().flat_map(|runtime| [(runtime, false), (runtime, true)]);
    let runs: Vec<_> = runs
        .map(|(runtime, shared)| (runtime, shared, thread::spawn(move || World::new().told(runtime, shared))))
        .collect();
    let mut told = runs.into_iter().map(|(runtime, shared, run)| (runtime, shared, run.join().unwrap()));
    let (_, _, expected) = told.next().unwrap();
    for name in ["whole", "moved", "cut", "secured"] {
        let complete = |line: &&String| line.starts_with(&format!("{name}: Finished")) && line.contains("Complete");
        assert_eq!(expected.iter().filter(complete).count(), 1, "{name}: {expected:#?}");
    }
    for kind in [
        "Redirected",
        "Retrying",
        "Rewound",
        "Connect",
        "Resolve",
        "Tls",
        "is it an https port?",
        "is it a plain http port?",
        "Stall",
        "status: 410",
    ] {
        assert!(expected.iter().any(|line| line.contains(kind)), "{kind} is not in {expected:#?}");
    }
    for (runtime, shared, told) in told {
        let whose = format!("{runtime:?}, shared: {shared}");
        if !shared {
            assert_same(&told, &expected, &whose);
            continue;
        }
        // But for the words for what took too long to connect, which a shared transport finds itself.
        let without = |events: &[String]| -> Vec<String> {
            events.iter().filter(|line| !line.starts_with("mute: ")).cloned().collect()
        };
        assert_same(&without(&told), &without(&expected), &whose);
    }
}

use std::sync::Mutex;
use std::time::Instant;

use dlmanager_core::{ActionId, Completion, Config, Manager, NetAction, Request};

use super::*;
use crate::Task;
use crate::events::Events;
use crate::hooks::Callbacks;
use crate::runtime::Job;
use crate::sync::{CountedWakes, lock};

/// A host whose clock stands until it is moved, and whose threads do nothing.
#[derive(Clone)]
struct Host {
    now: Arc<Mutex<Instant>>,
    /// Called for each job that is handed over.
    on_job: Arc<dyn Fn() + Send + Sync>,
}

impl Host {
    fn new(on_job: impl Fn() + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(Mutex::new(Instant::now())), on_job: Arc::new(on_job) }
    }
}

impl Runtime for Host {
    fn spawn(&self, _: Task) {}

    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(std::future::pending())
    }

    fn now(&self) -> Instant {
        *lock(&self.now)
    }

    fn run_blocking(&self, _: Job) -> Result<(), Job> {
        (self.on_job)();
        Ok(())
    }
}

/// A transport that has something to tell at each poll, so that the loop never comes to rest.
struct Restless<F>(F);

impl<F: FnMut() + Send + 'static> Transport for Restless<F> {
    fn start(&mut self, _: NetAction) {}

    fn abort(&mut self, _: ActionId) {}

    fn poll(&mut self, _: &mut Context<'_>, events: &mut Vec<Event>) {
        (self.0)();
        events.push(Event::Tick);
    }
}

/// A store that is never asked, as all work goes to the host's threads.
struct Unasked;

impl Store for Unasked {
    fn execute(&self, action: FileAction) -> Completion {
        unreachable!("{action:?}")
    }
}

fn shared(host: &Host) -> Arc<Shared> {
    let core = Manager::new(Config::default(), 1);
    let callbacks = Callbacks::default();
    Shared::new(core, "memory".into(), None, Vec::new(), callbacks, Vec::new(), Arc::new(host.clone()))
}

fn driver(host: &Host, shared: &Arc<Shared>, before_each_poll: impl FnMut() + Send + 'static) -> Driver {
    let transport = Box::new(Restless(before_each_poll));
    Driver::new(Arc::clone(shared), transport, Arc::new(Unasked), Arc::new(host.clone()), true)
}

fn download(shared: &Arc<Shared>) {
    let request = Request::new("http://origin.example/a").unwrap();
    drop(shared.download(request, None).unwrap());
}

/// Has somebody wait for the next event.
fn listen(events: &mut Events, listener: &CountedWakes) {
    let mut event = std::pin::pin!(events.recv_async());
    assert!(event.as_mut().poll(&mut Context::from_waker(&listener.waker())).is_pending());
}

#[test]
fn a_loop_that_yields_has_told_what_happened() {
    let host = Host::new(|| {});
    let (shared, listener) = (shared(&host), CountedWakes::default());
    let mut events = shared.events();
    listen(&mut events, &listener);
    download(&shared);
    let mut driver = driver(&host, &shared, || {});
    let loop_wakes = CountedWakes::default();
    let polled = Pin::new(&mut driver).poll(&mut Context::from_waker(&loop_wakes.waker()));
    assert!(polled.is_pending() && loop_wakes.count() > 0);
    assert_eq!(listener.count(), 1);
}

#[test]
fn a_slow_loop_tells_what_happened_before_it_goes_on() {
    let (listener, heard) = (CountedWakes::default(), Arc::<Mutex<Vec<usize>>>::default());
    let host = Host::new({
        let (listener, heard) = (listener.clone(), Arc::clone(&heard));
        move || lock(&heard).push(listener.count())
    });
    let shared = shared(&host);
    let mut events = shared.events();
    listen(&mut events, &listener);
    let mut polls = 0;
    let mut driver = driver(&host, &shared, {
        let (now, shared) = (Arc::clone(&host.now), Arc::clone(&shared));
        move || {
            polls += 1;
            // Behind a turn without news that took long.
            if polls == 2 {
                *lock(&now) += TELL_WITHIN;
                download(&shared);
            }
        }
    });
    let polled = Pin::new(&mut driver).poll(&mut Context::from_waker(&CountedWakes::default().waker()));
    assert!(polled.is_pending());
    assert_eq!(lock(&heard).first(), Some(&1));
}

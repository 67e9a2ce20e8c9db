//! The core, embedded: a whole driver, written out over a scripted network and a directory in memory.
//!
//! The first reply is cut off, the core waits and asks again, and no time passes but the loop's own.

use std::collections::BTreeMap;

use dlmanager_core::{Action, Config, Event, FaultKind, Instant, Manager, Output, Request};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_scripted::{Reply, ScriptedTransport, content};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut net, disk) = (ScriptedTransport::new(), MemoryDirectory::new());
    let whole = || Reply::ok(content(1, 100_000));
    net.script("http://origin.example/tool.zip", [whole().cut_at(70_000), whole()]);

    let (mut manager, mut now) = (Manager::new(Config::default(), 7), Instant::ZERO);
    manager.download(now, Request::new("http://origin.example/tool.zip")?)?;
    let mut failed = BTreeMap::new(); // the epoch in which an action of a lane failed: the rest of it is skipped
    while manager.downloads().next().is_some() {
        let wait = loop {
            match manager.poll() {
                Output::Action(Action::Net(action)) => net.start(now, action),
                Output::Action(Action::Abort(id)) => net.abort(now, id),
                Output::Action(Action::File(action)) => {
                    let (lane, epoch) = (action.lane, action.epoch);
                    let skip = failed.get(&lane) == Some(&epoch) && !action.op.is_closer();
                    let done = if skip { action.fail(FaultKind::Skipped.into()) } else { disk.execute(action) };
                    if done.is_failure() {
                        failed.insert(lane, epoch);
                    }
                    manager.handle(now, Event::Completed(done));
                }
                Output::Notice(notice) => println!("{notice:?}"),
                Output::Wait(wait) => break wait,
            }
        };
        now = wait.until.into_iter().chain(net.wake_at()).min().unwrap_or(now);
        while let Some(event) = net.next_event(now) {
            manager.handle(now, event);
        }
        manager.handle(now, Event::Tick);
    }
    assert_eq!(disk.read("tool.zip").as_deref(), Some(&content(1, 100_000)[..]));
    assert_eq!(net.requests().len(), 2);
    Ok(())
}

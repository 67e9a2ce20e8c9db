//! A transport of one's own: files come from a table in memory instead of a network. `cargo run --example own_transport --
//! FOLDER`
//!
//! It answers at once, so it never has to wake the loop; one that waits does so by the context's waker in `poll`.

use std::collections::BTreeMap;
use std::error::Error;
use std::task::Context;

use bytes::Bytes;
use dlmanager::core::{ActionId, BodyId, Chunk, Completion, Event, Fault, FaultKind, Head, NetAction, NetOp};
use dlmanager::{DownloadManager, Transport};
use http::{HeaderMap, StatusCode, Version, header};

/// What there is, by URL.
const TABLE: [(&str, &[u8]); 2] = [("http://table/a.txt", b"alpha"), ("http://table/b.txt", b"beta")];

#[derive(Default)]
struct Table {
    /// What is left to be read of each exchange.
    bodies: BTreeMap<BodyId, Bytes>,
    answers: Vec<Completion>,
}

impl Transport for Table {
    fn start(&mut self, action: NetAction) {
        let answer = match action.op {
            NetOp::Fetch { ticket, body, request } => {
                let found = TABLE.iter().find(|(url, _)| request.uri() == url);
                let (status, bytes) =
                    found.map_or((StatusCode::NOT_FOUND, &[][..]), |(_, bytes)| (StatusCode::OK, *bytes));
                self.bodies.insert(body, Bytes::from_static(bytes));
                let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, bytes.len().into())]);
                ticket.done(Ok(Box::new(Head { version: Version::HTTP_11, status, headers })))
            }
            NetOp::ReadBody { ticket, body, bytes_max } => ticket.done(match self.bodies.get_mut(&body) {
                Some(rest) => {
                    let data = rest.split_to(rest.len().min(bytes_max));
                    Ok(Chunk { pinned: data.len(), data, last: rest.is_empty() })
                }
                None => Err(Fault::new(FaultKind::Aborted)),
            }),
            NetOp::DropBody { ticket, body } => {
                self.bodies.remove(&body);
                ticket.done(Ok(()))
            }
        };
        self.answers.push(answer);
    }

    fn abort(&mut self, _: ActionId) {
        // All is answered already.
    }

    fn poll(&mut self, _: &mut Context<'_>, events: &mut Vec<Event>) {
        events.extend(self.answers.drain(..).map(Event::Completed));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&std::env::args().nth(1).ok_or("a folder is needed")?)
}

pub(crate) fn run(folder: &str) -> Result<(), Box<dyn Error>> {
    let manager = DownloadManager::builder(folder).transport(Table::default()).open()?;
    for (url, _) in TABLE {
        manager.download(url)?;
    }
    let result = manager.wait();
    manager.close().wait()?;
    Ok(result?)
}

//! Fetches from an origin on loopback and throws the bytes away, to see what a transport costs:
//! `cargo run --release -p dlmanager-transport-conformance --example discard -- \
//! hyper|smol http|https [MEBIBYTES] [EXCHANGES]`.

#[path = "../tests/suite/subjects.rs"]
mod subjects;

use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use dlmanager_core::testing::{Tickets, body_id, lane};
use dlmanager_core::{Answer, Event, FetchRequest, NetAction, NetOp};
use dlmanager_origin::{Authority, Origin, Reply, Tls};
use dlmanager_transport_conformance::{Settings, Subject, Transport};

use crate::subjects::{OnSmol, OnTokio};

/// The most that the core asks for at once.
const READ_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug, Default)]
struct Totals {
    bytes: u64,
    chunks: u64,
    polls: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let subject: Box<dyn Subject> = match arguments.next().as_deref() {
        Some("hyper") => Box::new(OnTokio::new()),
        Some("smol") => Box::new(OnSmol),
        _ => return Err("hyper or smol?".into()),
    };
    let authority = Authority::new("a CA")?;
    let origin = match arguments.next().as_deref() {
        Some("http") => Origin::start()?,
        Some("https") => Origin::start_tls(&Tls::new(&authority))?,
        _ => return Err("http or https?".into()),
    };
    let mebibytes: u64 = arguments.next().map_or(Ok(1024), |text| text.parse())?;
    let exchanges: u64 = arguments.next().map_or(Ok(1), |text| text.parse())?;
    // Bytes that are there already: what it costs to make them is not of interest.
    origin.serve("/a", Reply::body(vec![0x5a; usize::try_from(mebibytes << 20)?]));
    let url = origin.url("/a");

    let mut transport = subject.transport(&Settings { ca_pem: Some(authority.pem()), ..Settings::default() });
    let mut totals = Totals::default();
    let mut outcome = Ok(());
    let began = Instant::now();
    subject.block_on(
        Duration::from_secs(3600),
        pin!(async { outcome = fetch_all(&mut *transport, &url, exchanges, &mut totals).await }),
    );
    outcome?;
    let seconds = began.elapsed().as_secs_f64();
    let Totals { bytes, chunks, polls } = totals;
    println!(
        "{bytes} bytes in {seconds:.3} s, {chunks} chunks ({} bytes each), {polls} polls, {} connections",
        bytes / chunks.max(1),
        origin.records().connections.total,
    );
    Ok(())
}

async fn fetch_all(
    transport: &mut dyn Transport,
    url: &str,
    exchanges: u64,
    totals: &mut Totals,
) -> Result<(), Box<dyn Error>> {
    let (mut tickets, mut events) = (Tickets::new(), Vec::new());
    for number in 1..=exchanges {
        let body = body_id(number);
        let request = Box::new(FetchRequest::get(url).header("host", "localhost").body(())?);
        let mut next = Some(NetOp::Fetch { ticket: tickets.ticket(), body, request });
        while let Some(op) = next.take() {
            transport.start(NetAction { lane: lane(number), op });
            let answer = answer(transport, &mut events, totals).await;
            let more = match answer {
                Answer::Fetch(head) => head.map(|_| true)?,
                Answer::ReadBody(chunk) => {
                    let chunk = chunk?;
                    totals.bytes += chunk.data.len() as u64;
                    totals.chunks += 1;
                    !chunk.last
                }
                _ => break,
            };
            next = Some(if more {
                NetOp::ReadBody { ticket: tickets.ticket(), body, bytes_max: READ_BYTES_MAX }
            } else {
                NetOp::DropBody { ticket: tickets.ticket(), body }
            });
        }
    }
    Ok(())
}

/// Polls until the one action that is under way is answered.
async fn answer(transport: &mut dyn Transport, events: &mut Vec<Event>, totals: &mut Totals) -> Answer {
    poll_fn(|cx| {
        totals.polls += 1;
        transport.poll(cx, events);
        for event in events.drain(..) {
            if let Event::Completed(completion) = event {
                return Poll::Ready(completion.into_answer());
            }
        }
        Poll::Pending
    })
    .await
}

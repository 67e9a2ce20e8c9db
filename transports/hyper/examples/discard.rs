//! Fetches from an origin on loopback and throws the bytes away, to see what the transport costs:
//! `cargo run --release -p dlmanager-hyper --example discard -- [MEBIBYTES] [EXCHANGES]`.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use dlmanager_core::testing::{Tickets, body_id, lane};
use dlmanager_core::{Answer, Event, FetchRequest, NetAction, NetOp};
use dlmanager_hyper::Hyper;
use dlmanager_origin::{Origin, Reply};

/// The most that the core asks for at once.
const READ_BYTES_MAX: usize = 256 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mebibytes: u64 = arguments.next().map_or(Ok(1024), |text| text.parse())?;
    let exchanges: u64 = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let origin = Origin::start()?;
    // Bytes that are there already: what it costs to make them is not of interest.
    origin.serve("/a", Reply::body(vec![0x5a; usize::try_from(mebibytes << 20)?]));
    let url = origin.url("/a");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut hyper, mut tickets) = (Hyper::default(), Tickets::new());
    let (mut bytes, mut chunks, mut polls) = (0, 0_u64, 0_u64);
    let began = Instant::now();
    runtime.block_on(async {
        for number in 1..=exchanges {
            let body = body_id(number);
            let request = Box::new(FetchRequest::get(url.as_str()).header("host", "localhost").body(())?);
            let mut op = Some(NetOp::Fetch { ticket: tickets.ticket(), body, request });
            let mut events = Vec::new();
            while let Some(next) = op.take() {
                hyper.start(NetAction { lane: lane(number), op: next });
                while op.is_none() {
                    poll_fn(|cx| {
                        polls += 1;
                        hyper.poll(cx, &mut events);
                        if events.is_empty() { Poll::Pending } else { Poll::Ready(()) }
                    })
                    .await;
                    let mut dropped = false;
                    for event in events.drain(..) {
                        let Event::Completed(completion) = event else { continue };
                        let read = match completion.into_answer() {
                            Answer::Fetch(head) => head.map(|_| true)?,
                            Answer::ReadBody(chunk) => {
                                let chunk = chunk?;
                                (bytes, chunks) = (bytes + chunk.data.len() as u64, chunks + 1);
                                !chunk.last
                            }
                            _ => {
                                dropped = true;
                                continue;
                            }
                        };
                        op = Some(if read {
                            NetOp::ReadBody { ticket: tickets.ticket(), body, bytes_max: READ_BYTES_MAX }
                        } else {
                            NetOp::DropBody { ticket: tickets.ticket(), body }
                        });
                    }
                    if dropped {
                        break;
                    }
                }
            }
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{bytes} bytes in {seconds:.3} s, {chunks} chunks ({} bytes each), {polls} polls, {} connections",
        bytes / chunks.max(1),
        origin.records().connections.total,
    );
    Ok(())
}

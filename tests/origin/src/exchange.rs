//! The life of a connection, and of one reply on it.

use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::connection::{Connection, Interrupted};
use crate::digest::{self, DigestAlgorithm};
use crate::input::{self, Incoming};
use crate::net;
use crate::origin::Shared;
use crate::output::{Halt, Output};
use crate::range::{self, Part};
use crate::record::{Ended, Request, Sent};
use crate::reply::{At, Cut, Framing, Head, Reply, reason};

/// Serves a connection until one side ends it, and closes it.
pub(crate) fn serve(shared: &Shared, connection: Arc<Connection>) {
    thread::scope(|scope| {
        let read = || {
            input::read_requests(&connection, shared);
            shared.left(connection.number);
            connection.input_ended();
        };
        let name = format!("origin-in-{}", connection.number);
        if thread::Builder::new().name(name).spawn_scoped(scope, read).is_ok() {
            let cut = answer(shared, &connection);
            shared.left(connection.number);
            finish(&connection, cut);
        }
    });
    shared.forget(connection.number);
    let number = connection.number;
    // Closes the socket: a connection that was never read, for want of a thread, is left only then.
    drop(connection);
    shared.left(number);
}

/// Answers requests until the connection is to end, and says how.
fn answer(shared: &Shared, connection: &Arc<Connection>) -> Cut {
    loop {
        let parsed = match connection.next() {
            Some(Incoming::Request(parsed)) => parsed,
            Some(Incoming::Malformed) => {
                let request = Request {
                    ordinal: 0,
                    connection: connection.number,
                    method: String::new(),
                    target: String::new(),
                    headers: Vec::new(),
                    sent: None,
                };
                send(connection, Reply::empty(400).close_after(), &request, false);
                return Cut::Fin;
            }
            None => return Cut::Fin,
        };
        let keep_alive = parsed.keep_alive;
        let (request, reply) = shared.record(connection.number, parsed);
        let (sent, next) = send(connection, reply, &request, keep_alive);
        shared.sent(request.ordinal, sent);
        if let Some(cut) = next {
            return cut;
        }
    }
}

fn finish(connection: &Connection, cut: Cut) {
    let stream = &connection.wire.stream;
    // All of this fails where the client or the origin's end came first.
    match cut {
        Cut::Reset => {
            let _ = net::reset_on_close(stream);
            // Ends the reader, whose hold on the socket would defer the reset.
            let _ = stream.shutdown(Shutdown::Read);
        }
        Cut::Fin | Cut::BareFin => {
            // What the client still sends is read for a while: closing over it would be a reset (RFC 9112 section 9.6).
            const LINGER: Duration = Duration::from_secs(1);
            if cut == Cut::Fin {
                let _ = connection.wire.announce_end();
            }
            let _ = stream.shutdown(Shutdown::Write);
            let _ = connection.wait(Some(Instant::now() + LINGER), || false);
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Sends a reply: what became of it, and how the connection ends, if it does.
fn send(connection: &Arc<Connection>, reply: Reply, request: &Request, client_keeps: bool) -> (Sent, Option<Cut>) {
    let mut plan = Plan::new(reply, request, client_keeps);
    let mut output = Output::new(connection, std::mem::take(&mut plan.reply.acts));
    let mut body_bytes = 0;
    let (ended, next) = match plan.send(&mut output, &mut body_bytes) {
        Ok(()) => (Ended::Whole, (!plan.keep_alive).then_some(Cut::Fin)),
        Err(Halt::Cut(cut)) => (Ended::Cut, Some(cut)),
        Err(Halt::Interrupted(Interrupted::ClientLeft)) => (Ended::ClientLeft, Some(Cut::Fin)),
        Err(Halt::Interrupted(Interrupted::Stopped)) => (Ended::Stopped, Some(Cut::Fin)),
    };
    (Sent { body_bytes, ended }, next)
}

/// A reply, fitted to its request.
struct Plan {
    reply: Reply,
    keep_alive: bool,
    /// The part of the body that is sent.
    offset: u64,
    length: u64,
    head: Vec<u8>,
    has_body: bool,
}

impl Plan {
    fn new(reply: Reply, request: &Request, client_keeps: bool) -> Self {
        let mut reply = reply.chosen_for(request);
        let framed = matches!(reply.framing, Framing::Length | Framing::Chunked(_));
        let keep_alive = client_keeps && reply.keep_alive.unwrap_or(framed);
        let Part { offset, length, mut lines } = range::fit(&mut reply, request);
        lines.extend(reply.etag.iter().map(|etag| format!("ETag: {etag}")));
        let (whole, sent) = ((0, reply.body.len()), (offset, length));
        for (name, algorithms, (from, count)) in
            [("Repr-Digest", &reply.repr_digests, whole), ("Content-Digest", &reply.content_digests, sent)]
        {
            let digest = |algorithm: &DigestAlgorithm| digest::field(*algorithm, &reply.body, from, count);
            lines.extend(algorithms.iter().map(|algorithm| format!("{name}: {}", digest(algorithm))));
        }

        let Head::Status { code, version, interim, lines: given } = &reply.head else {
            return Self { keep_alive, offset, length, head: Vec::new(), has_body: true, reply };
        };
        // RFC 9110 section 6.4.1: these have no body, and a length of 0 would say something else.
        let bodiless = matches!(code, 100..=199 | 204 | 304);
        let mut head = interim.clone();
        let mut line = |line: &[u8]| {
            head.extend_from_slice(line);
            head.extend_from_slice(b"\r\n");
        };
        line(format!("{version} {code} {}", reason(*code)).as_bytes());
        match &reply.framing {
            Framing::Length if !bodiless => line(format!("Content-Length: {length}").as_bytes()),
            Framing::Chunked(_) if !bodiless => line(b"Transfer-Encoding: chunked"),
            Framing::Length | Framing::Chunked(_) | Framing::ByHand | Framing::Close => {}
        }
        if !keep_alive && (!client_keeps || reply.keep_alive == Some(false) || reply.framing == Framing::Close) {
            line(b"Connection: close");
        }
        for given in lines.iter().map(String::as_bytes).chain(given.iter().map(Vec::as_slice)) {
            line(given);
        }
        if !reply.endless_headers {
            line(b"");
        }
        let has_body = request.method != "HEAD" && !bodiless;
        Self { keep_alive, offset, length, head, has_body, reply }
    }

    fn send(&self, output: &mut Output<'_>, body_bytes: &mut u64) -> Result<(), Halt> {
        output.reach(At::Start)?;
        if !self.head.is_empty() {
            output.head(&self.head)?;
        }
        if self.reply.endless_headers {
            for number in 0_u64.. {
                output.head(format!("X-Endless-{number}: {number}\r\n").as_bytes())?;
            }
        }
        output.pass(At::Body(0));
        if self.has_body {
            self.send_body(output, body_bytes)?;
            output.bytes(&self.reply.extra)?;
        }
        output.pass(At::End);
        output.flush()?;
        output.reach(At::End)
    }

    fn send_body(&self, output: &mut Output<'_>, body_bytes: &mut u64) -> Result<(), Halt> {
        const PIECE: usize = 64 * 1024;
        let mut piece = vec![0; PIECE.min(usize::try_from(self.length).unwrap_or(PIECE))];
        let mut chunks = Chunks::new(&self.reply.framing, self.length);
        let mut pace = self.reply.pace.map(|pace| (pace, Instant::now(), pace.piece_bytes));
        let mut sent = 0;
        while sent < self.length {
            chunks.open(output)?;
            output.reach(At::Body(sent))?;
            let mut count = (self.length - sent).min(piece.len() as u64).min(chunks.left());
            if let Some(stop) = output.next_in_body() {
                count = count.min(stop - sent);
            }
            if let Some((_, _, left)) = pace {
                count = count.min(left as u64);
            }
            if let Some(link) = &self.reply.link {
                count = count.min(link.piece_bytes());
                output.pause_until(link.take(count))?;
            }
            // No more than `piece` holds, which is a usize.
            let count = count as usize;
            let filled = self.reply.body.read_at(self.offset + sent, &mut piece[..count]);
            output.bytes(&piece[..filled])?;
            sent += filled as u64;
            *body_bytes = sent;
            chunks.sent(filled as u64, output)?;
            if let Some((pace, due, left)) = &mut pace {
                *left -= filled;
                if *left == 0 && sent < self.length {
                    // A break that was overrun, by a stall or a slow client, is not made good by a burst.
                    let next = (*due).checked_add(pace.every).unwrap_or(*due);
                    *due = next.max(Instant::now());
                    output.pause_until(*due)?;
                    *left = pace.piece_bytes;
                }
            }
        }
        output.reach(At::Body(sent))?;
        chunks.end(output)
    }
}

/// The chunked framing of a body, or none.
struct Chunks<'a> {
    sizes: Option<&'a [usize]>,
    body_left: u64,
    chunk_left: u64,
}

impl<'a> Chunks<'a> {
    fn new(framing: &'a Framing, length: u64) -> Self {
        let sizes = match framing {
            Framing::Chunked(sizes) => Some(sizes.as_slice()),
            Framing::Length | Framing::ByHand | Framing::Close => None,
        };
        Self { sizes, body_left: length, chunk_left: 0 }
    }

    /// How many bytes may follow before the framing speaks again.
    fn left(&self) -> u64 {
        if self.sizes.is_some() { self.chunk_left } else { self.body_left }
    }

    /// Announces a chunk where one has to begin.
    fn open(&mut self, output: &mut Output<'_>) -> Result<(), Halt> {
        let Some(sizes) = &mut self.sizes else { return Ok(()) };
        if self.chunk_left > 0 {
            return Ok(());
        }
        let Some((&size, later)) = sizes.split_first() else { return Ok(()) };
        if !later.is_empty() {
            *sizes = later;
        }
        self.chunk_left = self.body_left.min(size as u64);
        output.bytes(format!("{:x}\r\n", self.chunk_left).as_bytes())
    }

    fn sent(&mut self, count: u64, output: &mut Output<'_>) -> Result<(), Halt> {
        self.body_left -= count;
        if self.sizes.is_none() {
            return Ok(());
        }
        self.chunk_left -= count;
        if self.chunk_left == 0 { output.bytes(b"\r\n") } else { Ok(()) }
    }

    fn end(&self, output: &mut Output<'_>) -> Result<(), Halt> {
        if self.sizes.is_some() { output.bytes(b"0\r\n\r\n") } else { Ok(()) }
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use dlmanager_origin::{Authority, Identity, ServerCertificate};
use dlmanager_tls::rustls::crypto::ring;
use dlmanager_tls::rustls::pki_types::pem::PemObject;
use dlmanager_tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use dlmanager_tls::rustls::{ServerConfig, ServerConnection};

use super::*;

const TICKETS: usize = 20_000;
/// The length of a ticket's message. Each is to come in a record of its own: rustls gives up at 64 KiB of tickets that do not
/// end where a record does.
const TICKET_BYTES: usize = 81;
/// So much a read yields: as much as rustls takes at once.
const READ_BYTES: usize = 4096;

/// The stream to a server in the same thread, which has sent all that it will ever send as soon as hands are shaken.
struct ToServer {
    server: ServerConnection,
    sent: Vec<u8>,
    taken: usize,
    greetings: usize,
    reads: Arc<AtomicUsize>,
}

impl ToServer {
    fn answer(&mut self) {
        self.server.process_new_packets().unwrap();
        // What comes before the tickets, and what comes behind them.
        if self.greetings == 0 {
            self.server.writer().write_all(b"hello").unwrap();
            self.greetings += 1;
        }
        if self.greetings == 1 && !self.server.is_handshaking() {
            self.server.writer().write_all(b"bye").unwrap();
            self.greetings += 1;
        }
        while self.server.wants_write() {
            self.server.write_tls(&mut self.sent).unwrap();
        }
    }
}

impl fmt::Debug for ToServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToServer")
    }
}

impl Read for ToServer {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let left = &self.sent[self.taken..];
        if left.is_empty() {
            return Poll::Pending;
        }
        let count = left.len().min(into.remaining()).min(READ_BYTES);
        into.put_slice(&left[..count]);
        self.taken += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for ToServer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = self.server.read_tls(&mut &*bytes).unwrap();
        self.answer();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn server(identity: &Identity) -> ServerConnection {
    let certificates = CertificateDer::pem_slice_iter(identity.certificates_pem.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates.map(Result::unwrap).collect(), key)
        .unwrap();
    config.send_tls13_tickets = TICKETS;
    config.send_half_rtt_data = true;
    config.max_fragment_size = Some(TICKET_BYTES + 5);
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    // What is sent behind the tickets has to find room.
    server.set_buffer_limit(None);
    server
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_server_that_sends_nothing_but_tickets_does_not_hold_the_loop() {
    let authority = Authority::new("CA of the tests").unwrap();
    let tls = TlsConfig::builder().ca_pem(authority.pem()).only_given_cas(true).build().unwrap();
    let reads = Arc::<AtomicUsize>::default();
    let to_server = ToServer {
        server: server(&authority.server(ServerCertificate::Good).unwrap()),
        sent: Vec::new(),
        taken: 0,
        greetings: 0,
        reads: Arc::clone(&reads),
    };
    let origin = Origin::of(&"https://localhost/".parse().unwrap()).unwrap();
    let connecting: Connecting = Box::pin(async move { Ok(Box::new(to_server) as Box<dyn Stream>) });
    let mut shaking = Box::pin(TlsStream::connect(connecting, &origin, &tls));
    let Poll::Ready(shaken) = shaking.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nobody has to be waited for")
    };
    let mut stream = shaken.unwrap();

    let flag = Arc::<Flag>::default();
    let waker = Waker::from(Arc::clone(&flag));
    let mut bytes = [0; 100];
    // What each poll received, and how often it read.
    let mut poll = || {
        let before = reads.load(Ordering::SeqCst);
        let mut into = ReadBuf::new(&mut bytes);
        let polled = Pin::new(&mut stream).poll_read(&mut Context::from_waker(&waker), into.unfilled());
        let count = reads.load(Ordering::SeqCst) - before;
        assert!(count <= ROUNDS_MAX, "{count} reads in one poll");
        let received = polled.map(|read| {
            read.unwrap();
            into.filled().to_vec()
        });
        assert!(received.is_ready() || flag.0.swap(false, Ordering::SeqCst), "nobody wakes it");
        (received, count)
    };
    assert_eq!(poll(), (Poll::Ready(b"hello".to_vec()), ROUNDS_MAX));
    assert_eq!(poll(), (Poll::Pending, 0));
    assert_eq!(poll(), (Poll::Pending, ROUNDS_MAX));
    let rest = std::iter::repeat_with(poll).find_map(|(received, _)| match received {
        Poll::Ready(received) => Some(received),
        Poll::Pending => None,
    });
    assert_eq!(rest.unwrap(), b"bye");
}

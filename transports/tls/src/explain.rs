//! What failed, in the core's terms and in words.

use std::error::Error as StdError;
use std::io;

use dlmanager_core::{Fault, FaultKind};
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use crate::verifier::Untrusted;
use crate::words::{date, distance, listed, quoted};

/// A handshake with `place` (host and port) failed.
///
/// [`FaultKind::Tls`] where the two sides do not get on, which another attempt would not change;
/// [`FaultKind::Reset`] where the connection broke before they had.
#[must_use]
pub fn handshake_fault(place: &str, error: &io::Error) -> Fault {
    if let Some(cause) = find(error) {
        return Fault::new(FaultKind::Tls).with_detail(format!("{place}: {}", of_handshake(cause)));
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Fault::new(FaultKind::Reset).with_detail(format!(
            "{place}: the server closed it within the TLS handshake; if it does so every time, it may not speak TLS on \
             that port"
        ));
    }
    let fault =
        Fault::new(FaultKind::Reset).with_detail(format!("{place}: within the TLS handshake: {}", io_text(error)));
    match error.raw_os_error() {
        Some(code) => fault.with_os_code(code),
        None => fault,
    }
}

/// An error on a connection whose handshake was done, or any error that has it as its source; `None` where TLS has
/// nothing to do with it.
///
/// [`FaultKind::Tls`] where the server does not accept the client, which in TLS 1.3 it says after the handshake;
/// [`FaultKind::Reset`] where what came was damaged. An end without a close_notify is none of these: rustls reports it as
/// [`io::ErrorKind::UnexpectedEof`], and whether something is missing, the framing of HTTP says.
#[must_use]
pub fn connection_fault(error: &(dyn StdError + 'static)) -> Option<Fault> {
    let cause = find(error)?;
    Some(match cause {
        Error::AlertReceived(alert) if is_about_the_client(*alert) => {
            Fault::new(FaultKind::Tls).with_detail(of_alert(*alert))
        }
        Error::AlertReceived(alert) => Fault::new(FaultKind::Reset).with_detail(of_alert(*alert)),
        other => Fault::new(FaultKind::Reset).with_detail(format!("what came over TLS is damaged ({other})")),
    })
}

fn of_handshake(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(cause) => of_certificate(cause),
        Error::NoCertificatesPresented => "the server shows no certificate".to_owned(),
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => {
            "what the server sent is not TLS; is it a plain http port?".to_owned()
        }
        Error::PeerIncompatible(cause) => of_incompatible(cause),
        Error::NoApplicationProtocol => "the server does not offer HTTP/1.1".to_owned(),
        other => format!("the TLS handshake failed: {other}"),
    }
}

fn of_certificate(cause: &CertificateError) -> String {
    const CLOCK: &str = "or this machine's clock is wrong: it says";
    match cause {
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the server's certificate expired {} ago, on {}, {CLOCK} {}",
            distance(*not_after, *time),
            date(*not_after),
            date(*time)
        ),
        CertificateError::Expired => {
            "the server's certificate has expired, or this machine's clock is wrong".to_owned()
        }
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "the server's certificate is not valid yet: it will be in {}, on {}, {CLOCK} {}",
            distance(*time, *not_before),
            date(*not_before),
            date(*time)
        ),
        CertificateError::NotValidYet => {
            "the server's certificate is not valid yet, or this machine's clock is wrong".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is for another name: it holds for {}, not for {}",
            listed(presented),
            quoted(&expected.to_str())
        ),
        CertificateError::NotValidForName => "the server's certificate is for another name".to_owned(),
        CertificateError::UnknownIssuer => {
            "no trusted CA vouches for the server's certificate; if you trust its CA, give that CA's certificate \
             (--cacert)"
                .to_owned()
        }
        CertificateError::Revoked => "the server's certificate was revoked by its CA".to_owned(),
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => {
            "whether the server's certificate was revoked could not be found out".to_owned()
        }
        CertificateError::BadEncoding => "the server's certificate is malformed".to_owned(),
        CertificateError::BadSignature => {
            "the server's certificate does not verify: it was not signed by the trusted CA whose name it gives, or the \
             server does not have its key"
                .to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("the server's certificate is not meant for servers ({cause})")
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<Untrusted>() {
            Some(untrusted) => untrusted.to_string(),
            None => format!("the server's certificate does not verify: {}", other.0),
        },
        other => format!("the server's certificate does not verify: {other}"),
    }
}

fn of_alert(alert: AlertDescription) -> String {
    use AlertDescription as A;
    let text = match alert {
        A::CertificateRequired | A::NoCertificate => "the server wants a client certificate",
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => "the server does not accept the client certificate, or the lack of one",
        A::HandshakeFailure | A::InsufficientSecurity => {
            "the server has no protocol version, cipher or key in common with this client, or wants a client certificate"
        }
        A::ProtocolVersion => "the server does not speak TLS 1.2 or 1.3",
        A::UnrecognisedName => "the server does not know that host name",
        A::NoApplicationProtocol => "the server does not offer HTTP/1.1",
        A::BadRecordMac | A::DecryptError | A::DecodeError => "what the server received was damaged on its way",
        _ => "the server refuses the connection",
    };
    format!("{text} (its alert: {alert:?})")
}

/// A client certificate, or one that shows the wrong one, may be refused as late as by the answer to the first request.
fn is_about_the_client(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::CertificateRequired
            | A::NoCertificate
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::HandshakeFailure
    )
}

fn of_incompatible(cause: &PeerIncompatible) -> String {
    use PeerIncompatible as P;
    match cause {
        P::ServerDoesNotSupportTls12Or13 | P::ServerTlsVersionIsDisabledByOurConfig => {
            "the server does not speak TLS 1.2 or 1.3".to_owned()
        }
        P::NoCipherSuitesInCommon | P::NoKxGroupsInCommon | P::NoSignatureSchemesInCommon => {
            format!("the server has no cipher, key exchange or signature in common with this client ({cause:?})")
        }
        other => format!("the server's TLS lacks what this client needs ({other:?})"),
    }
}

/// The error's text without the number, which a fault carries by itself.
fn io_text(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(code) = error.raw_os_error()
        && let Some(kept) = text.strip_suffix(&format!(" (os error {code})")).map(str::len)
    {
        text.truncate(kept);
    }
    text
}

/// The error of TLS in a chain of causes. What an `io::Error` carries is not its source, only that one's source is.
fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    None
}

//! What went wrong, in the core's terms and in words.

use std::error::Error;
use std::io;
use std::iter;

use dlmanager_core::{Fault, FaultKind};
use dlmanager_tls::connection_fault;

use crate::Options;
use crate::origin::Origin;
use crate::wire::Gauge;

/// The host of `origin` did not resolve.
#[must_use]
pub fn unresolved(origin: &Origin, cause: &io::Error) -> Fault {
    Fault::new(FaultKind::Resolve).with_detail(format!("{}: {}", origin.host(), io_text(cause)))
}

/// No connection to `origin` could be made: `error`, or what caused it.
#[must_use]
pub fn unreachable(origin: &Origin, error: &(dyn Error + 'static)) -> Fault {
    match find::<io::Error>(error) {
        Some(cause) => with_io(FaultKind::Connect, cause, &format!("{origin}: ")),
        None => Fault::new(FaultKind::Connect).with_detail(format!("{origin}: {}", chain_text(error))),
    }
}

/// No head came; `gauge` tells what did.
pub(crate) fn of_head(error: &hyper::Error, gauge: &Gauge, options: &Options) -> Fault {
    let begun = gauge.has_reply_begun();
    if error.is_parse_too_large() {
        let Options { header_bytes_max, header_count_max, .. } = options;
        // hyper has one error for these three.
        return Fault::new(FaultKind::HeadTooLarge).with_detail(format!(
            "more than {header_bytes_max} bytes or {header_count_max} fields, or a Content-Length that no body can have"
        ));
    }
    if error.is_parse() && gauge.is_tls_alert() {
        return Fault::new(FaultKind::Protocol).with_detail("what the server sent is TLS; is it an https port?");
    }
    if error.is_parse() {
        return Fault::new(FaultKind::Protocol).with_detail(chain_text(error));
    }
    if let Some(fault) = connection_fault(error) {
        return fault;
    }
    // Over TLS an end without a close_notify comes as an error, which says no more than an end.
    let ended = match find::<io::Error>(error) {
        Some(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => return with_io(FaultKind::Reset, cause, ""),
        Some(_) => true,
        None => error.is_incomplete_message(),
    };
    if begun && !ended {
        return Fault::new(FaultKind::Protocol).with_detail("the server spoke before it was asked");
    }
    Fault::new(FaultKind::Reset).with_detail(if begun {
        "the server closed it within the head of its reply"
    } else {
        "the server closed it before it replied"
    })
}

/// The body broke off or is malformed.
pub(crate) fn of_body(error: &hyper::Error) -> Fault {
    if let Some(fault) = connection_fault(error) {
        return fault;
    }
    match find::<io::Error>(error) {
        Some(cause) if matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            with_io(FaultKind::Protocol, cause, "")
        }
        Some(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => with_io(FaultKind::Reset, cause, ""),
        _ => Fault::new(FaultKind::Reset).with_detail("the server closed it within the body"),
    }
}

fn with_io(kind: FaultKind, cause: &io::Error, prefix: &str) -> Fault {
    let fault = Fault::new(kind).with_detail(format!("{prefix}{}", io_text(cause)));
    match cause.raw_os_error() {
        Some(code) => fault.with_os_code(code),
        None => fault,
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

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

fn chain_text(error: &(dyn Error + 'static)) -> String {
    let texts: Vec<_> = chain(error).map(ToString::to_string).collect();
    texts.join(": ")
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}

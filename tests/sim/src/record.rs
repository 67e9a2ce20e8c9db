//! The records beside unfinished files, read by their description alone and not by the code that wrote them.

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Where the bytes come from, without what it redirected to.
    pub(crate) url: String,
    pub(crate) validator: String,
    pub(crate) total: Option<u64>,
    pub(crate) boot: Option<[u8; 16]>,
    pub(crate) durable: u64,
}

const FIXED_BYTES: usize = 46;
const CHECKSUM_BYTES: usize = 8;

/// The record, where it is whole.
pub(crate) fn read(bytes: &[u8]) -> Option<Recorded> {
    let checked = bytes.len().checked_sub(CHECKSUM_BYTES).filter(|length| *length >= FIXED_BYTES)?;
    let (body, checksum) = bytes.split_at(checked);
    if !body.starts_with(b"dlm-rec\n\x01") || &blake3::hash(body).as_bytes()[..CHECKSUM_BYTES] != checksum {
        return None;
    }
    let number = |at: usize, length: usize| {
        body[at..at + length].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let flags = body[9];
    let url_end = FIXED_BYTES + usize::try_from(number(10, 2)).ok()?;
    let end = url_end + usize::try_from(number(12, 2)).ok()?;
    if end != body.len() {
        return None;
    }
    let url = std::str::from_utf8(&body[FIXED_BYTES..url_end]).ok()?;
    let boot: [u8; 16] = body[30..46].try_into().ok()?;
    Some(Recorded {
        url: url.split('#').next().unwrap_or_default().to_owned(),
        validator: std::str::from_utf8(&body[url_end..]).ok()?.to_owned(),
        total: (flags & 1 != 0).then(|| number(22, 8)),
        boot: (flags & 2 != 0).then_some(boot),
        durable: number(14, 8),
    })
}

impl Recorded {
    /// How many of so many bytes it vouches for, on this start of the machine.
    pub(crate) fn vouched(&self, boot: Option<[u8; 16]>, length: u64) -> u64 {
        if self.boot.is_some() && self.boot == boot { length } else { self.durable }
    }
}

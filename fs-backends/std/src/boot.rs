//! What tells one start of the machine from another.

use dlmanager_core::BootId;

/// Where the kernel tells it; in no container it differs from the machine's.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FILE: &str = "/proc/sys/kernel/random/boot_id";

/// This start of the machine, where the system tells it in a file.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn id() -> Option<BootId> {
    parse(std::fs::read_to_string(FILE).ok()?.trim())
}

/// The others tell it by calls that the standard library does not have.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn id() -> Option<BootId> {
    None
}

/// A UUID as bytes.
#[cfg(any(target_os = "linux", target_os = "android", test))]
fn parse(text: &str) -> Option<BootId> {
    let mut bytes = [0; 16];
    let mut digits = text.chars().filter(|&character| character != '-');
    for byte in &mut bytes {
        let (high, low) = (digits.next()?.to_digit(16)?, digits.next()?.to_digit(16)?);
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    digits.next().is_none().then_some(BootId(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_sixteen_bytes_and_nothing_else_is() {
        let bytes = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10];
        assert_eq!(parse("01234567-89ab-cdef-fedc-ba9876543210"), Some(BootId(bytes)));
        for bad in ["", "01234567-89ab-cdef-fedc-ba98765432", "01234567-89ab-cdef-fedc-ba98765432101", "g"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_machine_was_started_once() {
        let boot = id().expect("the kernel tells it");
        assert_ne!(boot, BootId([0; 16]));
        assert_eq!(id(), Some(boot));
    }
}

//! Random values of what drivers report, for those who fuzz one: written out, as what is derived needs `std`.

use alloc::boxed::Box;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::{Algorithm, BootId, Fault, FaultKind, Instant, Stamp};

impl<'a> Arbitrary<'a> for Instant {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        bytes.arbitrary().map(Self::from_nanos)
    }
}

impl<'a> Arbitrary<'a> for Stamp {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        bytes.arbitrary().map(Self::from_nanos)
    }
}

impl<'a> Arbitrary<'a> for BootId {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        bytes.arbitrary().map(Self)
    }
}

impl<'a> Arbitrary<'a> for Algorithm {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        bytes.choose(&Self::ALL).copied()
    }
}

impl<'a> Arbitrary<'a> for FaultKind {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        bytes.choose(Self::ALL).copied()
    }
}

impl<'a> Arbitrary<'a> for Fault {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let mut fault = Self::new(bytes.arbitrary()?);
        if let Some(code) = bytes.arbitrary()? {
            fault = fault.with_os_code(code);
        }
        match bytes.arbitrary::<Option<Box<str>>>()? {
            Some(detail) => Ok(fault.with_detail(detail)),
            None => Ok(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn each_value_comes_from_bytes_and_each_kind_of_fault_can_come() {
        let bytes = |of: usize| -> Vec<u8> { (0..64).map(|at| ((of * 131 + at * at * 17) >> 2) as u8).collect() };
        let fault = |of| Unstructured::new(&bytes(of)).arbitrary::<Fault>().unwrap();
        let faults: Vec<Fault> = (0..256).map(fault).collect();
        assert!(FaultKind::ALL.iter().all(|kind| faults.iter().any(|fault| fault.kind() == *kind)));
        assert!(faults.iter().any(|fault| fault.os_code().is_some() && fault.detail().is_some()));
        let values: (Instant, Stamp, BootId, Algorithm) = Unstructured::new(&bytes(1)).arbitrary().unwrap();
        assert_ne!(values.0, Instant::ZERO);
    }
}

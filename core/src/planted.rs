//! Mistakes that tests have the core make on purpose, to see that they are found.
//!
//! They are there with the feature `planted-bugs` alone, which nothing that is shipped turns on; without it every question
//! whether one is made is `false` when the crate is compiled.

use crate::Config;

macro_rules! planted {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Planted {
            $($(#[$doc])* $name,)*
        }

        impl Planted {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

planted! {
    /// The record says that bytes are flushed before they are.
    RecordBeforeFlush,
    /// A file gets its name before it is flushed.
    RenameBeforeFlush,
    /// Where the part begins that a server sends is not looked at.
    RangeStartUnchecked,
    /// Of which version the part is that a server sends is not looked at.
    ValidatorIgnored,
    /// A whole file that comes instead of the rest is taken for the rest.
    WholeAppended,
    /// Somebody else's lock of a name is taken for one's own.
    LockIgnored,
    /// The unfinished file of a program that lives is removed.
    OthersRemoved,
    /// A file is not closed where its lock was not to be had.
    CloserSkipped,
    /// A timer that has fired stays armed.
    TimerNotCleared,
    /// The next attempt begins before its time.
    RetryTooSoon,
    /// What a server says about when to come again is not heard.
    RetryAfterIgnored,
    /// Bytes that were there count twice for the length of the file.
    TotalCountedTwice,
    /// A file is cut while its record still stands.
    RecordKept,
    /// The removal of a record is not flushed before other bytes take the place of those that it describes.
    RemovalUnflushed,
    /// All bytes of an unfinished file are gone on with, whether the machine has failed since or not.
    BootIgnored,
    /// A body that ends early is taken for whole.
    CutTakenForWhole,
    /// A file is published whatever its digest.
    DigestIgnored,
    /// Bytes are asked for however many wait to be written.
    CreditIgnored,
    /// What was just published may be evicted.
    NewEvicted,
    /// The file of an outcome that the program has not let go of may be evicted.
    OutcomeEvicted,
    /// What somebody has locked is swept as litter all the same. This one is the directory's to make.
    LockedSwept,
}

impl Config {
    /// Whether this mistake is to be made.
    pub(crate) const fn makes(&self, mistake: Planted) -> bool {
        #[cfg(feature = "planted-bugs")]
        let is_made = matches!(self.planted, Some(planted) if planted as u8 == mistake as u8);
        #[cfg(not(feature = "planted-bugs"))]
        let is_made = {
            let _ = mistake;
            false
        };
        is_made
    }
}

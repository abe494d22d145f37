//! Object ids of one store: replica id and counter, as folders, messages, contents and changes carry them.
//!
//! A replica id means something only inside its store; which GUID it stands for, the store's `ReplidMap` knows.
//! Never take replica id 1 for the local one (exchange-store 3.3).
//!
//! ```text
//! store form, 8 bytes                wire form, 8 bytes
//! 0  2  replica id, big-endian       0  2  replica id, little-endian
//! 2  6  counter, big-endian          2  6  counter, big-endian
//! ```
//!
//! The store form sorts like the pair of numbers, so that a binary key column orders ids (exchange-store 12.2).

use std::fmt;
use std::str::FromStr;

use super::error::{MapiError, MapiResult, exact};

/// A replica id: a short local name for a replica's GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplId(pub u16);

/// A 48-bit counter value of a replica ("global counter").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobCnt(u64);

impl GlobCnt {
    /// The largest counter.
    pub const MAX: Self = Self((1 << 48) - 1);

    /// The counter of this number.
    ///
    /// # Errors
    /// [`MapiError::Field`] when the number needs more than 48 bits.
    pub fn new(number: u64) -> MapiResult<Self> {
        if number > Self::MAX.0 {
            return Err(MapiError::Field { what: "object id", field: "counter", found: number });
        }
        Ok(Self(number))
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The counter `step` further on; `None` past the last one.
    pub fn checked_add(self, step: u64) -> Option<Self> {
        self.0.checked_add(step).filter(|sum| *sum <= Self::MAX.0).map(Self)
    }

    /// The 6 bytes, big-endian.
    pub fn to_be_bytes(self) -> [u8; 6] {
        let [_, _, rest @ ..] = self.0.to_be_bytes();
        rest
    }

    /// Reads 6 bytes, big-endian.
    pub fn from_be_bytes([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

fn split(bytes: [u8; 8]) -> ([u8; 2], GlobCnt) {
    let [r0, r1, counter @ ..] = bytes;
    ([r0, r1], GlobCnt::from_be_bytes(counter))
}

fn joined([r0, r1]: [u8; 2], counter: GlobCnt) -> [u8; 8] {
    let [a, b, c, d, e, f] = counter.to_be_bytes();
    [r0, r1, a, b, c, d, e, f]
}

fn parse_text(what: &'static str, text: &str) -> MapiResult<(ReplId, GlobCnt)> {
    let refused = || MapiError::text(what, text);
    let (replica, counter) = text.split_once('-').ok_or_else(refused)?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit());
    if !digits(replica) || !digits(counter) {
        return Err(refused());
    }
    let replica = u16::from_str_radix(replica, 16).map_err(|_| refused())?;
    let counter = u64::from_str_radix(counter, 16).map_err(|_| refused())?;
    Ok((ReplId(replica), GlobCnt::new(counter).map_err(|_| refused())?))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// The replica that issued the id.
            pub replica: ReplId,
            /// Its counter.
            pub counter: GlobCnt,
        }

        impl $name {
            /// The id of this replica and counter.
            pub const fn new(replica: ReplId, counter: GlobCnt) -> Self {
                Self { replica, counter }
            }

            /// The 8 bytes of the store form.
            pub fn to_store(self) -> [u8; 8] {
                joined(self.replica.0.to_be_bytes(), self.counter)
            }

            /// Reads the store form.
            ///
            /// # Errors
            /// [`MapiError::Length`] when there are not 8 bytes.
            pub fn from_store(bytes: &[u8]) -> MapiResult<Self> {
                let (replica, counter) = split(exact($what, bytes)?);
                Ok(Self::new(ReplId(u16::from_be_bytes(replica)), counter))
            }

            /// The 8 bytes of the wire form.
            pub fn to_wire(self) -> [u8; 8] {
                joined(self.replica.0.to_le_bytes(), self.counter)
            }

            /// Reads the wire form.
            ///
            /// # Errors
            /// [`MapiError::Length`] when there are not 8 bytes.
            pub fn from_wire(bytes: &[u8]) -> MapiResult<Self> {
                let (replica, counter) = split(exact($what, bytes)?);
                Ok(Self::new(ReplId(u16::from_le_bytes(replica)), counter))
            }
        }

        impl fmt::Display for $name {
            /// Both numbers in upper-case hex without leading zeros: `1-8994E` (exchange-store 3.3).
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:X}-{:X}", self.replica.0, self.counter.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = MapiError;

            /// Reads the text form, padded or not, in either case.
            fn from_str(text: &str) -> MapiResult<Self> {
                let (replica, counter) = parse_text($what, text)?;
                Ok(Self::new(replica, counter))
            }
        }
    )+};
}

ids! {
    /// A folder (FID, `Q6748`).
    FolderId, "folder id";
    /// A message in a folder (MID, `Q674a`).
    MessageId, "message id";
    /// A shared content row or an attachment row (Inid, `Q7e30`, `Q7e40`).
    InstanceId, "instance id";
    /// A change (CN, `Q67a4`): a new one for every creation and modification.
    ChangeNumber, "change number";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(replica: u16, counter: u64) -> FolderId {
        FolderId::new(ReplId(replica), GlobCnt::new(counter).unwrap())
    }

    #[test]
    fn the_published_sample_reads_in_wire_form() {
        // exchange-store 3.3: the folder of the sample is 1-8994e.
        let id = FolderId::from_wire(&[0x01, 0, 0, 0, 0, 0x08, 0x99, 0x4e]).unwrap();
        assert_eq!(id.to_string(), "1-8994E");
        assert_eq!(id.to_store(), [0, 1, 0, 0, 0, 0x08, 0x99, 0x4e]);
        assert_eq!(FolderId::from_store(&id.to_store()), Ok(id));
        assert_eq!(FolderId::from_wire(&id.to_wire()), Ok(id));
    }

    #[test]
    fn store_forms_sort_as_the_numbers_do() {
        let ids = [folder(1, 0xff), folder(1, 0x100), folder(2, 0), folder(0x100, 1)];
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.windows(2).all(|pair| pair[0].to_store() < pair[1].to_store()));
    }

    #[test]
    fn text_is_read_padded_and_in_either_case() {
        assert_eq!("0001-000000000142".parse(), Ok(folder(1, 0x142)));
        assert_eq!("2-1ac4".parse(), Ok(folder(2, 0x1ac4)));
        for text in ["", "1", "1-", "-1", "1-+2", "10000-1", "1-1000000000000", "1-2-3", "g-1"] {
            assert!(text.parse::<FolderId>().is_err(), "{text}");
        }
    }

    #[test]
    fn counters_keep_to_48_bits() {
        assert!(GlobCnt::new(1 << 48).is_err());
        assert_eq!(GlobCnt::MAX.checked_add(1), None);
        assert_eq!(GlobCnt::MAX.checked_add(u64::MAX), None);
        assert_eq!(GlobCnt::new(5).unwrap().checked_add(2), GlobCnt::new(7).ok());
        assert!(MessageId::from_store(&[0; 7]).is_err());
    }
}

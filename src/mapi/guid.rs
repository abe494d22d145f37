//! GUIDs: of replicas, mailboxes, stores and property sets. Plain values, no clock and no randomness here.

use std::fmt;
use std::str::FromStr;

use super::error::{MapiError, MapiResult, exact};

/// A GUID as its 16 stored bytes: the first three groups little-endian, the rest in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid(pub [u8; 16]);

/// The byte that each pair of digits of the written form stands for, in order.
const WRITTEN_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

impl Guid {
    /// Reads the 16 stored bytes.
    ///
    /// # Errors
    /// [`MapiError::Length`] when there are not 16.
    pub fn from_slice(bytes: &[u8]) -> MapiResult<Self> {
        Ok(Self(exact("GUID", bytes)?))
    }

    /// The GUID whose written form is `high` (first 16 digits) and `low`: for constants.
    pub const fn from_written(high: u64, low: u64) -> Self {
        let (h, l) = (high.to_be_bytes(), low.to_be_bytes());
        Self([
            h[3], h[2], h[1], h[0], h[5], h[4], h[7], h[6], l[0], l[1], l[2], l[3], l[4], l[5],
            l[6], l[7],
        ])
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in WRITTEN_ORDER.iter().enumerate() {
            if [4, 6, 8, 10].contains(&at) {
                f.write_str("-")?;
            }
            write!(f, "{:02x}", self.0.get(*byte).copied().unwrap_or_default())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl FromStr for Guid {
    type Err = MapiError;

    /// Reads the written form, with or without braces and hyphens, in either case.
    fn from_str(text: &str) -> MapiResult<Self> {
        let refused = || MapiError::text("GUID", text);
        let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        let digits: Vec<u32> =
            inner.chars().filter(|c| *c != '-').map_while(|c| c.to_digit(16)).collect();
        if digits.len() != 32 || inner.chars().filter(|c| *c != '-').count() != 32 {
            return Err(refused());
        }
        let mut bytes = [0; 16];
        for (pair, at) in digits.chunks_exact(2).zip(WRITTEN_ORDER) {
            if let ([high, low], Some(byte)) = (pair, bytes.get_mut(at)) {
                *byte = u8::try_from(high * 16 + low).map_err(|_| refused())?;
            }
        }
        Ok(Self(bytes))
    }
}

macro_rules! guids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub Guid);

        impl $name {
            /// Reads the 16 stored bytes.
            ///
            /// # Errors
            /// [`MapiError::Length`] when there are not 16.
            pub fn from_slice(bytes: &[u8]) -> MapiResult<Self> {
                Ok(Self(Guid::from_slice(bytes)?))
            }

            /// The 16 stored bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = MapiError;

            fn from_str(text: &str) -> MapiResult<Self> {
                Ok(Self(text.parse()?))
            }
        }
    )+};
}

guids! {
    /// The GUID that a replica id stands for (REPLGUID); global, where the replica id is not. Source: exchange-store 3.3.
    ReplGuid;
    /// A mailbox, fixed for its life (`N676c`). Source: exchange-store 4.
    MailboxGuid;
    /// A store (`N676a`).
    StoreGuid;
    /// The set a named property belongs to (`N7e68`).
    PropertySetGuid;
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "00020329-0000-0000-c000-000000000046";

    #[test]
    fn the_written_form_swaps_the_first_three_groups() {
        let guid: Guid = WRITTEN.parse().unwrap();
        assert_eq!(guid.0[..8], [0x29, 0x03, 0x02, 0, 0, 0, 0, 0]);
        assert_eq!(guid.0[8..], [0xc0, 0, 0, 0, 0, 0, 0, 0x46]);
        assert_eq!(guid.to_string(), WRITTEN);
        assert_eq!(guid, Guid::from_written(0x0002_0329_0000_0000, 0xc000_0000_0000_0046));
        assert_eq!("{00020329-0000-0000-C000-000000000046}".parse(), Ok(guid));
    }

    #[test]
    fn other_text_is_no_guid() {
        for text in ["", "00020329", "x0020329-0000-0000-c000-000000000046", &"0".repeat(33)] {
            assert!(matches!(text.parse::<Guid>(), Err(MapiError::Text { .. })), "{text}");
        }
        assert!(MailboxGuid::from_slice(&[0; 15]).is_err());
    }
}

//! Lineage and change tracking: source keys, change keys, predecessor change lists.
//!
//! These are global where ids are local: each carries the GUID of the replica that issued it.
//!
//! ```text
//! source key, 22 bytes             change key (XID), 17 to 24 bytes      predecessor change list
//! 0   16  replica GUID             0   16    replica GUID                repeated:
//! 16   6  counter, big-endian      16  1..8  local id, big-endian        0  1  length of the XID
//!                                                                        1  n  the XID
//! ```
//!
//! Source: exchange-store 3.3, 3.4. That a list is written in the order of its GUIDs is inferred.

use std::collections::BTreeMap;
use std::fmt;

use super::error::{Fields, MapiError, MapiResult, exact};
use super::guid::{Guid, ReplGuid};
use super::ids::GlobCnt;

/// Where an object was born: the lineage id L of recover-semantics I5 (`N65e0`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// The replica that issued it.
    pub replica: ReplGuid,
    /// Its counter.
    pub counter: GlobCnt,
}

impl SourceKey {
    /// The 22 bytes.
    pub fn to_bytes(self) -> [u8; 22] {
        let mut bytes = [0; 22];
        let (guid, counter) = bytes.split_at_mut(16);
        guid.copy_from_slice(self.replica.as_bytes());
        counter.copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    /// Reads the 22 bytes.
    ///
    /// # Errors
    /// [`MapiError::Length`] when there are not 22.
    pub fn from_bytes(bytes: &[u8]) -> MapiResult<Self> {
        let all: [u8; 22] = exact("source key", bytes)?;
        let mut fields = Fields::new("source key", &all);
        let replica = ReplGuid(Guid(fields.array()?));
        Ok(Self { replica, counter: GlobCnt::from_be_bytes(fields.array()?) })
    }
}

/// The local part of a change key: 1 to 8 bytes, compared as a big-endian number.
///
/// A server's own are 6 bytes; the length is kept, so that a foreign one is written back as it was.
#[derive(Clone, Copy)]
pub struct LocalId {
    number: u64,
    length: u8,
}

impl LocalId {
    /// The local id of a server's change.
    pub fn from_counter(counter: GlobCnt) -> Self {
        Self { number: counter.get(), length: 6 }
    }

    /// The number it is compared as.
    pub fn number(self) -> u64 {
        self.number
    }

    fn from_bytes(bytes: &[u8]) -> MapiResult<Self> {
        let length = u8::try_from(bytes.len()).ok().filter(|length| (1..=8).contains(length));
        let length = length.ok_or(MapiError::Length {
            what: "change key",
            expected_bytes: 17,
            found_bytes: bytes.len().saturating_add(16),
        })?;
        let number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Ok(Self { number, length })
    }

    fn append_to(self, out: &mut Vec<u8>) {
        let skipped = 8_usize.saturating_sub(usize::from(self.length));
        out.extend(self.number.to_be_bytes().iter().skip(skipped));
    }
}

impl PartialEq for LocalId {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for LocalId {}

impl fmt::Debug for LocalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}/{}", self.number, self.length)
    }
}

/// The change that made an object what it is (XID, `N65e2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeKey {
    /// The replica, or client, that made the change.
    pub replica: ReplGuid,
    /// Its own number for the change.
    pub local: LocalId,
}

impl ChangeKey {
    /// The key of a server's change.
    pub fn new(replica: ReplGuid, counter: GlobCnt) -> Self {
        Self { replica, local: LocalId::from_counter(counter) }
    }

    /// The 17 to 24 bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.replica.as_bytes().to_vec();
        self.local.append_to(&mut bytes);
        bytes
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`MapiError::Length`] when there are fewer than 17 bytes or more than 24.
    pub fn from_bytes(bytes: &[u8]) -> MapiResult<Self> {
        let length_error =
            MapiError::Length { what: "change key", expected_bytes: 17, found_bytes: bytes.len() };
        let (guid, local) = bytes.split_at_checked(16).ok_or(length_error)?;
        Ok(Self { replica: ReplGuid::from_slice(guid)?, local: LocalId::from_bytes(local)? })
    }
}

/// How two predecessor change lists stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PclOrder {
    /// Both have seen the same changes.
    Equal,
    /// The first has seen all that the second has, and more.
    Includes,
    /// The second has seen all that the first has, and more.
    IncludedIn,
    /// Each has seen a change that the other has not.
    Conflict,
}

/// The predecessor change list of an object (`N65e3`): the last change of each replica that it contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pcl(BTreeMap<ReplGuid, LocalId>);

impl Pcl {
    /// A list of one change.
    pub fn of(key: ChangeKey) -> Self {
        let mut list = Self::default();
        list.add(key);
        list
    }

    /// Takes in a change; the larger local id of a replica stays.
    pub fn add(&mut self, key: ChangeKey) {
        let known = self.0.entry(key.replica).or_insert(key.local);
        if key.local.number > known.number {
            *known = key.local;
        }
    }

    /// The changes, in the order of their GUID bytes.
    pub fn keys(&self) -> impl Iterator<Item = ChangeKey> + '_ {
        self.0.iter().map(|(replica, local)| ChangeKey { replica: *replica, local: *local })
    }

    /// Tells whether every change in `other` is contained here.
    pub fn includes(&self, other: &Self) -> bool {
        other.0.iter().all(|(replica, local)| {
            self.0.get(replica).is_some_and(|own| own.number >= local.number)
        })
    }

    /// Compares what the two have seen. Source: exchange-store 3.4.
    pub fn compare(&self, other: &Self) -> PclOrder {
        match (self.includes(other), other.includes(self)) {
            (true, true) => PclOrder::Equal,
            (true, false) => PclOrder::Includes,
            (false, true) => PclOrder::IncludedIn,
            (false, false) => PclOrder::Conflict,
        }
    }

    /// The list that has seen what either has.
    pub fn join(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        other.keys().for_each(|key| joined.add(key));
        joined
    }

    /// The stored bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for key in self.keys() {
            bytes.push(key.local.length.saturating_add(16));
            bytes.extend(key.to_bytes());
        }
        bytes
    }

    /// Reads the stored bytes; an empty value is an empty list. Work and memory follow the length.
    ///
    /// # Errors
    /// [`MapiError::Truncated`] when the last key is cut, [`MapiError::Length`] for a key of a wrong length.
    pub fn from_bytes(bytes: &[u8]) -> MapiResult<Self> {
        let mut fields = Fields::new("predecessor change list", bytes);
        let mut list = Self::default();
        while fields.remaining() > 0 {
            let length = usize::from(fields.u8()?);
            list.add(ChangeKey::from_bytes(fields.slice(length)?)?);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(replica: u8, counter: u64) -> ChangeKey {
        ChangeKey::new(ReplGuid(Guid([replica; 16])), GlobCnt::new(counter).unwrap())
    }

    fn list(keys: &[(u8, u64)]) -> Pcl {
        let mut list = Pcl::default();
        keys.iter().for_each(|(replica, counter)| list.add(key(*replica, *counter)));
        list
    }

    #[test]
    fn keys_come_back_from_their_bytes() {
        let source =
            SourceKey { replica: key(7, 1).replica, counter: GlobCnt::new(0x0102).unwrap() };
        assert_eq!(source.to_bytes()[16..], [0, 0, 0, 0, 1, 2]);
        assert_eq!(SourceKey::from_bytes(&source.to_bytes()), Ok(source));
        let change = key(7, 0x0102);
        assert_eq!(change.to_bytes().len(), 22);
        assert_eq!(ChangeKey::from_bytes(&change.to_bytes()), Ok(change));
    }

    #[test]
    fn foreign_local_ids_keep_their_length() {
        for length in [17, 20, 24] {
            let bytes: Vec<u8> = (0..length).collect();
            assert_eq!(ChangeKey::from_bytes(&bytes).unwrap().to_bytes(), bytes);
        }
        for length in [0, 16, 25] {
            assert!(ChangeKey::from_bytes(&vec![1; length]).is_err(), "{length}");
        }
    }

    #[test]
    fn lists_compare_by_what_they_have_seen() {
        let base = list(&[(1, 10), (2, 5)]);
        assert_eq!(base.compare(&base.clone()), PclOrder::Equal);
        assert_eq!(list(&[(1, 11), (2, 5)]).compare(&base), PclOrder::Includes);
        assert_eq!(base.compare(&list(&[(1, 10), (2, 5), (3, 1)])), PclOrder::IncludedIn);
        assert_eq!(list(&[(1, 11), (2, 4)]).compare(&base), PclOrder::Conflict);
        assert_eq!(Pcl::default().compare(&base), PclOrder::IncludedIn);
    }

    #[test]
    fn a_join_includes_both() {
        let (a, b) = (list(&[(1, 11), (2, 4)]), list(&[(1, 10), (3, 9)]));
        let joined = a.join(&b);
        assert!(joined.includes(&a) && joined.includes(&b));
        assert_eq!(joined, list(&[(1, 11), (2, 4), (3, 9)]));
    }

    #[test]
    fn lists_come_back_from_their_bytes_and_cut_ones_are_refused() {
        let whole = list(&[(2, 5), (1, 10)]);
        let bytes = whole.to_bytes();
        assert_eq!(bytes.len(), 46);
        assert_eq!(Pcl::from_bytes(&bytes), Ok(whole));
        assert_eq!(Pcl::from_bytes(&[]), Ok(Pcl::default()));
        for cut in 1..bytes.len() {
            assert_eq!(Pcl::from_bytes(&bytes[..cut]).is_ok(), cut == 23, "{cut}");
        }
        assert!(Pcl::from_bytes(&[0, 0]).is_err());
    }
}

//! What makes a store itself: its GUIDs and signatures, random when it is created, the same ever after.

use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ese::page::header::{LogTime, Signature};
use crate::mapi::{FileTime, Guid, MailboxGuid, ReplGuid, ReplId, StoreGuid};

/// The identity of a new store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreIdentity {
    /// The store (`N676a`).
    pub store: StoreGuid,
    /// The replica that issues its ids (`N6762`).
    pub replica: ReplGuid,
    /// What the replica is called within the store. Never assume 1 when reading (exchange-store 3.3).
    pub local_replica: ReplId,
    /// Signature of the database.
    pub sign_db: Signature,
    /// Signature of the streaming file.
    pub sign_slv: Signature,
}

impl StoreIdentity {
    /// A new identity from random numbers of the operating system, made now.
    pub fn fresh() -> Self {
        let created = LogTime::from_unix_millis(unix_millis()).unwrap_or(LogTime::NEVER);
        let sign = || Signature { random: random_u64() as u32, created, computer: [0; 16] };
        Self {
            store: StoreGuid(random_guid()),
            replica: ReplGuid(random_guid()),
            local_replica: ReplId(1),
            sign_db: sign(),
            sign_slv: sign(),
        }
    }

    /// The identity that follows from a seed: for tests and for generated stores, which must come out the same every time.
    pub fn from_seed(seed: u64) -> Self {
        let guid = |what: u8| guid_from_seed(seed, what);
        let created = LogTime::from_unix_millis(1_057_017_600_000).unwrap_or(LogTime::NEVER);
        let sign = |what: u8| {
            let [a, b, c, d, ..] = guid(what).0;
            Signature { random: u32::from_le_bytes([a, b, c, d]), created, computer: [0; 16] }
        };
        Self {
            store: StoreGuid(guid(0)),
            replica: ReplGuid(guid(1)),
            local_replica: ReplId(1),
            sign_db: sign(2),
            sign_slv: sign(3),
        }
    }
}

/// A new mailbox GUID.
pub fn fresh_mailbox_guid() -> MailboxGuid {
    MailboxGuid(random_guid())
}

/// Now, as stored times have it.
pub(crate) fn now() -> FileTime {
    FileTime::from_unix_seconds((unix_millis() / 1000) as i64)
}

fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The standard library seeds every `RandomState` with 128 random bits of the operating system.
fn random_u64() -> u64 {
    RandomState::new().hash_one(unix_millis())
}

fn random_guid() -> Guid {
    let mut bytes = [0; 16];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&random_u64().to_le_bytes());
    high.copy_from_slice(&random_u64().to_le_bytes());
    marked_random(bytes)
}

fn guid_from_seed(seed: u64, what: u8) -> Guid {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"store identity").update(&seed.to_le_bytes()).update(&[what]);
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    marked_random(bytes)
}

/// Sets the bits that say "made of random numbers" (version 4, variant 1).
fn marked_random(mut bytes: [u8; 16]) -> Guid {
    bytes[7] = bytes[7] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Guid(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_new_every_time_unless_seeded() {
        let (a, b) = (StoreIdentity::fresh(), StoreIdentity::fresh());
        assert_ne!(a.store, b.store);
        assert_ne!(a.replica, b.replica);
        assert_ne!(a.sign_db.random, b.sign_db.random);
        assert_ne!(fresh_mailbox_guid(), fresh_mailbox_guid());
        assert_eq!(StoreIdentity::from_seed(1), StoreIdentity::from_seed(1));
        assert_ne!(StoreIdentity::from_seed(1).replica, StoreIdentity::from_seed(2).replica);
        assert!(a.store.to_string().chars().nth(14) == Some('4'), "{}", a.store);
    }
}

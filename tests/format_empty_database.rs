//! The empty database that this program creates is the one that the vendor's engine accepts (ese-logical 8.3), byte for
//! byte: same pages, same 72 catalog rows, same SHA-256 of the whole file.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::page::Pgno;
use dialtone::ese::page::checksum::checksum_of;
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::table::write::{NewDatabase, create_database};
use dialtone::io::{MemoryVolume, Volume};
use sha2::{Digest, Sha256};

const PAGES: [(u32, u64); 21] = [
    (1, 0x010c_7ef3_0001_277a),
    (2, 0x7f41_00be_00ec_d9d2),
    (3, 0x7f45_00ba_00f2_d9d3),
    (4, 0x7ea4_015b_7237_2a50),
    (5, 0x7f59_00a6_0006_30d6),
    (6, 0x7f5c_00a3_001b_30d5),
    (7, 0x5554_2aab_c53a_cb6e),
    (8, 0x0180_0180_0011_2e9d),
    (9, 0x7f93_7f93_0001_27ea),
    (10, 0x066f_066f_61fe_b2c0),
    (11, 0x7ebd_0142_0011_2b9f),
    (12, 0x00ac_7f53_0001_27ee),
    (13, 0x7ee4_011b_172c_4ae2),
    (14, 0x7e07_7e07_b06e_70de),
    (24, 0x0200_0200_6437_3840),
    (25, 0x7e77_0188_0017_3bcb),
    (26, 0x7e76_7e76_0001_27be),
    (27, 0x01de_01de_172c_4ae7),
    (28, 0x7e40_7e40_b06e_70db),
    (29, 0x7991_7991_73de_da0f),
    (30, 0x1a99_6566_6369_28d9),
];

#[test]
fn an_empty_database_is_the_one_that_the_engine_accepts() {
    let volume: Arc<dyn Volume> = Arc::new(MemoryVolume::new());
    let path = Path::new("/db/empty.edb");
    let created = LogTime::from_bytes([0x15, 0x2e, 0x0b, 0x13, 0x08, 0x7a, 0x51, 0x00]);
    let mut sign_db = [0; Signature::BYTES];
    sign_db[..4].copy_from_slice(&0x7856_3412_u32.to_le_bytes());
    sign_db[4..12].copy_from_slice(&created.to_bytes());
    let new = NewDatabase { sign_db: Signature::decode(sign_db), sign_slv: Signature::NONE };
    create_database(&volume, path, &new).unwrap();

    let storage = volume.open(path, dialtone::io::OpenMode::Read).unwrap();
    let mut bytes = vec![0; storage.len_bytes().unwrap() as usize];
    storage.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes.len(), 1_048_576);
    for (number, expected) in PAGES {
        let start = (number as usize + 1) * 4096;
        let page = &bytes[start..start + 4096];
        let stored = u64::from_le_bytes(page[..8].try_into().unwrap());
        assert_eq!(stored, checksum_of(page, Pgno::fixed(number)), "page {number}");
        assert_eq!(format!("{stored:016x}"), format!("{expected:016x}"), "page {number}");
    }
    assert_eq!(&bytes[..4], 0x7956_07a3_u32.to_le_bytes(), "header");
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, "c9a0b8632d126e1cb7adf5f3d1e4a51131e9dbb0fd9518f39ebf1dc7ef7aa097");
}

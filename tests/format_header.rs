//! The database header: vectors of ese-physical 1.7 and ese-logical 8.3, the choice between the two copies, what may be
//! written to, and the headers of real databases.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use dialtone::ese::EseError;
use dialtone::ese::error::Refusal;
use dialtone::ese::page::checksum::legacy_xor;
use dialtone::ese::page::header::{
    DbHeader, DbState, FileKind, Generations, HeaderSource, LgPos, LogTime, NewHeader, OsVersion,
    Signature, choose_header,
};
use dialtone::ese::page::{Dbtime, ObjId, PageSize};
use proptest::prelude::*;

/// All words of a Windows 8 database's header that are not zero, checksum aside (ese-physical 1.7).
const BASIC: &str = "004:89abcdef 008:00000620 010:00000193 018:87c3f09e 01c:130b2e20 020:08f97a08 034:00000003
    038:00160000 03c:00000001 040:130b2e21 044:00517a08 048:130b2e20 04c:0e717a08 050:00140268 054:00000001
    058:130b2e21 05c:00517a08 060:00160000 064:00000001 068:00000001 06c:08999d81 070:130b2e20 074:083b7a08
    0d4:00000008 0d8:00000006 0dc:00000002 0e0:000023f0 0e8:00000014 0ec:00001000 154:00000620 158:00000014
    1fc:ffffffff 200:ffffffff 248:9bcb13e9 24c:130b2e21 250:00517a08 264:908b0a0e 268:130b2e21 26c:004f7a08
    298:01000000";
const BASIC_CHECKSUM: u32 = 0x98a8_10d4;

/// The same of a database made from nothing (ese-logical 8.3).
const FRESH: &str = "004:89abcdef 008:00000620 010:00000040 018:78563412 01c:130b2e15 020:00517a08 034:00000003
    040:130b2e15 044:00517a08 048:130b2e15 04c:00517a08 058:130b2e15 05c:00517a08 068:00000001 0d4:00000007
    0d8:00000006 0dc:00000002 0e0:000023f0 0e8:00000014 0ec:00001000 154:00000620 158:00000014 1fc:ffffffff
    200:ffffffff 298:01000000";
const FRESH_CHECKSUM: u32 = 0x7956_07a3;

fn put(page: &mut [u8], offset: usize, value: u32) {
    page[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
}

fn reseal(page: &mut [u8]) {
    let checksum = legacy_xor(page);
    put(page, 0, checksum);
}

fn header_page(words: &str, checksum: u32) -> Vec<u8> {
    let mut page = vec![0; 4096];
    put(&mut page, 0, checksum);
    for word in words.split_whitespace() {
        let (offset, value) = word.split_once(':').unwrap();
        let offset = usize::from_str_radix(offset, 16).unwrap();
        put(&mut page, offset, u32::from_str_radix(value, 16).unwrap());
    }
    page
}

/// The basic header with changed words and a right checksum.
fn changed(words: &[(usize, u32)]) -> Vec<u8> {
    let mut page = header_page(BASIC, BASIC_CHECKSUM);
    for (offset, value) in words {
        put(&mut page, *offset, *value);
    }
    reseal(&mut page);
    page
}

fn fresh() -> NewHeader {
    NewHeader {
        kind: FileKind::Database,
        sign_db: Signature {
            random: 0x7856_3412,
            created: "2022-08-19T11:46:21.040Z".parse().unwrap(),
            computer: [0; 16],
        },
        sign_slv: Signature::NONE,
        dbtime: Dbtime(0x40),
        objid_last: ObjId(7),
        os_version: OsVersion::WINDOWS_8,
    }
}

#[test]
fn the_header_vector_decodes_field_by_field() {
    let page = header_page(BASIC, BASIC_CHECKSUM);
    assert_eq!(legacy_xor(&page), BASIC_CHECKSUM);
    let header = DbHeader::decode(&page).unwrap();

    assert_eq!(header.format_version(), 0x620);
    assert_eq!((header.revision(), header.update_minor()), (0x14, 0));
    assert_eq!(header.created_version(), (0x620, 0x14));
    assert_eq!(header.page_size(), PageSize::KIB4);
    assert_eq!((header.kind(), header.file_type()), (FileKind::Database, 1));
    assert_eq!(header.state(), DbState::Clean);
    assert_eq!((header.dbtime(), header.objid_last()), (Dbtime(0x193), ObjId(8)));
    assert_eq!(header.sign_db().to_string(), "87c3f09e made 2022-08-19T11:46:32.636Z");
    assert_eq!(header.sign_log().to_string(), "08999d81 made 2022-08-19T11:46:32.541Z");
    assert!(header.sign_slv().is_none());
    assert_eq!(header.os_version().to_string(), "6.2.9200");
    assert_eq!(header.dbid(), 1);

    let position = |sector, byte| LgPos { generation: 1, sector, byte };
    assert_eq!(header.consistent().position, position(0x16, 0));
    assert_eq!(header.attach().position, position(0x14, 0x268));
    assert_eq!(header.detach(), header.consistent());
    assert_eq!(header.attach().to_string(), "(0x1,14,268) 2022-08-19T11:46:32.952Z");
    assert_eq!(header.detach().time.to_string(), "2022-08-19T11:46:33.040Z");

    assert_eq!(header.generations_required(), Generations::default());
    assert_eq!((header.generation_committed(), header.backup_generation()), (0, 0));
    assert_eq!((header.repair_count(), header.repair_time()), (0, LogTime::NEVER));
    assert!(!header.is_shadow_disabled());
    assert_eq!(header.ecc_fixes().count, 0);
    assert!(header.writable().is_ok());
    assert_eq!(header.notes(), Vec::<String>::new());
}

#[test]
fn every_field_is_read_from_its_own_place() {
    let page = changed(&[
        (208, 1),
        (228, 3),
        (240, 2),
        (244, 0x0113_0b2e),
        (252, 0xabcd),
        (296, 7),
        (300, 9),
        (348, 0x0213_0b2e),
        (368, 10),
        (380, 11),
        (384, 12),
        (400, 13),
        (416, 8),
        (200, 5),
        (644, 20),
        (52, 2),
    ]);
    let header = DbHeader::decode(&page).unwrap();
    assert!(header.is_shadow_disabled());
    assert_eq!(header.os_version().to_string(), "6.2.9200 SP3");
    assert_eq!(header.repair_count(), 2);
    assert_eq!(header.repair_time().to_bytes(), [0x2e, 0x0b, 0x13, 1, 0, 0, 0, 0]);
    assert_eq!(header.sign_slv().random, 0xabcd);
    assert_eq!(header.generations_required(), Generations { min: 7, max: 9 });
    assert_eq!(header.generation_time().to_bytes(), [0x2e, 0x0b, 0x13, 2, 0, 0, 0, 0]);
    assert_eq!((header.ecc_fixes().count, header.ecc_fixes().before_repair), (10, 11));
    assert_eq!((header.ecc_failures().count, header.bad_checksums().count), (12, 13));
    assert_eq!((header.generation_committed(), header.backup_generation()), (8, 5));
    assert_eq!(header.update_minor(), 20);
    assert_eq!(header.state(), DbState::Dirty);
    let notes = header.notes().join("\n");
    for part in
        ["dirty shutdown", "0x7 to 0x9", "backup set", "shadow", "repaired 2", "corrected: 10"]
    {
        assert!(notes.contains(part), "{part:?} is missing in:\n{notes}");
    }
}

#[test]
fn a_header_made_from_nothing_is_the_one_the_engine_accepted() {
    let made = DbHeader::new_database(&fresh());
    assert!(made.encode() == header_page(FRESH, FRESH_CHECKSUM));
    assert_eq!(DbHeader::decode(&made.encode()).unwrap(), made);
    assert!(made.writable().is_ok());
}

#[test]
fn a_streaming_file_gets_a_header_of_its_own() {
    let sign_slv = Signature { random: 99, ..fresh().sign_db };
    let new = NewHeader { kind: FileKind::Streaming, sign_slv, ..fresh() };
    let header = DbHeader::decode(&DbHeader::new_database(&new).encode()).unwrap();
    assert_eq!((header.kind(), header.file_type()), (FileKind::Streaming, 2));
    assert_eq!((header.sign_db(), header.sign_slv()), (new.sign_db, sign_slv));
    assert!(header.writable().is_ok());
}

#[test]
fn what_is_set_is_what_is_read_back_and_nothing_else_changes() {
    let before = header_page(BASIC, BASIC_CHECKSUM);
    let mut header = DbHeader::decode(&before).unwrap();
    header.set_state(DbState::Dirty);
    header.set_dbtime(Dbtime(0x1_0000_0001));
    header.set_objid_last(ObjId(500));
    let after = header.encode();
    let expected = changed(&[(52, 2), (16, 1), (20, 1), (212, 500)]);
    assert!(after == expected);
    let again = DbHeader::decode(&after).unwrap();
    assert_eq!((again.state(), again.dbtime()), (DbState::Dirty, Dbtime(0x1_0000_0001)));

    header.clear_flush_map_signatures();
    let words = [0x248, 0x24c, 0x250, 0x264, 0x268, 0x26c].map(|offset| (offset, 0));
    let expected = changed(&[&words[..], &[(52, 2), (16, 1), (20, 1), (212, 500)]].concat());
    assert!(header.encode() == expected);
}

#[test]
fn every_state_has_its_number_and_unknown_ones_are_corrupt() {
    for number in 1..=8 {
        let header = DbHeader::decode(&changed(&[(52, number)])).unwrap();
        assert_eq!(header.state().number(), number);
        let refusal = header.writable().err().and_then(|error| error.refusal());
        assert_eq!(refusal, if number == 3 { None } else { Some(Refusal::Dirty) }, "{number}");
    }
    for number in [0, 9, 0x300, u32::MAX] {
        let error = DbHeader::decode(&changed(&[(52, number)])).unwrap_err();
        assert!(matches!(error, EseError::Corrupt { .. }), "{number}: {error}");
    }
}

#[test]
fn only_the_written_format_can_be_written_but_others_are_read() {
    for (words, note) in [
        (&[(232, 0x6e), (644, 240)][..], "revision 0x6e.240 is newer"),
        (&[(232, 0x0c)], "revision 0xc is older"),
        (&[(664, 5 << 24)], "temporary"),
    ] {
        let header = DbHeader::decode(&changed(words)).unwrap();
        let error = header.writable().unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::Version), "{note}: {error}");
        assert!(header.notes().join("\n").contains(note), "{:?}", header.notes());
    }
    let mut page = changed(&[(236, 8192)]);
    page.resize(8192, 0);
    let header = DbHeader::decode(&page).unwrap();
    assert_eq!(header.writable().unwrap_err().refusal(), Some(Refusal::Version));
    let minor = DbHeader::decode(&changed(&[(644, 20)])).unwrap();
    assert!(minor.writable().is_ok(), "the minor does not matter");
}

#[test]
fn what_is_no_header_is_refused_with_a_reason() {
    let corrupt = |page: &[u8], part: &str| {
        let error = DbHeader::decode(page).unwrap_err();
        assert!(matches!(error, EseError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    let good = header_page(BASIC, BASIC_CHECKSUM);
    corrupt(&[], "no database header");
    corrupt(&[0; 4096], "no database header");
    corrupt(&good[..100], "checksum");
    corrupt(&changed(&[(236, 8192)]), "4096 bytes says that pages have 8192");
    corrupt(&changed(&[(236, 5000)]), "5000 bytes is no page size");
    let mut damaged = good;
    damaged[4000] = 1;
    corrupt(&damaged, "header checksum is 98a810d4, should be 98a810d5");

    for words in [(8, 0x621), (8, 0), (12, 2), (664, 3 << 24), (664, 2 << 24)] {
        let error = DbHeader::decode(&changed(&[words])).unwrap_err();
        assert!(matches!(error, EseError::Unsupported { .. }), "{words:?}: {error}");
    }
}

#[test]
fn page_size_zero_means_4096_and_stays_zero() {
    let page = changed(&[(236, 0)]);
    let header = DbHeader::decode(&page).unwrap();
    assert_eq!(header.page_size(), PageSize::KIB4);
    assert!(header.encode() == page);
}

#[test]
fn sound_equal_copies_give_the_primary_without_a_word() {
    let page = header_page(BASIC, BASIC_CHECKSUM);
    let choice = choose_header(&[page.clone(), page, vec![0xaa; 60_000]].concat()).unwrap();
    assert_eq!(choice.source, HeaderSource::Primary);
    assert_eq!(choice.warnings, Vec::<String>::new());
}

#[test]
fn every_page_size_is_found_with_either_copy() {
    for size in PageSize::ALL {
        let mut page = changed(&[(236, size.bytes() as u32)]);
        page.resize(size.bytes(), 0);
        reseal(&mut page);
        let zero = vec![0; size.bytes()];
        let both = [page.clone(), page.clone()].concat();
        assert_eq!(choose_header(&both).unwrap().header.page_size(), size);
        let only_shadow = choose_header(&[zero.clone(), page.clone()].concat()).unwrap();
        assert_eq!(only_shadow.source, HeaderSource::Shadow);
        assert_eq!(only_shadow.header.page_size(), size);
        assert_eq!(only_shadow.warnings.len(), 1);
        let only_primary = choose_header(&[page.clone(), zero].concat()).unwrap();
        assert_eq!(only_primary.source, HeaderSource::Primary);
        assert!(only_primary.warnings[0].contains("shadow copy is damaged"));
        let short = choose_header(&page).unwrap();
        assert!(short.warnings[0].contains("ends before"));
    }
}

#[test]
fn copies_that_differ_give_the_primary_and_a_warning() {
    let (primary, shadow) = (changed(&[(16, 9)]), changed(&[(16, 8)]));
    let choice = choose_header(&[primary, shadow].concat()).unwrap();
    assert_eq!(choice.header.dbtime(), Dbtime(9));
    assert!(choice.warnings[0].contains("differ"));
}

#[test]
fn two_wrong_checksums_are_tolerated_only_when_the_copies_agree() {
    let mut damaged = header_page(BASIC, BASIC_CHECKSUM);
    damaged[3000] ^= 1;
    let both = [damaged.clone(), damaged.clone()].concat();
    let choice = choose_header(&both).unwrap();
    assert_eq!(choice.source, HeaderSource::Primary);
    assert_eq!(choice.warnings.len(), 1);
    DbHeader::decode(&choice.header.encode()).expect("encoding makes the checksum right");

    for offset in [4, 8, 236] {
        let mut other = damaged.clone();
        other[offset] ^= 0x40;
        for both in [[damaged.clone(), other.clone()], [other.clone(), damaged.clone()]] {
            let error = choose_header(&both.concat()).unwrap_err();
            assert!(
                matches!(error, EseError::Corrupt { .. } | EseError::Unsupported { .. }),
                "byte {offset}: {error}"
            );
        }
    }
    assert!(choose_header(&damaged).is_err(), "one copy alone proves nothing");
}

#[test]
fn signatures_keep_all_28_bytes() {
    let mut signature = Signature { random: 1, created: LogTime::NEVER, computer: [0; 16] };
    signature.computer[..5].copy_from_slice(b"EX\x0701");
    assert_eq!(signature.to_string(), "00000001 made never on EX\\x0701");
    assert_eq!(Signature::decode(signature.encode()), signature);
    let bytes: [u8; 28] = std::array::from_fn(|index| index as u8 ^ 0x5a);
    assert_eq!(Signature::decode(bytes).encode(), bytes);
    assert_eq!(Signature::NONE.to_string(), "none");
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_words_in_a_header_decode_or_are_refused_and_come_back_unchanged(
        words in prop::collection::vec((0usize..1020, any::<u32>()), 0..12),
        length in prop_oneof![Just(8192usize), 0usize..70_000],
    ) {
        let words: Vec<_> = words.into_iter().map(|(word, value)| (word * 4, value)).collect();
        let page = changed(&words);
        if let Ok(header) = DbHeader::decode(&page) {
            prop_assert!(header.encode() == page);
            header.notes();
            let _ = header.writable();
            let _ = format!("{} {} {}", header.sign_db(), header.attach(), header.os_version());
        }
        let mut file = [page.clone(), page].concat();
        file.resize(length, 0);
        if let Ok(choice) = choose_header(&file) {
            prop_assert_eq!(choice.header.page_size(), PageSize::KIB4);
        }
    }

    #[test]
    fn any_bytes_are_chosen_from_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        prop_assert!(choose_header(&bytes).is_err());
    }
}

fn samples() -> Option<PathBuf> {
    let root = match std::env::var_os("DIALTONE_SHARED") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
    };
    let found = root.join("data/ese/basic.edb.gz").is_file();
    if !found {
        println!(
            "SKIPPED: no sample databases; set DIALTONE_SHARED to the folder that has data/ese"
        );
    }
    found.then_some(root)
}

fn first_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).take(65_536).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn headers_of_real_databases_say_what_is_known_about_them() {
    let Some(root) = samples() else { return };
    let clean = DbState::Clean;
    for (name, page_size, revision, state) in [
        ("ese/basic.edb", 4096, 0x14, clean),
        ("ese/default.edb", 4096, 0x14, clean),
        ("ese/text.edb", 4096, 0x14, clean),
        ("ese/binary.edb", 4096, 0x14, clean),
        ("ese/multi.edb", 4096, 0x14, clean),
        ("ese/index.edb", 4096, 0x14, clean),
        ("ese/large.edb", 32768, 0x14, clean),
        ("ese/Current.mdb", 4096, 0x14, clean),
        ("ese/SRUDB.dat", 4096, 0x14, clean),
        ("ese/decompress_test.edb", 8192, 0x14, clean),
        ("ese/goese-SRUDB.dat", 4096, 0x6e, clean),
        ("ese/goese-qmgr.db", 16384, 0x12c, DbState::Dirty),
        ("ese/plaso-Catalog1.edb", 4096, 0x14, clean),
        ("ese/dsinternals-InitialLDS-adamntds.dit", 8192, 0x0c, clean),
        ("ese/cis_benchmarks_enfor-1-secedit.sdb", 4096, 0xe6, clean),
        ("ese-engine/types-4k.edb", 4096, 0x14, clean),
        ("ese-engine/types-32k.edb", 32768, 0x14, clean),
    ] {
        let bytes = first_bytes(&root.join("data").join(format!("{name}.gz")));
        let choice = choose_header(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let header = &choice.header;
        assert_eq!(choice.source, HeaderSource::Primary, "{name}");
        assert_eq!(choice.warnings, Vec::<String>::new(), "{name}");
        assert_eq!(header.page_size().bytes(), page_size, "{name}");
        assert_eq!(header.revision(), revision, "{name}");
        assert_eq!(header.state(), state, "{name}");
        assert!(header.encode() == bytes[..page_size], "{name} encodes to other bytes");
        let may_write = page_size == 4096 && revision == 0x14 && state == clean;
        assert_eq!(header.writable().is_ok(), may_write, "{name}");
        println!("{name}: {:?}", header.notes());
    }
    let basic = first_bytes(&root.join("data/ese/basic.edb.gz"));
    assert!(basic[..4096] == header_page(BASIC, BASIC_CHECKSUM), "the vector is the file's header");
}

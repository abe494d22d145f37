//! Long values in trees of one hand-made page: sound ones of every form, and each way to be broken.

use std::path::Path;

use super::{LvReader, default_chunk_bytes};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::{ObjId, PageEditor, PageFlags, PageSize, Pgno};
use crate::ese::table::column::Lid;
use crate::ese::table::compress::seven_bit_ascii_compress;
use crate::ese::table::schema::TableDef;
use crate::ese::txn::{PageRef, Pages};

const ROOT: Pgno = Pgno::fixed(7);
const OBJID: ObjId = ObjId(9);
/// Chunks are made small by the table's own bound, so that all of them fit on one page.
const CHUNK_BYTES: u32 = 100;

/// A file whose only page is the root of a long-value tree.
struct OnePage(Vec<u8>);

impl Pages for OnePage {
    fn page_size(&self) -> PageSize {
        PageSize::KIB4
    }

    fn last_page(&self) -> u32 {
        ROOT.get()
    }

    fn path(&self) -> &Path {
        Path::new("one.edb")
    }

    fn page(&self, pgno: Pgno) -> EseResult<PageRef<'_>> {
        if pgno == ROOT {
            Ok(PageRef::borrowed(pgno, &self.0))
        } else {
            Err(EseError::corrupt(pgno, "there is no such page"))
        }
    }
}

/// A tree of these nodes, in key order.
fn tree(nodes: &[(Vec<u8>, Vec<u8>)]) -> OnePage {
    let mut bytes = vec![0; 4096];
    let flags = PageFlags::ROOT | PageFlags::LEAF | PageFlags::LONG_VALUE;
    let mut page = PageEditor::format(&mut bytes, ROOT, OBJID, flags, &[0; 16]);
    for (line, (key, data)) in nodes.iter().enumerate() {
        assert!(page.insert_node(line, key, data), "the test's nodes fit on a page");
    }
    OnePage(bytes)
}

fn table() -> TableDef {
    TableDef {
        name: "t".into(),
        objid: ObjId(8),
        root: Pgno::fixed(6),
        flags: 0,
        density: 80,
        initial_pages: 1,
        columns: Vec::new(),
        template: None,
        indexes: Vec::new(),
        primary: None,
        long_values: Some((OBJID, ROOT)),
        lv_chunk_max: Some(CHUNK_BYTES),
        separate_lv: None,
    }
}

fn root(lid: Lid, references: u32, len_bytes: u32) -> (Vec<u8>, Vec<u8>) {
    (lid.key_bytes(), [references.to_le_bytes(), len_bytes.to_le_bytes()].concat())
}

fn chunk(lid: Lid, offset: u32, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    ([lid.key_bytes(), offset.to_be_bytes().to_vec()].concat(), bytes.to_vec())
}

fn plain(len_bytes: usize) -> Vec<u8> {
    (0..len_bytes).map(|at| (at * 7 % 128) as u8).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(seven_bit_ascii_compress(bytes, &mut out), "ASCII gets shorter");
    out
}

fn read(pages: &OnePage, lid: Lid) -> EseResult<Vec<u8>> {
    LvReader::new(pages, &table()).read_to_vec(lid, 1 << 20)
}

const LID: Lid = Lid(3);
const LONG_LID: Lid = Lid(0x8000_0000_8000_0001);

#[test]
fn chunk_sizes_are_those_of_the_format_sheet() {
    let sizes = PageSize::ALL.map(default_chunk_bytes);
    assert_eq!(sizes, [1966, 4014, 8110, 4050, 8150]);
}

#[test]
fn raw_and_compressed_chunks_make_one_value() {
    for lid in [LID, LONG_LID] {
        let value = plain(250);
        let squeezed = packed(&value[100..200]);
        let pages = tree(&[
            root(lid, 1, 250),
            chunk(lid, 0, &value[..100]),
            chunk(lid, 100, &squeezed),
            chunk(lid, 200, &value[200..]),
        ]);
        assert_eq!(read(&pages, lid).unwrap(), value);
        let table = table();
        let reader = LvReader::new(&pages, &table);
        assert_eq!(reader.read_prefix(lid, 120).unwrap(), value[..120]);
        assert_eq!(reader.info(lid).unwrap().references, 1);
        let mut pieces = Vec::new();
        reader.read(lid, &mut |piece| pieces.push(piece.len())).unwrap();
        assert_eq!(pieces, [100, 100, 50]);
    }
}

#[test]
fn a_first_chunk_that_is_compressed_does_not_hide_the_chunk_size() {
    let value = plain(150);
    let squeezed = packed(&value[..100]);
    let pages =
        tree(&[root(LID, 1, 150), chunk(LID, 0, &squeezed), chunk(LID, 100, &value[100..])]);
    assert_eq!(read(&pages, LID).unwrap(), value);
}

#[test]
fn chunks_smaller_than_the_bound_are_read_by_their_keys() {
    let value = plain(110);
    let chunks = [(0, 40), (40, 80), (80, 110)];
    let mut nodes = vec![root(LID, 1, 110)];
    nodes.extend(chunks.map(|(start, end)| chunk(LID, start as u32, &value[start..end])));
    assert_eq!(read(&tree(&nodes), LID).unwrap(), value);
}

#[test]
fn an_empty_value_and_its_neighbours_are_told_apart() {
    let pages = tree(&[
        root(Lid(2), 1, 0),
        root(LID, 1, 4),
        chunk(LID, 0, b"four"),
        root(Lid(4), 2, 1),
        chunk(Lid(4), 0, b"x"),
    ]);
    assert_eq!(read(&pages, Lid(2)).unwrap(), b"");
    assert_eq!(read(&pages, LID).unwrap(), b"four");
    assert_eq!(read(&pages, Lid(4)).unwrap(), b"x");
}

/// A tree that lacks something is an error that names the long value, and where it can the page.
fn assert_broken(nodes: &[(Vec<u8>, Vec<u8>)], reason: &str) {
    let pages = tree(nodes);
    let message = read(&pages, LID).unwrap_err().to_string();
    assert!(message.contains("long value 3") && message.contains("object 9"), "{message}");
    assert!(message.contains(reason), "{message} should speak of {reason}");
}

#[test]
fn missing_and_misplaced_chunks_are_errors() {
    let value = plain(250);
    let chunks: Vec<_> =
        value.chunks(100).zip(0..).map(|(bytes, at)| chunk(LID, at * 100, bytes)).collect();
    let with = |kept: &[usize]| {
        let kept = kept.iter().map(|at| chunks[*at].clone());
        std::iter::once(root(LID, 1, 250)).chain(kept).collect::<Vec<_>>()
    };
    assert_eq!(read(&tree(&with(&[0, 1, 2])), LID).unwrap(), value);
    assert_broken(&with(&[]), "chunk at 0 of 250");
    assert_broken(&with(&[1, 2]), "chunk at 0 of 250");
    assert_broken(&with(&[0, 2]), "chunk at 100 of 250");
    assert_broken(&with(&[0, 1]), "chunk at 200 of 250");
    let squeezed = packed(&value[..100]);
    assert_broken(
        &[root(LID, 1, 250), chunk(LID, 0, &squeezed), chunk(LID, 200, &value[200..])],
        "chunk",
    );
}

#[test]
fn lengths_that_do_not_agree_are_errors() {
    assert_broken(&[root(LID, 1, 4), chunk(LID, 0, b"fours")], "5 bytes instead of 4");
    let two = [root(LID, 1, 100), chunk(LID, 0, &plain(100)), chunk(LID, 100, b"more")];
    assert_broken(&two, "should end at 100");
    assert_broken(&[root(LID, 1, 50), chunk(LID, 0, &[0x0e, 1, 2])], "instead of 50");
}

#[test]
fn broken_roots_are_errors() {
    assert_broken(&[root(Lid(4), 1, 0)], "no such long value");
    assert_broken(&[(LID.key_bytes(), vec![1, 0, 0, 0])], "a root of 4 bytes");
    assert_broken(&[root(LID, u32::MAX, 0)], "being deleted");
    let (key, mut data) = root(LID, 1, 0);
    data.push(1);
    assert_broken(&[(key, data)], "encrypted");
    let none = TableDef { long_values: None, ..table() };
    let pages = tree(&[root(LID, 1, 0)]);
    assert!(LvReader::new(&pages, &none).read_to_vec(LID, 9).is_err());
}

#[test]
fn a_declared_length_reserves_nothing_and_is_capped() {
    let pages = tree(&[root(LID, 1, u32::MAX), chunk(LID, 0, &plain(100))]);
    let table = table();
    let reader = LvReader::new(&pages, &table);
    let error = reader.read_to_vec(LID, 1000).unwrap_err();
    assert!(matches!(error, EseError::Limit { .. }), "{error}");
    let mut out = b"kept".to_vec();
    assert!(reader.read_into(LID, usize::MAX, &mut out).is_err());
    assert_eq!(out, b"kept");
    assert!(out.capacity() < 4096, "memory follows the chunks");
}

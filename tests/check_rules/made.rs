//! A sound database to be damaged, and the tools to damage it: every change stamps the checksum anew, so that nothing but
//! the rule itself can notice.

use std::path::Path;
use std::sync::Arc;

use dialtone::ese::page::checksum;
use dialtone::ese::page::header::{DbHeader, LogTime, Signature};
use dialtone::ese::page::{ObjId, PageEditor, PageFlags, PageView, Pgno};
use dialtone::ese::table::column::{ColumnFlags, ColumnType};
use dialtone::ese::table::write::{
    DatabaseWriter, FieldValue, NewColumn, NewDatabase, NewIndex, NewTable, Placement,
};
use dialtone::io::{MemoryVolume, Volume};

pub const PATH: &str = "/db/check.edb";
pub const PAGE: usize = 4096;

/// Object ids: the catalog and its shadow, the list of ids, the first table with its trees, the second with its own.
pub const CATALOG: ObjId = ObjId(2);
pub const SHADOW: ObjId = ObjId(3);
pub const OBJIDS: ObjId = ObjId(6);
pub const ROWS: ObjId = ObjId(8);
pub const BY_NUMBER: ObjId = ObjId(9);
pub const UNIQUE: ObjId = ObjId(10);
pub const ROWS_LV: ObjId = ObjId(11);
pub const NOTES: ObjId = ObjId(12);
pub const NOTES_LV: ObjId = ObjId(13);

/// Two tables. `Rows`: 400 rows with a primary, a unique and another index, every tenth with a long value of three chunks.
/// `Notes`: 12 rows without any index, in a single extent, with compressed text inside and outside of the record.
pub fn sound() -> Vec<u8> {
    let memory = MemoryVolume::new();
    let volume: Arc<dyn Volume> = Arc::new(memory.clone());
    let sign_db = Signature { random: 1, created: LogTime::NEVER, computer: [0; 16] };
    let new = NewDatabase { sign_db, sign_slv: Signature::NONE };
    let mut writer = DatabaseWriter::create(volume, Path::new(PATH), &new).unwrap();
    let rows = NewTable::new("Rows")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Number", ColumnType::Long))
        .column(NewColumn::new("Body", ColumnType::LongBinary))
        .primary(NewIndex::new("ById", &["Id"]))
        .index(NewIndex::new("ByNumber", &["Number"]))
        .index(NewIndex::new("Unique", &["Number", "Id"]).unique());
    let rows = writer.create_table(&rows).unwrap();
    for id in 0..400i32 {
        let body = vec![b'x'; if id % 10 == 0 { 9000 } else { 60 }];
        let (number, id) = ((id % 37).to_le_bytes(), id.to_le_bytes());
        let row = [FieldValue::Bytes(&id), FieldValue::Bytes(&number), FieldValue::Bytes(&body)];
        writer.insert(&rows, &row).unwrap();
    }
    let notes = NewTable::new("Notes")
        .column(NewColumn::new("Title", ColumnType::Text))
        .column(NewColumn::new("Rank", ColumnType::Long).placed(Placement::Tagged))
        .column(NewColumn::new("Text", ColumnType::LongText).flagged(ColumnFlags::COMPRESSED));
    let notes = writer.create_table(&notes).unwrap();
    for id in 0..12u8 {
        let text = vec![b'a' + id; if id == 0 { 6000 } else { 300 }];
        let rank = u32::from(id).to_le_bytes();
        let row = [FieldValue::Bytes(b"note"), FieldValue::Bytes(&rank), FieldValue::Bytes(&text)];
        writer.insert(&notes, &row).unwrap();
    }
    writer.close().unwrap();
    memory.file_bytes(PATH).unwrap()
}

pub fn page_of(bytes: &mut [u8], pgno: u32) -> &mut [u8] {
    let start = (pgno as usize + 1) * PAGE;
    &mut bytes[start..start + PAGE]
}

fn view(bytes: &[u8], pgno: u32) -> PageView<'_> {
    let start = (pgno as usize + 1) * PAGE;
    PageView::new(&bytes[start..start + PAGE], Pgno::fixed(pgno)).unwrap()
}

/// All pages of a tree with these flags, and without those.
pub fn pages(bytes: &[u8], objid: ObjId, with: PageFlags, without: PageFlags) -> Vec<u32> {
    let last = (bytes.len() / PAGE - 2) as u32;
    let is_wanted = |pgno: &u32| {
        let start = (*pgno as usize + 1) * PAGE;
        PageView::new(&bytes[start..start + PAGE], Pgno::fixed(*pgno)).is_ok_and(|page| {
            page.objid() == objid && page.has(with) && !page.flags().intersects(without)
        })
    };
    (1..=last).filter(is_wanted).collect()
}

/// The first leaf that is not the root.
pub fn leaf(bytes: &[u8], objid: ObjId) -> u32 {
    pages(bytes, objid, PageFlags::LEAF, PageFlags::ROOT | PageFlags::SPACE_TREE)[0]
}

pub fn root(bytes: &[u8], objid: ObjId) -> u32 {
    pages(bytes, objid, PageFlags::ROOT, PageFlags::SPACE_TREE)[0]
}

/// The root of the owned extents; that of the available ones follows it.
pub fn owned_extents(bytes: &[u8], objid: ObjId) -> u32 {
    pages(bytes, objid, PageFlags::ROOT | PageFlags::SPACE_TREE, PageFlags::empty())[0]
}

pub fn stamp(bytes: &mut [u8], pgno: u32) {
    checksum::stamp(page_of(bytes, pgno), Pgno::fixed(pgno));
}

/// Changes one page.
pub fn edit(bytes: &mut [u8], pgno: u32, change: impl FnOnce(&mut PageEditor<'_>)) {
    change(&mut PageEditor::over(page_of(bytes, pgno), Pgno::fixed(pgno)));
    stamp(bytes, pgno);
}

/// Changes raw bytes of a page.
pub fn poke(bytes: &mut [u8], pgno: u32, offset: usize, value: &[u8]) {
    page_of(bytes, pgno)[offset..offset + value.len()].copy_from_slice(value);
    stamp(bytes, pgno);
}

/// Changes the header in both copies, or in the first one only.
pub fn set_header(bytes: &mut [u8], copies: usize, change: impl FnOnce(&mut DbHeader)) {
    let mut header = DbHeader::decode(&bytes[..PAGE]).unwrap();
    change(&mut header);
    let page = header.encode();
    for copy in bytes.chunks_exact_mut(PAGE).take(copies) {
        copy.copy_from_slice(&page);
    }
}

/// Key and data of node `line`.
pub fn node(bytes: &[u8], pgno: u32, line: usize) -> (Vec<u8>, Vec<u8>) {
    let node = view(bytes, pgno).node(line).unwrap();
    (node.key.to_vec(), node.data.to_vec())
}

/// Changes the data of node `line`.
pub fn edit_data(bytes: &mut [u8], pgno: u32, line: usize, change: impl FnOnce(&mut Vec<u8>)) {
    let (_, mut data) = node(bytes, pgno, line);
    change(&mut data);
    edit(bytes, pgno, |page| assert!(page.replace_data(line, &data)));
}

/// Puts another node in the place of node `line`.
pub fn replace_node(bytes: &mut [u8], pgno: u32, line: usize, key: &[u8], data: &[u8]) {
    edit(bytes, pgno, |page| {
        page.delete_node(line);
        assert!(page.insert_node(line, key, data));
    });
}

/// Offset in the page of the bytes of a tag.
pub fn tag_offset(bytes: &[u8], pgno: u32, tag: usize) -> usize {
    40 + view(bytes, pgno).tag(tag).unwrap().offset
}

/// Page and line of the first entry of a tree that `is_wanted`.
pub fn find_entry(
    bytes: &[u8],
    objid: ObjId,
    is_wanted: impl Fn(&[u8], &[u8]) -> bool,
) -> (u32, usize) {
    let leaves = pages(bytes, objid, PageFlags::LEAF, PageFlags::SPACE_TREE);
    let mut lines = leaves
        .into_iter()
        .flat_map(|pgno| (0..view(bytes, pgno).node_count()).map(move |line| (pgno, line)));
    let found = lines.find(|(pgno, line)| {
        let (key, data) = node(bytes, *pgno, *line);
        is_wanted(&key, &data)
    });
    found.unwrap()
}

/// Page and line of the root of the first long value of a tree.
pub fn long_value_root(bytes: &[u8], objid: ObjId) -> (u32, usize) {
    find_entry(bytes, objid, |key, _| key.len() == 4)
}

/// Offsets in a catalog row. Source: ese-logical 1.2.
pub const ROW_ID: usize = 10;
pub const ROW_COLTYP_OR_ROOT: usize = 14;
pub const ROW_DENSITY: usize = 18;
pub const ROW_RECORD_OFFSET: usize = 31;

/// Changes the row of this table, kind and id in both catalogs, or in the shadow only.
pub fn edit_catalog(
    bytes: &mut [u8],
    (table, kind, id): (ObjId, u16, u32),
    catalogs: &[ObjId],
    change: impl Fn(&mut Vec<u8>),
) {
    for catalog in catalogs {
        let (pgno, line) = find_entry(bytes, *catalog, |_, row| {
            row[4..8] == table.0.to_le_bytes()
                && row[8..10] == kind.to_le_bytes()
                && row[ROW_ID..ROW_ID + 4] == id.to_le_bytes()
        });
        edit_data(bytes, pgno, line, &change);
    }
}

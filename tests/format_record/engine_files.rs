//! Records and keys out of databases that the vendor's engine wrote, for tests of the record and key code.
//!
//! The files are test data outside of the project (`DIALTONE_SHARED`). What is here knows just enough of pages
//! and of the catalog to reach records: it trusts the file, and it is written apart from the library's own page
//! and tree code, so that neither can hide a mistake of the other.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use dialtone::ese::page::{ObjId, PageSize, Pgno};
use dialtone::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Fid};
use dialtone::ese::table::compress::decompress;
use dialtone::ese::table::key::{
    IndexDef, IndexFlags, KEY_MOST_BYTES, TupleLimits, parse_conditions, parse_segments,
};
use dialtone::ese::table::record::{FieldValues, RecordView, Stored, TaggedStyle};

/// The directory of the engine's databases, or `None` with a line that says so.
pub fn engine_directory() -> Option<PathBuf> {
    let shared = std::env::var_os("DIALTONE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let directory = shared.join("data/ese-engine");
    if directory.is_dir() {
        return Some(directory);
    }
    eprintln!("skipped: no engine databases in {} (set DIALTONE_SHARED)", directory.display());
    None
}

pub fn gunzip(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).expect("test data can be opened");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("test data unpacks");
    bytes
}

/// The engine's own answers to a database.
pub fn answers(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&gunzip(path)).expect("the answers are JSON")
}

/// Key and data of a node.
pub type Node = (Vec<u8>, Vec<u8>);

/// A table as its catalog rows tell.
pub struct Table {
    pub name: String,
    pub root: u32,
    pub columns: Vec<ColumnDef>,
    pub indexes: Vec<IndexDef>,
    pub long_value_root: Option<u32>,
    template: Option<String>,
}

pub struct Database {
    bytes: Vec<u8>,
    pub page_size: PageSize,
    pub tables: BTreeMap<String, Table>,
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

impl Database {
    pub fn open(path: &Path) -> Self {
        let bytes = gunzip(path);
        let page_size = PageSize::new(u32_at(&bytes, 236)).unwrap();
        let mut database = Self { bytes, page_size, tables: BTreeMap::new() };
        database.read_catalog();
        database
    }

    pub fn style(&self) -> TaggedStyle {
        TaggedStyle::of_page(self.page_size, true)
    }

    /// All nodes of a tree in key order, deleted ones left out.
    pub fn nodes(&self, root: u32) -> Vec<Node> {
        let mut nodes = Vec::new();
        self.walk(root, &mut nodes);
        nodes
    }

    fn walk(&self, pgno: u32, out: &mut Vec<Node>) {
        let size = self.page_size.bytes();
        let header = self.page_size.header_bytes();
        let start = (pgno as usize + 1) * size;
        let page = &self.bytes[start..start + size];
        let mask = if self.page_size.is_small() { 0x1fff } else { 0x7fff };
        let tag = |index: usize| {
            let at = size - 4 * (index + 1);
            let (length, raw_offset) = (u16_at(page, at) & mask, u16_at(page, at + 2));
            let offset = header + (raw_offset & mask);
            (&page[offset..offset + length], raw_offset >> 13)
        };
        let is_leaf = page[36] & 2 != 0;
        let prefix = tag(0).0;
        for index in 1..u16_at(page, 34) & 0x0fff {
            let (node, tag_flags) = tag(index);
            let flags = if self.page_size.is_small() { tag_flags } else { u16_at(node, 0) >> 13 };
            let compressed = flags & 4 != 0;
            let prefix_length = if compressed { u16_at(node, 0) & 0x1fff } else { 0 };
            let node = if compressed { &node[2..] } else { node };
            let suffix_length = u16_at(node, 0) & 0x1fff;
            let (suffix, data) = node[2..].split_at(suffix_length);
            if !is_leaf {
                self.walk(u32_at(data, 0), out);
            } else if flags & 2 == 0 {
                out.push(([&prefix[..prefix_length], suffix].concat(), data.to_vec()));
            }
        }
    }

    fn read_catalog(&mut self) {
        let columns = catalog_columns();
        let mut tables: BTreeMap<u32, Table> = BTreeMap::new();
        for (_, record) in self.nodes(4) {
            let view = RecordView::parse(&record, self.style()).unwrap();
            let row = CatalogRow { view, columns: &columns };
            let table_objid = row.number(1).unwrap();
            if row.number(2) == Some(1) {
                tables.insert(table_objid, row.table());
            } else {
                row.add_to(tables.get_mut(&table_objid).unwrap());
            }
        }
        let templates: BTreeMap<String, Vec<ColumnDef>> =
            tables.values().map(|t| (t.name.clone(), t.columns.clone())).collect();
        for mut table in tables.into_values() {
            if let Some(template) = &table.template {
                let mut columns = templates[template].clone();
                for column in &mut columns {
                    column.derived = column.flags.contains(ColumnFlags::TEMPLATE);
                }
                table.columns.splice(0..0, columns);
                table.columns.sort_by_key(|c| (c.fid.class(), !c.derived, c.fid));
            }
            self.tables.insert(table.name.clone(), table);
        }
    }
}

struct CatalogRow<'a> {
    view: RecordView<'a>,
    columns: &'a [ColumnDef],
}

impl CatalogRow<'_> {
    fn bytes(&self, fid: u16) -> Option<Vec<u8>> {
        let column = self.columns.iter().find(|c| c.fid == Fid(fid)).unwrap();
        match self.view.get(column).unwrap() {
            FieldValues::One(Stored::Plain(bytes)) => Some(bytes.to_vec()),
            _ => None,
        }
    }

    fn number(&self, fid: u16) -> Option<u32> {
        let mut bytes = self.bytes(fid)?;
        bytes.resize(4, 0);
        Some(u32_at(&bytes, 0))
    }

    fn name(&self, fid: u16) -> Option<String> {
        self.bytes(fid).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn table(&self) -> Table {
        Table {
            name: self.name(128).unwrap(),
            root: self.number(4).unwrap(),
            columns: Vec::new(),
            indexes: Vec::new(),
            long_value_root: None,
            template: self.name(130),
        }
    }

    fn add_to(&self, table: &mut Table) {
        match self.number(2).unwrap() {
            2 => table.columns.push(ColumnDef {
                fid: Fid(self.number(3).unwrap() as u16),
                name: self.name(128).unwrap(),
                coltyp: ColumnType::from_number(self.number(4).unwrap()).unwrap(),
                max_bytes: self.number(5).unwrap(),
                flags: ColumnFlags::from_bits_retain(self.number(6).unwrap()),
                code_page: self.number(7).unwrap() as u16,
                record_offset: self.number(9).map(|offset| offset as u16),
                default: self.bytes(131),
                derived: false,
            }),
            3 => table.indexes.push(self.index()),
            4 => table.long_value_root = self.number(4),
            other => panic!("catalog row of kind {other}"),
        }
    }

    fn index(&self) -> IndexDef {
        let flags = IndexFlags::from_bits_retain(self.number(6).unwrap());
        IndexDef {
            name: self.name(128).unwrap(),
            objid: ObjId(self.number(3).unwrap()),
            root: Pgno::new(self.number(4).unwrap()).unwrap(),
            flags,
            segments: parse_segments(&self.bytes(132).unwrap(), flags).unwrap(),
            key_most_bytes: self.number(11).map_or(KEY_MOST_BYTES, |most| most as u16),
            var_seg_mac: self.number(133).map(|most| most as u16),
            conditions: self
                .bytes(134)
                .map_or_else(Vec::new, |bytes| parse_conditions(&bytes, flags).unwrap()),
            tuple: self.bytes(135).map(|bytes| TupleLimits::parse(&bytes).unwrap()),
            density: self.number(5).unwrap(),
            lcmap_flags: self.number(10),
            locale: None,
            sort_version: None,
            sort_id: None,
        }
    }
}

/// The columns of the catalog itself.
pub fn catalog_columns() -> Vec<ColumnDef> {
    use ColumnType::{Binary, Bit, DateTime, Long, Short, Text, UnsignedShort};
    let fixed = [
        Long,
        Short,
        Long,
        Long,
        Long,
        Long,
        Long,
        Bit,
        Short,
        Long,
        UnsignedShort,
        Long,
        DateTime,
    ];
    let mut offset = 4;
    let mut columns = Vec::new();
    for (fid, coltyp) in (1..).zip(fixed) {
        let mut column = column(fid, coltyp, 0);
        column.record_offset = Some(offset);
        offset += column.width_bytes() as u16;
        columns.push(column);
    }
    columns.extend((128..138).map(|fid| {
        let coltyp = if matches!(fid, 128 | 130) { Text } else { Binary };
        column(fid, coltyp, 255)
    }));
    columns.extend((256..262).map(|fid| column(fid, ColumnType::LongBinary, 0)));
    columns
}

/// A nameless column of a type, for tests to fill in.
pub fn column(fid: u16, coltyp: ColumnType, max_bytes: u32) -> ColumnDef {
    ColumnDef {
        fid: Fid(fid),
        name: format!("c{fid}"),
        coltyp,
        max_bytes,
        flags: ColumnFlags::empty(),
        code_page: if coltyp.is_text() { 1252 } else { 0 },
        record_offset: None,
        default: None,
        derived: false,
    }
}

/// The long values of one table: plain bytes by the key bytes of their number.
pub struct LongValues(BTreeMap<Vec<u8>, Vec<u8>>);

impl LongValues {
    /// Reads the whole long-value tree; a chunk shorter than what is left of the value is compressed.
    pub fn read(database: &Database, table: &Table) -> Self {
        let chunk_bytes = match database.page_size.bytes() {
            32768 => 8150,
            16384 => 4050,
            small => small - 82,
        };
        let mut values: BTreeMap<Vec<u8>, (usize, Vec<u8>)> = BTreeMap::new();
        for (key, data) in table.long_value_root.map_or_else(Vec::new, |root| database.nodes(root))
        {
            if key.len() == 4 {
                values.insert(key, (u32_at(&data, 4) as usize, Vec::new()));
                continue;
            }
            let (size, plain) = values.get_mut(&key[..4]).unwrap();
            let expected = chunk_bytes.min(*size - plain.len());
            if data.len() == expected {
                plain.extend_from_slice(&data);
            } else {
                decompress(&data, expected, plain).unwrap();
            }
        }
        Self(
            values
                .into_iter()
                .map(|(key, (size, plain))| {
                    assert_eq!(plain.len(), size);
                    (key, plain)
                })
                .collect(),
        )
    }

    /// The plain bytes of a value.
    pub fn plain(&self, stored: Stored<'_>) -> Vec<u8> {
        match stored {
            Stored::Plain(bytes) => bytes.to_vec(),
            Stored::Compressed(bytes) => {
                let mut plain = Vec::new();
                decompress(bytes, 1 << 20, &mut plain).unwrap();
                plain
            }
            Stored::Separated(lid) => self.0[&lid.key_bytes()].clone(),
            Stored::Encrypted(_) => panic!("no test database has encrypted values"),
        }
    }
}

//! A database from nothing: the fixed pages, both catalogs, the two small system tables.
//!
//! The empty database is the one of ese-logical 8.3, byte for byte. It is built under another name and renamed when it is
//! complete and synced, so that a crash never leaves half of a database behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::row::{FieldValue, LidSource, encode_row, row_keys};
use super::tables::{rows_with, table_rows};
use super::writer::DatabaseWriter;
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::header::{DbHeader, FileKind, NewHeader, OsVersion, Signature};
use crate::ese::page::{Dbtime, ObjId, Pgno};
use crate::ese::table::catalog::{
    CATALOG_NAME_OBJID, CATALOG_NAME_ROOT, CATALOG_OBJID, CATALOG_ROOT, CATALOG_ROOTS_OBJID,
    CATALOG_ROOTS_ROOT, CatalogRow, RowKind, SHADOW_OBJID, SHADOW_ROOT, catalog_columns,
    catalog_fid,
};
use crate::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Fid, Lid};
use crate::ese::table::key::{IndexDef, IndexFlags, IndexSegment, KEY_MOST_BYTES};
use crate::ese::table::schema::{TableDef, index_tree};
use crate::ese::tree::{DATABASE_ROOT, Extent, Forest, Tree, TreeBuilder, TreeKind};
use crate::ese::txn::Pager;
use crate::io::Volume;

/// Dbtime of every page of a new database. Source: ese-logical 8.3.
const FIRST_DBTIME: u64 = 0x40;
/// Pages of a new database: with the two headers 1 MiB.
const FIRST_PAGES: u32 = 254;
const OBJIDS_OBJID: ObjId = ObjId(6);
const LOCALES_OBJID: ObjId = ObjId(7);

/// What the creator of a database decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDatabase {
    /// Identity: a random number and the time of creation.
    pub sign_db: Signature,
    /// Identity of the streaming file; none without one.
    pub sign_slv: Signature,
}

/// Creates an empty database at `path`, which must not exist.
///
/// # Errors
/// [`EseError::Io`].
pub fn create_database(volume: &Arc<dyn Volume>, path: &Path, new: &NewDatabase) -> EseResult<()> {
    if volume.exists(path)? {
        let exists = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(EseError::Io(crate::io::IoError::os(path, "create", exists)));
    }
    let draft = draft_path(path);
    if volume.exists(&draft)? {
        volume.remove(&draft)?;
    }
    build(volume.clone(), &draft, new)?;
    volume.rename(&draft, path)?;
    Ok(volume.sync_parent(path)?)
}

fn draft_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn build(volume: Arc<dyn Volume>, path: &Path, new: &NewDatabase) -> EseResult<()> {
    let header = DbHeader::new_database(&NewHeader {
        kind: FileKind::Database,
        sign_db: new.sign_db,
        sign_slv: new.sign_slv,
        dbtime: Dbtime(FIRST_DBTIME - 1),
        objid_last: LOCALES_OBJID,
        os_version: OsVersion { major: 6, minor: 2, build: 9200, service_pack: 0 },
    });
    let mut forest = Forest::new(Pager::create(volume, path, header)?);
    forest.pager_mut().extend(FIRST_PAGES)?;
    plant(&mut forest)?;
    let (objids, locales) = (objids_table(), locales_table());
    fill(&mut forest, &objids, &objids_rows())?;
    fill(&mut forest, &locales, &locales_rows())?;
    let catalog = catalog_table();
    let rows = catalog_rows(&catalog, &objids, &locales);
    fill(&mut forest, &catalog, &rows)?;
    fill(&mut forest, &shadow_table(), &rows)?;
    forest.commit()?;
    forest.close()
}

impl DatabaseWriter {
    /// Creates a database and opens it for writing.
    ///
    /// # Errors
    /// As [`create_database`] and [`DatabaseWriter::open`].
    pub fn create(volume: Arc<dyn Volume>, path: &Path, new: &NewDatabase) -> EseResult<Self> {
        create_database(&volume, path, new)?;
        Self::open(volume, path)
    }
}

/// Reserves the fixed places. Source: ese-physical 8.5.
fn plant(forest: &mut Forest) -> EseResult<()> {
    let extent =
        |first: u32, last: u32| Extent { last: Pgno::fixed(last), count: last - first + 1 };
    let database = Tree::new(DATABASE_ROOT, ObjId(1), TreeKind::Table);
    forest.create_fixed_tree(None, database, extent(1, FIRST_PAGES))?;
    let mut fixed = |parent: Pgno, tree: Tree, extent: Extent| {
        forest.take_exactly(parent, extent)?;
        forest.create_fixed_tree(Some(parent), tree, extent)
    };
    let catalog = Tree::new(CATALOG_ROOT, CATALOG_OBJID, TreeKind::Table);
    fixed(DATABASE_ROOT, catalog, extent(4, 23))?;
    let name = Tree::new(CATALOG_NAME_ROOT, CATALOG_NAME_OBJID, TreeKind::UniqueIndex);
    fixed(CATALOG_ROOT, name, extent(7, 9))?;
    let roots = Tree::new(CATALOG_ROOTS_ROOT, CATALOG_ROOTS_OBJID, TreeKind::UniqueIndex);
    fixed(CATALOG_ROOT, roots, extent(10, 12))?;
    let shadow = Tree::new(SHADOW_ROOT, SHADOW_OBJID, TreeKind::Table);
    fixed(DATABASE_ROOT, shadow, extent(24, 28))?;
    forest.create_tree(DATABASE_ROOT, OBJIDS_OBJID, TreeKind::Table, 1)?;
    forest.create_tree(DATABASE_ROOT, LOCALES_OBJID, TreeKind::Table, 1)?;
    Ok(())
}

/// System rows have no long values.
struct NoLids;

impl LidSource for NoLids {
    fn next_lid(&mut self) -> EseResult<Lid> {
        Err(EseError::unsupported("a long value in a system table"))
    }
}

/// Builds the trees of a table from its rows.
fn fill(forest: &mut Forest, table: &TableDef, rows: &[Vec<Option<Vec<u8>>>]) -> EseResult<()> {
    let mut records = Vec::new();
    let mut entries = vec![Vec::new(); table.indexes.len()];
    for row in rows {
        let cell = |cell: &'_ Option<Vec<u8>>| cell.clone();
        let cells: Vec<Option<Vec<u8>>> = row.iter().map(cell).collect();
        let values: Vec<FieldValue<'_>> = cells
            .iter()
            .map(|cell| cell.as_deref().map_or(FieldValue::Null, FieldValue::Bytes))
            .collect();
        let record = encode_row(table, &values, &mut NoLids)?.record;
        let keys = row_keys(table, &record, &|_, _| Ok(Vec::new()))?;
        let key = keys.primary.map(|key| key.0).unwrap_or_default();
        for (entries, keys) in entries.iter_mut().zip(keys.secondary) {
            entries.extend(keys.into_iter().map(|index_key| (index_key.0, key.clone())));
        }
        records.push((key, record));
    }
    build_tree(forest, table.tree(), records)?;
    for (index, entries) in table.indexes.iter().zip(entries) {
        build_tree(forest, index_tree(index), entries)?;
    }
    Ok(())
}

fn build_tree(
    forest: &mut Forest,
    tree: Tree,
    mut entries: Vec<(Vec<u8>, Vec<u8>)>,
) -> EseResult<()> {
    entries.sort_unstable();
    let mut builder = TreeBuilder::new(forest, tree)?;
    for (key, data) in entries {
        builder.push(forest, &key, &data)?;
    }
    builder.finish(forest)?;
    Ok(())
}

type Row = Vec<Option<Vec<u8>>>;

/// The 72 rows that describe the system tables. Source: ese-logical 8.3.
fn catalog_rows(catalog: &TableDef, objids: &TableDef, locales: &TableDef) -> Vec<Row> {
    // The catalogs' own fixed columns all claim offset 4; their places are hard-wired in the engine.
    let four = |column: &ColumnDef| column.record_offset.map(|_| 4);
    let mut rows = rows_with(catalog, four);
    rows.extend(rows_with(&shadow_table(), four));
    rows.extend(table_rows(objids));
    rows.extend(table_rows(locales));
    let owned =
        |row: &CatalogRow| row.cells().iter().map(|cell| cell.map(<[u8]>::to_vec)).collect();
    rows.iter().map(owned).collect()
}

fn system_index(
    name: &str,
    objid: ObjId,
    root: Pgno,
    flags: u32,
    fids: &[Fid],
    density: u32,
) -> IndexDef {
    let segment = |fid: &Fid| IndexSegment { fid: *fid, descending: false, template: false };
    IndexDef {
        name: name.to_owned(),
        objid,
        root,
        flags: IndexFlags::from_bits_retain(flags),
        segments: fids.iter().map(segment).collect(),
        key_most_bytes: KEY_MOST_BYTES,
        var_seg_mac: None,
        conditions: Vec::new(),
        tuple: None,
        density,
        lcmap_flags: None,
        locale: None,
        sort_version: None,
        sort_id: None,
    }
}

fn system_table(
    name: &str,
    objid: ObjId,
    root: Pgno,
    flags: u32,
    density: u32,
    pages: u32,
) -> TableDef {
    TableDef {
        name: name.to_owned(),
        objid,
        root,
        flags,
        density,
        initial_pages: pages,
        columns: Vec::new(),
        template: None,
        indexes: Vec::new(),
        primary: None,
        long_values: None,
        lv_chunk_max: None,
        separate_lv: None,
    }
}

const ID_FIDS: [Fid; 3] = [catalog_fid::OBJID_TABLE, catalog_fid::TYPE, catalog_fid::ID];

fn catalog_table() -> TableDef {
    let name_fids = [catalog_fid::OBJID_TABLE, catalog_fid::TYPE, catalog_fid::NAME];
    let root_fids = [catalog_fid::ROOT_FLAG, catalog_fid::NAME];
    TableDef {
        columns: catalog_columns(),
        primary: Some(system_index("Id", CATALOG_OBJID, CATALOG_ROOT, 0x1_0031, &ID_FIDS, 80)),
        indexes: vec![
            system_index("Name", CATALOG_NAME_OBJID, CATALOG_NAME_ROOT, 0x1_0011, &name_fids, 80),
            system_index(
                "RootObjects",
                CATALOG_ROOTS_OBJID,
                CATALOG_ROOTS_ROOT,
                0x1_0009,
                &root_fids,
                80,
            ),
        ],
        ..system_table("MSysObjects", CATALOG_OBJID, CATALOG_ROOT, 0xc000_0000, 80, 20)
    }
}

fn shadow_table() -> TableDef {
    TableDef {
        columns: catalog_columns(),
        primary: Some(system_index("Id", SHADOW_OBJID, SHADOW_ROOT, 0x1_0031, &ID_FIDS, 80)),
        ..system_table("MSysObjectsShadow", SHADOW_OBJID, SHADOW_ROOT, 0xc000_0000, 80, 5)
    }
}

fn column(fid: u16, name: &str, coltyp: ColumnType, max_bytes: u32) -> ColumnDef {
    ColumnDef {
        fid: Fid(fid),
        name: name.to_owned(),
        coltyp,
        max_bytes,
        flags: ColumnFlags::empty(),
        code_page: 0,
        record_offset: None,
        default: None,
        derived: false,
    }
}

/// `MSysObjids`: every tree but primary indexes. Source: ese-logical 1.11.
fn objids_table() -> TableDef {
    let root = Pgno::fixed(29);
    TableDef {
        columns: vec![
            column(256, "objid", ColumnType::Long, 4),
            column(257, "objidTable", ColumnType::Long, 4),
            column(258, "type", ColumnType::Short, 2),
        ],
        primary: Some(system_index("primary", OBJIDS_OBJID, root, 0x1_002f, &[Fid(256)], 100)),
        ..system_table("MSysObjids", OBJIDS_OBJID, root, 0xc800_0000, 100, 0)
    }
}

fn objids_rows() -> Vec<Row> {
    let trees = [
        (CATALOG_OBJID, CATALOG_OBJID, RowKind::Table),
        (SHADOW_OBJID, SHADOW_OBJID, RowKind::Table),
        (CATALOG_NAME_OBJID, CATALOG_OBJID, RowKind::Index),
        (CATALOG_ROOTS_OBJID, CATALOG_OBJID, RowKind::Index),
        (OBJIDS_OBJID, OBJIDS_OBJID, RowKind::Table),
        (LOCALES_OBJID, LOCALES_OBJID, RowKind::Table),
    ];
    let row = |(objid, table, kind): (ObjId, ObjId, RowKind)| {
        vec![
            Some(objid.0.to_le_bytes().to_vec()),
            Some(table.0.to_le_bytes().to_vec()),
            Some(kind.number().to_le_bytes().to_vec()),
        ]
    };
    trees.map(row).to_vec()
}

/// `MSysLocales`: versions of its own schema, and counters of Unicode indexes. Source: ese-logical 1.11.
fn locales_table() -> TableDef {
    let root = Pgno::fixed(30);
    let kind = ColumnDef {
        flags: ColumnFlags::NOT_NULL,
        record_offset: Some(4),
        ..column(1, "Type", ColumnType::UnsignedByte, 1)
    };
    let value = ColumnDef {
        flags: ColumnFlags::ESCROW_UPDATE | ColumnFlags::DEFAULT,
        record_offset: Some(5),
        default: Some(vec![0; 4]),
        ..column(2, "iValue", ColumnType::Long, 4)
    };
    TableDef {
        columns: vec![kind, value, column(128, "Key", ColumnType::Binary, 255)],
        primary: Some(system_index("KeyPrimary", LOCALES_OBJID, root, 0x1_402f, &[Fid(128)], 92)),
        ..system_table("MSysLocales", LOCALES_OBJID, root, 0x8800_0000, 92, 0)
    }
}

fn locales_rows() -> Vec<Row> {
    const SCHEMA: u8 = 1;
    const COUNTER: u8 = 2;
    let mut rows = Vec::new();
    for side in ["Internal", "External"] {
        for (part, value) in [("Major", 1), ("Minor", 0), ("Update", 0)] {
            rows.push((format!(".Schema\\{side}\\{part}"), SCHEMA, value));
        }
    }
    rows.push(("MSysLocalesConsistent".to_owned(), COUNTER, 1));
    let row = |(key, kind, value): (String, u8, i32)| {
        let key: Vec<u8> = key.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        vec![Some(vec![kind]), Some(value.to_le_bytes().to_vec()), Some(key)]
    };
    rows.into_iter().map(row).collect()
}

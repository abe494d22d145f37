//! Reading the rows of the catalog, with the shadow copy standing in for what the catalog has lost.
//!
//! Decodes cells and nothing more: what rows mean together is the schema's affair. Damage is a note, never the end,
//! as long as anything can be read. Sources: ese-logical 1.1-1.4.

use super::{CATALOG_OBJID, CATALOG_ROOT, RowKind, SHADOW_OBJID, SHADOW_ROOT};
use super::{catalog_columns, catalog_fid as fid};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::ObjId;
use crate::ese::table::column::{ColumnDef, Fid};
use crate::ese::table::compress::decompress;
use crate::ese::table::note::Notes;
use crate::ese::table::record::{FieldValues, RecordView, Stored, TaggedStyle};
use crate::ese::table::value::{CODE_PAGE_UNICODE, CODE_PAGE_WESTERN, decode_text};
use crate::ese::tree::{Cursor, Tree, TreeKind};
use crate::ese::txn::Pages;

/// Longest cell of the catalog that is looked at, in bytes.
const CELL_BYTES_MAX: usize = 64 << 10;

/// One row of the catalog. Cells that hold different things by kind keep the names of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Table that the row belongs to.
    pub table: ObjId,
    /// What the row describes.
    pub kind: RowKind,
    /// Object id or column number.
    pub id: u32,
    /// Name, decoded from code page 1252.
    pub name: String,
    /// Column type or root page.
    pub coltyp_or_root: u32,
    /// Column length in bytes or density in per cent.
    pub space_usage: u32,
    /// Flags of the table, column or index.
    pub flags: u32,
    /// Initial pages, code page or LCID.
    pub pages_or_locale: u32,
    /// Offset of a fixed column in the record, in bytes.
    pub record_offset: Option<u16>,
    /// Flags for the system's sort keys.
    pub lcmap_flags: Option<u32>,
    /// Longest key in bytes.
    pub key_most: Option<u16>,
    /// Largest chunk of a long value in bytes.
    pub lv_chunk_max: Option<u32>,
    /// Template table.
    pub template: Option<String>,
    /// Default value as stored.
    pub default: Option<Vec<u8>>,
    /// Key segments.
    pub key_fields: Vec<u8>,
    /// Longest encoded segment of variable width in bytes.
    pub var_seg_mac: Option<u16>,
    /// Conditions of an index.
    pub conditions: Vec<u8>,
    /// Limits of a tuple index.
    pub tuple_limits: Option<Vec<u8>>,
    /// Version of the sort tables.
    pub sort_version: Option<u64>,
    /// GUID of the sort tables.
    pub sort_id: Option<[u8; 16]>,
    /// Longest value that is kept in the record by preference, in bytes.
    pub separate_lv: Option<u32>,
    /// Locale name.
    pub locale: Option<String>,
}

impl CatalogEntry {
    fn key(&self) -> (ObjId, RowKind, u32) {
        (self.table, self.kind, self.id)
    }
}

/// Reads all rows of the catalog in the order of their keys. When `MSysObjects` is damaged, rows that it has lost come
/// from the shadow. Damage and rows that cannot be used are noted.
///
/// # Errors
/// The first error met when neither table gives a single row.
pub fn read_entries<P: Pages + ?Sized>(
    pages: &P,
    notes: &mut Notes,
) -> EseResult<Vec<CatalogEntry>> {
    let reader = Reader { pages, columns: catalog_columns() };
    let mut entries = Vec::new();
    let main = Tree::new(CATALOG_ROOT, CATALOG_OBJID, TreeKind::Table);
    let mut errors = reader.read_tree(main, "MSysObjects", &mut entries, notes);
    if errors.is_empty() && !entries.is_empty() {
        return Ok(entries);
    }
    let sound = entries.len();
    let shadow = Tree::new(SHADOW_ROOT, SHADOW_OBJID, TreeKind::Table);
    errors.extend(reader.read_tree(shadow, "MSysObjectsShadow", &mut entries, notes));
    if entries.is_empty() {
        let empty = || EseError::corrupt(CATALOG_ROOT, "the catalog is empty");
        return Err(errors.into_iter().next().unwrap_or_else(empty).in_file(pages.path()));
    }
    // Stable, so that rows of MSysObjects win over those of the shadow.
    entries.sort_by_key(CatalogEntry::key);
    entries.dedup_by_key(|entry| entry.key());
    let gained = entries.len().saturating_sub(sound);
    for error in errors {
        notes.push(&error, None);
    }
    notes.say(format!("the catalog is damaged: {gained} of its rows come from its shadow copy"));
    Ok(entries)
}

struct Reader<'p, P: ?Sized> {
    pages: &'p P,
    columns: Vec<ColumnDef>,
}

impl<P: Pages + ?Sized> Reader<'_, P> {
    /// Appends the rows of one copy; answers what could not be read.
    fn read_tree(
        &self,
        tree: Tree,
        name: &str,
        entries: &mut Vec<CatalogEntry>,
        notes: &mut Notes,
    ) -> Vec<EseError> {
        let mut errors = Vec::new();
        let mut cursor = Cursor::new(self.pages, tree);
        let mut step = cursor.first();
        loop {
            match step {
                Ok(false) => return errors,
                Ok(true) => match self.entry_of(&cursor, notes) {
                    Ok(entry) => entries.extend(entry),
                    Err(error) => errors.push(self.placed(&cursor, error, name)),
                },
                Err(error) => errors.push(error.in_tree(tree.objid).in_object(name)),
            }
            step = cursor.next();
        }
    }

    fn placed(&self, cursor: &Cursor<'_, P>, error: EseError, name: &str) -> EseError {
        let error = match cursor.place() {
            Some((pgno, line)) => error.on_page(pgno).on_line(line),
            None => error,
        };
        error.in_tree(cursor.tree().objid).in_object(name)
    }

    /// The row the cursor stands on; none for kinds that nobody knows.
    fn entry_of(
        &self,
        cursor: &Cursor<'_, P>,
        notes: &mut Notes,
    ) -> EseResult<Option<CatalogEntry>> {
        let Some(node) = cursor.entry()? else { return Ok(None) };
        let style = TaggedStyle::of_page(self.pages.page_size(), cursor.is_new_record_format());
        let row = Cells { view: RecordView::parse(node.data, style)?, columns: &self.columns };
        let number = row.i16(fid::TYPE)?;
        let Some(kind) = RowKind::from_number(number) else {
            notes.say(format!("the catalog has a row of unknown kind {number}, which is ignored"));
            return Ok(None);
        };
        row.entry(kind).map(Some)
    }
}

/// The cells of one row.
struct Cells<'r> {
    view: RecordView<'r>,
    columns: &'r [ColumnDef],
}

impl Cells<'_> {
    fn entry(&self, kind: RowKind) -> EseResult<CatalogEntry> {
        Ok(CatalogEntry {
            table: ObjId(self.u32(fid::OBJID_TABLE)?),
            kind,
            id: self.u32(fid::ID)?,
            name: self.text(fid::NAME, CODE_PAGE_WESTERN)?.ok_or_else(|| missing("name"))?,
            coltyp_or_root: self.u32(fid::COLTYP_OR_ROOT)?,
            space_usage: self.u32(fid::SPACE_USAGE)?,
            flags: self.u32(fid::FLAGS)?,
            pages_or_locale: self.u32(fid::PAGES_OR_LOCALE)?,
            record_offset: self.number(fid::RECORD_OFFSET)?.map(u16::from_le_bytes),
            lcmap_flags: self.number(fid::LCMAP_FLAGS)?.map(u32::from_le_bytes),
            key_most: self.number(fid::KEY_MOST)?.map(u16::from_le_bytes),
            lv_chunk_max: self.number(fid::LV_CHUNK_MAX)?.map(u32::from_le_bytes),
            template: self.text(fid::TEMPLATE_TABLE, CODE_PAGE_WESTERN)?,
            default: self.bytes(fid::DEFAULT_VALUE)?,
            key_fields: self.bytes(fid::KEY_FIELDS)?.unwrap_or_default(),
            var_seg_mac: self.number(fid::VAR_SEG_MAC)?.map(u16::from_le_bytes),
            conditions: self.bytes(fid::CONDITIONS)?.unwrap_or_default(),
            tuple_limits: self.bytes(fid::TUPLE_LIMITS)?,
            // Only told, never used, and of other lengths in some engines: not worth losing the row.
            sort_version: self.number(fid::SORT_VERSION).ok().flatten().map(u64::from_le_bytes),
            sort_id: self.number(fid::SORT_ID).ok().flatten(),
            separate_lv: self.number(fid::SEPARATE_LV)?.map(u32::from_le_bytes),
            locale: self.text(fid::LOCALE_NAME, CODE_PAGE_UNICODE)?,
        })
    }

    fn bytes(&self, fid: Fid) -> EseResult<Option<Vec<u8>>> {
        let column = self
            .columns
            .binary_search_by_key(&fid, |column| column.fid)
            .ok()
            .and_then(|at| self.columns.get(at))
            .ok_or_else(|| missing("column of the catalog"))?;
        let stored = match self.view.get(column)? {
            FieldValues::Null | FieldValues::Default => return Ok(None),
            FieldValues::One(stored) => stored,
            FieldValues::Many(_) => {
                return Err(
                    EseError::corrupt_bytes("several values in a cell").in_object(&column.name)
                );
            }
        };
        match stored {
            Stored::Plain(bytes) => Ok(Some(bytes.to_vec())),
            Stored::Compressed(bytes) => {
                let mut plain = Vec::new();
                decompress(bytes, CELL_BYTES_MAX, &mut plain)?;
                Ok(Some(plain))
            }
            Stored::Separated(_) | Stored::Encrypted(_) => {
                Err(EseError::unsupported("a catalog cell outside of its row")
                    .in_object(&column.name))
            }
        }
    }

    fn number<const N: usize>(&self, fid: Fid) -> EseResult<Option<[u8; N]>> {
        let Some(bytes) = self.bytes(fid)? else { return Ok(None) };
        <[u8; N]>::try_from(bytes.as_slice()).map(Some).map_err(|_| {
            let found = bytes.len();
            EseError::corrupt_bytes(format!("catalog cell {fid} has {found} bytes, not {N}"))
        })
    }

    fn u32(&self, fid: Fid) -> EseResult<u32> {
        self.number(fid)?.map(u32::from_le_bytes).ok_or_else(|| missing("number"))
    }

    fn i16(&self, fid: Fid) -> EseResult<i16> {
        self.number(fid)?.map(i16::from_le_bytes).ok_or_else(|| missing("kind"))
    }

    fn text(&self, fid: Fid, code_page: u16) -> EseResult<Option<String>> {
        let Some(bytes) = self.bytes(fid)? else { return Ok(None) };
        decode_text(code_page, &bytes).map(|text| Some(text.into_owned()))
    }
}

fn missing(what: &str) -> EseError {
    EseError::corrupt_bytes(format!("a catalog row without its {what}"))
}

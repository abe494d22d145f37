//! The columns of `MSysObjects` and of its shadow, which no reader may look up in the catalog. Source: ese-logical 1.2.

use crate::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Fid};
use crate::ese::table::value::CODE_PAGE_WESTERN;

/// Numbers of the catalog's columns.
pub mod catalog_fid {
    use crate::ese::table::column::Fid;

    /// Object id of the owning table.
    pub const OBJID_TABLE: Fid = Fid(1);
    /// Kind of row.
    pub const TYPE: Fid = Fid(2);
    /// Object id (table, index, long values) or column number.
    pub const ID: Fid = Fid(3);
    /// Column type or root page.
    pub const COLTYP_OR_ROOT: Fid = Fid(4);
    /// Column length or density in per cent.
    pub const SPACE_USAGE: Fid = Fid(5);
    /// Flags of the table, column or index.
    pub const FLAGS: Fid = Fid(6);
    /// Initial pages, code page or LCID.
    pub const PAGES_OR_LOCALE: Fid = Fid(7);
    /// Set in table rows.
    pub const ROOT_FLAG: Fid = Fid(8);
    /// Offset of a fixed column in the record.
    pub const RECORD_OFFSET: Fid = Fid(9);
    /// Flags for the system's sort keys.
    pub const LCMAP_FLAGS: Fid = Fid(10);
    /// Longest key in bytes; absent = 255.
    pub const KEY_MOST: Fid = Fid(11);
    /// Largest chunk of a long value; absent = the default of the page size.
    pub const LV_CHUNK_MAX: Fid = Fid(12);
    /// Name.
    pub const NAME: Fid = Fid(128);
    /// Template table, or callback of a column.
    pub const TEMPLATE_TABLE: Fid = Fid(130);
    /// Default value.
    pub const DEFAULT_VALUE: Fid = Fid(131);
    /// Key segments.
    pub const KEY_FIELDS: Fid = Fid(132);
    /// Longest encoded segment of variable width; absent = the longest key.
    pub const VAR_SEG_MAC: Fid = Fid(133);
    /// Conditions of an index.
    pub const CONDITIONS: Fid = Fid(134);
    /// Limits of a tuple index.
    pub const TUPLE_LIMITS: Fid = Fid(135);
    /// Sort version of an index on Unicode text.
    pub const SORT_VERSION: Fid = Fid(136);
    /// Sort id of an index on Unicode text.
    pub const SORT_ID: Fid = Fid(137);
    /// Preferred length of values kept in the record.
    pub const SEPARATE_LV: Fid = Fid(258);
    /// Locale name, UTF-16.
    pub const LOCALE_NAME: Fid = Fid(261);
}

/// Number, name, type, bytes, NOT NULL.
pub type CatalogColumn = (u16, &'static str, ColumnType, u32, bool);

/// All columns in the order of their numbers. New ones must never be added: readers rely on these.
const COLUMNS: [CatalogColumn; 28] = [
    (1, "ObjidTable", ColumnType::Long, 4, true),
    (2, "Type", ColumnType::Short, 2, true),
    (3, "Id", ColumnType::Long, 4, true),
    (4, "ColtypOrPgnoFDP", ColumnType::Long, 4, true),
    (5, "SpaceUsage", ColumnType::Long, 4, true),
    (6, "Flags", ColumnType::Long, 4, true),
    (7, "PagesOrLocale", ColumnType::Long, 4, true),
    (8, "RootFlag", ColumnType::Bit, 1, false),
    (9, "RecordOffset", ColumnType::Short, 2, false),
    (10, "LCMapFlags", ColumnType::Long, 4, false),
    (11, "KeyMost", ColumnType::UnsignedShort, 2, false),
    (12, "LVChunkMax", ColumnType::Long, 4, false),
    (128, "Name", ColumnType::Text, 255, true),
    (129, "Stats", ColumnType::Binary, 255, false),
    (130, "TemplateTable", ColumnType::Text, 255, false),
    (131, "DefaultValue", ColumnType::Binary, 255, false),
    (132, "KeyFldIDs", ColumnType::Binary, 255, false),
    (133, "VarSegMac", ColumnType::Binary, 255, false),
    (134, "ConditionalColumns", ColumnType::Binary, 255, false),
    (135, "TupleLimits", ColumnType::Binary, 255, false),
    (136, "Version", ColumnType::Binary, 255, false),
    (137, "SortID", ColumnType::Binary, 255, false),
    (256, "CallbackData", ColumnType::LongBinary, 0, false),
    (257, "CallbackDependencies", ColumnType::LongBinary, 0, false),
    (258, "SeparateLV", ColumnType::LongBinary, 0, false),
    (259, "SpaceHints", ColumnType::LongBinary, 0, false),
    (260, "SpaceDeferredLVHints", ColumnType::LongBinary, 0, false),
    (261, "LocaleName", ColumnType::LongBinary, 0, false),
];

/// The columns as the record code wants them.
pub fn catalog_columns() -> Vec<ColumnDef> {
    let mut offset = 4;
    let columns = COLUMNS.into_iter().map(|(fid, name, coltyp, max_bytes, is_not_null)| {
        let record_offset = (fid < Fid::FIRST_VARIABLE).then_some(offset);
        offset += if record_offset.is_some() { max_bytes as u16 } else { 0 };
        ColumnDef {
            fid: Fid(fid),
            name: name.to_owned(),
            coltyp,
            max_bytes,
            flags: if is_not_null { ColumnFlags::NOT_NULL } else { ColumnFlags::empty() },
            code_page: CODE_PAGE_WESTERN,
            record_offset,
            default: None,
            derived: false,
        }
    });
    columns.collect()
}

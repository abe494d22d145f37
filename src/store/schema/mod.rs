//! The schema of a mailbox store: every table, column and index, in one place, as data.
//!
//! Names, types and keys as in exchange-store 12.2 to 12.9, changed by design D2 to D4 and D7: no stream column type, one
//! `MsgFolder` table whose key and indexes are led by the folder, space and owners of the streaming file as tables
//! (`stm`). Column names follow their property (`mapi::PropTag`); ids 0x7e00 to 0x7eff are this model's own. Beyond the
//! sheet: `T3007` and `Q6764` on folder rows (pairing needs both without a look at the content), and on contents `L7e34`
//! (recipients), `L7e35` (attachments), `Q7e36` (length of the text), `N7e37` (list of the attachments of a MIME mail).

pub(crate) mod columns;
mod specs;

use std::sync::Arc;

use crate::ese::error::EseResult;
use crate::ese::table::column::{ColumnFlags, ColumnType};
use crate::ese::table::schema::TableDef;
use crate::ese::table::write::{NewColumn, NewIndex, NewTable, NullRule, Placement};
use crate::stm::{NamedTable, StmTables, owner_table, space_table};

use specs::{SPECS, TableSpec};

/// Version of the schema in `L7e04`. Source: exchange-store 12.3.
pub const SCHEMA_VERSION: i32 = 2003;

/// What a column holds, and so its type and placement. Source: exchange-store 12.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An id in store form: Binary(8), fixed.
    Id,
    /// Number: Long, fixed.
    Long,
    /// Counter or size: Currency, fixed.
    Size,
    /// FILETIME: Currency, fixed.
    Time,
    /// Bit, fixed.
    Flag,
    /// Up to so many bytes: Binary, variable.
    Bytes(u8),
    /// An id that most rows lack: Binary(8), tagged.
    RareId,
    /// A number that most rows lack: Long, tagged.
    RareLong,
    /// A counter that most rows lack: Currency, tagged.
    RareSize,
    /// A time that most rows lack: Currency, tagged.
    RareTime,
    /// A bit that most rows lack: tagged.
    RareFlag,
    /// Text or bytes of any length: LongBinary, tagged.
    Blob,
    /// Several of them.
    Blobs,
    /// Several ids: Binary(8), tagged.
    Ids,
}

impl Kind {
    fn column(self, name: &str, is_key: bool) -> NewColumn {
        let new = |coltyp| NewColumn::new(name, coltyp);
        let column = match self {
            Self::Id => new(ColumnType::Binary).placed(Placement::Fixed).bytes(8),
            Self::Long => new(ColumnType::Long),
            Self::Size | Self::Time => new(ColumnType::Currency),
            Self::Flag => new(ColumnType::Bit),
            Self::Bytes(most) => new(ColumnType::Binary).bytes(most.into()),
            Self::RareId => new(ColumnType::Binary).placed(Placement::Tagged).bytes(8),
            Self::RareLong => new(ColumnType::Long).placed(Placement::Tagged),
            Self::RareSize | Self::RareTime => new(ColumnType::Currency).placed(Placement::Tagged),
            Self::RareFlag => new(ColumnType::Bit).placed(Placement::Tagged),
            Self::Blob => new(ColumnType::LongBinary),
            Self::Blobs => new(ColumnType::LongBinary).flagged(ColumnFlags::MULTI_VALUED),
            Self::Ids => new(ColumnType::Binary)
                .placed(Placement::Tagged)
                .bytes(8)
                .flagged(ColumnFlags::MULTI_VALUED),
        };
        if is_key { column.flagged(ColumnFlags::NOT_NULL) } else { column }
    }
}

impl TableSpec {
    fn table(&self) -> NewTable {
        let (primary_name, primary_columns) = self.primary;
        let mut table =
            NewTable::new(self.name).primary(NewIndex::new(primary_name, primary_columns));
        for (name, kind) in self.columns {
            table = table.column(kind.column(name, primary_columns.contains(name)));
        }
        for index in self.indexes {
            let mut new = NewIndex::new(index.name, index.columns);
            if index.is_unique {
                new = new.unique();
            }
            if index.skips_nulls {
                new = new.leaving_out(NullRule::IgnoreAnyNull);
            }
            table = table.index(new);
        }
        table
    }
}

/// All tables of a new store, in the order in which they are created.
pub fn new_tables() -> Vec<NewTable> {
    let mut tables: Vec<NewTable> = SPECS.iter().map(TableSpec::table).collect();
    tables.push(space_table());
    tables.push(owner_table());
    tables
}

/// The tables of an open store that code works with.
#[derive(Debug, Clone)]
pub struct Tables {
    pub(crate) global: NamedTable,
    pub(crate) mailbox: NamedTable,
    pub(crate) folders: NamedTable,
    pub(crate) items: NamedTable,
    pub(crate) contents: NamedTable,
    pub(crate) attachments: NamedTable,
    pub(crate) replicas: NamedTable,
    pub(crate) named: NamedTable,
    pub(crate) receive: NamedTable,
    pub(crate) stm: StmTables,
    /// Made by the first recovery into the store.
    pub(crate) jobs: Option<NamedTable>,
}

impl Tables {
    /// The tables of the streaming file.
    pub fn stm(&self) -> &StmTables {
        &self.stm
    }

    /// Looks every table up, and in it every column and index of the schema.
    ///
    /// # Errors
    /// What `find` reports; [`crate::ese::EseError::Corrupt`] when a column or index is missing.
    pub fn find(mut find: impl FnMut(&str) -> EseResult<Arc<TableDef>>) -> EseResult<Self> {
        let stm = StmTables::find(&mut find)?;
        let jobs = find(super::job::TABLE).ok().map(NamedTable::new);
        let mut checked = |name: &str| -> EseResult<NamedTable> {
            let table = NamedTable::new(find(name)?);
            let spec = SPECS.iter().find(|spec| spec.name == name);
            for (column, _) in spec.iter().flat_map(|spec| spec.columns) {
                table.column(column)?;
            }
            for index in spec.iter().flat_map(|spec| spec.indexes) {
                table.index(index.name)?;
            }
            table.key(&[])?;
            Ok(table)
        };
        Ok(Self {
            global: checked("Global")?,
            mailbox: checked("Mailbox")?,
            folders: checked("Folders")?,
            items: checked("MsgFolder")?,
            contents: checked("Msg")?,
            attachments: checked("1-23")?,
            replicas: checked("ReplidMap")?,
            named: checked("NamedProps")?,
            receive: checked("ReceiveFolders")?,
            stm,
            jobs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapi::PropTag;

    #[test]
    fn column_names_are_properties_of_their_kind() {
        for (table, name, kind) in
            SPECS.iter().flat_map(|spec| spec.columns.iter().map(|(n, k)| (spec.name, *n, *k)))
        {
            let tag = PropTag::from_column_name(name).unwrap_or_else(|e| panic!("{table}: {e}"));
            assert_eq!(tag.multi, matches!(kind, Kind::Blobs | Kind::Ids), "{table}.{name}");
            let letters = match kind {
                Kind::Id | Kind::RareId | Kind::Ids | Kind::Size | Kind::RareSize => "Q",
                Kind::Long | Kind::RareLong => "L",
                Kind::Time | Kind::RareTime => "T",
                Kind::Flag | Kind::RareFlag => "F",
                Kind::Bytes(_) => "NV",
                Kind::Blob | Kind::Blobs => "NUSH",
            };
            assert!(letters.contains(tag.prop_type.letter()), "{table}.{name} is {kind:?}");
        }
    }

    #[test]
    fn fixed_columns_come_first_and_indexes_name_known_columns() {
        for spec in SPECS {
            let known = |name: &str| spec.columns.iter().any(|(column, _)| *column == name);
            let keys = spec.indexes.iter().flat_map(|index| index.columns).chain(spec.primary.1);
            for key in keys {
                assert!(known(key.trim_start_matches('-')), "{}: {key}", spec.name);
            }
        }
        let items = SPECS.iter().find(|spec| spec.name == "MsgFolder").unwrap();
        for index in items.indexes {
            let leader = if index.name == "MsgFolderIdentity" { "Q6764" } else { "Q6748" };
            assert_eq!(index.columns[0], leader, "{} (design D3)", index.name);
        }
    }
}

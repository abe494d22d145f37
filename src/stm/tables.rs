//! The two tables of the streaming file in the database: the space of each chunk, and who owns which pages.
//!
//! Source: design D4; exchange-store 12.9.

use std::borrow::Cow;
use std::sync::Arc;

use super::draft::Draft;
use super::rows::{Fields, NamedTable};
use super::{CHUNK_PAGES, Chunk, OWNER_ROW_PAGES, Run};
use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::{ColumnFlags, ColumnType};
use crate::ese::table::database::Table;
use crate::ese::table::schema::TableDef;
use crate::ese::table::write::{DatabaseWriter, NewColumn, NewIndex, NewTable};
use crate::ese::txn::Pages;

/// Name of the table of chunks.
pub(super) const SPACE: &str = "StmSpace";
/// Name of the table of owners.
pub(super) const OWNER: &str = "StmOwner";

const LAST_PAGE: &str = "L7e70";
const CHUNK: &str = "N7e71";
const FIRST_PAGE: &str = "L7e72";
const PAGE_COUNT: &str = "L7e73";
const OWNER_TABLE: &str = "L7e74";
const OWNER_COLUMN: &str = "L7e75";
const OWNER_KEY: &str = "N7e76";
const CHECKSUMS: &str = "N7e77";

/// Longest row key of an owner. Source: exchange-store 12.7 (keys of our tables have 8 bytes).
const KEY_BYTES_MAX: usize = 64;
/// Bytes of a page's checksum.
pub(crate) const CHECKSUM_BYTES: usize = 8;
/// No value of these tables is longer.
const VALUE_CAP_BYTES: usize = OWNER_ROW_PAGES as usize * CHECKSUM_BYTES;

fn long(name: &str) -> NewColumn {
    NewColumn::new(name, ColumnType::Long).flagged(ColumnFlags::NOT_NULL)
}

/// The table of chunks as it is created.
pub fn space_table() -> NewTable {
    let chunk = NewColumn::new(CHUNK, ColumnType::Binary).bytes(Chunk::BYTES as u32);
    NewTable::new(SPACE)
        .column(long(LAST_PAGE))
        .column(chunk)
        .primary(NewIndex::new("StmSpacePrimary", &[LAST_PAGE]))
}

/// The table of owners as it is created.
pub fn owner_table() -> NewTable {
    NewTable::new(OWNER)
        .column(long(FIRST_PAGE))
        .column(long(PAGE_COUNT))
        .column(long(OWNER_TABLE))
        .column(long(OWNER_COLUMN))
        .column(NewColumn::new(OWNER_KEY, ColumnType::Binary).bytes(KEY_BYTES_MAX as u32))
        .column(NewColumn::new(CHECKSUMS, ColumnType::LongBinary))
        .primary(NewIndex::new("StmOwnerPrimary", &[FIRST_PAGE]))
}

/// Who owns a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Object id of the table.
    pub table: u32,
    /// Number of the column.
    pub column: u32,
    /// The row: the bytes of its primary key column.
    pub key: Vec<u8>,
}

/// A row of the owner table: at most 64 pages of one owner, with the checksum of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRow {
    /// The pages.
    pub run: Run,
    /// Whose they are.
    pub owner: Owner,
    /// `ECC << 32 | XOR` of each page under its number. Source: exchange-store 12.7; ese-physical 4.2.
    pub checksums: Vec<u64>,
}

/// Both tables.
#[derive(Debug, Clone)]
pub struct StmTables {
    pub(super) space: NamedTable,
    pub(super) owner: NamedTable,
}

impl StmTables {
    /// The tables, looked up by name.
    ///
    /// # Errors
    /// What `find` reports; [`EseError::Corrupt`] when a column is missing.
    pub fn find(mut find: impl FnMut(&str) -> EseResult<Arc<TableDef>>) -> EseResult<Self> {
        let tables =
            Self { space: NamedTable::new(find(SPACE)?), owner: NamedTable::new(find(OWNER)?) };
        for name in [LAST_PAGE, CHUNK] {
            tables.space.column(name)?;
        }
        for name in [FIRST_PAGE, PAGE_COUNT, OWNER_TABLE, OWNER_COLUMN, OWNER_KEY, CHECKSUMS] {
            tables.owner.column(name)?;
        }
        Ok(tables)
    }

    /// The table of chunks.
    pub fn space(&self) -> &NamedTable {
        &self.space
    }

    /// The table of owners.
    pub fn owner(&self) -> &NamedTable {
        &self.owner
    }

    /// All chunks in the order of the file.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when a chunk is missing or broken, [`EseError::Io`].
    pub fn read_chunks<P: Pages + ?Sized>(&self, pages: &P) -> EseResult<Vec<Chunk>> {
        let table = Table::new(pages, self.space.def());
        let reader = table.fields(VALUE_CAP_BYTES);
        let mut rows = table.rows();
        let mut chunks = Vec::new();
        let mut is_on_row = rows.first()?;
        while is_on_row {
            if let Some(row) = rows.row()? {
                let fields = Fields::new(row, &self.space, &reader);
                let expected = (chunks.len() as u64 + 1) * u64::from(CHUNK_PAGES);
                let found = fields.i32(LAST_PAGE)?;
                if u64::try_from(found) != Ok(expected) {
                    let reason = format!("chunk {found} stands where {expected} is expected");
                    return Err(fields.corrupt(LAST_PAGE, reason));
                }
                chunks.push(Chunk::decode(&fields.bytes_or_empty(CHUNK)?)?);
            }
            is_on_row = rows.next()?;
        }
        Ok(chunks)
    }

    /// Stores the state of a chunk; `number` counts from 0.
    pub(super) fn put_chunk(
        &self,
        writer: &mut DatabaseWriter,
        number: u32,
        chunk: &Chunk,
    ) -> EseResult<()> {
        let last_page = ((number + 1) * CHUNK_PAGES) as i32;
        let mut draft = Draft::new(&self.space);
        draft.i32(LAST_PAGE, last_page).bytes(CHUNK, chunk.encode().to_vec());
        let key = self.space.key(&[Some(&last_page.to_le_bytes())])?;
        let is_known = {
            let mut rows = Table::new(writer.forest().pager(), self.space.def()).rows();
            rows.find(&key)?
        };
        if is_known {
            draft.update(writer, &key)?
        } else {
            draft.insert(writer)?
        };
        Ok(())
    }

    /// Stores a row of the owner table.
    pub(super) fn put_owner(&self, writer: &mut DatabaseWriter, row: &OwnerRow) -> EseResult<()> {
        self.owner_draft(row).insert(writer).map(drop)
    }

    /// A row of the owner table.
    pub fn owner_draft(&self, row: &OwnerRow) -> Draft<'_, 'static> {
        assert!(row.owner.key.len() <= KEY_BYTES_MAX, "row keys of owners are short");
        assert_eq!(row.checksums.len(), row.run.count() as usize, "every page has a checksum");
        let checksums: Vec<u8> = row.checksums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        let mut draft = Draft::new(&self.owner);
        draft
            .i32(FIRST_PAGE, row.run.first().0 as i32)
            .i32(PAGE_COUNT, row.run.count() as i32)
            .i32(OWNER_TABLE, row.owner.table as i32)
            .i32(OWNER_COLUMN, row.owner.column as i32)
            .bytes(OWNER_KEY, row.owner.key.clone())
            .bytes(CHECKSUMS, checksums);
        draft
    }

    /// Key of the row that begins with this page.
    pub(super) fn owner_key(&self, first_page: u32) -> EseResult<Vec<u8>> {
        self.owner.key(&[Some(&(first_page as i32).to_le_bytes())])
    }
}

/// Reads a row of the owner table.
///
/// # Errors
/// [`EseError::Corrupt`] when the run cannot be, is longer than 64 pages, or has not one checksum a page.
pub fn read_owner_row<P: Pages + ?Sized>(fields: &Fields<'_, '_, P>) -> EseResult<OwnerRow> {
    let (run, sums) = read_sums(fields)?;
    let sum_of = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let checksums = sums.chunks_exact(CHECKSUM_BYTES).map(sum_of).collect();
    let owner = Owner {
        table: number(fields, OWNER_TABLE)?,
        column: number(fields, OWNER_COLUMN)?,
        key: fields.bytes_or_empty(OWNER_KEY)?,
    };
    Ok(OwnerRow { run, owner, checksums })
}

fn number<P: Pages + ?Sized>(fields: &Fields<'_, '_, P>, column: &str) -> EseResult<u32> {
    let value = fields.i32(column)?;
    u32::try_from(value).map_err(|_| fields.corrupt(column, format!("{value} is negative")))
}

/// The pages of a row and their checksums, eight bytes each.
fn read_sums<'r, P: Pages + ?Sized>(fields: &Fields<'r, '_, P>) -> EseResult<(Run, Cow<'r, [u8]>)> {
    let (first, count) = (number(fields, FIRST_PAGE)?, number(fields, PAGE_COUNT)?);
    let run = Run::new(first, count).filter(|run| run.count() <= OWNER_ROW_PAGES);
    let run = run.ok_or_else(|| {
        fields.corrupt(PAGE_COUNT, format!("no run of {count} pages from {first} on"))
    })?;
    let sums = fields.bytes(CHECKSUMS)?.unwrap_or_default();
    if sums.len() != count as usize * CHECKSUM_BYTES {
        let reason = format!("{} bytes of checksums for {count} pages", sums.len());
        return Err(fields.corrupt(CHECKSUMS, reason));
    }
    Ok((run, sums))
}

/// Pages, and the checksum of each, eight bytes little-endian.
pub type RunSums<'r> = (Run, &'r [u8]);

impl StmTables {
    /// Calls `sink` with the pages and the checksums of each row of the owner table, as [`Self::each_owner`] does, whoever owns them.
    ///
    /// # Errors
    /// What `sink` reports ends the walk; [`EseError::Io`].
    pub fn each_sums<P: Pages + ?Sized>(
        &self,
        pages: &P,
        sink: &mut dyn FnMut(EseResult<RunSums<'_>>) -> EseResult<()>,
    ) -> EseResult<()> {
        let table = Table::new(pages, self.owner.def());
        let reader = table.fields(VALUE_CAP_BYTES);
        let mut rows = table.rows();
        let mut found = rows.first();
        loop {
            let goes_on = match found {
                Ok(false) => false,
                Ok(true) => rows.rest_of_page(&mut |row| {
                    let fields = match row {
                        Ok(row) => Fields::new(row, &self.owner, &reader),
                        Err(error) => return sink(Err(error)),
                    };
                    match read_sums(&fields) {
                        Ok((run, sums)) => sink(Ok((run, &sums))),
                        Err(error) => sink(Err(error)),
                    }
                })?,
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => {
                    sink(Err(error))?;
                    true
                }
            };
            if !goes_on {
                return Ok(());
            }
            found = rows.next();
        }
    }

    /// Calls `sink` with each row of the owner table in the order of the pages; a broken row gives an error and the
    /// next one follows.
    ///
    /// # Errors
    /// What `sink` reports ends the walk.
    pub fn each_owner<P: Pages + ?Sized>(
        &self,
        pages: &P,
        sink: &mut dyn FnMut(EseResult<OwnerRow>) -> EseResult<()>,
    ) -> EseResult<()> {
        let table = Table::new(pages, self.owner.def());
        let reader = table.fields(VALUE_CAP_BYTES);
        let mut rows = table.rows();
        let mut found = rows.first();
        loop {
            match found {
                Ok(false) => return Ok(()),
                Ok(true) => match rows.row() {
                    Ok(Some(row)) => sink(read_owner_row(&Fields::new(row, &self.owner, &reader)))?,
                    Ok(None) => {}
                    Err(error) => sink(Err(error))?,
                },
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => sink(Err(error))?,
            }
            found = rows.next();
        }
    }
}

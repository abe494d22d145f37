//! Reading a stream by its runs, every page verified before its bytes are given away (S5).

use super::tables::{StmTables, read_owner_row};
use super::{AheadStream, OWNER_ROW_PAGES, Owner, OwnerRow, PAGE_BYTES, Run, SlvInfo, StmFile};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::checksum::block_checksum;
use crate::ese::table::database::Table;
use crate::ese::table::fields::FieldReader;
use crate::ese::table::rows::RowCursor;
use crate::ese::txn::Pages;

use super::rows::Fields;

/// Reads streams of one store.
#[derive(Debug)]
pub struct StreamReader<'s, P: Pages + ?Sized> {
    file: &'s StmFile,
    tables: &'s StmTables,
    rows: RowCursor<'s, P>,
    fields: FieldReader<'s, P>,
    /// Room for pages.
    buffer: Vec<u8>,
}

impl<'s, P: Pages + ?Sized> StreamReader<'s, P> {
    /// A reader of the streams in `file`, whose owners stand in the tables of `pages`.
    pub fn new(pages: &'s P, tables: &'s StmTables, file: &'s StmFile) -> Self {
        let table = Table::new(pages, tables.owner().def());
        let cap_bytes = OWNER_ROW_PAGES as usize * super::tables::CHECKSUM_BYTES;
        Self {
            file,
            tables,
            rows: table.rows(),
            fields: table.fields(cap_bytes),
            buffer: Vec::new(),
        }
    }

    /// Gives the bytes of a stream to `sink`, at most 256 KiB at a time.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] naming the page when its checksum is wrong, when it belongs to another owner, or lies beyond the
    /// end of the file; [`EseError::Io`]; what `sink` reports. Some bytes may have been given away before.
    pub fn read(
        &mut self,
        info: &SlvInfo,
        owner: &Owner,
        sink: &mut dyn FnMut(&[u8]) -> EseResult<()>,
    ) -> EseResult<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = each_piece(info, &mut |piece, len_bytes| {
            let row = self.owned_row(piece, owner)?;
            self.read_piece(&row, &mut buffer)?;
            sink(buffer.get(..len_bytes as usize).unwrap_or_default())
        });
        self.buffer = buffer;
        read
    }

    /// Copies a stream that was read before without a fault: what is stored as the copy will be is not looked at again.
    ///
    /// # Errors
    /// As [`Self::read`], but wrong checksums may go unseen.
    pub fn copy(
        &mut self,
        info: &SlvInfo,
        owner: &Owner,
        copy: &mut AheadStream<'_>,
    ) -> EseResult<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let copied = each_piece(info, &mut |piece, len_bytes| {
            let row = self.owned_row(piece, owner)?;
            if copy.takes(piece.count(), len_bytes) && self.is_padded(piece, len_bytes)? {
                return copy.push_pages(self.file.storage(), &row, len_bytes);
            }
            self.read_piece(&row, &mut buffer)?;
            copy.push(buffer.get(..len_bytes as usize).unwrap_or_default())
        });
        self.buffer = buffer;
        copied
    }

    /// Whether nothing but zeros follows the stream, so many bytes from the start of these pages, on its last page.
    fn is_padded(&self, piece: Run, len_bytes: u64) -> EseResult<bool> {
        let rest_bytes = u64::from(piece.count()) * PAGE_BYTES as u64 - len_bytes;
        let mut rest = [0; PAGE_BYTES];
        let Some(rest) = rest.get_mut(..rest_bytes as usize) else { return Ok(false) };
        if !rest.is_empty() {
            let offset_bytes = piece.first().offset_bytes() + len_bytes;
            self.file.storage().read_exact_at(rest, offset_bytes)?;
        }
        // All of them, without a way out between: that can be done many at a time.
        Ok(rest.iter().fold(0, |sum, byte| sum | byte) == 0)
    }

    /// The whole stream in memory.
    ///
    /// # Errors
    /// As [`Self::read`]; [`EseError::Corrupt`] when the file is shorter than the stream.
    pub fn read_to_vec(&mut self, info: &SlvInfo, owner: &Owner) -> EseResult<Vec<u8>> {
        if info.page_count() > self.file.page_count()? {
            let reason = format!("a stream of {} bytes is longer than the file", info.len_bytes());
            return Err(EseError::corrupt_bytes(reason).in_file(self.file.storage().path()));
        }
        let mut bytes = Vec::with_capacity(info.len_bytes() as usize);
        self.read(info, owner, &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// The row of a piece, which must be this owner's.
    fn owned_row(&mut self, piece: Run, owner: &Owner) -> EseResult<OwnerRow> {
        let row = self.owner_row(piece)?;
        if row.run != piece || row.owner != *owner {
            let reason = format!(
                "pages {} to {} are listed for another row or another run than the one that refers to them",
                piece.first(),
                piece.last()
            );
            return Err(self.corrupt(reason));
        }
        Ok(row)
    }

    /// Reads and verifies whole pages into the beginning of `buffer`, which is made long enough.
    fn read_piece(&self, row: &OwnerRow, buffer: &mut Vec<u8>) -> EseResult<()> {
        let len_bytes = row.run.count() as usize * PAGE_BYTES;
        if buffer.len() < len_bytes {
            buffer.resize(len_bytes, 0);
        }
        let pages = buffer.get_mut(..len_bytes).unwrap_or_default();
        self.file.read(row.run, pages)?;
        match first_bad_page(row, pages) {
            None => Ok(()),
            Some(page) => Err(self.corrupt(format!("the checksum of page {page} is wrong"))),
        }
    }

    fn owner_row(&mut self, piece: Run) -> EseResult<OwnerRow> {
        let key = self.tables.owner_key(piece.first().0)?;
        if self.rows.find(&key)?
            && let Some(row) = self.rows.row()?
        {
            return read_owner_row(&Fields::new(row, self.tables.owner(), &self.fields));
        }
        Err(self.corrupt(format!("page {} has no owner", piece.first())))
    }

    fn corrupt(&self, reason: String) -> EseError {
        EseError::corrupt_bytes(reason).in_file(self.file.storage().path())
    }
}

/// Calls `visit` with the pieces of a stream that have rows of their own, and how many of their bytes are the stream's.
fn each_piece(info: &SlvInfo, visit: &mut dyn FnMut(Run, u64) -> EseResult<()>) -> EseResult<()> {
    let mut left_bytes = info.len_bytes();
    for piece in info.runs().iter().flat_map(|run| run.pieces(OWNER_ROW_PAGES)) {
        let len_bytes = left_bytes.min(u64::from(piece.count()) * PAGE_BYTES as u64);
        left_bytes -= len_bytes;
        visit(piece, len_bytes)?;
    }
    Ok(())
}

/// The checksums of whole pages of a run.
pub(super) fn checksums_of(run: Run, bytes: &[u8]) -> Vec<u64> {
    let pages = run.pages().zip(bytes.chunks_exact(PAGE_BYTES));
    pages.map(|(page, bytes)| block_checksum(bytes, page.0, false)).collect()
}

/// The first page whose bytes are not those that were checksummed.
pub(crate) fn first_bad_page(row: &OwnerRow, bytes: &[u8]) -> Option<super::StmPgno> {
    first_bad_of(row.run, row.checksums.iter().copied(), bytes)
}

/// The first page of a run whose bytes do not have its checksum.
pub(crate) fn first_bad_of(
    run: Run,
    checksums: impl Iterator<Item = u64>,
    bytes: &[u8],
) -> Option<super::StmPgno> {
    let mut pages = run.pages().zip(bytes.chunks_exact(PAGE_BYTES).zip(checksums));
    pages
        .find(|(page, (bytes, stored))| block_checksum(bytes, page.0, false) != *stored)
        .map(|(page, _)| page)
}

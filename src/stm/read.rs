//! Reading a stream by its runs, every page verified before its bytes are given away (S5).

use super::tables::{StmTables, read_owner_row};
use super::{OWNER_ROW_PAGES, Owner, OwnerRow, PAGE_BYTES, Run, SlvInfo, StmFile};
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
}

/// Pages of a stream, verified.
#[derive(Debug, Clone, Copy)]
pub struct StreamPart<'b> {
    /// Whole pages.
    pub pages: &'b [u8],
    /// How many of their bytes are the stream's; less than all only at its end.
    pub len_bytes: usize,
    /// Where they stand in the file, in bytes.
    pub offset_bytes: u64,
}

impl<'b> StreamPart<'b> {
    /// The bytes that are the stream's.
    pub fn bytes(&self) -> &'b [u8] {
        self.pages.get(..self.len_bytes).unwrap_or_default()
    }

    /// Whether nothing but zeros follows the stream on its last page.
    pub fn is_padded(&self) -> bool {
        self.pages.get(self.len_bytes..).unwrap_or_default().iter().all(|byte| *byte == 0)
    }
}

impl<'s, P: Pages + ?Sized> StreamReader<'s, P> {
    /// A reader of the streams in `file`, whose owners stand in the tables of `pages`.
    pub fn new(pages: &'s P, tables: &'s StmTables, file: &'s StmFile) -> Self {
        let table = Table::new(pages, tables.owner().def());
        let cap_bytes = OWNER_ROW_PAGES as usize * super::tables::CHECKSUM_BYTES;
        Self { file, tables, rows: table.rows(), fields: table.fields(cap_bytes) }
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
        self.read_pages(info, owner, &mut |part| sink(part.bytes()))
    }

    /// The same page by page, for whoever copies pages.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_pages(
        &mut self,
        info: &SlvInfo,
        owner: &Owner,
        sink: &mut dyn FnMut(StreamPart<'_>) -> EseResult<()>,
    ) -> EseResult<()> {
        // Most streams are short: a buffer for the longest piece would cost more than reading them.
        let pages = info.runs().iter().map(|run| run.count().min(OWNER_ROW_PAGES)).max();
        let mut buffer = vec![0; pages.unwrap_or(0) as usize * PAGE_BYTES];
        let mut left_bytes = info.len_bytes();
        for run in info.runs() {
            for piece in run.pieces(OWNER_ROW_PAGES) {
                let pages = piece.count() as usize * PAGE_BYTES;
                let bytes = buffer.get_mut(..pages).unwrap_or_default();
                self.read_piece(piece, owner, bytes)?;
                let wanted = left_bytes.min(pages as u64);
                left_bytes -= wanted;
                let offset_bytes = piece.first().offset_bytes();
                sink(StreamPart { pages: bytes, len_bytes: wanted as usize, offset_bytes })?;
            }
        }
        Ok(())
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

    fn read_piece(&mut self, piece: Run, owner: &Owner, bytes: &mut [u8]) -> EseResult<()> {
        let row = self.owner_row(piece)?;
        if row.run != piece || row.owner != *owner {
            let reason = format!(
                "pages {} to {} are listed for another row or another run than the one that refers to them",
                piece.first(),
                piece.last()
            );
            return Err(self.corrupt(reason));
        }
        self.file.read(piece, bytes)?;
        match first_bad_page(&row, bytes) {
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

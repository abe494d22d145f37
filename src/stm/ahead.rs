//! Streams written by other threads into pages that were set aside for them.
//!
//! The pages are free for everyone who opens the store until a commit takes them into use (S2), so they may be written at any time.

use std::sync::Arc;

use super::read::checksums_of;
use super::{OWNER_ROW_PAGES, Owner, OwnerRow, PAGE_BYTES, Run, SlvInfo, StmFile};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::checksum::moved_block;
use crate::io::Storage;

/// Writes reserved pages of one streaming file; adjacent ones are gathered into large writes.
#[derive(Debug)]
pub struct AheadStreams {
    file: StmFile,
    buffer: Vec<u8>,
}

/// A stream being written.
#[derive(Debug)]
pub struct AheadStream<'a> {
    writer: &'a mut AheadStreams,
    owner: &'a Owner,
    pieces: std::vec::IntoIter<Run>,
    rows: Vec<OwnerRow>,
    /// Bytes of the piece in the buffer.
    filled: usize,
    left_bytes: u64,
}

impl AheadStream<'_> {
    /// Adds the next bytes. They may stay in memory until [`AheadStreams::flush`].
    ///
    /// # Errors
    /// [`EseError::Io`]; [`EseError::Corrupt`] when there are more than the stream was to have.
    pub fn push(&mut self, mut bytes: &[u8]) -> EseResult<()> {
        let Some(left) = self.left_bytes.checked_sub(bytes.len() as u64) else {
            return Err(EseError::corrupt_bytes("a stream is longer than it was said to be"));
        };
        self.left_bytes = left;
        while !bytes.is_empty() {
            let next = self.pieces.as_slice().first();
            let room = next.map_or(0, |piece| piece.count() as usize * PAGE_BYTES) - self.filled;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.writer.buffer[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            if now.len() == room {
                self.write_piece()?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Whether the next piece of this stream is just these pages of another file's stream, of which so many bytes are the stream's.
    pub(super) fn takes(&self, pages: u32, len_bytes: u64) -> bool {
        let next = self.pieces.as_slice().first();
        let is_whole = len_bytes == u64::from(pages) * PAGE_BYTES as u64;
        self.filled == 0
            && next.is_some_and(|piece| piece.count() == pages)
            && (is_whole || len_bytes == self.left_bytes)
            && len_bytes <= self.left_bytes
    }

    /// Adds pages that [`Self::takes`] has found to fit, as they stand in another file, without reading them; `row` is theirs there.
    pub(super) fn push_pages(
        &mut self,
        from: &Arc<dyn Storage>,
        row: &OwnerRow,
        len_bytes: u64,
    ) -> EseResult<()> {
        let Some(piece) = self.pieces.next() else { return Ok(()) };
        self.left_bytes -= len_bytes;
        self.writer.file.write_copy(piece, from, row.run.first().offset_bytes())?;
        let pages = row.run.pages().zip(piece.pages());
        let moved = pages
            .zip(&row.checksums)
            .map(|((old, new), checksum)| moved_block(*checksum, old.0, new.0));
        let checksums = moved.collect();
        self.rows.push(OwnerRow { run: piece, owner: self.owner.clone(), checksums });
        Ok(())
    }

    fn write_piece(&mut self) -> EseResult<()> {
        let Some(piece) = self.pieces.next() else { return Ok(()) };
        let bytes = &mut self.writer.buffer[..piece.count() as usize * PAGE_BYTES];
        bytes[self.filled..].fill(0);
        self.filled = 0;
        let checksums = checksums_of(piece, bytes);
        self.writer.file.write(piece, bytes)?;
        self.rows.push(OwnerRow { run: piece, owner: self.owner.clone(), checksums });
        Ok(())
    }

    /// Ends the stream; answers the rows that the owner table will need.
    ///
    /// # Errors
    /// As [`Self::push`]; [`EseError::Corrupt`] when bytes are missing.
    pub fn finish(mut self) -> EseResult<Vec<OwnerRow>> {
        if self.left_bytes > 0 {
            let reason = format!("a stream lacks its last {} bytes", self.left_bytes);
            return Err(EseError::corrupt_bytes(reason));
        }
        if self.filled > 0 {
            self.write_piece()?;
        }
        Ok(self.rows)
    }
}

impl AheadStreams {
    /// A writer into the file behind `storage`.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        let buffer = vec![0; OWNER_ROW_PAGES as usize * PAGE_BYTES];
        Self { file: StmFile::new(storage), buffer }
    }

    /// Starts a stream that fills the pages of `info`.
    pub fn start<'a>(&'a mut self, info: &SlvInfo, owner: &'a Owner) -> AheadStream<'a> {
        let pieces: Vec<Run> =
            info.runs().iter().flat_map(|run| run.pieces(OWNER_ROW_PAGES)).collect();
        AheadStream {
            writer: self,
            owner,
            pieces: pieces.into_iter(),
            rows: Vec::new(),
            filled: 0,
            left_bytes: info.len_bytes(),
        }
    }

    /// Writes what is gathered.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`].
    pub fn flush(&mut self) -> EseResult<()> {
        self.file.flush()
    }
}

//! Filling an empty table in one run: rows in the order of their keys, whole leaf pages, indexes built from sorted batches.

use std::sync::Arc;

use super::entries::EntryList;
use super::long_value::{nodes_of, tree_of};
use super::row::{FieldValue, row_keys};
use super::writer::{DatabaseWriter, check_writable};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::schema::{TableDef, index_tree};
use crate::ese::tree::{Change, Tree, TreeBuilder};

/// Index entries held in memory before they are sorted and merged into their tree.
const SORT_BYTES: usize = 32 << 20;
/// What one entry costs beside its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// Fills one empty table. The database cannot be used for anything else meanwhile.
#[derive(Debug)]
pub struct TableLoader<'w> {
    writer: &'w mut DatabaseWriter,
    table: Arc<TableDef>,
    rows: TreeBuilder,
    long_values: Option<TreeBuilder>,
    indexes: Vec<IndexBatch>,
    batch_bytes: usize,
    next_row: u32,
}

/// Entries of one index that are not in its tree yet.
#[derive(Debug)]
struct IndexBatch {
    tree: Tree,
    name: String,
    is_unique: bool,
    entries: EntryList,
}

impl DatabaseWriter {
    /// Starts filling `table`, which must be empty.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] when it is not.
    pub fn load<'w>(&'w mut self, table: &Arc<TableDef>) -> EseResult<TableLoader<'w>> {
        check_writable(table)?;
        let rows = TreeBuilder::new(&self.forest, table.tree())?;
        let long_values = match table.long_values {
            Some(_) => Some(TreeBuilder::new(&self.forest, tree_of(table)?)?),
            None => None,
        };
        let batch = |index: &crate::ese::table::key::IndexDef| IndexBatch {
            tree: index_tree(index),
            name: index.name.clone(),
            is_unique: index.flags.contains(crate::ese::table::key::IndexFlags::UNIQUE),
            entries: EntryList::default(),
        };
        let indexes = table.indexes.iter().map(batch).collect();
        Ok(TableLoader {
            writer: self,
            table: table.clone(),
            rows,
            long_values,
            indexes,
            batch_bytes: 0,
            next_row: 1,
        })
    }
}

impl TableLoader<'_> {
    /// Adds a row, whose primary key must stand after the one before.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] for a row out of order; as [`DatabaseWriter::insert`].
    pub fn push(&mut self, values: &[FieldValue<'_>]) -> EseResult<()> {
        let row = self.writer.encode(&self.table, values)?;
        if !row.shared.is_empty() {
            let reason = "a row of a load cannot share a value of an earlier one";
            return Err(EseError::refused(Refusal::BadRequest, reason).in_object(&self.table.name));
        }
        let keys = row_keys(&self.table, &row.record, &|lid, cap_bytes| {
            let value = row.long_values.iter().find(|value| value.lid == lid);
            Ok(value
                .map_or(&[][..], |value| &value.bytes[..value.bytes.len().min(cap_bytes)])
                .to_vec())
        })?;
        let bookmark = match keys.primary {
            Some(key) => key.0,
            None => self.next_row.to_be_bytes().to_vec(),
        };
        self.next_row = self.next_row.saturating_add(1);
        let forest = &mut self.writer.forest;
        let named = |error: EseError| error.in_object(&self.table.name);
        self.rows.push(forest, &bookmark, &row.record).map_err(named)?;
        if let Some(builder) = &mut self.long_values {
            for value in &row.long_values {
                nodes_of(value.lid, value.bytes, 1, value.is_compressed, |key, data| {
                    builder.push(forest, key, data)
                })?;
            }
        }
        for (batch, keys) in self.indexes.iter_mut().zip(keys.secondary) {
            for key in keys {
                self.batch_bytes += key.0.len() + bookmark.len() + ENTRY_OVERHEAD_BYTES;
                batch.entries.push(&key.0, &bookmark);
            }
        }
        if self.batch_bytes > SORT_BYTES { self.merge_batches() } else { Ok(()) }
    }

    fn merge_batches(&mut self) -> EseResult<()> {
        for batch in &mut self.indexes {
            let mut entries = std::mem::take(&mut batch.entries);
            entries.sort();
            if batch.is_unique && entries.has_repeats() {
                let reason = "two rows have the same key in a unique index";
                return Err(EseError::refused(Refusal::DuplicateKey, reason).in_object(&batch.name));
            }
            let changes = entries.iter().map(|(key, data)| Change::Insert { key, data });
            let merged = self.writer.forest.merge(&batch.tree, changes);
            merged.map_err(|error| error.in_object(&batch.name))?;
            entries.clear();
            batch.entries = entries;
        }
        self.batch_bytes = 0;
        Ok(())
    }

    /// Writes what is left: last pages, branches, index entries.
    ///
    /// # Errors
    /// As [`TableLoader::push`].
    pub fn finish(mut self) -> EseResult<u64> {
        self.merge_batches()?;
        let shape = self.rows.finish(&mut self.writer.forest)?;
        if let Some(builder) = self.long_values {
            builder.finish(&mut self.writer.forest)?;
        }
        Ok(shape.entries)
    }
}

//! The long-value tree of a table: storing, sharing, dropping.
//!
//! ```text
//! root    key  LID, u32 big-endian                          data  u32 references, u32 length (little-endian)
//! chunk   key  LID, u32 big-endian; u32 big-endian offset   data  4014 bytes, the last one what is left
//! ```
//!
//! A chunk is stored compressed only when that is strictly shorter, for nothing else tells a compressed one from a raw one
//! (ese-logical 4.4). Some readers take a raw chunk for a compressed one by its first byte (ese-logical 9.1.1, 9.2.1);
//! such chunks are compressed where that helps.

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::Lid;
use crate::ese::table::compress::xpress_compress;
use crate::ese::table::long_value::{LvInfo, LvReader};
use crate::ese::table::schema::TableDef;
use crate::ese::tree::{Cursor, Forest, Tree};

/// Bytes of every chunk but the last on 4 KiB pages. Source: ese-logical 4.3.
pub const CHUNK_BYTES: usize = 4014;
/// Longest value. Source: ese-logical 3.1.
const VALUE_BYTES_MAX: usize = 0x7fff_ffff;
/// Chunk number from which one reader decompresses raw chunks too.
const MISREAD_CHUNKS_FROM: usize = 2;

/// The tree of a table's long values.
///
/// # Errors
/// [`EseError::Corrupt`] when there is none.
pub fn tree_of(table: &TableDef) -> EseResult<Tree> {
    table.long_value_tree().ok_or_else(|| {
        EseError::corrupt(table.root, "the table has no long values").in_object(&table.name)
    })
}

/// Data of a root node.
pub(super) fn root_data(references: u32, length_bytes: u32) -> [u8; 8] {
    let mut data = [0; 8];
    data[..4].copy_from_slice(&references.to_le_bytes());
    data[4..].copy_from_slice(&length_bytes.to_le_bytes());
    data
}

/// Whether some reader takes a raw chunk that starts with `first` for a compressed one.
fn is_misread(number: usize, first: u8) -> bool {
    first == 0x18 || number >= MISREAD_CHUNKS_FROM && matches!(first, 0x08..=0x1f | 0x28..=0x37)
}

/// Whether the beginning of a chunk compresses: trying all of one that does not is the dearest part of a bulk load.
fn may_shrink(chunk: &[u8]) -> bool {
    const PROBE_BYTES: usize = 512;
    xpress_compress(&chunk[..chunk.len().min(PROBE_BYTES)], &mut Vec::new())
}

/// Calls `put` with key and data of every node of a new value, in key order.
///
/// # Errors
/// What `put` reports; [`EseError::Limit`] for values beyond 2 GiB.
pub fn nodes_of(
    lid: Lid,
    bytes: &[u8],
    references: u32,
    compress: bool,
    mut put: impl FnMut(&[u8], &[u8]) -> EseResult<()>,
) -> EseResult<()> {
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(EseError::limit(
            "length of a value",
            bytes.len() as u64,
            VALUE_BYTES_MAX as u64,
        ));
    }
    let mut key = lid.key_bytes();
    put(&key, &root_data(references, bytes.len() as u32))?;
    let root_bytes = key.len();
    let mut packed = Vec::new();
    for (number, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
        key.truncate(root_bytes);
        key.extend_from_slice(&((number * CHUNK_BYTES) as u32).to_be_bytes());
        let wants_packing = compress || is_misread(number, chunk[0]) && may_shrink(chunk);
        packed.clear();
        let is_packed = wants_packing && xpress_compress(chunk, &mut packed);
        put(&key, if is_packed { &packed } else { chunk })?;
    }
    Ok(())
}

/// Stores a new value with `references` references.
///
/// # Errors
/// As [`nodes_of`] and [`Forest::insert`].
pub fn store(
    forest: &mut Forest,
    tree: &Tree,
    lid: Lid,
    bytes: &[u8],
    references: u32,
    compress: bool,
) -> EseResult<()> {
    nodes_of(lid, bytes, references, compress, |key, data| forest.insert(tree, key, data))
}

/// Changes the number of references; at 0 the value is removed.
///
/// # Errors
/// [`EseError::Corrupt`] when there is no such value, or more references go than there are.
pub fn refer(forest: &mut Forest, table: &TableDef, lid: Lid, change: i64) -> EseResult<()> {
    let tree = tree_of(table)?;
    let LvInfo { references, len_bytes } = LvReader::new(forest.pager(), table).info(lid)?;
    let new = i64::from(references) + change;
    let Ok(new) = u32::try_from(new) else {
        let reason =
            format!("long value {lid} has {references} references, {change} were to be added");
        return Err(EseError::corrupt(tree.root, reason).in_tree(tree.objid));
    };
    if new > 0 {
        return forest.replace(&tree, &lid.key_bytes(), &root_data(new, len_bytes));
    }
    remove(forest, &tree, lid)
}

fn remove(forest: &mut Forest, tree: &Tree, lid: Lid) -> EseResult<()> {
    let root_key = lid.key_bytes();
    loop {
        let mut cursor = Cursor::new(forest.pager(), *tree);
        let key = match cursor.seek(&root_key)? {
            true => cursor.entry()?.map(|node| node.key.to_vec()),
            false => None,
        };
        match key {
            // The root itself, or one of its chunks.
            Some(key) if key.starts_with(&root_key) && key.len() <= root_key.len() + 4 => {
                forest.delete(tree, &key, &[])?;
            }
            _ => return Ok(()),
        }
    }
}

/// The highest number in use.
///
/// # Errors
/// [`EseError::Corrupt`] when the last key is none of a long value.
pub fn last_lid(forest: &Forest, tree: &Tree) -> EseResult<u32> {
    let mut cursor = Cursor::new(forest.pager(), *tree);
    if !cursor.last()? {
        return Ok(0);
    }
    let key = cursor.entry()?.map(|node| node.key.to_vec()).unwrap_or_default();
    match (key.len(), key.first_chunk::<4>()) {
        (4 | 8, Some(lid)) if lid[0] < 0x80 => Ok(u32::from_be_bytes(*lid)),
        _ => {
            Err(EseError::unsupported("adding to a tree of 64-bit long values").in_tree(tree.objid))
        }
    }
}

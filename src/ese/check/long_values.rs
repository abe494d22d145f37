//! Long values: chunks without gaps, lengths that agree, references counted exactly. Source: ese-logical 4.

use std::collections::HashSet;

use super::references::References;
use super::report::Report;
use super::{Severity, is_tangled};
use crate::ese::error::EseResult;
use crate::ese::page::Pgno;
use crate::ese::page::layout::u32_at;
use crate::ese::table::column::Lid;
use crate::ese::table::compress::decompress;
use crate::ese::table::database::Database;
use crate::ese::table::long_value::default_chunk_bytes;
use crate::ese::table::schema::TableDef;
use crate::ese::tree::Cursor;
use crate::ese::txn::{DatabaseFile, Pages};

/// Reference count of a value that is being deleted.
const BEING_DELETED: u32 = u32::MAX;

/// Checks the long-value tree of a table against the references that its records make, or the first batch of them.
pub fn check(
    database: &Database,
    table: &TableDef,
    references: References,
    tangled: &HashSet<Pgno>,
    report: &mut Report<'_>,
) {
    let name = format!("{}.LV", table.name);
    if table.long_values.is_some_and(|(_, root)| is_tangled(tangled, root, &name, report)) {
        return;
    }
    let file = database.file();
    let default = default_chunk_bytes(file.page_size());
    let declared = table.lv_chunk_max.map_or(default, |bytes| bytes as usize);
    let mut check = LongValueCheck {
        file,
        table,
        name,
        references,
        chunk_bytes: declared.clamp(1, default),
        current: None,
        plain: Vec::new(),
        report,
    };
    if let Some(tree) = table.long_value_tree() {
        let mut cursor = Cursor::new(file, tree);
        if let Err(error) = check.walk(&mut cursor) {
            check.report.unreadable("long value", &check.name, &error);
            return;
        }
        check.finish_value();
    }
    while check.next_batch() {}
}

/// The value whose chunks are being read.
struct Current {
    lid: Lid,
    pgno: Option<Pgno>,
    len_bytes: usize,
    next_offset: usize,
    is_encrypted: bool,
}

struct LongValueCheck<'c, 's> {
    file: &'c DatabaseFile,
    table: &'c TableDef,
    name: String,
    /// What records refer to; each value found takes its own out.
    references: References,
    chunk_bytes: usize,
    current: Option<Current>,
    plain: Vec<u8>,
    report: &'c mut Report<'s>,
}

/// What a key of the tree names. Source: ese-logical 4.1.
enum Node {
    Root(Lid),
    Chunk(Lid, usize),
}

fn parse_key(key: &[u8]) -> Option<Node> {
    let number =
        |bytes: &[u8]| bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let is_64 = key.first().is_some_and(|first| *first >= 0x80);
    match (key.len(), is_64) {
        (4, false) => Some(Node::Root(Lid(number(key)))),
        (8, true) => Some(Node::Root(Lid(number(key)))),
        (8, false) => Some(Node::Chunk(Lid(number(&key[..4])), number(&key[4..]) as usize)),
        (12, true) => Some(Node::Chunk(Lid(number(&key[..8])), number(&key[8..]) as usize)),
        _ => None,
    }
}

impl LongValueCheck<'_, '_> {
    fn tell(&mut self, severity: Severity, pgno: Option<Pgno>, message: String) {
        self.report.find(severity, "long value", Some(&self.name), pgno, message);
    }

    fn walk(&mut self, cursor: &mut Cursor<'_, DatabaseFile>) -> EseResult<()> {
        let mut is_on_node = cursor.first()?;
        let mut key = Vec::new();
        while is_on_node {
            let pgno = cursor.place().map(|(pgno, _)| pgno);
            if let Some(node) = cursor.entry()? {
                key.clear();
                node.key.append_to(&mut key);
                match parse_key(&key) {
                    Some(Node::Root(lid)) => self.root(lid, node.data, pgno),
                    Some(Node::Chunk(lid, offset)) => self.chunk(lid, offset, node.data, pgno),
                    None => {
                        self.tell(Severity::Error, pgno, "a key that names no long value".into())
                    }
                }
            }
            is_on_node = cursor.next()?;
        }
        Ok(())
    }

    fn root(&mut self, lid: Lid, data: &[u8], pgno: Option<Pgno>) {
        self.finish_value();
        self.report.summary.long_values += 1;
        let (Some(stored), Some(len_bytes), 8..=9) = (u32_at(data, 0), u32_at(data, 4), data.len())
        else {
            let message = format!("the root of value {lid} has {} bytes", data.len());
            return self.tell(Severity::Error, pgno, message);
        };
        while self.references.until().is_some_and(|until| lid >= until) {
            self.next_batch();
        }
        let counted = self.references.take(lid);
        let message = format!("value {lid} has {stored} references, records make {counted}");
        if stored == BEING_DELETED && counted > 0 {
            let message = format!("value {lid} is half deleted, but {counted} records name it");
            self.tell(Severity::Error, pgno, message);
        } else if stored < counted {
            self.tell(Severity::Error, pgno, message);
        } else if stored > counted && self.references.is_complete() {
            self.tell(Severity::Warning, pgno, message + ": it will never go");
        }
        let is_encrypted = data.len() == 9;
        let len_bytes = len_bytes as usize;
        self.current = Some(Current { lid, pgno, len_bytes, next_offset: 0, is_encrypted });
    }

    fn chunk(&mut self, lid: Lid, offset: usize, data: &[u8], pgno: Option<Pgno>) {
        let chunk_bytes = self.chunk_bytes;
        let Some(current) = self.current.as_mut().filter(|current| current.lid == lid) else {
            return self.tell(
                Severity::Error,
                pgno,
                format!("a chunk of value {lid} without a root"),
            );
        };
        let (expected_offset, len_bytes) = (current.next_offset, current.len_bytes);
        let expected = chunk_bytes.min(len_bytes.saturating_sub(offset));
        let is_encrypted = current.is_encrypted;
        current.next_offset = offset.saturating_add(expected);
        if offset != expected_offset || offset >= len_bytes {
            let message = format!(
                "value {lid}: a chunk at {offset} instead of {expected_offset}, of {len_bytes} bytes"
            );
            return self.tell(Severity::Error, pgno, message);
        }
        if is_encrypted {
            return;
        }
        // A shorter chunk is a compressed one; nothing else tells.
        let mut plain_bytes = data.len();
        if data.len() < expected {
            self.plain.clear();
            if let Err(error) = decompress(data, expected, &mut self.plain) {
                let error = error.in_object(format!("value {lid}, chunk at {offset}"));
                let error = match pgno {
                    Some(pgno) => error.on_page(pgno),
                    None => error,
                };
                return self.report.unreadable("long value", &self.name, &error);
            }
            plain_bytes = self.plain.len();
        }
        if plain_bytes != expected {
            let message = format!(
                "value {lid}: the chunk at {offset} has {plain_bytes} bytes instead of {expected}"
            );
            self.tell(Severity::Error, pgno, message);
        }
    }

    fn finish_value(&mut self) {
        let Some(value) = self.current.take() else { return };
        if value.next_offset < value.len_bytes {
            let message = format!(
                "value {} ends at {} of {} bytes",
                value.lid, value.next_offset, value.len_bytes
            );
            self.tell(Severity::Error, value.pgno, message);
        }
    }

    /// Tells of values that records name and the tree does not have, and goes on to the next batch; false after the last.
    fn next_batch(&mut self) -> bool {
        let until = self.references.until();
        let done = std::mem::replace(&mut self.references, References::new(Lid(0)));
        for (lid, count) in done.rest() {
            let message = format!("value {lid} is named by {count} records and does not exist");
            self.tell(Severity::Error, Some(self.table.root), message);
        }
        if let Some(until) = until {
            self.references = References::of_table(self.file, self.table, until);
        }
        until.is_some()
    }
}

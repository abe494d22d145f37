//! Long values: chunks without gaps, lengths that agree, references counted exactly. Source: ese-logical 4.

use super::{References, Report, Severity};
use crate::ese::error::EseResult;
use crate::ese::page::Pgno;
use crate::ese::page::layout::u32_at;
use crate::ese::table::column::Lid;
use crate::ese::table::compress::decompressed_len;
use crate::ese::table::database::Database;
use crate::ese::table::long_value::default_chunk_bytes;
use crate::ese::table::schema::TableDef;
use crate::ese::tree::Cursor;
use crate::ese::txn::{DatabaseFile, Pages};

/// Findings of one table that are told.
const FINDINGS_MAX: usize = 20;
/// Reference count of a value that is being deleted.
const BEING_DELETED: u32 = u32::MAX;

/// Checks the long-value tree of a table against the references that its records make.
pub fn check(
    database: &Database,
    table: &TableDef,
    references: &References,
    report: &mut Report<'_>,
) {
    let file = database.file();
    let default = default_chunk_bytes(file.page_size());
    let declared = table.lv_chunk_max.map_or(default, |bytes| bytes as usize);
    let mut check = LongValueCheck {
        name: format!("{}.LV", table.name),
        references: references.clone(),
        chunk_bytes: declared.clamp(1, default),
        current: None,
        told: 0,
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
    check.missing(table.root);
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
    name: String,
    /// What records refer to; each value found takes its own out.
    references: References,
    chunk_bytes: usize,
    current: Option<Current>,
    told: usize,
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
        self.told += 1;
        if self.told <= FINDINGS_MAX {
            self.report.find(severity, "long value", Some(&self.name), pgno, message);
        } else if self.told == FINDINGS_MAX + 1 {
            let message = "more findings in these long values are not told";
            self.report.find(severity, "long value", Some(&self.name), pgno, message);
        }
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
        let counted = self.references.remove(&lid).unwrap_or(0);
        if stored != BEING_DELETED && stored < counted {
            let message = format!("value {lid} has {stored} references, records make {counted}");
            self.tell(Severity::Error, pgno, message);
        } else if stored > counted {
            let message = format!(
                "value {lid} has {stored} references, records make {counted}: it will never go"
            );
            self.tell(Severity::Warning, pgno, message);
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
        current.next_offset = offset.saturating_add(expected);
        if offset != expected_offset {
            let message = format!("value {lid}: a chunk at {offset} instead of {expected_offset}");
            return self.tell(Severity::Error, pgno, message);
        }
        if current.is_encrypted {
            return;
        }
        // A shorter chunk is a compressed one; nothing else tells.
        let plain = if data.len() < expected { decompressed_len(data) } else { Ok(data.len()) };
        match plain {
            Ok(plain) if plain == expected => {}
            Ok(plain) => {
                let message = format!(
                    "value {lid}: the chunk at {offset} has {plain} bytes instead of {expected}"
                );
                self.tell(Severity::Error, pgno, message);
            }
            Err(error) => {
                self.report.unreadable("long value", &self.name, &error);
            }
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

    /// Values that records name and the tree does not have.
    fn missing(&mut self, root: Pgno) {
        for (lid, count) in std::mem::take(&mut self.references) {
            let message = format!("value {lid} is named by {count} records and does not exist");
            self.tell(Severity::Error, Some(root), message);
        }
    }
}

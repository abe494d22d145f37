//! One number over everything that a content holds: two contents with the same number are copies of each other, whatever ids they
//! have in their stores. For verifying a recovery, not for finding duplicates: a CRC32 is no proof against an attacker.
//!
//! Taken over plain values, so that it does not depend on how long values were cut, compressed or placed. Source: recover-semantics P4.

use std::borrow::Cow;

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::database::Table;
use crate::ese::table::record::Stored;
use crate::ese::table::value::hex_text;
use crate::ese::txn::Pages;
use crate::mapi::{InstanceId, NamedProperty, PropTag};
use crate::stm::{Fields, NamedTable};

use super::content::{Attachment, Content, ContentLinks};
use super::copy::{check_depth, check_rows};
use super::names::read_named;
use super::schema::columns as col;
use super::view::View;

/// The sum of a content, and how large it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentSum {
    /// CRC32 of all values.
    pub crc: u32,
    /// Bytes of all values.
    pub bytes: u64,
}

/// An attachment that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostAttachment {
    /// Which of the content's attachments, from 0.
    pub number: usize,
    /// Its id.
    pub attachment: InstanceId,
    /// Its name; empty when that is lost too.
    pub name: String,
    /// What is wrong, naming the place in the file.
    pub reason: String,
}

impl LostAttachment {
    /// What a person would call it.
    pub fn name_or_number(&self) -> String {
        if self.name.is_empty() { format!("number {}", self.number + 1) } else { self.name.clone() }
    }
}

/// What the columns of one table are called whatever the store, in the order in which they are summed up.
#[derive(Debug)]
struct LastingNames {
    /// In the order of the table's columns.
    columns: Vec<LastingName>,
}

#[derive(Debug, Clone)]
enum LastingName {
    /// It means nothing, or holds what is each store's own.
    None,
    /// Its rank among the names, and its name with a zero behind it.
    Known(u32, Vec<u8>),
    /// What it is called cannot be read.
    Unreadable(String),
}

/// Sums contents of one store up. Worth keeping, because it knows what the columns are called.
#[derive(Debug)]
pub struct Summer<'s, P: Pages + ?Sized> {
    view: View<'s, P>,
    contents: LastingNames,
    attachments: LastingNames,
}

struct Summing {
    hasher: Hasher,
    bytes: u64,
    /// Rows of contents and attachments seen so far.
    rows: u32,
}

/// Names and short values are gathered up to this length: hashing a few bytes costs as much as hashing hundreds.
const GATHER_BYTES: usize = 2048;

enum Hasher {
    Crc(crc32fast::Hasher, Vec<u8>),
    Strong(Box<blake3::Hasher>),
}

impl Hasher {
    fn crc() -> Self {
        Self::Crc(crc32fast::Hasher::new(), Vec::with_capacity(GATHER_BYTES))
    }

    #[inline]
    fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(hasher, gathered) => {
                if gathered.len() + bytes.len() <= GATHER_BYTES {
                    gathered.extend_from_slice(bytes);
                    return;
                }
                hasher.update(gathered);
                gathered.clear();
                hasher.update(bytes);
            }
            Self::Strong(hasher) => {
                hasher.update(bytes);
            }
        }
    }
}

impl Summing {
    fn new(hasher: Hasher) -> Self {
        Self { hasher, bytes: 0, rows: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.hasher.add(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn count_row(&mut self, instance: InstanceId) -> EseResult<()> {
        self.rows += 1;
        check_rows(instance, self.rows)
    }
}

impl<'s, P: Pages + ?Sized> View<'s, P> {
    /// What sums contents up.
    ///
    /// # Errors
    /// [`EseError::Io`].
    pub fn summer(&self) -> EseResult<Summer<'s, P>> {
        let own_contents =
            [col::INSTANCE, col::REFERENCES, col::SOFT_REFERENCES, col::STREAM, col::ATTACHMENTS];
        let own_attachments = [
            col::ATTACHMENT,
            col::ATTACHMENT_REFERENCES,
            col::ATTACHMENT_SOFT_REFERENCES,
            col::EMBEDDED,
            col::DATA_STREAM,
        ];
        Ok(Summer {
            view: *self,
            contents: self.lasting_names(&self.tables.contents, &own_contents)?,
            attachments: self.lasting_names(&self.tables.attachments, &own_attachments)?,
        })
    }

    /// One sum; see [`Summer::content_sum`].
    ///
    /// # Errors
    /// As there.
    pub fn content_sum(&self, instance: InstanceId) -> EseResult<ContentSum> {
        self.summer()?.content_sum(instance)
    }

    fn lasting_names(&self, table: &NamedTable, own: &[&str]) -> EseResult<LastingNames> {
        let mut names = Vec::with_capacity(table.def().columns.len());
        let mut columns = vec![LastingName::None; table.def().columns.len()];
        let of_table = columns.iter_mut().zip(&table.def().columns).enumerate();
        for (place, (slot, column)) in of_table {
            if own.contains(&column.name.as_str()) {
                continue;
            }
            match self.lasting_name(&column.name) {
                Ok(name) => names.extend(name.map(|name| (name, place))),
                Err(error @ EseError::Io(_)) => return Err(error),
                // Only rows that have a value there suffer from it.
                Err(error) => *slot = LastingName::Unreadable(error.to_string()),
            }
        }
        names.sort();
        for (rank, (name, place)) in names.into_iter().enumerate() {
            if let Some(slot) = columns.get_mut(place) {
                let mut name = name.into_owned().into_bytes();
                name.push(0);
                *slot = LastingName::Known(rank as u32, name);
            }
        }
        Ok(LastingNames { columns })
    }

    /// What a column is called whatever the store: that of a named property, whose id each store chooses, by the property. None for
    /// an id that means nothing.
    fn lasting_name<'n>(&self, name: &'n str) -> EseResult<Option<Cow<'n, str>>> {
        let Some(tag) = PropTag::from_column_name(name).ok().filter(|tag| tag.id.0 >= 0x8000)
        else {
            return Ok(Some(name.into()));
        };
        let table = &self.tables.named;
        let key = table.key(&[Some(&i32::from(tag.id.0).to_le_bytes())])?;
        let property = super::scan::row(self.pages, table, &key, |fields| read_named(fields))?;
        let multi = if tag.multi { "M" } else { "" };
        let name = |property: NamedProperty| {
            format!("{multi}{}{}", tag.prop_type.letter(), hex_text(&property.hash()))
        };
        Ok(property.map(|property| name(property).into()))
    }
}

impl<P: Pages + ?Sized> Summer<'_, P> {
    /// Reads everything that a content holds, verifying it, and sums it up.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when a part is missing or damaged; [`EseError::Io`].
    pub fn content_sum(&self, instance: InstanceId) -> EseResult<ContentSum> {
        let mut summing = Summing::new(Hasher::crc());
        self.sum_content(instance, 0, &mut summing)?;
        let crc = match summing.hasher {
            Hasher::Crc(mut hasher, gathered) => {
                hasher.update(&gathered);
                hasher.finalize()
            }
            Hasher::Strong(_) => 0,
        };
        Ok(ContentSum { crc, bytes: summing.bytes })
    }

    /// BLAKE3 over everything that a content holds: contents with one hash may be shared, whoever made them (design D7).
    ///
    /// # Errors
    /// As [`Self::content_sum`].
    pub fn content_hash(&self, instance: InstanceId) -> EseResult<[u8; 32]> {
        let mut summing = Summing::new(Hasher::Strong(Box::default()));
        self.sum_content(instance, 0, &mut summing)?;
        Ok(match summing.hasher {
            Hasher::Strong(hasher) => *hasher.finalize().as_bytes(),
            Hasher::Crc(..) => [0; 32],
        })
    }

    /// The attachments of a content that cannot be read, while everything else of it can.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when more than attachments is lost; [`EseError::Io`].
    pub fn lost_attachments(&self, instance: InstanceId) -> EseResult<Vec<LostAttachment>> {
        let mut summing = Summing::new(Hasher::crc());
        let content = self.sum_body(instance, &mut summing)?;
        let mut lost = Vec::new();
        for (number, attachment) in content.attachments.into_iter().enumerate() {
            let reason = match self.sum_attachment(attachment, 0, &mut summing) {
                Ok(()) => continue,
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => error.to_string(),
            };
            let name = match self.view.attachment(attachment) {
                Ok(found) => found.map(|found| found.info.name).unwrap_or_default(),
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(_) => String::new(),
            };
            lost.push(LostAttachment { number, attachment, name, reason });
        }
        Ok(lost)
    }

    fn sum_content(
        &self,
        instance: InstanceId,
        depth: usize,
        summing: &mut Summing,
    ) -> EseResult<()> {
        check_depth(instance, depth)?;
        summing.count_row(instance)?;
        let content = self.sum_body(instance, summing)?;
        for attachment in content.attachments {
            self.sum_attachment(attachment, depth, summing)?;
        }
        Ok(())
    }

    /// A content without its attachments.
    fn sum_body(&self, instance: InstanceId, summing: &mut Summing) -> EseResult<ContentLinks> {
        let table = &self.view.tables.contents;
        let content = self.sum_row((table, &self.contents), instance, summing, |fields| {
            Content::of_links(fields)
        })?;
        if let Some(stream) = &content.stream {
            let owner = self.view.owner(table, col::STREAM, instance)?;
            self.view.streams().read(stream, &owner, &mut |part| {
                summing.add(part);
                Ok(())
            })?;
        }
        Ok(content)
    }

    fn sum_attachment(
        &self,
        instance: InstanceId,
        depth: usize,
        summing: &mut Summing,
    ) -> EseResult<()> {
        summing.count_row(instance)?;
        let table = &self.view.tables.attachments;
        let attachment = self.sum_row((table, &self.attachments), instance, summing, |fields| {
            Attachment::read(fields)
        })?;
        if let Some(stream) = &attachment.stream {
            let owner = self.view.owner(table, col::DATA_STREAM, instance)?;
            self.view.streams().read(stream, &owner, &mut |part| {
                summing.add(part);
                Ok(())
            })?;
        }
        if let Some(embedded) = attachment.embedded {
            self.sum_content(embedded, depth + 1, summing)?;
        }
        Ok(())
    }

    /// Adds all columns of a row but those that name ids, in the order of the names.
    fn sum_row<T>(
        &self,
        (table, names): (&NamedTable, &LastingNames),
        instance: InstanceId,
        summing: &mut Summing,
        links: impl FnOnce(&Fields<'_, '_, P>) -> EseResult<T>,
    ) -> EseResult<T> {
        let key = table.key(&[Some(&instance.to_store())])?;
        let opened = Table::new(self.view.pages, table.def());
        let reader = opened.fields(super::scan::VALUE_CAP_BYTES);
        let long_values = opened.long_values();
        let mut rows = opened.rows();
        let row = match rows.find(&key)? {
            true => rows.row()?,
            false => None,
        };
        let row = row.ok_or_else(|| self.view.missing(&table.def().name, instance))?;
        // In the order of their names, which is not that of the row.
        let mut columns = vec![None; names.columns.len()];
        table.each_value(&row, &mut |at, column, values| {
            match names.columns.get(at) {
                Some(LastingName::Known(rank, name)) => {
                    if let Some(slot) = columns.get_mut(*rank as usize) {
                        *slot = Some((name, column, values));
                    }
                }
                Some(LastingName::Unreadable(reason)) => {
                    return Err(EseError::corrupt_bytes(reason).in_object(&column.name));
                }
                Some(LastingName::None) | None => {}
            }
            Ok(())
        })?;
        for (name, column, values) in columns.into_iter().flatten() {
            summing.add(name);
            for (nth, stored) in values.iter().enumerate() {
                if nth > 0 {
                    // Between values, so that no two lists of values look alike.
                    summing.add(&[0]);
                }
                match stored? {
                    Stored::Plain(bytes) => summing.add(bytes),
                    Stored::Separated(lid) => {
                        long_values.read(lid, &mut |part| summing.add(part))?;
                    }
                    Stored::Compressed(bytes) => {
                        let mut plain = Vec::new();
                        crate::ese::table::compress::decompress(
                            bytes,
                            u16::MAX.into(),
                            &mut plain,
                        )?;
                        summing.add(&plain);
                    }
                    Stored::Encrypted(_) => {
                        let error = EseError::unsupported("copying an encrypted value");
                        return Err(error.in_object(&column.name));
                    }
                }
            }
        }
        links(&Fields::new(row, table, &reader))
    }
}

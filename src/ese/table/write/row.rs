//! From a row's values to its record, its keys and the long values that move out of it.

use std::collections::BTreeMap;

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::PageSize;
use crate::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Lid};
use crate::ese::table::key::{IndexDef, IndexKeys, Key};
use crate::ese::table::record::{
    FieldInput, FieldValues, RecordView, Stored, TaggedStyle, encode_record, max_record_bytes,
};
use crate::ese::table::schema::TableDef;
use crate::ese::table::source::{ReadLongValue, RecordSource};

/// Longest value of a long type that stays in the record, unless the table says otherwise. Source: ese-logical 4.5.
const INTRINSIC_BYTES_MAX: usize = 1023;
/// A separated value must be longer than its number, or separating it would gain nothing.
const LID_BYTES: usize = 4;

/// What a caller gives for one column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FieldValue<'a> {
    /// NULL.
    #[default]
    Null,
    /// The column's default; NULL where it has none. Auto-increment columns take the next number.
    Default,
    /// One value as stored: little-endian numbers, text in the column's code page.
    Bytes(&'a [u8]),
    /// Several values of a multi-valued column, each [`Self::Bytes`] or [`Self::Shared`].
    Many(Vec<FieldValue<'a>>),
    /// A long value that the table holds already; one more row refers to it.
    Shared(Lid),
}

impl<'a> From<Option<&'a [u8]>> for FieldValue<'a> {
    fn from(value: Option<&'a [u8]>) -> Self {
        value.map_or(Self::Null, Self::Bytes)
    }
}

/// A value that leaves the record.
#[derive(Debug)]
pub struct NewLongValue<'a> {
    /// Its number.
    pub lid: Lid,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Whether its column asks for compression.
    pub is_compressed: bool,
}

/// A row ready to be stored.
#[derive(Debug)]
pub struct EncodedRow<'a> {
    /// The record.
    pub record: Vec<u8>,
    /// Values that go to the long-value tree.
    pub long_values: Vec<NewLongValue<'a>>,
    /// Values there to which this row adds a reference.
    pub shared: Vec<Lid>,
}

/// Numbers for new long values.
pub trait LidSource {
    /// The next number.
    ///
    /// # Errors
    /// [`EseError::Limit`] when there is none left.
    fn next_lid(&mut self) -> EseResult<Lid>;
}

/// What is stored for one column.
enum Slot<'a> {
    Null,
    Default,
    One(Stored<'a>),
    Many(Vec<Stored<'a>>),
}

impl<'a> Slot<'a> {
    fn values(&mut self) -> &mut [Stored<'a>] {
        match self {
            Self::Null | Self::Default => &mut [],
            Self::One(one) => std::slice::from_mut(one),
            Self::Many(many) => many,
        }
    }
}

/// The parts of one row while it is being encoded: what each column's values are stored as.
struct Draft<'a, 'c> {
    table: &'c TableDef,
    fields: Vec<Slot<'a>>,
    long_values: Vec<NewLongValue<'a>>,
    shared: Vec<Lid>,
}

/// Encodes a row: `values[i]` belongs to `table.columns[i]`.
///
/// # Errors
/// [`Refusal::BadRequest`] for values that do not fit their column; [`EseError::Limit`] when even with all long values
/// outside the record is too long.
pub fn encode_row<'a>(
    table: &TableDef,
    values: &[FieldValue<'a>],
    lids: &mut dyn LidSource,
) -> EseResult<EncodedRow<'a>> {
    if values.len() != table.columns.len() {
        let reason = format!("{} values for {} columns", values.len(), table.columns.len());
        return Err(EseError::refused(Refusal::BadRequest, reason).in_object(&table.name));
    }
    let mut draft = Draft {
        table,
        fields: Vec::with_capacity(values.len()),
        long_values: Vec::new(),
        shared: Vec::new(),
    };
    for (column, value) in table.columns.iter().zip(values) {
        draft.add(column, value, lids)?;
    }
    let limit = record_limit(table);
    loop {
        let record = draft.encode()?;
        match record {
            Some(record) if record.len() <= limit => {
                let Draft { long_values, shared, .. } = draft;
                return Ok(EncodedRow { record, long_values, shared });
            }
            _ => draft.separate_longest(lids, limit)?,
        }
    }
}

/// Longest value of a long type that stays in a record of this table, and longest record, in bytes.
pub fn record_bounds(table: &TableDef) -> (usize, usize) {
    (intrinsic_max(table), record_limit(table))
}

fn intrinsic_max(table: &TableDef) -> usize {
    table.separate_lv.map_or(INTRINSIC_BYTES_MAX, |bytes| (bytes as usize).max(LID_BYTES))
}

fn record_limit(table: &TableDef) -> usize {
    let key_most_bytes = table.primary.as_ref().map_or(4, |primary| primary.key_most_bytes);
    max_record_bytes(PageSize::KIB4, key_most_bytes)
}

impl<'a> Draft<'a, '_> {
    fn add(
        &mut self,
        column: &ColumnDef,
        value: &FieldValue<'a>,
        lids: &mut dyn LidSource,
    ) -> EseResult<()> {
        let slot = match value {
            FieldValue::Default if column.default_value().is_some() => Slot::Default,
            FieldValue::Null | FieldValue::Default => Slot::Null,
            FieldValue::Bytes(_) | FieldValue::Shared(_) => {
                Slot::One(self.store(column, value, lids)?)
            }
            FieldValue::Many(many) if many.is_empty() => Slot::Null,
            FieldValue::Many(many) => {
                let stored = many.iter().map(|value| self.store(column, value, lids));
                Slot::Many(stored.collect::<EseResult<_>>()?)
            }
        };
        if matches!(slot, Slot::Null) && column.flags.contains(ColumnFlags::NOT_NULL) {
            let reason = "the column must not be NULL";
            return Err(EseError::refused(Refusal::BadRequest, reason).in_object(&column.name));
        }
        self.fields.push(slot);
        Ok(())
    }

    fn store(
        &mut self,
        column: &ColumnDef,
        value: &FieldValue<'a>,
        lids: &mut dyn LidSource,
    ) -> EseResult<Stored<'a>> {
        let refuse = |reason: &str| {
            Err(EseError::refused(Refusal::BadRequest, reason).in_object(&column.name))
        };
        let bytes = match value {
            FieldValue::Bytes(bytes) => *bytes,
            FieldValue::Shared(lid) if column.coltyp.is_long_value() => {
                self.shared.push(*lid);
                return Ok(Stored::Separated(*lid));
            }
            FieldValue::Shared(_) => return refuse("only long types can share a value"),
            _ => return refuse("one of several values cannot be NULL"),
        };
        if !column.coltyp.is_long_value() {
            // The engine knows one true value of a bit.
            let is_true_bit =
                column.coltyp == ColumnType::Bit && bytes.iter().any(|byte| *byte != 0);
            return Ok(Stored::Plain(if is_true_bit && bytes.len() == 1 {
                &[0xff]
            } else {
                bytes
            }));
        }
        if column.max_bytes > 0 && bytes.len() > column.max_bytes as usize {
            let limit = u64::from(column.max_bytes);
            let error = EseError::limit("length of a value", bytes.len() as u64, limit);
            return Err(error.in_object(&column.name));
        }
        if bytes.len() <= intrinsic_max(self.table) {
            Ok(Stored::Plain(bytes))
        } else {
            self.separate(column, bytes, lids)
        }
    }

    fn separate(
        &mut self,
        column: &ColumnDef,
        bytes: &'a [u8],
        lids: &mut dyn LidSource,
    ) -> EseResult<Stored<'a>> {
        let lid = lids.next_lid()?;
        let is_compressed = column.flags.contains(ColumnFlags::COMPRESSED);
        self.long_values.push(NewLongValue { lid, bytes, is_compressed });
        Ok(Stored::Separated(lid))
    }

    /// Moves the longest value that is still in the record out of it.
    fn separate_longest(&mut self, lids: &mut dyn LidSource, limit: usize) -> EseResult<()> {
        let mut longest: Option<(usize, usize, usize, &'a [u8])> = None;
        for (at, (column, field)) in self.table.columns.iter().zip(&mut self.fields).enumerate() {
            for (nth, stored) in field.values().iter().enumerate() {
                if let (Stored::Plain(bytes), true) = (stored, column.coltyp.is_long_value())
                    && bytes.len() > longest.map_or(LID_BYTES, |(length, ..)| length)
                {
                    longest = Some((bytes.len(), at, nth, bytes));
                }
            }
        }
        let Some((_, at, nth, bytes)) = longest else {
            let error = EseError::limit("length of a record", limit as u64 + 1, limit as u64);
            return Err(error.in_object(&self.table.name));
        };
        let column = &self.table.columns[at];
        let stored = self.separate(column, bytes, lids)?;
        self.fields[at].values()[nth] = stored;
        Ok(())
    }

    /// The record as it is now; `None` when it is longer than any page.
    fn encode(&self) -> EseResult<Option<Vec<u8>>> {
        let inputs: Vec<FieldInput<'_>> = self
            .fields
            .iter()
            .map(|slot| match slot {
                Slot::Null => FieldInput::Null,
                Slot::Default => FieldInput::Default,
                Slot::One(one) => FieldInput::One(*one),
                Slot::Many(many) => match many.as_slice() {
                    [one] => FieldInput::One(*one),
                    many => FieldInput::Many(many),
                },
            })
            .collect();
        let mut record = Vec::with_capacity(1024);
        match encode_record(&self.table.columns, &inputs, PageSize::KIB4, &mut record) {
            Ok(()) => Ok(Some(record)),
            Err(EseError::Limit { .. }) => Ok(None),
            Err(error) => Err(error.in_object(&self.table.name)),
        }
    }
}

/// The keys of one record: primary, and for each secondary index all of its own.
#[derive(Debug, Default)]
pub struct RowKeys {
    /// Key of the primary index; `None` for tables without one.
    pub primary: Option<Key>,
    /// Keys for each of the table's indexes.
    pub secondary: Vec<Vec<Key>>,
}

/// Makes the keys of many records of one table, without a vector for each.
#[derive(Debug)]
pub struct TableKeys<'d> {
    table: &'d TableDef,
    primary: Option<IndexKeys<'d>>,
    secondary: Vec<IndexKeys<'d>>,
    bookmark: Vec<u8>,
}

impl<'d> TableKeys<'d> {
    /// Looks the columns of all indexes up.
    ///
    /// # Errors
    /// As [`IndexKeys::new`].
    pub fn new(table: &'d TableDef) -> EseResult<Self> {
        let keys = |index: &'d IndexDef| IndexKeys::new(index, &table.columns);
        Ok(Self {
            table,
            primary: table.primary.as_ref().map(keys).transpose()?,
            secondary: table.indexes.iter().map(keys).collect::<EseResult<_>>()?,
            bookmark: Vec::new(),
        })
    }

    /// The key of `record` in the primary index; empty where there is none.
    ///
    /// # Errors
    /// As [`row_keys`].
    pub fn primary(&mut self, record: &[u8], long_value: &ReadLongValue<'_>) -> EseResult<&[u8]> {
        self.bookmark.clear();
        if let Some(keys) = &mut self.primary {
            let source = source_of(self.table, record, long_value)?;
            self.bookmark.extend_from_slice(keys.one_key(&source)?);
        }
        Ok(&self.bookmark)
    }

    /// Gives `entry` the keys in the secondary indexes, each with the number of its index and the key that [`Self::primary`] has
    /// answered last, which must be that of `record`.
    ///
    /// # Errors
    /// As [`row_keys`].
    pub fn secondary(
        &mut self,
        record: &[u8],
        long_value: &ReadLongValue<'_>,
        mut entry: impl FnMut(usize, &[u8], &[u8]),
    ) -> EseResult<()> {
        let source = source_of(self.table, record, long_value)?;
        for (number, keys) in self.secondary.iter_mut().enumerate() {
            keys.each(&source, &mut |key| entry(number, key, &self.bookmark))?;
        }
        Ok(())
    }
}

fn source_of<'r>(
    table: &'r TableDef,
    record: &'r [u8],
    long_value: &'r ReadLongValue<'r>,
) -> EseResult<RecordSource<'r>> {
    let view = RecordView::parse(record, TaggedStyle::of_page(PageSize::KIB4, true))?;
    Ok(RecordSource::new(view, table, long_value))
}

/// Computes the keys of `record`. Separated values are read through `long_value`.
///
/// # Errors
/// [`EseError::Unsupported`] when an index has Unicode text; what the record and the long values report.
pub fn row_keys(
    table: &TableDef,
    record: &[u8],
    long_value: &ReadLongValue<'_>,
) -> EseResult<RowKeys> {
    let source = source_of(table, record, long_value)?;
    let primary = match &table.primary {
        Some(index) => Some(IndexKeys::new(index, &table.columns)?.single_key(&source)?),
        None => None,
    };
    let mut secondary = Vec::with_capacity(table.indexes.len());
    for index in &table.indexes {
        secondary.push(keys_in(index, table, &source)?);
    }
    Ok(RowKeys { primary, secondary })
}

fn keys_in(index: &IndexDef, table: &TableDef, source: &RecordSource<'_>) -> EseResult<Vec<Key>> {
    let mut keys = Vec::new();
    IndexKeys::new(index, &table.columns)?.keys(source, &mut keys)?;
    Ok(keys)
}

/// The long values that a record refers to, each with the number of references.
///
/// # Errors
/// [`EseError::Corrupt`] when the record does not decode.
pub fn references(table: &TableDef, record: &[u8]) -> EseResult<BTreeMap<Lid, u32>> {
    let view = RecordView::parse(record, TaggedStyle::of_page(PageSize::KIB4, true))?;
    let mut references = BTreeMap::new();
    for column in table.columns.iter().filter(|column| column.coltyp.is_long_value()) {
        let values: FieldValues<'_> = view.get(column)?;
        for stored in values.iter() {
            if let Stored::Separated(lid) = stored? {
                *references.entry(lid).or_insert(0) += 1;
            }
        }
    }
    Ok(references)
}

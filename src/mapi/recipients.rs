//! The recipients blob of a message (`Ne12`): a small table of properties, one row a recipient.
//!
//! ```text
//! 0   4   magic "RCP1"
//! 4   2   number of rows
//! 6   2   number of columns
//! 8   4n  property tag of each column
//! then for each row and column:
//!     1   1 if the value is there, else 0 and nothing follows
//!     n   a value of a fixed type, or
//!     4   length, and so many bytes
//! ```
//!
//! All numbers little-endian. Source: exchange-store 12.6 (a structure of the model).

use super::error::{Fields, MapiError, MapiResult};
use super::message::{Party, Recipient, RecipientKind};
use super::property::{PropTag, PropType};
use super::{from_utf16le, tags, to_utf16le};

const WHAT: &str = "recipients blob";
const MAGIC: [u8; 4] = *b"RCP1";

/// A value of the table: its bytes as stored, without the length; `None` where the row has none.
pub type Cell = Option<Vec<u8>>;

/// The table as it is stored, for whoever wants columns that [`Recipient`] does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientTable {
    /// The property of each column.
    pub columns: Vec<PropTag>,
    /// The rows; each has a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

impl RecipientTable {
    /// The stored bytes.
    ///
    /// # Errors
    /// [`MapiError::TooMany`] when rows, columns or a value are more than their counts can tell.
    ///
    /// # Panics
    /// When a row has not one cell for each column, or a fixed value another length than its type: a programmer's mistake.
    pub fn to_bytes(&self) -> MapiResult<Vec<u8>> {
        let mut out = MAGIC.to_vec();
        out.extend(count("recipients", self.rows.len())?.to_le_bytes());
        out.extend(count("recipient properties", self.columns.len())?.to_le_bytes());
        self.columns.iter().for_each(|tag| out.extend(tag.to_u32().to_le_bytes()));
        for row in &self.rows {
            assert_eq!(row.len(), self.columns.len(), "a row has a cell for each column");
            for (tag, cell) in self.columns.iter().zip(row) {
                append_cell(&mut out, *tag, cell.as_deref())?;
            }
        }
        Ok(out)
    }

    /// Reads the stored bytes. Work and memory follow their length: every cell has at least one byte.
    ///
    /// # Errors
    /// [`MapiError::Field`] for another magic, a property of unknown type or with many values, a presence byte other than 0 and 1, rows
    /// without columns, bytes left over; [`MapiError::Truncated`] when counts or lengths promise more than there is.
    pub fn from_bytes(bytes: &[u8]) -> MapiResult<Self> {
        let mut fields = Fields::new(WHAT, bytes);
        let magic: [u8; 4] = fields.array()?;
        if magic != MAGIC {
            return refused("magic", u32::from_le_bytes(magic).into());
        }
        let (row_count, column_count) = (fields.u16()?, fields.u16()?);
        if column_count == 0 && row_count > 0 {
            return refused("number of columns", 0);
        }
        let mut table = Self::default();
        for _ in 0..column_count {
            let tag = PropTag::from_u32(fields.u32()?)?;
            if tag.multi {
                return refused("property tag", tag.to_u32().into());
            }
            table.columns.push(tag);
        }
        for _ in 0..row_count {
            let cells = table.columns.iter().map(|tag| read_cell(&mut fields, *tag));
            table.rows.push(cells.collect::<MapiResult<_>>()?);
        }
        match fields.remaining() {
            0 => Ok(table),
            left => refused("bytes left over", u64::try_from(left).unwrap_or(u64::MAX)),
        }
    }

    /// The value of a row in the column of a property id.
    fn value<'a>(&self, row: &'a [Cell], tag: PropTag) -> Option<&'a [u8]> {
        let at = self.columns.iter().position(|column| *column == tag)?;
        row.get(at)?.as_deref()
    }
}

fn refused<T>(field: &'static str, found: u64) -> MapiResult<T> {
    Err(MapiError::Field { what: WHAT, field, found })
}

fn count(what: &'static str, number: usize) -> MapiResult<u16> {
    u16::try_from(number).map_err(|_| MapiError::TooMany {
        what,
        found: u64::try_from(number).unwrap_or(u64::MAX),
        limit: u16::MAX.into(),
    })
}

fn append_cell(out: &mut Vec<u8>, tag: PropTag, cell: Option<&[u8]>) -> MapiResult<()> {
    let Some(bytes) = cell else {
        out.push(0);
        return Ok(());
    };
    out.push(1);
    match tag.prop_type.fixed_bytes() {
        Some(length) => assert_eq!(bytes.len(), length, "a value of {tag:?} has its length"),
        None => {
            let length = u32::try_from(bytes.len()).map_err(|_| MapiError::TooMany {
                what: "bytes of a recipient property",
                found: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                limit: u32::MAX.into(),
            })?;
            out.extend(length.to_le_bytes());
        }
    }
    out.extend(bytes);
    Ok(())
}

fn read_cell(fields: &mut Fields<'_>, tag: PropTag) -> MapiResult<Cell> {
    match fields.u8()? {
        0 => return Ok(None),
        1 => {}
        other => return refused("presence byte", other.into()),
    }
    let length = match tag.prop_type.fixed_bytes() {
        Some(length) => length,
        None => usize::try_from(fields.u32()?).unwrap_or(usize::MAX),
    };
    Ok(Some(fields.slice(length)?.to_vec()))
}

/// The columns that we write, in order.
const COLUMNS: [PropTag; 8] = [
    tags::RECIPIENT_TYPE,
    tags::DISPLAY_NAME,
    tags::EMAIL_ADDRESS,
    tags::ADDRESS_TYPE,
    tags::ENTRY_ID,
    PropTag::new(0x300b, PropType::Binary),
    tags::RESPONSIBILITY,
    tags::SEND_RICH_INFO,
];

/// Makes the blob of a list of recipients, in their order.
///
/// # Errors
/// [`MapiError::TooMany`] for more than 65,535 recipients.
pub fn encode_recipients(recipients: &[Recipient]) -> MapiResult<Vec<u8>> {
    let rows = recipients.iter().map(row_of).collect();
    RecipientTable { columns: COLUMNS.to_vec(), rows }.to_bytes()
}

fn row_of(recipient: &Recipient) -> Vec<Cell> {
    let party = &recipient.party;
    let text = |text: &str| (!text.is_empty()).then(|| to_utf16le(text));
    vec![
        Some(recipient.kind.to_i32().to_le_bytes().to_vec()),
        text(&party.name),
        text(&party.address),
        text(&party.address_type),
        None, // an Internet address has no entry id in a store
        (!party.address.is_empty()).then(|| party.search_key()),
        Some(vec![1]),
        Some(vec![0]),
    ]
}

/// Reads the recipients of a blob. What is not there is empty text.
///
/// # Errors
/// Those of [`RecipientTable::from_bytes`]; [`MapiError::Field`] when a row is neither to, cc nor bcc.
pub fn decode_recipients(bytes: &[u8]) -> MapiResult<Vec<Recipient>> {
    let table = RecipientTable::from_bytes(bytes)?;
    let recipient = |row: &Vec<Cell>| {
        let number = table.value(row, tags::RECIPIENT_TYPE).and_then(|b| b.try_into().ok());
        let number = number.map_or(0, i32::from_le_bytes);
        let Some(kind) = RecipientKind::from_i32(number) else {
            return refused("recipient type", u64::from(u32::from_le_bytes(number.to_le_bytes())));
        };
        let text = |tag| table.value(row, tag).map(from_utf16le).unwrap_or_default();
        let party = Party {
            name: text(tags::DISPLAY_NAME),
            address: text(tags::EMAIL_ADDRESS),
            address_type: text(tags::ADDRESS_TYPE),
        };
        Ok(Recipient { kind, party })
    };
    table.rows.iter().map(recipient).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<Recipient> {
        let someone =
            |kind, name: &str, address: &str| Recipient { kind, party: Party::smtp(name, address) };
        vec![
            someone(RecipientKind::To, "Ann Björk", "ann@example.org"),
            someone(RecipientKind::Cc, "", "list@example.net"),
            someone(RecipientKind::Bcc, "undisclosed", ""),
        ]
    }

    #[test]
    fn recipients_come_back_from_their_blob() {
        for recipients in [sample(), vec![]] {
            let blob = encode_recipients(&recipients).unwrap();
            assert_eq!(decode_recipients(&blob), Ok(recipients));
        }
    }

    #[test]
    fn a_cut_or_longer_blob_is_refused() {
        let blob = encode_recipients(&sample()).unwrap();
        for cut in 0..blob.len() {
            assert!(decode_recipients(&blob[..cut]).is_err(), "{cut}");
        }
        let longer = [&blob[..], &[0]].concat();
        assert!(matches!(decode_recipients(&longer), Err(MapiError::Field { .. })));
    }

    #[test]
    fn absurd_counts_and_lengths_are_refused_before_memory_is_taken() {
        let head = |rows: u16, columns: u16| {
            [&MAGIC[..], &rows.to_le_bytes(), &columns.to_le_bytes()].concat()
        };
        assert!(decode_recipients(&head(u16::MAX, 0)).is_err());
        assert!(decode_recipients(&head(u16::MAX, u16::MAX)).is_err());
        let mut long = head(1, 1);
        long.extend(tags::DISPLAY_NAME.to_u32().to_le_bytes());
        long.push(1);
        long.extend(u32::MAX.to_le_bytes());
        assert!(matches!(decode_recipients(&long), Err(MapiError::Truncated { .. })));
    }

    #[test]
    fn more_recipients_than_the_count_holds_are_refused() {
        let many = vec![sample().remove(1); 65_536];
        assert!(matches!(encode_recipients(&many), Err(MapiError::TooMany { .. })));
        assert_eq!(
            decode_recipients(&encode_recipients(&many[1..]).unwrap()).unwrap().len(),
            65_535
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(tail in proptest::collection::vec(any::<u8>(), 0..200), at in 0..300_usize, to: u8) {
            _ = decode_recipients(&tail);
            _ = decode_recipients(&[&MAGIC[..], &tail].concat());
            let mut blob = encode_recipients(&sample()).unwrap();
            let at = at % blob.len();
            blob[at] = to;
            if let Ok(table) = RecipientTable::from_bytes(&blob) {
                prop_assert_eq!(table.to_bytes().unwrap(), blob);
            }
        }
    }
}

//! What pairing needs of an item's row, and no more: read without copying a string, for walks over millions of items.

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnType, Fid};
use crate::ese::table::database::Table;
use crate::ese::table::record::{FieldValues, RecordView, Stored};
use crate::ese::table::rows::{Row, RowCursor};
use crate::ese::txn::Pages;
use crate::mapi::{FileTime, FolderId, InstanceId, MessageId, SearchKey};
use crate::stm::{NamedTable, prefix_end};

use super::codec::Ids;
use super::item::ItemId;
use super::places::{FixedSlot, TaggedPlaces};
use super::scan::{self, IndexScan};
use super::schema::columns as col;
use super::view::View;

/// An item in short. Times are FILETIMEs, 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brief {
    /// Where it is.
    pub id: ItemId,
    /// Its content.
    pub instance: InstanceId,
    /// Hidden (associated).
    pub associated: bool,
    /// Has been read.
    pub read: bool,
    /// Soft-deleted.
    pub deleted: bool,
    /// Some of its content was lost.
    pub partial: bool,
    /// Creation.
    pub created: i64,
    /// Last modification.
    pub modified: i64,
    /// Size charged in bytes.
    pub bytes: i64,
    /// Search key.
    pub search_key: Option<SearchKey>,
    /// Source key: replica and counter.
    pub source_key: Option<[u8; 22]>,
    /// The change key, folded to 16 bytes.
    pub change_key: [u8; 16],
}

/// A content in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentBrief {
    /// Its id.
    pub instance: InstanceId,
    /// Folder rows and attachments that hold it, soft-deleted ones too.
    pub holders: i64,
    /// In what form it is stored, as a number.
    pub form: i64,
    /// Size charged to each holder, in bytes.
    pub bytes: i64,
    /// Number of recipients.
    pub recipients: i64,
    /// Number of attachments.
    pub attachments: i64,
    /// When it was delivered.
    pub delivered: Option<FileTime>,
    /// Search key.
    pub search_key: Option<SearchKey>,
}

impl ContentBrief {
    /// What the row of the content `instance` says.
    pub(super) fn read(instance: InstanceId, table: &NamedTable, row: &Row<'_>) -> EseResult<Self> {
        let long = |name: &str| -> EseResult<i64> {
            let value: Option<[u8; 4]> = array(row, table.column(name)?)?;
            Ok(value.map_or(0, |bytes| i32::from_le_bytes(bytes).into()))
        };
        let wide = |name: &str| -> EseResult<Option<i64>> {
            Ok(array(row, table.column(name)?)?.map(i64::from_le_bytes))
        };
        Ok(Self {
            instance,
            holders: long(col::REFERENCES)?.saturating_add(long(col::SOFT_REFERENCES)?),
            form: long(col::CONVERSION)?,
            bytes: wide(col::SIZE)?.unwrap_or(0),
            recipients: long(col::RECIPIENT_COUNT)?,
            attachments: long(col::ATTACHMENT_COUNT)?,
            delivered: wide(col::DELIVERED)?.map(FileTime),
            search_key: array(row, table.column(col::SEARCH_KEY)?)?.map(SearchKey),
        })
    }
}

/// Reads the items of folders in short.
#[derive(Debug)]
pub struct BriefReader<'s, P: Pages + ?Sized> {
    items: &'s NamedTable,
    columns: Columns<'s>,
    quick: Option<QuickColumns>,
    rows: RowCursor<'s, P>,
}

/// The columns, looked up once.
#[derive(Debug)]
struct Columns<'t> {
    folder: &'t ColumnDef,
    message: &'t ColumnDef,
    instance: &'t ColumnDef,
    associated: &'t ColumnDef,
    read: &'t ColumnDef,
    deleted_on: &'t ColumnDef,
    partial: &'t ColumnDef,
    created: &'t ColumnDef,
    modified: &'t ColumnDef,
    size: &'t ColumnDef,
    search_key: &'t ColumnDef,
    source_key: &'t ColumnDef,
    change_key: &'t ColumnDef,
}

impl<'s, P: Pages + ?Sized> View<'s, P> {
    /// Every item of a folder in short, soft-deleted and hidden ones too, in the order of their ids.
    ///
    /// # Errors
    /// [`EseError::Io`]; what `visit` reports. Damaged rows are given to `visit` as errors.
    pub fn each_brief(
        &self,
        folder: FolderId,
        visit: &mut dyn FnMut(EseResult<Brief>) -> EseResult<()>,
    ) -> EseResult<()> {
        self.briefs()?.each(folder, visit)
    }

    /// A reader of many folders: cheapest in the order of their ids.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when a column is missing.
    pub fn briefs(&self) -> EseResult<BriefReader<'s, P>> {
        let items = &self.tables.items;
        let columns = self.brief_columns()?;
        let rows = Table::new(self.pages, items.def()).rows();
        Ok(BriefReader { items, quick: QuickColumns::of(&columns), columns, rows })
    }

    /// The item with this id, in short.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn brief(&self, id: ItemId) -> EseResult<Option<Brief>> {
        let table = &self.tables.items;
        let key = table.key(&[Some(&id.folder.to_store()), Some(&id.message.to_store())])?;
        let columns = self.brief_columns()?;
        super::copy::with_row(self.pages, table, &key, |row, _| columns.read(row))
    }

    /// The content with this id, in short.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn content_brief(&self, instance: InstanceId) -> EseResult<Option<ContentBrief>> {
        let table = &self.tables.contents;
        let key = table.key(&[Some(&instance.to_store())])?;
        super::copy::with_row(self.pages, table, &key, |row, _| {
            ContentBrief::read(instance, table, row)
        })
    }

    /// The items with this search key anywhere in the mailbox with this root, in short. Rows that cannot be read are left out,
    /// as a walk over their folders leaves them out.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the index is damaged; [`EseError::Io`].
    pub fn briefs_by_key(&self, root: FolderId, key: SearchKey) -> EseResult<Vec<Brief>> {
        let columns = self.brief_columns()?;
        let table = &self.tables.items;
        let values = [Some(&root.to_store()[..]), Some(&key.0[..])];
        let prefix = table.index_key("MsgFolderIdentity", &values)?;
        let mut entries = IndexScan::new(self.pages, table, "MsgFolderIdentity", prefix)?;
        let mut rows = Table::new(self.pages, table.def()).rows();
        let mut found = Vec::new();
        while let Some(bookmark) = entries.next()? {
            let brief = match rows.find(&bookmark) {
                Ok(true) => {
                    rows.row().and_then(|row| row.map(|row| columns.read(&row)).transpose())
                }
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            };
            match brief {
                Err(error @ EseError::Io(_)) => return Err(error),
                Ok(brief) => found.extend(brief.filter(|brief| brief.search_key == Some(key))),
                Err(_) => {}
            }
        }
        Ok(found)
    }

    /// The class and the subject of an item, of whatever else its row holds nothing.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn class_and_subject(&self, id: ItemId) -> EseResult<Option<(String, String)>> {
        let values = [Some(&id.folder.to_store()[..]), Some(&id.message.to_store()[..])];
        let key = self.tables.items.key(&values)?;
        scan::row(self.pages, &self.tables.items, &key, |fields| {
            Ok((fields.narrow_text(col::MESSAGE_CLASS)?, fields.text(col::SUBJECT)?))
        })
    }

    /// Whether a folder has an item of this id; nothing of its row is read.
    ///
    /// # Errors
    /// [`EseError::Corrupt`], [`EseError::Io`].
    pub fn has_item(&self, id: ItemId) -> EseResult<bool> {
        let values = [Some(&id.folder.to_store()[..]), Some(&id.message.to_store()[..])];
        let key = self.tables.items.key(&values)?;
        Table::new(self.pages, self.tables.items.def()).rows().find(&key)
    }

    fn brief_columns(&self) -> EseResult<Columns<'s>> {
        let table = &self.tables.items;
        let column = |name: &str| table.column(name);
        Ok(Columns {
            folder: column(col::FOLDER)?,
            message: column(col::MESSAGE)?,
            instance: column(col::INSTANCE)?,
            associated: column(col::ASSOCIATED)?,
            read: column(col::READ)?,
            deleted_on: column(col::DELETED_ON)?,
            partial: column(col::PARTIAL)?,
            created: column(col::CREATED)?,
            modified: column(col::MODIFIED)?,
            size: column(col::SIZE)?,
            search_key: column(col::SEARCH_KEY)?,
            source_key: column(col::SOURCE_KEY)?,
            change_key: column(col::CHANGE_KEY)?,
        })
    }
}

impl<P: Pages + ?Sized> BriefReader<'_, P> {
    /// As [`View::each_brief`].
    ///
    /// # Errors
    /// As there.
    pub fn each(
        &mut self,
        folder: FolderId,
        visit: &mut dyn FnMut(EseResult<Brief>) -> EseResult<()>,
    ) -> EseResult<()> {
        let prefix = self.items.key(&[Some(&folder.to_store())])?;
        let (columns, quick) = (&self.columns, &self.quick);
        let end = prefix_end(&prefix);
        self.rows.set_bounds(Some(prefix), end);
        let mut found = self.rows.first();
        loop {
            let goes_on = match found {
                Ok(false) => false,
                Ok(true) => self.rows.rest_of_page(&mut |row| {
                    visit(row.and_then(|row| columns.read_quickly(quick.as_ref(), &row)))
                })?,
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => {
                    visit(Err(error))?;
                    true
                }
            };
            if !goes_on {
                return Ok(());
            }
            found = self.rows.next();
        }
    }
}

/// Where the columns stand in a record, for tables that have them where this program puts them.
#[derive(Debug)]
struct QuickColumns {
    /// Folder, message and instance.
    ids: [FixedSlot<8>; 3],
    /// Associated, read and partial.
    flags: [FixedSlot<1>; 3],
    /// Creation, modification and size.
    numbers: [FixedSlot<8>; 3],
    /// The search key, a variable column.
    search_key: Fid,
    /// Deletion, source key and change key.
    tagged: TaggedPlaces<3>,
}

impl QuickColumns {
    fn of(columns: &Columns<'_>) -> Option<Self> {
        let is_variable = columns.search_key.fid.class() == ColumnClass::Variable
            && columns.search_key.coltyp != ColumnType::Nil;
        Some(Self {
            ids: three([columns.folder, columns.message, columns.instance])?,
            flags: three([columns.associated, columns.read, columns.partial])?,
            numbers: three([columns.created, columns.modified, columns.size])?,
            search_key: Some(columns.search_key.fid).filter(|_| is_variable)?,
            tagged: TaggedPlaces::of([columns.deleted_on, columns.source_key, columns.change_key])?,
        })
    }

    /// The item of a record where everything is as simple as it mostly is.
    #[inline]
    fn read(&self, record: &RecordView<'_>) -> Option<Brief> {
        let [folder, message, instance] = self.ids;
        let fixed = record.fixed_columns()?;
        let flag = |place: FixedSlot<1>| Some(place.read(&fixed)?.is_some_and(|byte| *byte != [0]));
        let number = |place: FixedSlot<8>| {
            Some(place.read(&fixed)?.map_or(0, |bytes| i64::from_le_bytes(*bytes)))
        };
        let [deleted_on, source_key, change_key] = self.tagged.read(record)?;
        let search_key = record.variable_plain(self.search_key)?;
        Some(Brief {
            id: ItemId {
                folder: FolderId::from_store(folder.read(&fixed)??).ok()?,
                message: MessageId::from_store(message.read(&fixed)??).ok()?,
            },
            instance: InstanceId::from_store(instance.read(&fixed)??).ok()?,
            associated: flag(self.flags[0])?,
            read: flag(self.flags[1])?,
            deleted: deleted_on.is_some(),
            partial: flag(self.flags[2])?,
            created: number(self.numbers[0])?,
            modified: number(self.numbers[1])?,
            bytes: number(self.numbers[2])?,
            search_key: search_key.map(|key| key.try_into().map(SearchKey)).transpose().ok()?,
            source_key: source_key.map(<[u8; 22]>::try_from).transpose().ok()?,
            change_key: change_key.map_or([0; 16], fold),
        })
    }
}

/// The places of three columns of one width.
fn three<const N: usize>(columns: [&ColumnDef; 3]) -> Option<[FixedSlot<N>; 3]> {
    let [a, b, c] = columns.map(FixedSlot::of);
    Some([a?, b?, c?])
}

impl Columns<'_> {
    /// As [`Self::read`].
    #[inline]
    fn read_quickly(&self, quick: Option<&QuickColumns>, row: &Row<'_>) -> EseResult<Brief> {
        match quick.and_then(|quick| quick.read(&row.record())) {
            Some(brief) => Ok(brief),
            None => self.read(row),
        }
    }

    fn read(&self, row: &Row<'_>) -> EseResult<Brief> {
        let id = |bytes: Option<[u8; 8]>, column: &ColumnDef| {
            bytes.ok_or_else(|| row.place(EseError::corrupt_bytes("the id is NULL"), column))
        };
        let folder = id(array(row, self.folder)?, self.folder)?;
        let message = id(array(row, self.message)?, self.message)?;
        let instance = id(array(row, self.instance)?, self.instance)?;
        let broken = |error: crate::mapi::MapiError| {
            row.place(EseError::corrupt_bytes(error.to_string()), self.message)
        };
        let time = |column: &ColumnDef| -> EseResult<i64> {
            Ok(array(row, column)?.map_or(0, i64::from_le_bytes))
        };
        let is_set = |column: &ColumnDef| -> EseResult<bool> {
            Ok(plain(row, column)?.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)))
        };
        Ok(Brief {
            id: ItemId {
                folder: FolderId::from_store(&folder).map_err(broken)?,
                message: MessageId::from_store(&message).map_err(broken)?,
            },
            instance: InstanceId::from_store(&instance).map_err(broken)?,
            associated: is_set(self.associated)?,
            read: is_set(self.read)?,
            deleted: plain(row, self.deleted_on)?.is_some(),
            partial: is_set(self.partial)?,
            created: time(self.created)?,
            modified: time(self.modified)?,
            bytes: time(self.size)?,
            search_key: array(row, self.search_key)?.map(SearchKey),
            source_key: array(row, self.source_key)?,
            change_key: plain(row, self.change_key)?.map_or([0; 16], fold),
        })
    }
}

/// The value of a column that stands in the record itself, as all columns here do.
fn plain<'r>(row: &Row<'r>, column: &ColumnDef) -> EseResult<Option<&'r [u8]>> {
    match row.get(column).map_err(|error| row.place(error, column))? {
        FieldValues::Null | FieldValues::Default => Ok(None),
        FieldValues::One(Stored::Plain(bytes)) => Ok(Some(bytes)),
        _ => Err(row.place(EseError::corrupt_bytes("a short plain value is expected"), column)),
    }
}

fn array<const N: usize>(row: &Row<'_>, column: &ColumnDef) -> EseResult<Option<[u8; N]>> {
    let Some(bytes) = plain(row, column)? else { return Ok(None) };
    let array = bytes.try_into().map_err(|_| {
        let reason = format!("{} bytes where {N} are expected", bytes.len());
        row.place(EseError::corrupt_bytes(reason), column)
    });
    array.map(Some)
}

/// A change key in 16 bytes. The usual one, a GUID and a counter of six bytes, keeps its counter whole.
fn fold(bytes: &[u8]) -> [u8; 16] {
    let mut folded = [0; 16];
    match bytes.split_at_checked(16) {
        Some((guid, counter)) if counter.len() == 6 => {
            for (at, byte) in guid.iter().enumerate() {
                folded[at % 10] ^= byte.rotate_left(at as u32 / 10);
            }
            folded[10..].copy_from_slice(counter);
        }
        _ => folded.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]),
    }
    folded
}

//! What the tree of a mailbox's folders, and matching them, need of a folder's row, and no more. What [`Folder`] would not read is no
//! folder here either: the other values are looked at as far as that needs.

use crate::ese::error::{EseError, EseResult};
use crate::ese::table::column::ColumnClass;
use crate::ese::table::database::Table;
use crate::ese::table::fields::FieldReader;
use crate::ese::table::record::RecordView;
use crate::ese::table::rows::{Row, RowCursor};
use crate::ese::txn::Pages;
use crate::mapi::{ChangeKey, FileTime, FolderId, Pcl, SourceKey, from_utf16le};
use crate::stm::{Fields, NamedTable};

use super::folder::{Folder, FolderKind, FolderTree, InTree};
use super::places::{FixedSlot, TaggedPlaces};
use super::scan::{IndexScan, VALUE_CAP_BYTES};
use super::schema::columns as col;
use super::view::View;

/// A folder in short.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderBrief {
    /// Its id.
    pub id: FolderId,
    /// The folder that holds it; none for a root.
    pub parent: Option<FolderId>,
    /// What kind it is.
    pub kind: FolderKind,
    /// Name to show.
    pub name: String,
    /// Comment.
    pub comment: String,
    /// Container class; empty when it has none.
    pub class: String,
    /// Creation.
    pub created: Option<FileTime>,
    /// Ordinary items that are not deleted, as its counter has them.
    pub items: i64,
}

impl From<Folder> for FolderBrief {
    fn from(folder: Folder) -> Self {
        Self {
            id: folder.id,
            parent: folder.parent,
            kind: folder.kind,
            name: folder.name,
            comment: folder.comment,
            class: folder.class,
            created: folder.created,
            items: folder.counts.normal.items,
        }
    }
}

impl InTree for FolderBrief {
    fn id(&self) -> FolderId {
        self.id
    }

    fn parent(&self) -> Option<FolderId> {
        self.parent
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl<P: Pages + ?Sized> View<'_, P> {
    /// The folders of the mailbox with this root as a tree of what can be read of them in short. What is wrong with the rest is added
    /// to `lost`; folders below those that are lost are orphans.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the index cannot be walked; [`EseError::Io`].
    pub fn folder_briefs(
        &self,
        root: FolderId,
        lost: &mut Vec<EseError>,
    ) -> EseResult<FolderTree<FolderBrief>> {
        let table = &self.tables.folders;
        let prefix = table.index_key("FoldersRoot", &[Some(&root.to_store())])?;
        let mut entries = IndexScan::new(self.pages, table, "FoldersRoot", prefix)?;
        let mut reader = BriefReader::new(self.pages, table);
        let mut folders = Vec::new();
        while let Some(key) = entries.next()? {
            match reader.read(&key) {
                Ok(folder) => folders.extend(folder),
                Err(error @ EseError::Io(_)) => return Err(error),
                Err(error) => lost.push(error),
            }
        }
        Ok(FolderTree::new(root, folders))
    }
}

/// Reads folders by their keys: cheapest in the order of the table.
struct BriefReader<'s, P: Pages + ?Sized> {
    table: &'s NamedTable,
    quick: Option<QuickColumns>,
    fields: FieldReader<'s, P>,
    rows: RowCursor<'s, P>,
}

impl<'s, P: Pages + ?Sized> BriefReader<'s, P> {
    fn new(pages: &'s P, table: &'s NamedTable) -> Self {
        let opened = Table::new(pages, table.def());
        let (fields, rows) = (opened.fields(VALUE_CAP_BYTES), opened.rows());
        Self { table, quick: QuickColumns::of(table), fields, rows }
    }

    fn read(&mut self, key: &[u8]) -> EseResult<Option<FolderBrief>> {
        // Folders of one mailbox mostly stand together: the row behind the last one is often the next. Whatever is wrong there is
        // found by looking the key up.
        if self.rows.place().is_some()
            && self.rows.next().unwrap_or(false)
            && let Ok(Some(row)) = self.rows.row()
            && row.bookmark().compare(key).is_eq()
        {
            return self.read_row(row).map(Some);
        }
        if !self.rows.find(key)? {
            return Ok(None);
        }
        self.rows.row()?.map(|row| self.read_row(row)).transpose()
    }

    fn read_row(&self, row: Row<'_>) -> EseResult<FolderBrief> {
        match self.quick.as_ref().and_then(|quick| quick.read(&row.record())) {
            Some(folder) => Ok(folder),
            None => Folder::read(&Fields::new(row, self.table, &self.fields)).map(Folder::into),
        }
    }
}

/// The columns, in tables that have them where this program puts them.
struct QuickColumns {
    id: FixedSlot<8>,
    parent: FixedSlot<8>,
    root: FixedSlot<8>,
    kind: FixedSlot<4>,
    created: FixedSlot<8>,
    items: FixedSlot<4>,
    /// The last of the fixed columns: where it is whole, the others are.
    last: FixedSlot<8>,
    /// Name, comment and class; source key, change key and predecessors.
    tagged: TaggedPlaces<6>,
    /// Counters that few folders have.
    counters: TaggedPlaces<6>,
}

impl QuickColumns {
    fn of(table: &NamedTable) -> Option<Self> {
        let column = |name: &str| table.column(name).ok();
        let tagged =
            [col::NAME, col::COMMENT, col::CLASS, col::SOURCE_KEY, col::CHANGE_KEY, col::PCL];
        let [[a, b], [c, d], [e, f]] =
            [col::WITH_ATTACHMENTS, col::RECIPIENTS_ON, col::ATTACHMENTS_ON];
        let six = |names: [&str; 6]| -> Option<TaggedPlaces<6>> {
            let [a, b, c, d, e, f] = names.map(column);
            TaggedPlaces::of([a?, b?, c?, d?, e?, f?])
        };
        let last = column(col::CHANGE)?;
        let columns = table.def().columns.iter();
        let fixed = columns.filter(|column| column.fid.class() == ColumnClass::Fixed);
        let is_last = fixed.map(|column| column.record_offset).max() == Some(last.record_offset);
        let places = Self {
            id: FixedSlot::of(column(col::FOLDER)?)?,
            parent: FixedSlot::of(column(col::PARENT)?)?,
            root: FixedSlot::of(column(col::ROOT)?)?,
            kind: FixedSlot::of(column(col::FOLDER_TYPE)?)?,
            created: FixedSlot::of(column(col::CREATED)?)?,
            items: FixedSlot::of(column(col::CONTENT_COUNT)?)?,
            last: FixedSlot::of(last)?,
            tagged: six(tagged)?,
            counters: six([a, b, c, d, e, f])?,
        };
        Some(places).filter(|_| is_last)
    }

    /// The folder of a record where everything is as simple as it mostly is.
    fn read(&self, record: &RecordView<'_>) -> Option<FolderBrief> {
        let fixed = record.fixed_columns()?;
        let id = |place: &FixedSlot<8>| FolderId::from_store(place.read(&fixed)??).ok();
        let long = |place: &FixedSlot<4>| {
            Some(place.read(&fixed)?.map_or(0, |bytes| i32::from_le_bytes(*bytes)))
        };
        let parent = self.parent.read(&fixed)?;
        let [name, comment, class, source_key, change_key, pcl] = self.tagged.read(record)?;
        let has_own = id(&self.root).is_some() && self.last.read(&fixed)?.is_some();
        let is_whole = source_key.is_none_or(|key| SourceKey::from_bytes(key).is_ok())
            && change_key.is_none_or(|key| ChangeKey::from_bytes(key).is_ok())
            && pcl.is_none_or(|list| Pcl::from_bytes(list).is_ok());
        let counters = self.counters.read(record)?;
        if !(has_own && is_whole && counters.iter().flatten().all(|count| count.len() == 4)) {
            return None;
        }
        Some(FolderBrief {
            id: id(&self.id)?,
            parent: parent.map(|id| FolderId::from_store(id)).transpose().ok()?,
            kind: FolderKind::from_number(long(&self.kind)?),
            name: from_utf16le(name.unwrap_or_default()),
            comment: from_utf16le(comment.unwrap_or_default()),
            class: String::from_utf8_lossy(class.unwrap_or_default()).into_owned(),
            created: self.created.read(&fixed)?.map(|time| FileTime(i64::from_le_bytes(*time))),
            items: long(&self.items)?.into(),
        })
    }
}

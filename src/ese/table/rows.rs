//! The rows of a table, in the order of its primary key.
//!
//! Walks the table's tree and shows each record in place: moving and looking at fields copies nothing. Knows nothing of
//! long values beyond their numbers. Sources: ese-logical 2, 6.6.

use crate::ese::error::{EseError, EseResult};
use crate::ese::page::{KeyParts, Node, NodeFlags, PageFlags, Pgno};
use crate::ese::table::column::ColumnDef;
use crate::ese::table::record::{FieldValues, RecordView, TaggedStyle};
use crate::ese::table::schema::TableDef;
use crate::ese::tree::Cursor;
use crate::ese::txn::Pages;

/// A position among the rows of a table, of all or of those in a range of keys.
///
/// After an error (a damaged page, a broken record) moving on goes on behind the damage.
#[derive(Debug, Clone)]
pub struct RowCursor<'d, P: Pages + ?Sized> {
    cursor: Cursor<'d, P>,
    table: &'d TableDef,
    pages: &'d P,
    bounds: Bounds,
}

/// A range of keys: from `start` on, up to `end` exclusive.
#[derive(Debug, Clone, Default)]
struct Bounds {
    start: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
}

/// One row, as its page holds it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    table: &'r TableDef,
    bookmark: KeyParts<'r>,
    record: RecordView<'r>,
    bytes: &'r [u8],
    pgno: Pgno,
    line: usize,
}

impl<'d, P: Pages + ?Sized> RowCursor<'d, P> {
    /// A cursor before the first row of `table`.
    pub fn new(pages: &'d P, table: &'d TableDef) -> Self {
        let cursor = Cursor::new(pages, table.tree());
        Self { cursor, table, pages, bounds: Bounds::default() }
    }

    /// The same cursor, seeing only rows whose keys are at or after `start` and before `end`; `None` = no bound.
    #[must_use]
    pub fn within(mut self, start: Option<&[u8]>, end: Option<&[u8]>) -> Self {
        self.set_bounds(start.map(<[u8]>::to_vec), end.map(<[u8]>::to_vec));
        self
    }

    /// Sets the range of keys as [`Self::within`] does. The cursor stays where it is, so that a row near by is found sooner.
    pub fn set_bounds(&mut self, start: Option<Vec<u8>>, end: Option<Vec<u8>>) {
        self.bounds = Bounds { start, end };
    }

    /// The table.
    pub fn table(&self) -> &'d TableDef {
        self.table
    }

    /// Goes to the first row; false when there is none.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] naming the page, [`EseError::Io`].
    pub fn first(&mut self) -> EseResult<bool> {
        let found = match &self.bounds.start {
            Some(start) => self.cursor.seek(start),
            None => self.cursor.first(),
        };
        self.bounded(found)
    }

    /// Goes to the last row; false when there is none.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn last(&mut self) -> EseResult<bool> {
        let found = match &self.bounds.end {
            Some(end) => self.cursor.seek(end).and_then(|_| self.cursor.previous()),
            None => self.cursor.last(),
        };
        self.bounded(found)
    }

    /// Goes to the next row; false after the last one. After an error the next call goes on behind the damage.
    ///
    /// # Errors
    /// As [`Self::first`].
    #[expect(clippy::should_implement_trait, reason = "a row borrows the cursor")]
    pub fn next(&mut self) -> EseResult<bool> {
        let found = self.cursor.next();
        self.bounded(found)
    }

    /// Goes to the row before; false before the first one. After an error the next call goes on before the damage.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn previous(&mut self) -> EseResult<bool> {
        let found = self.cursor.previous();
        self.bounded(found)
    }

    /// Goes to the first row whose primary key is at or after `key`; false when there is none.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn seek(&mut self, key: &[u8]) -> EseResult<bool> {
        let start = self.bounds.start.as_deref().filter(|start| *start > key);
        let found = self.cursor.seek(start.unwrap_or(key));
        self.bounded(found)
    }

    /// Goes to the row with exactly this primary key; false, and nowhere in particular, when there is none.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn find(&mut self, key: &[u8]) -> EseResult<bool> {
        let found = self.cursor.find(key);
        self.bounded(found)
    }

    /// The row the cursor stands on; none before the first, after the last and outside of the range.
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when the record's frame is broken.
    pub fn row(&self) -> EseResult<Option<Row<'_>>> {
        let (Some(node), Some((pgno, line))) = (self.cursor.entry()?, self.cursor.place()) else {
            return Ok(None);
        };
        if !self.bounds.hold(&node.key) {
            return Ok(None);
        }
        let is_new = self.cursor.is_new_record_format();
        let style = TaggedStyle::of_page(self.pages.page_size(), is_new);
        self.row_of(&node, style, (pgno, line)).map(Some)
    }

    /// Gives the row the cursor stands on, and those behind it on its page, to `visit`; answers whether more may follow inside of the
    /// range of keys. The same rows and errors as by moving one by one, at a fraction of the cost; moving on goes on behind the page.
    ///
    /// # Errors
    /// What `visit` reports. Broken nodes and records are given to it as errors.
    pub fn rest_of_page(
        &mut self,
        visit: &mut dyn FnMut(EseResult<Row<'_>>) -> EseResult<()>,
    ) -> EseResult<bool> {
        let Some((page, start)) = self.cursor.leaf() else { return Ok(false) };
        let (page, pgno) = (page.clone(), page.pgno());
        let view = page.view()?;
        let style = TaggedStyle::of_page(view.size(), view.has(PageFlags::NEW_RECORD_FORMAT));
        let line_count = view.node_count();
        // Keys are sorted: where the last one is inside, all are that come after one inside.
        let last = line_count.checked_sub(1).and_then(|line| view.node(line).ok());
        let is_all_inside = last.is_some_and(|last| self.bounds.hold(&last.key));
        for line in start..line_count {
            match view.node(line) {
                Ok(node) if node.flags.contains(NodeFlags::DELETED) => {}
                Ok(node) if is_all_inside || self.bounds.hold(&node.key) => {
                    visit(self.row_of(&node, style, (pgno, line)))?;
                }
                Ok(_) => return Ok(false),
                Err(error) => visit(Err(error.in_object(&self.table.name)))?,
            }
        }
        self.cursor.leave_leaf();
        Ok(true)
    }

    fn row_of<'r>(
        &self,
        node: &Node<'r>,
        style: TaggedStyle,
        (pgno, line): (Pgno, usize),
    ) -> EseResult<Row<'r>>
    where
        'd: 'r,
    {
        let record = RecordView::parse(node.data, style).map_err(|error| {
            let error = error.on_page(pgno).on_line(line).in_tree(self.table.objid);
            error.in_object(&self.table.name).in_file(self.pages.path())
        })?;
        Ok(Row { table: self.table, bookmark: node.key, record, bytes: node.data, pgno, line })
    }

    /// The page and line the cursor stands on.
    pub fn place(&self) -> Option<(Pgno, usize)> {
        self.cursor.place()
    }

    /// Whether a move that found a row found one inside the bounds.
    fn bounded(&self, found: EseResult<bool>) -> EseResult<bool> {
        let found = found.map_err(|error| error.in_object(&self.table.name))?;
        if !found || self.bounds.are_open() {
            return Ok(found);
        }
        Ok(self.cursor.entry()?.is_some_and(|node| self.bounds.hold(&node.key)))
    }
}

impl Bounds {
    fn are_open(&self) -> bool {
        self.start.is_none() && self.end.is_none()
    }

    fn hold(&self, key: &KeyParts<'_>) -> bool {
        let after_start = self.start.as_ref().is_none_or(|start| key.compare(start).is_ge());
        after_start && self.end.as_ref().is_none_or(|end| key.compare(end).is_lt())
    }
}

impl<'r> Row<'r> {
    /// The primary key, or the number of the row in a table without primary index.
    pub fn bookmark(&self) -> KeyParts<'r> {
        self.bookmark
    }

    /// What the record says about a column. Defaults stay [`FieldValues::Default`].
    ///
    /// # Errors
    /// [`EseError::Corrupt`] when this field is broken; others may be sound.
    pub fn get(&self, column: &ColumnDef) -> EseResult<FieldValues<'r>> {
        self.record.get(column).map_err(|error| self.place(error, column))
    }

    /// The record.
    pub fn record(&self) -> RecordView<'r> {
        self.record
    }

    /// The record's bytes.
    pub fn bytes(&self) -> &'r [u8] {
        self.bytes
    }

    /// The page that holds the row.
    pub fn pgno(&self) -> Pgno {
        self.pgno
    }

    /// The line on that page.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Completes the place of an error met while a value of `column` was read.
    pub fn place(&self, error: EseError, column: &ColumnDef) -> EseError {
        let (table, name) = (&self.table.name, &column.name);
        error.at(|place| {
            let object = match place.object.take() {
                Some(inner) if inner != *name => format!("table {table}, column {name}, {inner}"),
                _ => format!("table {table}, column {name}"),
            };
            place.object = Some(object);
            // What is known of another tree (a long value) is more exact than the row's place.
            if place.pgno.is_none() {
                place.pgno = Some(self.pgno);
                place.line = Some(self.line);
                place.objid = Some(self.table.objid);
            }
        })
    }
}

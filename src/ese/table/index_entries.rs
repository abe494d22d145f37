//! The entries of a secondary index, in its order.
//!
//! Shows keys and bookmarks in place; makes no keys and follows no bookmark. Sources: ese-logical 6.7.

use crate::ese::error::EseResult;
use crate::ese::page::{KeyParts, Pgno};
use crate::ese::table::key::IndexDef;
use crate::ese::table::schema::index_tree;
use crate::ese::tree::Cursor;
use crate::ese::txn::Pages;

/// One entry.
#[derive(Debug, Clone, Copy)]
pub struct IndexEntry<'r> {
    /// The key.
    pub key: KeyParts<'r>,
    /// The primary key of the row.
    pub bookmark: &'r [u8],
}

/// A position among the entries of an index. After an error moving on goes on behind the damaged page.
#[derive(Debug, Clone)]
pub struct EntryCursor<'d, P: Pages + ?Sized> {
    cursor: Cursor<'d, P>,
    index: &'d IndexDef,
}

impl<'d, P: Pages + ?Sized> EntryCursor<'d, P> {
    /// A cursor before the first entry of `index`, a secondary one.
    pub fn new(pages: &'d P, index: &'d IndexDef) -> Self {
        Self { cursor: Cursor::new(pages, index_tree(index)), index }
    }

    /// The index.
    pub fn index(&self) -> &'d IndexDef {
        self.index
    }

    /// Goes to the first entry; false when there is none.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] naming the page, [`crate::ese::EseError::Io`].
    pub fn first(&mut self) -> EseResult<bool> {
        let found = self.cursor.first();
        self.named(found)
    }

    /// Goes to the last entry; false when there is none.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn last(&mut self) -> EseResult<bool> {
        let found = self.cursor.last();
        self.named(found)
    }

    /// Goes to the next entry; false after the last one.
    ///
    /// # Errors
    /// As [`Self::first`].
    #[expect(clippy::should_implement_trait, reason = "an entry borrows the cursor")]
    pub fn next(&mut self) -> EseResult<bool> {
        let found = self.cursor.next();
        self.named(found)
    }

    /// Goes to the entry before; false before the first one.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn previous(&mut self) -> EseResult<bool> {
        let found = self.cursor.previous();
        self.named(found)
    }

    /// Goes to the first entry whose key is at or after `key`; false when there is none.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn seek(&mut self, key: &[u8]) -> EseResult<bool> {
        let found = self.cursor.seek(key);
        self.named(found)
    }

    /// The entry the cursor stands on; none before the first and after the last.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] when the node does not decode.
    pub fn entry(&self) -> EseResult<Option<IndexEntry<'_>>> {
        let node = self.cursor.entry().map_err(|error| error.in_object(&self.index.name))?;
        Ok(node.map(|node| IndexEntry { key: node.key, bookmark: node.data }))
    }

    /// The page and line the cursor stands on.
    pub fn place(&self) -> Option<(Pgno, usize)> {
        self.cursor.place()
    }

    fn named(&self, found: EseResult<bool>) -> EseResult<bool> {
        found.map_err(|error| error.in_object(&self.index.name))
    }
}

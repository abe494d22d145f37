//! Where pages come from, as trees see it.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::ese::error::EseResult;
use crate::ese::page::{ObjId, PageFlags, PageFrame, PageSize, PageView, Pgno};

/// A source of verified pages: a file opened for reading, or a writer with its uncommitted changes.
pub trait Pages {
    /// Size of every page.
    fn page_size(&self) -> PageSize;

    /// Highest page number that the file has room for; bounds every walk.
    fn last_page(&self) -> u32;

    /// The database file, for messages.
    fn path(&self) -> &Path;

    /// Page `pgno`, its checksum verified (a single wrong bit corrected).
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] when the page lies outside the file, was never written, or is damaged.
    fn page(&self, pgno: Pgno) -> EseResult<PageRef<'_>>;

    /// Says that these pages will be asked for soon, so that the source may read ahead.
    fn will_need(&self, _pages: &[Pgno]) {}

    /// The page of this rank of a tree that was visited last, if that is remembered; see [`super::RecentPages`].
    fn recent(&self, _tree: &TreeMark, _rank: Rank) -> Option<RecentPage<'_>> {
        None
    }

    /// A page of a tree is being visited: `frame` is that of page `pgno`, which was found to belong to the tree, and `line` the one that
    /// is likely to be looked for next.
    fn note(&self, _tree: &TreeMark, _rank: Rank, _pgno: Pgno, _frame: PageFrame, _line: usize) {}
}

/// Which pages of a tree are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Leaves.
    Leaf,
    /// Branch pages whose children are leaves.
    Parent,
}

/// A tree as its pages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeMark {
    /// Root page.
    pub root: Pgno,
    /// Id stamped on every page.
    pub objid: ObjId,
    /// Type flags of every page.
    pub flags: PageFlags,
}

/// A page that was visited before.
#[derive(Debug, Clone)]
pub struct RecentPage<'a> {
    /// The page, which belongs to the tree.
    pub page: PageRef<'a>,
    /// Its frame.
    pub frame: PageFrame,
    /// The line that is likely to be looked for next; may be past the last one.
    pub line: usize,
}

/// The bytes of one page: a piece of a map, or a share of a cached buffer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PageRef<'a> {
    pgno: Pgno,
    bytes: Bytes<'a>,
}

#[derive(Debug, Clone)]
enum Bytes<'a> {
    Borrowed(&'a [u8]),
    Shared { buffer: Arc<[u8]>, start: usize, len_bytes: usize },
}

impl<'a> PageRef<'a> {
    /// A page that lies in memory which outlives the reference.
    pub fn borrowed(pgno: Pgno, bytes: &'a [u8]) -> Self {
        Self { pgno, bytes: Bytes::Borrowed(bytes) }
    }

    /// A page that is part of a shared buffer. A range outside the buffer gives an empty page.
    pub fn shared(pgno: Pgno, buffer: Arc<[u8]>, start: usize, len_bytes: usize) -> Self {
        Self { pgno, bytes: Bytes::Shared { buffer, start, len_bytes } }
    }

    /// The page's number.
    #[inline]
    pub fn pgno(&self) -> Pgno {
        self.pgno
    }

    /// The page, its frame checked.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`] when the frame is broken.
    pub fn view(&self) -> EseResult<PageView<'_>> {
        PageView::new(self, self.pgno)
    }

    /// The page, its frame checked before.
    #[inline]
    pub fn framed(&self, frame: PageFrame) -> PageView<'_> {
        PageView::framed(self, self.pgno, frame)
    }
}

impl Deref for PageRef<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Borrowed(bytes) => bytes,
            Bytes::Shared { buffer, start, len_bytes } => {
                buffer.get(*start..*start + *len_bytes).unwrap_or(&[])
            }
        }
    }
}

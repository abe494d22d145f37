//! The store's own record of recoveries into it: table `DialtoneJob`, one row a job and mailbox. Source: design section 5.
//!
//! ```text
//! N7e80 job   N7e81 mailbox GUID   L7e82 state   L7e83 mode   T7e84 start   T7e85 end   N7e86 counters, JSON
//! ```
//!
//! A row is written in the commit that holds the items it tells of, so it is true after any crash.

use crate::ese::error::EseResult;
use crate::ese::table::column::{ColumnFlags, ColumnType};
use crate::ese::table::write::{NewColumn, NewIndex, NewTable};
use crate::ese::txn::Pages;
use crate::mapi::{FileTime, MailboxGuid};
use crate::stm::{Draft, NamedTable};

use super::codec::Ids;
use super::scan;
use super::view::View;
use super::write::StoreWriter;

pub(super) const TABLE: &str = "DialtoneJob";
const JOB: &str = "N7e80";
const MAILBOX: &str = "N7e81";
const STATE: &str = "L7e82";
const MODE: &str = "L7e83";
const STARTED: &str = "T7e84";
const ENDED: &str = "T7e85";
const COUNTERS: &str = "N7e86";

/// One mailbox of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// The job.
    pub job: [u8; 16],
    /// The mailbox, by its GUID in the source.
    pub mailbox: MailboxGuid,
    /// Its state, as a number.
    pub state: i32,
    /// The mode of the job, as a number.
    pub mode: i32,
    /// When the mailbox was begun.
    pub started: FileTime,
    /// When it was done, if it is.
    pub ended: Option<FileTime>,
    /// What was counted.
    pub counters: String,
}

fn new_table() -> NewTable {
    let key = |name: &str| {
        NewColumn::new(name, ColumnType::Binary).bytes(16).flagged(ColumnFlags::NOT_NULL)
    };
    NewTable::new(TABLE)
        .column(NewColumn::new(STATE, ColumnType::Long))
        .column(NewColumn::new(MODE, ColumnType::Long))
        .column(NewColumn::new(STARTED, ColumnType::Currency))
        .column(NewColumn::new(ENDED, ColumnType::Currency))
        .column(key(JOB))
        .column(key(MAILBOX))
        .column(NewColumn::new(COUNTERS, ColumnType::LongBinary))
        .primary(NewIndex::new("DialtoneJobPrimary", &[JOB, MAILBOX]))
}

impl<P: Pages + ?Sized> View<'_, P> {
    /// Every recovery that the store remembers, by job and mailbox.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Corrupt`], [`crate::ese::EseError::Io`].
    pub fn jobs(&self) -> EseResult<Vec<JobRow>> {
        let mut found = Vec::new();
        let Some(table) = &self.tables.jobs else { return Ok(found) };
        scan::rows(self.pages, table, &[], &mut |fields| {
            let fields = fields?;
            found.push(JobRow {
                job: fields.guid(JOB)?.0,
                mailbox: MailboxGuid(fields.guid(MAILBOX)?),
                state: fields.i32(STATE)?,
                mode: fields.i32(MODE)?,
                started: fields.time(STARTED)?.unwrap_or(FileTime(0)),
                ended: fields.time(ENDED)?,
                counters: String::from_utf8_lossy(&fields.bytes_or_empty(COUNTERS)?).into_owned(),
            });
            Ok(())
        })?;
        Ok(found)
    }
}

impl StoreWriter {
    /// Writes a row of the job's record, in place of one of the same job and mailbox.
    ///
    /// # Errors
    /// [`crate::ese::EseError::Io`]; the writer is dead then.
    pub fn put_job(&mut self, row: &JobRow) -> EseResult<()> {
        self.guarded(|writer| {
            if writer.tables.jobs.is_none() {
                writer.tables.jobs = Some(NamedTable::new(writer.db.create_table(&new_table())?));
            }
            let Some(table) = &writer.tables.jobs else { return Ok(()) };
            let mut draft = Draft::new(table);
            draft
                .bytes(JOB, &row.job[..])
                .bytes(MAILBOX, &row.mailbox.as_bytes()[..])
                .i32(STATE, row.state)
                .i32(MODE, row.mode)
                .i64(STARTED, row.started.0)
                .bytes(COUNTERS, row.counters.as_bytes());
            if let Some(FileTime(ended)) = row.ended {
                draft.i64(ENDED, ended);
            }
            let key = table.key(&[Some(&row.job), Some(row.mailbox.as_bytes())])?;
            let pages = writer.db.forest().pager();
            let is_known = scan::row(pages, table, &key, |_| Ok(()))?.is_some();
            if is_known {
                draft.update(&mut writer.db, &key)?;
            } else {
                draft.insert(&mut writer.db)?;
            }
            Ok(())
        })
    }
}

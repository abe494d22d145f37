//! What a header means for those who want to write into the database, and for those who only read it.

use super::{DbHeader, DbState, FILE_TYPE_TEMPORARY, WRITTEN_REVISION};
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::PageSize;

impl DbHeader {
    /// Whether this program writes databases of this format: revision 0x14, 4 KiB pages (design D1).
    ///
    /// # Errors
    /// [`Refusal::Version`] for every other format.
    pub fn writable_format(&self) -> EseResult<()> {
        if self.revision() != WRITTEN_REVISION || self.page_size != PageSize::KIB4 {
            let reason = format!(
                "this is a database of revision {:#x} with {}-byte pages, which can only be read; \
                 only revision {WRITTEN_REVISION:#x} with 4096-byte pages can be changed",
                self.revision(),
                self.page_size
            );
            return Err(EseError::refused(Refusal::Version, reason));
        }
        if self.file_type() == FILE_TYPE_TEMPORARY {
            let reason = "this is a temporary database of another program, which can only be read";
            return Err(EseError::refused(Refusal::Version, reason));
        }
        Ok(())
    }

    /// Whether this program may change the database: a format that it writes, cleanly shut down.
    ///
    /// # Errors
    /// As [`Self::writable_format`]; [`Refusal::Dirty`] for every other state.
    pub fn writable(&self) -> EseResult<()> {
        self.writable_format()?;
        if self.state != DbState::Clean {
            let reason = format!(
                "the state of the {} is \"{}\"; bring it to a clean shutdown first, \
                 with the program that wrote it and its log files",
                self.kind, self.state
            );
            return Err(EseError::refused(Refusal::Dirty, reason));
        }
        Ok(())
    }

    /// What a reader should tell about this database before anything else; empty for an ordinary one.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        self.note_format(&mut notes);
        self.note_state(&mut notes);
        self.note_history(&mut notes);
        notes
    }

    fn note_format(&self, notes: &mut Vec<String>) {
        let (revision, minor) = (self.revision(), self.update_minor());
        if revision > WRITTEN_REVISION {
            notes.push(format!(
                "revision {revision:#x}.{minor} is newer than {WRITTEN_REVISION:#x}: read-only"
            ));
        } else if revision < WRITTEN_REVISION {
            notes.push(format!(
                "revision {revision:#x} is older than {WRITTEN_REVISION:#x}: read-only"
            ));
        }
        if self.page_size != PageSize::KIB4 {
            notes.push(format!("pages of {} bytes: read-only", self.page_size));
        }
        if self.file_type() == FILE_TYPE_TEMPORARY {
            notes.push("a temporary database: read-only".to_owned());
        }
    }

    fn note_state(&self, notes: &mut Vec<String>) {
        let required = self.generations_required();
        if self.state != DbState::Clean {
            notes.push(format!("state is \"{}\": trees may be incomplete", self.state));
        }
        if !required.is_none() {
            let (min, max) = (required.min, required.max);
            notes.push(format!("log generations {min:#x} to {max:#x} have not been replayed"));
        }
        if self.backup_generation() != 0 && self.state != DbState::Clean {
            notes.push("comes from a backup set that has not been recovered".to_owned());
        }
        if self.is_shadow_disabled() {
            notes.push("shadow copies are disabled".to_owned());
        }
    }

    fn note_history(&self, notes: &mut Vec<String>) {
        if self.repair_count() != 0 {
            let (count, time) = (self.repair_count(), self.repair_time());
            notes.push(format!("repaired {count} times, last {time}: data may have been dropped"));
        }
        for (what, event) in [
            ("wrong bits corrected", self.ecc_fixes()),
            ("wrong bits not corrected", self.ecc_failures()),
            ("bad page checksums", self.bad_checksums()),
        ] {
            if event.count != 0 {
                notes.push(format!("{what}: {} times, last {}", event.count, event.last));
            }
        }
    }
}

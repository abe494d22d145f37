//! The header of the streaming file, and whether it belongs to a database.
//!
//! Both headers carry the same two signatures; when both are clean, the same dbtime. The order in which a writer marks them
//! (S4) leaves a clean database only beside a clean streaming file, so whatever else is found beside a clean database is
//! foreign, or of another day. Source: design D4; exchange-store 6.5, 12.7.

use std::path::{Path, PathBuf};

use super::PAGE_BYTES;
use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::page::header::{DbHeader, DbState, FileKind, NewHeader, OsVersion, choose_header};
use crate::ese::page::{Dbtime, ObjId};
use crate::io::{IoError, OpenMode, Storage, Volume};

const WAY_OUT: &str = "put back the .stm and .edb that were closed together, both from one backup";

/// The streaming file of a database: beside it, under the same name with the ending `stm`.
pub fn stm_path(edb: &Path) -> PathBuf {
    edb.with_extension("stm")
}

/// The header that a streaming file of this database has when both are clean.
fn header_for(edb: &DbHeader, dbtime: Dbtime) -> DbHeader {
    DbHeader::new_database(&NewHeader {
        kind: FileKind::Streaming,
        sign_db: edb.sign_db(),
        sign_slv: edb.sign_slv(),
        dbtime,
        objid_last: ObjId(1),
        os_version: OsVersion { major: 6, minor: 2, build: 9200, service_pack: 0 },
    })
}

/// Creates the empty streaming file of a clean database, synced. The file must not exist.
///
/// # Errors
/// [`EseError::Io`].
pub fn create_stm(volume: &dyn Volume, path: &Path, edb: &DbHeader) -> EseResult<()> {
    let storage = volume.open(path, OpenMode::CreateNew)?;
    let page = header_for(edb, edb.dbtime()).encode();
    storage.write_all_at(&page, 0)?;
    storage.write_all_at(&page, PAGE_BYTES as u64)?;
    storage.sync()?;
    Ok(volume.sync_parent(path)?)
}

/// Marks the streaming file; one of the two copies is readable at any moment.
pub(super) fn mark(storage: &dyn Storage, header: &mut DbHeader, state: DbState) -> EseResult<()> {
    header.set_state(state);
    let page = header.encode();
    storage.write_all_at(&page, 0)?;
    storage.sync()?;
    storage.write_all_at(&page, PAGE_BYTES as u64)?;
    Ok(storage.sync()?)
}

fn mismatch(path: &Path, reason: &str) -> EseError {
    EseError::refused(Refusal::Mismatch, format!("{reason}; {WAY_OUT}")).in_file(path)
}

/// Opens the streaming file at `path` if it belongs to the database whose header is `edb`.
///
/// # Errors
/// [`Refusal::Mismatch`] with the reason and the way out when there is none, or when it belongs to another database or another
/// state of this one; [`EseError::Corrupt`] when it has no readable header; [`EseError::Io`].
pub fn verify_pair(
    volume: &dyn Volume,
    path: &Path,
    edb: &DbHeader,
    mode: OpenMode,
) -> EseResult<(std::sync::Arc<dyn Storage>, DbHeader)> {
    if edb.sign_slv().is_none() {
        let reason =
            "the database has no streaming file, so it is no mailbox store of this program";
        return Err(mismatch(path, reason));
    }
    let storage = match volume.open(path, mode) {
        Ok(storage) => storage,
        Err(error @ IoError::Os { .. }) if error.is_not_found() => {
            return Err(mismatch(path, "the streaming file of the database is missing"));
        }
        Err(error) => return Err(error.into()),
    };
    let len_bytes = storage.len_bytes()?.min(2 * PAGE_BYTES as u64);
    let mut pages = vec![0; len_bytes as usize];
    storage.read_exact_at(&mut pages, 0)?;
    let stm = choose_header(&pages).map_err(|error| error.in_file(path))?.header;
    judge(edb, &stm).map_err(|reason| mismatch(path, &reason))?;
    Ok((storage, stm))
}

/// Whether the two belong together; the reason when they do not.
fn judge(edb: &DbHeader, stm: &DbHeader) -> Result<(), String> {
    if stm.kind() != FileKind::Streaming || stm.page_size().bytes() != PAGE_BYTES {
        return Err(format!("this is a {}, not a streaming file", stm.kind()));
    }
    if stm.sign_db() != edb.sign_db() || stm.sign_slv() != edb.sign_slv() {
        return Err("the streaming file belongs to another database".to_owned());
    }
    let (edb_time, stm_time) = (edb.dbtime(), stm.dbtime());
    if edb.state() == DbState::Clean {
        if stm.state() != DbState::Clean {
            let state = stm.state();
            return Err(format!(
                "the database is clean, but the streaming file's state is \"{state}\""
            ));
        }
        if edb_time != stm_time {
            return Err(format!(
                "the streaming file was closed at change {stm_time}, the database at {edb_time}"
            ));
        }
    } else if stm_time > edb_time {
        // A writer was interrupted: its streaming file was last closed at or before the database's last commit.
        return Err(format!(
            "the streaming file is at change {stm_time}, the database only at {edb_time}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ese::page::header::{LogTime, Signature};

    fn edb(random: u32, dbtime: u64) -> DbHeader {
        let sign = |random| Signature { random, created: LogTime::NEVER, computer: [0; 16] };
        DbHeader::new_database(&NewHeader {
            kind: FileKind::Database,
            sign_db: sign(random),
            sign_slv: sign(random + 1),
            dbtime: Dbtime(dbtime),
            objid_last: ObjId(1),
            os_version: OsVersion::default(),
        })
    }

    fn with_state(mut header: DbHeader, state: DbState) -> DbHeader {
        header.set_state(state);
        header
    }

    #[test]
    fn a_clean_pair_needs_equal_signatures_and_dbtime() {
        let database = edb(1, 10);
        assert_eq!(judge(&database, &header_for(&database, Dbtime(10))), Ok(()));
        for foreign in [
            header_for(&edb(2, 10), Dbtime(10)),
            header_for(&database, Dbtime(9)),
            with_state(header_for(&database, Dbtime(10)), DbState::Dirty),
            database.clone(),
        ] {
            assert!(judge(&database, &foreign).is_err());
        }
    }

    #[test]
    fn after_a_crash_the_streaming_file_may_lag_but_not_lead() {
        let database = with_state(edb(1, 10), DbState::Dirty);
        for state in [DbState::Clean, DbState::Dirty] {
            let stm = |dbtime| with_state(header_for(&database, Dbtime(dbtime)), state);
            assert_eq!(judge(&database, &stm(10)), Ok(()));
            assert_eq!(judge(&database, &stm(3)), Ok(()));
            assert!(judge(&database, &stm(11)).is_err());
        }
    }

    #[test]
    fn the_streaming_file_stands_beside_the_database() {
        assert_eq!(stm_path(Path::new("/a/priv1.edb")), Path::new("/a/priv1.stm"));
    }
}

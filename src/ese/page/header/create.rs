//! Headers of new databases: clean, never logged, in the one format that this program writes (design D1).

use super::*;

/// What the creator of a database decides; all other fields follow. Source: ese-physical 1.3, column "W".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewHeader {
    /// Database or streaming file.
    pub kind: FileKind,
    /// Identity; its time becomes the time of attach, detach and consistency too.
    pub sign_db: Signature,
    /// Identity of the streaming file, [`Signature::NONE`] without one.
    pub sign_slv: Signature,
    /// Highest change counter on any page.
    pub dbtime: Dbtime,
    /// Highest tree number in use.
    pub objid_last: ObjId,
    /// System whose sorting rules the indexes follow.
    pub os_version: OsVersion,
}

impl DbHeader {
    /// The header of a clean 4 KiB database of revision 0x14. All bytes from 668 on but the file type's are zero, which
    /// an independent reader asks for (ese-physical 1.1).
    ///
    /// # Panics
    /// When `dbtime` or `objid_last` is no possible number.
    pub fn new_database(new: &NewHeader) -> Self {
        let page_size = PageSize::KIB4;
        let state = DbState::Clean;
        let raw = vec![0; page_size.bytes()];
        let mut header = Self { raw, page_size, kind: new.kind, state };
        header.set_state(state);
        header.set_dbtime(new.dbtime);
        header.set_objid_last(new.objid_last);

        let page = &mut header.raw;
        let file_type = match new.kind {
            FileKind::Database => 1u32,
            FileKind::Streaming => 2,
        };
        let os = new.os_version;
        for (offset_bytes, value) in [
            (MAGIC_AT, MAGIC),
            (VERSION, FORMAT_VERSION),
            (ATTRIB, new.kind.number()),
            (DBID, 1),
            (OS_VERSION, os.major),
            (OS_VERSION + 4, os.minor),
            (OS_VERSION + 8, os.build),
            (OS_VERSION + 12, os.service_pack),
            (REVISION, WRITTEN_REVISION),
            (PAGE_SIZE, page_size.bytes() as u32),
            (CREATED_VERSION, FORMAT_VERSION),
            (CREATED_VERSION + 4, WRITTEN_REVISION),
            (FILE_TYPE, file_type),
        ] {
            put(page, offset_bytes, value.to_le_bytes());
        }
        put(page, SIGN_DB, new.sign_db.encode());
        put(page, SIGN_SLV, new.sign_slv.encode());
        for offset_bytes in [CONSISTENT_TIME, ATTACH_TIME, DETACH_TIME] {
            put(page, offset_bytes, new.sign_db.created.to_bytes());
        }
        put(page, SORT_VERSION, [0xff; 8]);
        // What `encode` will store, so that a header read back is equal to this one.
        let checksum = legacy_xor(page);
        put(page, CHECKSUM, checksum.to_le_bytes());
        header
    }
}

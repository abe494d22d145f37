//! Streams through a whole life: written, read back in the same job, after closing and after reopening, freed and their
//! pages used again; and a streaming file that is damaged, missing, cut off or another's.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialtone::ese::error::Refusal;
use dialtone::ese::page::header::{LogTime, Signature};
use dialtone::ese::table::database::Database;
use dialtone::ese::table::write::{DatabaseWriter, NewDatabase};
use dialtone::ese::txn::read_header;
use dialtone::ese::{EseError, EseResult};
use dialtone::io::{MemoryVolume, OpenMode, Volume};
use dialtone::stm::{
    Owner, SlvInfo, StmFile, StmTables, StmWriter, StreamReader, create_stm, owner_table,
    space_table, stm_path, verify_pair,
};

const EDB: &str = "/store/priv1.edb";

fn signature(random: u32) -> Signature {
    Signature { random, created: LogTime::NEVER, computer: [0; 16] }
}

/// An empty pair.
fn create(random: u32) -> MemoryVolume {
    let memory = MemoryVolume::new();
    let volume: Arc<dyn Volume> = Arc::new(memory.clone());
    let new = NewDatabase { sign_db: signature(random), sign_slv: signature(random + 1) };
    let mut writer = DatabaseWriter::create(volume, Path::new(EDB), &new).unwrap();
    writer.create_table(&space_table()).unwrap();
    writer.create_table(&owner_table()).unwrap();
    writer.close().unwrap();
    let storage = memory.open(Path::new(EDB), OpenMode::Read).unwrap();
    let header = read_header(&*storage).unwrap().header;
    create_stm(&memory, &stm(), &header).unwrap();
    memory
}

fn stm() -> PathBuf {
    stm_path(Path::new(EDB))
}

/// Puts other bytes in the place of the streaming file.
fn replace_stm(memory: &MemoryVolume, bytes: &[u8]) {
    memory.forget_events();
    memory.insert_file(stm(), bytes);
}

struct Job {
    writer: DatabaseWriter,
    stm: StmWriter,
}

impl Job {
    fn open(memory: &MemoryVolume) -> EseResult<Self> {
        let edb = memory.open(Path::new(EDB), OpenMode::Read)?;
        let header = read_header(&*edb)?.header;
        let (storage, stm_header) = verify_pair(memory, &stm(), &header, OpenMode::Write)?;
        let writer = DatabaseWriter::open(Arc::new(memory.clone()), Path::new(EDB))?;
        let tables = StmTables::find(|name| writer.table(name))?;
        let stm = StmWriter::open(storage, stm_header, tables, &writer)?;
        Ok(Self { writer, stm })
    }

    fn write(&mut self, number: u8, bytes: &[u8]) -> SlvInfo {
        self.stm.write(&mut self.writer, &owner(number), bytes).unwrap()
    }

    fn commit(&mut self) {
        self.stm.store_space(&mut self.writer).unwrap();
        self.stm.sync().unwrap();
        self.writer.commit().unwrap();
    }

    fn close(mut self) {
        self.stm.end_job();
        self.commit();
        let dbtime = self.writer.forest().pager().header().dbtime();
        self.stm.close(dbtime).unwrap();
        self.writer.close().unwrap();
    }
}

fn owner(number: u8) -> Owner {
    Owner { table: 40, column: 256, key: vec![number; 8] }
}

fn content(number: u8, len_bytes: usize) -> Vec<u8> {
    (0..len_bytes)
        .map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ number)
        .collect()
}

/// Reads a stream from the closed pair.
fn read(memory: &MemoryVolume, number: u8, info: &SlvInfo) -> EseResult<Vec<u8>> {
    let database = Database::open(memory, Path::new(EDB))?;
    let header = database.file().header().clone();
    let (storage, _) = verify_pair(memory, &stm(), &header, OpenMode::Read)?;
    let tables = StmTables::find(|name| Ok(Arc::new(database.table(name)?.def().clone())))?;
    let file = StmFile::new(storage);
    StreamReader::new(database.file(), &tables, &file).read_to_vec(info, &owner(number))
}

#[test]
fn streams_of_every_size_come_back_byte_for_byte() {
    let memory = create(1);
    let mut job = Job::open(&memory).unwrap();
    let sizes = [1, 4095, 4096, 4097, 65_536, 70_000, 700_000, 3_000_000];
    let mut streams = Vec::new();
    for (number, size) in (0u8..).zip(sizes) {
        let bytes = content(number, size);
        let info = job.write(number, &bytes);
        assert_eq!(info.len_bytes(), size as u64);
        assert_eq!(SlvInfo::decode(&info.encode()).unwrap(), info);
        let found =
            job.stm.reader(&job.writer).unwrap().read_to_vec(&info, &owner(number)).unwrap();
        assert!(found == bytes, "in the job: {size}");
        streams.push((number, info, bytes));
    }
    job.close();
    for (number, info, bytes) in &streams {
        assert!(read(&memory, *number, info).unwrap() == *bytes, "{}", bytes.len());
        assert!(read(&memory, number + 1, info).is_err(), "the pages belong to another row");
    }
}

#[test]
fn pages_that_were_given_up_are_used_by_the_next_job_and_not_by_this_one() {
    let memory = create(1);
    let mut job = Job::open(&memory).unwrap();
    let first = job.write(1, &content(1, 400_000));
    job.commit();
    job.stm.free(&mut job.writer, &owner(1), &first).unwrap();
    let second = job.write(2, &content(2, 400_000));
    let overlaps = |a: &SlvInfo, b: &SlvInfo| {
        let pages = |info: &SlvInfo| -> Vec<_> {
            info.runs().iter().flat_map(|run| run.pages().collect::<Vec<_>>()).collect()
        };
        pages(a).iter().any(|page| pages(b).contains(page))
    };
    assert!(!overlaps(&first, &second), "S3");
    job.close();
    let mut job = Job::open(&memory).unwrap();
    let third = job.write(3, &content(3, 400_000));
    assert!(overlaps(&first, &third), "free pages are used before the file grows");
    job.close();
    assert!(read(&memory, 2, &second).unwrap() == content(2, 400_000));
    assert!(read(&memory, 3, &third).unwrap() == content(3, 400_000));
    assert!(read(&memory, 1, &first).is_err());
}

#[test]
fn a_wrong_byte_is_found_with_its_page() {
    let memory = create(1);
    let mut job = Job::open(&memory).unwrap();
    let info = job.write(1, &content(1, 50_000));
    job.close();
    let page = info.runs()[0].first().0 + 3;
    let mut bytes = memory.file_bytes(stm()).unwrap();
    bytes[(page as usize + 1) * 4096 + 77] ^= 1;
    replace_stm(&memory, &bytes);
    match read(&memory, 1, &info) {
        Err(error @ EseError::Corrupt { .. }) => {
            assert!(error.to_string().contains(&format!("page {page}")), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_streaming_file_that_is_missing_cut_off_or_anothers_is_refused() {
    let memory = create(1);
    let mut job = Job::open(&memory).unwrap();
    job.write(1, &content(1, 500_000));
    job.close();
    let sound = memory.file_bytes(stm()).unwrap();
    let refusal = |memory: &MemoryVolume| Job::open(memory).err().and_then(|error| error.refusal());

    replace_stm(&memory, &create(9).file_bytes(stm()).unwrap());
    assert_eq!(refusal(&memory), Some(Refusal::Mismatch), "another store's");
    replace_stm(&memory, &create(1).file_bytes(stm()).unwrap());
    assert_eq!(refusal(&memory), Some(Refusal::Mismatch), "of another day");
    replace_stm(&memory, &sound[..sound.len() / 2]);
    assert!(matches!(Job::open(&memory), Err(EseError::Corrupt { .. })), "cut off");
    memory.remove(&stm()).unwrap();
    assert_eq!(refusal(&memory), Some(Refusal::Mismatch), "missing");
}

//! Where the mail of the tests comes from.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use dialtone::mail::{MailSource, SourceLimits, SourceMessage};
use flate2::read::GzDecoder;

/// The directory of the fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mail")
}

/// All messages under a path; none may fail.
pub fn read_all(root: &Path) -> Vec<SourceMessage> {
    let source = MailSource::open(root, SourceLimits::default()).unwrap();
    source.map(|message| message.unwrap()).collect()
}

/// All messages of the fixtures.
pub fn fixture_mail() -> Vec<SourceMessage> {
    read_all(&fixtures())
}

/// The files of the real mail, by name and bytes; `None`, and a line, where the shared data is missing.
pub fn real_files() -> Option<Vec<(String, Vec<u8>)>> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("DIALTONE_SHARED").map_or(default, PathBuf::from);
    let Ok(entries) = fs::read_dir(shared.join("data/mail")) else {
        println!(
            "skipped: no real mail, because DIALTONE_SHARED is not set to a directory that has data/mail"
        );
        return None;
    };
    let mut archives: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    archives.sort();
    let files: Vec<_> = archives.iter().flat_map(|path| untar(path)).collect();
    assert!(files.len() > 2_500, "the real mail is incomplete: {} files", files.len());
    Some(files)
}

/// The plain files of a `tar.gz`. Knows only what these archives use: ustar headers and long names in front of a file.
fn untar(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut input = GzDecoder::new(BufReader::new(File::open(path).unwrap()));
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).unwrap();
    let archive = path.file_name().unwrap().to_string_lossy().into_owned();
    let mut files = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + 512).filter(|header| header[0] != 0) {
        let digits = std::str::from_utf8(&header[124..135]).unwrap().trim_matches(['\0', ' ']);
        let length = usize::from_str_radix(digits, 8).unwrap();
        let name = header[..100].split(|byte| *byte == 0).next().unwrap();
        if matches!(header[156], b'0' | 0) {
            let data = bytes[at + 512..at + 512 + length].to_vec();
            files.push((format!("{archive}/{}", String::from_utf8_lossy(name)), data));
        }
        at += 512 + length.div_ceil(512) * 512;
    }
    files
}

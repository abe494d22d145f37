//! The real mail as a tree of files.

use std::fs;
use std::path::Path;

/// Writes every `step`-th file below a directory, one directory an archive.
pub fn unpack(files: &[(String, Vec<u8>)], root: &Path, step: usize) {
    for (at, (name, bytes)) in files.iter().enumerate().step_by(step) {
        // Names of our own: some of the archives' differ in case only.
        let archive = name.split(".tar").next().unwrap();
        let extension = name.rsplit('.').next().unwrap();
        let path = root.join(archive).join(format!("{at:05}.{extension}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
    }
}

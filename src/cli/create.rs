//! `create`: an empty pair of files, with the mailboxes of a list or of another store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::exit::Failure;
use super::output::Output;
use super::source::IoMode;
use crate::ese::EseError;
use crate::ese::error::Refusal;
use crate::io::{IoError, RealVolume, Volume};
use crate::mapi::MailboxGuid;
use crate::store::{MailboxProfile, Store, StoreIdentity, StoreWriter, fresh_mailbox_guid};

/// Longest list of mailboxes that is read, in bytes.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// What `create` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The database to create; its streaming file gets the same name with the ending stm
    store: PathBuf,
    /// Take over the mailboxes of this store: GUID, name, owner and quotas, none of their mail
    #[arg(long, value_name = "OTHER.edb", conflicts_with = "mailboxes")]
    like: Option<PathBuf>,
    /// Create the mailboxes of a JSON list: [{"name": ..., "guid": ..., "dn": ...}, ...]; a missing guid is made
    #[arg(long, value_name = "LIST.json")]
    mailboxes: Option<PathBuf>,
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let volume: Arc<dyn Volume> = Arc::new(RealVolume::mapped());
    let identity = StoreIdentity::fresh();
    let path = &options.store;
    let writer = match &options.like {
        Some(like) => {
            let like = Store::open(&RealVolume::mapped(), like)?;
            StoreWriter::create_like(volume, path, &identity, &like)?
        }
        None => {
            // The list is read before anything is created.
            let profiles = options.mailboxes.as_deref().map(read_list).transpose()?;
            let mut writer = StoreWriter::create(volume, path, &identity)?;
            for profile in profiles.iter().flatten() {
                writer.add_mailbox(profile)?;
            }
            writer
        }
    };
    writer.close()?;
    let store = Store::open(&IoMode::Map.volume(), path)?;
    let (info, mailboxes) = (store.view().info()?, store.view().mailboxes()?);
    if output.is_json() {
        let fields = [
            ("file", json!(path.display().to_string())),
            ("guid", json!(info.store.to_string())),
            ("replica", json!(info.replica.to_string())),
            ("mailboxes", json!(mailboxes.len())),
        ];
        output.line("created", &fields)?;
    } else {
        let (file, guid) = (path.display(), info.store);
        output.text(&format!("created {file}, store {guid}, {} mailboxes", mailboxes.len()))?;
    }
    Ok(())
}

fn bad_list(path: &Path, reason: impl std::fmt::Display) -> Failure {
    EseError::refused(Refusal::BadRequest, reason.to_string()).in_file(path).into()
}

fn read_list(path: &Path) -> Result<Vec<MailboxProfile>, Failure> {
    let failed = |error| IoError::os(path, "open", error);
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > LIST_BYTES_MAX {
        return Err(bad_list(path, format!("{length} bytes are too long for a list of mailboxes")));
    }
    let text = fs::read(path).map_err(failed)?;
    let list: Json = serde_json::from_slice(&text).map_err(|error| bad_list(path, error))?;
    let list = list.as_array().ok_or_else(|| bad_list(path, "this is not a JSON list"))?;
    list.iter().map(|entry| read_profile(path, entry)).collect()
}

fn read_profile(path: &Path, entry: &Json) -> Result<MailboxProfile, Failure> {
    let text = |name: &str| match entry.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(bad_list(path, format!("{name} is {other}, which is no text"))),
    };
    let quota = |name: &str| match entry.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(number) => {
            let kb = number.as_i64().and_then(|kb| i32::try_from(kb).ok());
            kb.map(Some).ok_or_else(|| bad_list(path, format!("{name} is {number}")))
        }
    };
    let name = text("name")?.ok_or_else(|| bad_list(path, "a mailbox without a name"))?;
    let guid = match text("guid")? {
        Some(guid) => guid.parse::<MailboxGuid>().map_err(|error| bad_list(path, error))?,
        None => fresh_mailbox_guid(),
    };
    let mut profile = MailboxProfile::new(guid, name);
    profile.dn = text("dn")?.unwrap_or_default().to_owned();
    profile.quotas.warning_kb = quota("quota_warning_kb")?;
    profile.quotas.send_kb = quota("quota_send_kb")?;
    profile.quotas.receive_kb = quota("quota_receive_kb")?;
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str) -> Result<MailboxProfile, Failure> {
        read_profile(Path::new("list"), &serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_mailbox_of_a_list_needs_only_a_name() {
        let profile =
            profile(r#"{"name": "Ann", "dn": "/o=x/cn=ann", "quota_send_kb": 5}"#).unwrap();
        assert_eq!((profile.name.as_str(), profile.quotas.send_kb), ("Ann", Some(5)));
        assert_ne!(profile.guid, MailboxGuid::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "{}",
            "3",
            r#"{"name": 3}"#,
            r#"{"name": "x", "guid": "y"}"#,
            r#"{"name": "x", "quota_send_kb": 9999999999}"#,
        ] {
            assert!(profile(text).is_err(), "{text}");
        }
    }
}

//! What is in which folder, of several stores side by side.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::io::RealVolume;
use crate::store::{FolderKind, Role, Store};

/// The folders of one store that hold anything: items, unread ones, bytes.
pub struct Column {
    name: String,
    folders: BTreeMap<(String, String), (i64, i64, i64)>,
}

impl Column {
    /// Reads a store.
    pub fn read(name: &str, path: &Path) -> Result<Self, Failure> {
        let store = Store::open(&RealVolume::mapped(), path)?;
        let view = store.view();
        let mut folders = BTreeMap::new();
        for mailbox in view.mailboxes()? {
            let tree = view.folders(mailbox.root)?;
            let top = mailbox.logon_folder(Role::IpmSubtree).unwrap_or(mailbox.root);
            for (folder, _) in tree.iter() {
                let counts = &folder.counts.normal;
                if folder.kind != FolderKind::Search && counts.items > 0 {
                    let place = (mailbox.profile.name.clone(), tree.path(folder.id, top));
                    folders.insert(place, (counts.items, folder.counts.unread, counts.bytes));
                }
            }
        }
        Ok(Self { name: name.to_owned(), folders })
    }
}

/// Prints the stores side by side, a line a folder.
pub fn print_folders(columns: &[Column], output: &mut Output) -> Result<(), Failure> {
    let mut places: Vec<&(String, String)> =
        columns.iter().flat_map(|column| column.folders.keys()).collect();
    places.sort();
    places.dedup();
    if output.is_json() {
        for (mailbox, folder) in places {
            let place = (mailbox.clone(), folder.clone());
            let counts = columns.iter().map(|column| {
                let (items, unread, bytes) =
                    column.folders.get(&place).copied().unwrap_or_default();
                json!({"store": column.name, "items": items, "unread": unread, "bytes": bytes})
            });
            let counts: Vec<_> = counts.collect();
            let fields =
                [("mailbox", json!(mailbox)), ("folder", json!(folder)), ("stores", json!(counts))];
            output.line("folder", &fields)?;
        }
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    let names = columns.iter().map(|column| column.name.clone());
    table.set_header(["mailbox".to_owned(), "folder".to_owned()].into_iter().chain(names));
    let mut last = "";
    for place in places {
        let (mailbox, folder) = place;
        let shown = if mailbox == last { String::new() } else { mailbox.clone() };
        last = mailbox;
        let counts = columns.iter().map(|column| match column.folders.get(place) {
            Some((items, 0, _)) => items.to_string(),
            Some((items, unread, _)) => format!("{items} ({unread} unread)"),
            None => "-".to_owned(),
        });
        table.add_row([shown, folder.clone()].into_iter().chain(counts));
    }
    let totals = columns
        .iter()
        .map(|column| column.folders.values().map(|(items, _, _)| items).sum::<i64>().to_string());
    table.add_row(["all".to_owned(), String::new()].into_iter().chain(totals));
    output.text(&table.to_string())?;
    Ok(())
}

//! `info`: what a database is. Header and its two copies, state, version, space, tables with their trees.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::dump::key_text;
use super::exit::Failure;
use super::output::Output;
use super::source::{IoMode, tell_state};
use crate::ese::page::header::{DbHeader, HeaderSource};
use crate::ese::page::{PageSize, Pgno};
use crate::ese::table::column::ColumnType;
use crate::ese::table::database::Database;
use crate::ese::table::schema::TableDef;
use crate::ese::tree::{DATABASE_ROOT, Extents, SpaceHeader, read_space};
use crate::ese::txn::{DatabaseFile, Pages, read_header};
use crate::ese::{EseError, EseResult};
use crate::io::{OpenMode, Storage, Volume};

/// What `info` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The database
    file: PathBuf,
    /// How pages are read
    #[arg(long, value_enum, default_value_t = IoMode::Map)]
    io: IoMode,
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let volume = options.io.volume();
    let storage = volume.open(&options.file, OpenMode::Read)?;
    let choice = read_header(&*storage)?;
    let copies = header_copies(&*storage, choice.header.page_size())?;
    // The header is told even when nothing is left of the catalog.
    let file = DatabaseFile::open(&volume, &options.file)?;
    let space = space_of(&file, DATABASE_ROOT);
    let facts = Facts {
        path: &options.file,
        len_bytes: storage.len_bytes()?,
        last_page: file.last_page(),
        used: choice.source,
        copies,
        space: space.as_ref().ok().copied(),
    };
    if output.is_json() {
        output.line("database", &facts.fields(file.header()))?;
    } else {
        output.text(&facts.text(file.header()))?;
    }
    let database = Database::open(&volume, &options.file)?;
    tell_state(&database, &options.file, output)?;
    if let Err(error) = &space {
        output.warn_error(error, None)?;
    }
    for table in database.schema().tables() {
        tell_table(&database, table, output)?;
    }
    Ok(())
}

/// Pages that a tree owns, and those of them that are free.
#[derive(Debug, Clone, Copy)]
struct Space {
    owned_pages: u64,
    free_pages: u64,
}

fn space_of<P: Pages>(pages: &P, root: Pgno) -> EseResult<Space> {
    let header = SpaceHeader::of(&pages.page(root)?.view()?)?;
    let is_single = matches!(header.extents, Extents::Single { .. });
    if is_single && header.extent_pages > pages.last_page() {
        let reason = format!("a tree of {} pages in a shorter file", header.extent_pages);
        return Err(EseError::corrupt(root, reason).in_file(pages.path()));
    }
    let space = read_space(pages, root).map_err(|error| error.in_file(pages.path()))?;
    let (owned_pages, free_pages) = (space.owned.page_count(), space.available.page_count());
    Ok(Space { owned_pages, free_pages })
}

/// What is wrong with each copy of the header, the shadow copy second; `None` = nothing.
fn header_copies(
    storage: &dyn Storage,
    page_size: PageSize,
) -> Result<[Option<String>; 2], Failure> {
    let mut copies = [None, None];
    let mut page = vec![0; page_size.bytes()];
    for (copy, offset_bytes) in copies.iter_mut().zip([0, page_size.bytes() as u64]) {
        let whole = storage.len_bytes()? >= offset_bytes + page_size.bytes() as u64;
        if !whole {
            *copy = Some("the file ends before it".to_owned());
            continue;
        }
        storage.read_exact_at(&mut page, offset_bytes)?;
        *copy = DbHeader::decode(&page).err().map(|error| error.to_string());
    }
    Ok(copies)
}

/// What is told of the file, beside its header.
struct Facts<'f> {
    path: &'f Path,
    len_bytes: u64,
    last_page: u32,
    used: HeaderSource,
    copies: [Option<String>; 2],
    space: Option<Space>,
}

impl Facts<'_> {
    fn used(&self) -> &'static str {
        match self.used {
            HeaderSource::Primary => "primary",
            HeaderSource::Shadow => "shadow",
        }
    }

    fn fields(&self, header: &DbHeader) -> Vec<(&'static str, Json)> {
        let [primary, shadow] = &self.copies;
        let copy = |fault: &Option<String>| fault.as_deref().unwrap_or("sound").to_owned();
        vec![
            ("file", json!(self.path.display().to_string())),
            ("kind", json!(header.kind().to_string())),
            ("format", json!(header.format_version())),
            ("revision", json!(header.revision())),
            ("minor", json!(header.update_minor())),
            ("version", json!(version_text(header))),
            ("state", json!(header.state().to_string())),
            ("page_size", json!(header.page_size().bytes())),
            ("file_bytes", json!(self.len_bytes)),
            ("pages", json!(self.last_page)),
            ("owned_pages", json!(self.space.map(|space| space.owned_pages))),
            ("free_pages", json!(self.space.map(|space| space.free_pages))),
            ("dbtime", json!(header.dbtime().0)),
            ("objid_last", json!(header.objid_last().0)),
            ("signature", json!(header.sign_db().to_string())),
            ("log_signature", json!(header.sign_log().to_string())),
            (
                "created_by",
                json!(format!(
                    "{:#x}.{:#x}",
                    header.created_version().0,
                    header.created_version().1
                )),
            ),
            ("os_version", json!(header.os_version().to_string())),
            ("repairs", json!(header.repair_count())),
            (
                "header",
                json!({"used": self.used(), "primary": copy(primary), "shadow": copy(shadow)}),
            ),
            ("writable", json!(header.writable().is_ok())),
        ]
    }

    fn text(&self, header: &DbHeader) -> String {
        let [primary, shadow] = &self.copies;
        let copy = |fault: &Option<String>| fault.as_deref().unwrap_or("sound").to_owned();
        let space = match self.space {
            Some(space) => format!("{} owned, {} free", space.owned_pages, space.free_pages),
            None => "unknown".to_owned(),
        };
        let lines = [
            ("file", self.path.display().to_string()),
            ("kind", header.kind().to_string()),
            ("version", version_text(header)),
            ("state", header.state().to_string()),
            ("pages", format!("{} of {} bytes; {space}", self.last_page, header.page_size())),
            ("length", format!("{} bytes", self.len_bytes)),
            ("header", format!("{}; its shadow copy: {}", copy(primary), copy(shadow))),
            ("used", format!("the {} copy", self.used())),
            ("signature", header.sign_db().to_string()),
            ("log", header.sign_log().to_string()),
            ("dbtime", header.dbtime().to_string()),
            ("last object", header.objid_last().to_string()),
            ("system", header.os_version().to_string()),
            ("repairs", header.repair_count().to_string()),
            ("writable", if header.writable().is_ok() { "yes" } else { "no" }.to_owned()),
        ];
        let lines: Vec<String> =
            lines.into_iter().map(|(name, value)| format!("{name:<12} {value}")).collect();
        format!("{}\n", lines.join("\n"))
    }
}

/// Format and revision, and what is known to write it. Source: ese-physical 1.5.
fn version_text(header: &DbHeader) -> String {
    let (revision, minor) = (header.revision(), header.update_minor());
    let family = match revision {
        0..9 => "Exchange 5.5, Windows 2000",
        9..11 => "Exchange 2000 and 2003, Windows XP",
        11 => "Exchange 2003 SP1 and later",
        12..17 => "Windows Vista and 2008, Exchange 2007",
        17..20 => "Windows 7 and 2008 R2, Exchange 2010",
        20 => "Windows 8 to 10, Exchange 2013 and 2016",
        21..200 => "Windows 10",
        _ => "Windows 11 and later",
    };
    format!("{:#x}.{revision:#x}.{minor} ({family})", header.format_version())
}

fn tell_table(database: &Database, def: &TableDef, output: &mut Output) -> io::Result<()> {
    let space = space_of(database.file(), def.root);
    let columns = def.columns.iter().filter(|column| column.coltyp != ColumnType::Nil).count();
    if output.is_json() {
        let indexes: Vec<Json> = def
            .primary
            .iter()
            .chain(&def.indexes)
            .map(|index| {
                let key = key_text(def, index);
                let (objid, root) = (index.objid.0, index.root.get());
                json!({"name": index.name, "objid": objid, "root": root, "key": key})
            })
            .collect();
        let long_values =
            def.long_values.map(|(objid, root)| json!({"objid": objid.0, "root": root.get()}));
        let fields = [
            ("table", json!(def.name)),
            ("objid", json!(def.objid.0)),
            ("root", json!(def.root.get())),
            ("system", json!(def.is_system())),
            ("template", json!(def.template)),
            ("columns", json!(columns)),
            ("indexes", json!(indexes)),
            ("long_values", json!(long_values)),
            ("owned_pages", json!(space.as_ref().ok().map(|space| space.owned_pages))),
            ("free_pages", json!(space.as_ref().ok().map(|space| space.free_pages))),
        ];
        output.line("table", &fields)?;
    } else {
        output.text(&table_text(def, columns, space.as_ref().ok()))?;
    }
    match space {
        Ok(_) => Ok(()),
        Err(error) => output.warn_error(&error, Some(&def.name)),
    }
}

fn table_text(def: &TableDef, columns: usize, space: Option<&Space>) -> String {
    let mut text = format!(
        "table {:<24} object {}, root {}, {columns} columns, {} indexes",
        def.name,
        def.objid,
        def.root,
        def.indexes.len() + usize::from(def.primary.is_some()),
    );
    if let Some((objid, root)) = def.long_values {
        text.push_str(&format!(", long values: object {objid}, root {root}"));
    }
    if let Some(space) = space {
        text.push_str(&format!(", {} pages, {} free", space.owned_pages, space.free_pages));
    }
    text
}

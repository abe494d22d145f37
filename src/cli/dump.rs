//! `dump`: the schema and every row of a database, streamed. Holds one row at a time.
//!
//! A value or page that cannot be read is a warning; the rest of the row, and of the table, is printed.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::exit::Failure;
use super::json::{put_string, put_value};
use super::output::{Output, printable};
use super::source::{IoMode, tell_state};
use crate::ese::table::column::{ColumnDef, ColumnFlags, ColumnType};
use crate::ese::table::database::{Database, Table};
use crate::ese::table::fields::{FieldReader, VALUE_BYTES_MAX};
use crate::ese::table::key::IndexDef;
use crate::ese::table::rows::Row;
use crate::ese::table::schema::TableDef;
use crate::ese::table::value::{Value, decode_value};
use crate::ese::txn::DatabaseFile;
use crate::ese::{EseError, EseResult};

/// Longest text or number of bytes that people are shown of one value.
const SHOWN_MAX: usize = 200;
/// A line buffer that grew beyond this is given back.
const LINE_BYTES_KEPT: usize = 1 << 20;

/// What `dump` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The database
    file: PathBuf,
    /// Only this table; may be given several times
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
    /// How pages are read
    #[arg(long, value_enum, default_value_t = IoMode::Map)]
    io: IoMode,
}

/// Runs the command.
pub fn run(options: &Options, output: &mut Output) -> Result<(), Failure> {
    let database = Database::open(&options.io.volume(), &options.file)?;
    let tables: Vec<Table<'_, DatabaseFile>> = if options.tables.is_empty() {
        database.tables().collect()
    } else {
        options.tables.iter().map(|name| database.table(name)).collect::<EseResult<_>>()?
    };
    tell_state(&database, &options.file, output)?;
    for table in tables {
        dump_table(&table, output)?;
    }
    Ok(())
}

fn dump_table(table: &Table<'_, DatabaseFile>, output: &mut Output) -> io::Result<()> {
    let def = table.def();
    if output.is_json() {
        output.line("table", &table_fields(def))?;
    } else {
        output.text(&table_text(def))?;
    }
    let mut printer = RowPrinter::new(table, output.is_json());
    let mut rows = table.rows();
    let mut step = rows.first();
    loop {
        match step {
            Ok(false) => break,
            Ok(true) => match rows.row() {
                Ok(Some(row)) => printer.print(&row, output)?,
                Ok(None) => {}
                Err(error) => output.warn_error(&error, Some(&def.name))?,
            },
            Err(error) => output.warn_error(&error, Some(&def.name))?,
        }
        step = rows.next();
    }
    if output.is_json() {
        return Ok(());
    }
    output.text(&format!("  {} rows\n", printer.rows))
}

fn table_fields(def: &TableDef) -> [(&'static str, Json); 6] {
    let living = def.columns.iter().filter(|column| column.coltyp != ColumnType::Nil);
    let columns: Vec<Json> = living
        .map(|column| {
            json!({
                "name": column.name,
                "id": column.fid.0,
                "coltyp": column.coltyp.number(),
                "cp": column.code_page,
            })
        })
        .collect();
    let indexes: Vec<Json> =
        def.primary.iter().chain(&def.indexes).map(|index| index_json(def, index)).collect();
    [
        ("table", def.name.as_str().into()),
        ("objid", def.objid.0.into()),
        ("root", def.root.get().into()),
        ("system", def.is_system().into()),
        ("columns", columns.into()),
        ("indexes", indexes.into()),
    ]
}

fn index_json(def: &TableDef, index: &IndexDef) -> Json {
    json!({
        "name": index.name,
        "objid": index.objid.0,
        "root": index.root.get(),
        "primary": index.root == def.root,
        "key": key_text(def, index),
    })
}

/// The columns of a key with their directions: `+First -Second`.
pub fn key_text(def: &TableDef, index: &IndexDef) -> String {
    let segments = index.segments.iter().map(|segment| {
        let sign = if segment.descending { '-' } else { '+' };
        let mut columns = def.columns.iter().filter(|column| column.fid == segment.fid);
        let exact = columns.clone().find(|column| column.derived == segment.template);
        match exact.or_else(|| columns.next()) {
            Some(column) => format!("{sign}{}", column.name),
            None => format!("{sign}column {}", segment.fid),
        }
    });
    segments.collect::<Vec<_>>().join(" ")
}

fn table_text(def: &TableDef) -> String {
    let system = if def.is_system() { ", system" } else { "" };
    let mut text =
        format!("table {}  (object {}, root page {}{system})", def.name, def.objid, def.root);
    for column in def.columns.iter().filter(|column| column.coltyp != ColumnType::Nil) {
        text.push_str(&format!("\n  column {} {} {}", column.fid, column.name, column.coltyp));
        if column.coltyp.is_text() {
            text.push_str(&format!(" (code page {})", column.code_page));
        }
    }
    for index in def.primary.iter().chain(&def.indexes) {
        text.push_str(&format!("\n  index {}: {}", index.name, key_text(def, index)));
    }
    text
}

/// Prints the rows of one table.
struct RowPrinter<'d> {
    def: &'d TableDef,
    fields: FieldReader<'d, DatabaseFile>,
    is_json: bool,
    /// Columns that are not deleted, each with its name as it stands before a value.
    columns: Vec<(&'d ColumnDef, Vec<u8>)>,
    /// Start of every line.
    start: Vec<u8>,
    line: Vec<u8>,
    errors: Vec<EseError>,
    rows: u64,
}

impl<'d> RowPrinter<'d> {
    fn new(table: &Table<'d, DatabaseFile>, is_json: bool) -> Self {
        let def = table.def();
        let living = def.columns.iter().filter(|column| column.coltyp != ColumnType::Nil);
        let columns = living.map(|column| (column, label(&column.name, is_json))).collect();
        let mut start = Vec::new();
        if is_json {
            start.extend_from_slice(b"{\"type\":\"row\",\"table\":");
            put_string(&mut start, &def.name);
            start.extend_from_slice(b",\"row\":{");
        }
        let fields = table.fields(VALUE_BYTES_MAX);
        let (line, errors) = (Vec::new(), Vec::new());
        Self { def, fields, is_json, columns, start, line, errors, rows: 0 }
    }

    fn print(&mut self, row: &Row<'_>, output: &mut Output) -> io::Result<()> {
        self.rows += 1;
        self.line.clear();
        self.line.extend_from_slice(&self.start);
        if !self.is_json {
            self.line.extend_from_slice(format!("  row {}:", self.rows).as_bytes());
        }
        let before = self.line.len();
        for (column, label) in &self.columns {
            let undo = self.line.len();
            if self.is_json && undo > before {
                self.line.push(b',');
            }
            self.line.extend_from_slice(label);
            let writer = ValueWriter {
                column,
                is_json: self.is_json,
                line: &mut self.line,
                errors: &mut self.errors,
            };
            if !writer.write(&self.fields, row) {
                self.line.truncate(undo);
            }
        }
        self.line.extend_from_slice(if self.is_json { b"}}\n" } else { b"\n" });
        output.raw(&self.line)?;
        if self.line.capacity() > LINE_BYTES_KEPT {
            self.line = Vec::new();
        }
        for error in self.errors.drain(..) {
            output.warn_error(&error, Some(&self.def.name))?;
        }
        Ok(())
    }
}

fn label(name: &str, is_json: bool) -> Vec<u8> {
    let mut label = Vec::new();
    if is_json {
        put_string(&mut label, name);
        label.push(b':');
    } else {
        label.push(b' ');
        label.extend_from_slice(printable(name).as_bytes());
        label.push(b'=');
    }
    label
}

/// Appends the values of one column to a line.
struct ValueWriter<'w> {
    column: &'w ColumnDef,
    is_json: bool,
    line: &'w mut Vec<u8>,
    errors: &'w mut Vec<EseError>,
}

impl ValueWriter<'_> {
    /// Whether there was anything to write: a value, or several of which one at least was sound.
    fn write(mut self, fields: &FieldReader<'_, DatabaseFile>, row: &Row<'_>) -> bool {
        let column = self.column;
        let is_list = column.flags.contains(ColumnFlags::MULTI_VALUED)
            || row.get(column).is_ok_and(|values| values.len() > 1);
        if is_list {
            self.line.push(b'[');
        }
        let start = self.line.len();
        let mut sound = 0;
        fields.each(row, column, &mut |bytes| {
            if self.line.len() > start {
                self.line.push(b',');
            }
            match bytes.and_then(|bytes| self.put(&bytes).map_err(|error| row.place(error, column)))
            {
                Ok(()) => sound += 1,
                Err(error) => {
                    self.errors.push(error);
                    self.line.extend_from_slice(b"null");
                }
            }
        });
        if is_list {
            self.line.push(b']');
        }
        sound > 0
    }

    fn put(&mut self, bytes: &[u8]) -> EseResult<()> {
        let value = decode_value(self.column.coltyp, self.column.code_page, bytes)?;
        if self.is_json {
            put_value(self.line, &value);
            return Ok(());
        }
        let cut_bytes = match &value {
            Value::Text(text) => text.char_indices().nth(SHOWN_MAX).map(|(at, _)| at),
            Value::Bytes(bytes) if bytes.len() > SHOWN_MAX => Some(SHOWN_MAX / 2),
            _ => None,
        };
        match (value, cut_bytes) {
            (Value::Text(text), Some(at)) => {
                put_value(self.line, &Value::Text(Cow::Borrowed(text.get(..at).unwrap_or(""))));
                self.cut(bytes.len());
            }
            (Value::Bytes(whole), Some(at)) => {
                let shown = whole.get(..at).unwrap_or_default();
                put_value(self.line, &Value::Bytes(Cow::Borrowed(shown)));
                self.cut(bytes.len());
            }
            (value, _) => put_value(self.line, &value),
        }
        Ok(())
    }

    fn cut(&mut self, len_bytes: usize) {
        self.line.extend_from_slice(format!("... ({len_bytes} bytes)").as_bytes());
    }
}

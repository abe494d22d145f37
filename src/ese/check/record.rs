//! Every field of one record under the definition of its table.
//!
//! Knows one record at a time; follows no long value. Source: ese-logical 2.

use crate::ese::error::EseError;
use crate::ese::table::column::{ColumnClass, ColumnDef, ColumnFlags, ColumnType, Fid, Lid};
use crate::ese::table::compress::decompress;
use crate::ese::table::record::{FieldValues, Stored, TaggedField};
use crate::ese::table::rows::Row;
use crate::ese::table::schema::TableDef;

/// What a record shows.
pub enum Found {
    /// It names a long value.
    LongValue(Lid),
    /// It breaks a rule, but can be read.
    Rule(String),
    /// A field cannot be read.
    Broken(EseError),
}

/// Checks the records of one table.
pub struct RecordCheck<'d> {
    table: &'d TableDef,
    /// Highest fixed and variable column that the table has or had.
    last_fixed: u16,
    last_variable: u16,
    plain: Vec<u8>,
}

impl<'d> RecordCheck<'d> {
    pub fn new(table: &'d TableDef) -> Self {
        let last = |class| {
            let columns = table.columns.iter().filter(|column| column.fid.class() == class);
            columns.map(|column| column.fid.0).max()
        };
        let last_fixed = last(ColumnClass::Fixed).unwrap_or(0);
        let last_variable = last(ColumnClass::Variable).unwrap_or(Fid::FIRST_VARIABLE - 1);
        Self { table, last_fixed, last_variable, plain: Vec::new() }
    }

    /// Gives everything about a record to `tell`.
    pub fn check(&mut self, row: &Row<'_>, tell: &mut dyn FnMut(Found)) {
        let record = row.record();
        for (what, found, last) in [
            ("fixed", record.last_fixed(), self.last_fixed),
            ("variable", record.last_variable(), self.last_variable),
        ] {
            if u16::from(found) > last {
                tell(Found::Rule(format!(
                    "it reaches {what} column {found}, the table ends at {last}"
                )));
            }
        }
        let table = self.table;
        for column in &table.columns {
            let is_tagged = column.fid.class() == ColumnClass::Tagged;
            if column.coltyp == ColumnType::Nil {
                continue;
            }
            let is_required = column.flags.contains(ColumnFlags::NOT_NULL);
            if is_tagged && !is_required {
                continue;
            }
            match row.get(column) {
                Ok(FieldValues::Null) if is_required => {
                    tell(Found::Rule(format!("column {} is NULL", column.name)));
                }
                Ok(FieldValues::One(Stored::Plain(bytes))) if !is_tagged => {
                    self.plain_value(column, bytes.len(), tell);
                }
                // Tagged fields are looked at as the record has them.
                Err(error) if !is_tagged => tell(Found::Broken(error)),
                _ => {}
            }
        }
        self.tagged_fields(row, tell);
    }

    fn tagged_fields(&mut self, row: &Row<'_>, tell: &mut dyn FnMut(Found)) {
        let mut before = None;
        for field in row.record().tagged_fields() {
            let field = match field {
                Ok(field) => field,
                Err(error) => {
                    tell(Found::Broken(placed(row, error)));
                    continue;
                }
            };
            let order = (!field.derived, field.fid);
            if before.is_some_and(|before| before >= order) {
                let fid = field.fid;
                tell(Found::Rule(format!("tagged column {fid} does not stand in order")));
            }
            before = Some(order);
            match self.column_of(&field) {
                Some(column) => self.tagged_field(row, column, &field, tell),
                None => {
                    let fid = field.fid;
                    tell(Found::Rule(format!("it has column {fid}, which does not exist")));
                }
            }
        }
    }

    fn column_of(&self, field: &TaggedField<'_>) -> Option<&'d ColumnDef> {
        let wanted = (ColumnClass::Tagged, !field.derived, field.fid);
        let columns = &self.table.columns;
        let found = columns.binary_search_by_key(&wanted, ColumnDef::record_order).ok();
        found.and_then(|at| columns.get(at)).filter(|_| field.fid.class() == ColumnClass::Tagged)
    }

    fn tagged_field(
        &mut self,
        row: &Row<'_>,
        column: &ColumnDef,
        field: &TaggedField<'_>,
        tell: &mut dyn FnMut(Found),
    ) {
        let broken = |error: EseError| Found::Broken(row.place(error, column));
        let values = match field.values() {
            Ok(values) => values,
            Err(error) => return tell(broken(error)),
        };
        let is_deleted = column.coltyp == ColumnType::Nil;
        let rule = |what: &str| Found::Rule(format!("column {}: {what}", column.name));
        let is_long = column.coltyp.is_long_value();
        let says_other = field.is_long_value().is_some_and(|says| says != is_long);
        if says_other && !is_deleted && !matches!(values, FieldValues::Null) {
            tell(rule("its header byte is that of another type"));
        }
        if values.len() > 1 && !column.flags.contains(ColumnFlags::MULTI_VALUED) && !is_deleted {
            tell(rule("several values, but one is allowed"));
        }
        for stored in values.iter() {
            match stored {
                Ok(Stored::Separated(lid)) => {
                    if !is_long && !is_deleted {
                        tell(rule("only a long value may be kept outside of the record"));
                    }
                    tell(Found::LongValue(lid));
                }
                Ok(Stored::Compressed(bytes)) => {
                    self.plain.clear();
                    match decompress(bytes, u16::MAX.into(), &mut self.plain) {
                        Ok(()) => self.plain_value(column, self.plain.len(), tell),
                        Err(error) => tell(broken(error)),
                    }
                }
                Ok(Stored::Plain(bytes)) => self.plain_value(column, bytes.len(), tell),
                Ok(Stored::Encrypted(_)) => {}
                Err(error) => tell(broken(error)),
            }
        }
    }

    /// The length of a value must suit its type, and not exceed what the column declares.
    fn plain_value(&self, column: &ColumnDef, len_bytes: usize, tell: &mut dyn FnMut(Found)) {
        if column.coltyp == ColumnType::Nil {
            return;
        }
        let max = column.max_bytes as usize;
        let is_right = match column.coltyp.fixed_width_bytes() {
            Some(width) => len_bytes == width,
            None => max == 0 || len_bytes <= max,
        };
        if !is_right {
            let name = &column.name;
            tell(Found::Rule(format!("column {name} has a value of {len_bytes} bytes")));
        }
    }
}

fn placed(row: &Row<'_>, error: EseError) -> EseError {
    error.on_page(row.pgno()).on_line(row.line())
}

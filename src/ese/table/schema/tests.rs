//! Schemas put together from catalog rows made by hand: template tables, and rows that make no sense.

use super::*;

fn entry(table: u32, kind: RowKind, id: u32, name: &str) -> CatalogEntry {
    CatalogEntry {
        table: ObjId(table),
        kind,
        id,
        name: name.to_owned(),
        coltyp_or_root: 100 + id,
        space_usage: 80,
        flags: 0,
        pages_or_locale: 1,
        record_offset: None,
        lcmap_flags: None,
        key_most: None,
        lv_chunk_max: None,
        template: None,
        default: None,
        key_fields: Vec::new(),
        var_seg_mac: None,
        conditions: Vec::new(),
        tuple_limits: None,
        sort_version: None,
        sort_id: None,
        separate_lv: None,
        locale: None,
    }
}

fn table_row(objid: u32, name: &str, template: Option<&str>) -> CatalogEntry {
    let template = template.map(str::to_owned);
    CatalogEntry { template, ..entry(objid, RowKind::Table, objid, name) }
}

fn column_row(table: u32, fid: u32, name: &str, coltyp: ColumnType, flags: u32) -> CatalogEntry {
    let coltyp_or_root = coltyp.number();
    CatalogEntry { coltyp_or_root, flags, ..entry(table, RowKind::Column, fid, name) }
}

/// The schema that these rows describe, and what was noted.
fn schema(rows: &[CatalogEntry]) -> (Schema, Vec<String>) {
    let mut notes = Notes::default();
    let groups = rows.chunk_by(|a, b| a.table == b.table);
    let tables = groups.filter_map(|rows| assemble(rows, &mut notes)).collect();
    let schema = Schema::of_tables(tables, notes);
    let notes = schema.notes().kept().iter().map(|note| note.message.clone()).collect();
    (schema, notes)
}

#[test]
fn a_derived_table_has_the_columns_of_its_template_first() {
    let template = ColumnFlags::TEMPLATE.bits();
    let (schema, notes) = schema(&[
        table_row(8, "derived", Some("Base")),
        column_row(8, 2, "own", ColumnType::Long, 0),
        column_row(8, 256, "own tagged", ColumnType::LongText, 0),
        table_row(9, "base", None),
        column_row(9, 1, "fixed", ColumnType::Long, template),
        column_row(9, 128, "variable", ColumnType::Text, template),
        column_row(9, 256, "tagged", ColumnType::LongText, template),
    ]);
    assert_eq!(notes, [""; 0]);
    let columns = |name: &str| {
        let table = schema.table(name).unwrap();
        table.columns.iter().map(|c| (c.name.as_str(), c.derived)).collect::<Vec<_>>()
    };
    let own = [("fixed", false), ("own", false), ("variable", false)];
    assert_eq!(columns("DERIVED")[..3], own);
    assert_eq!(columns("derived")[3..], [("tagged", true), ("own tagged", false)]);
    assert_eq!(columns("base"), [("fixed", false), ("variable", false), ("tagged", false)]);
}

#[test]
fn templates_of_the_oldest_engines_share_their_numbers_with_derived_tables() {
    let (schema, notes) = schema(&[
        table_row(8, "base", None),
        column_row(8, 256, "tagged", ColumnType::LongText, 0),
        table_row(9, "derived", Some("base")),
        column_row(9, 257, "own tagged", ColumnType::LongText, 0),
    ]);
    assert_eq!(notes, [""; 0]);
    let columns = &schema.table("derived").unwrap().columns;
    assert!(columns.len() == 2 && columns.iter().all(|column| !column.derived));
}

#[test]
fn templates_that_are_missing_or_derived_themselves_are_noted() {
    let (_, notes) = schema(&[table_row(8, "a", Some("nobody"))]);
    assert!(notes.len() == 1 && notes[0].contains("template table nobody"), "{notes:?}");
    let (_, notes) = schema(&[table_row(8, "a", Some("b")), table_row(9, "b", Some("a"))]);
    assert_eq!(notes.len(), 2);
}

#[test]
fn rows_that_make_no_sense_cost_themselves_only() {
    let nowhere = |row: CatalogEntry| CatalogEntry { coltyp_or_root: 0, ..row };
    let broken_key =
        CatalogEntry { key_fields: vec![1, 2, 3], ..entry(8, RowKind::Index, 31, "i") };
    let (schema, notes) = schema(&[
        table_row(8, "t", None),
        column_row(8, 1, "sound", ColumnType::Long, 0),
        column_row(8, 1, "twin", ColumnType::Long, 0),
        CatalogEntry { coltyp_or_root: 77, ..column_row(8, 2, "strange", ColumnType::Bit, 0) },
        column_row(8, 1 << 20, "far", ColumnType::Long, 0),
        nowhere(entry(8, RowKind::Index, 30, "no root")),
        broken_key,
        entry(8, RowKind::Index, 32, "whole"),
        nowhere(entry(8, RowKind::LongValue, 40, "LV")),
        nowhere(table_row(9, "no root", None)),
        column_row(10, 1, "orphan", ColumnType::Long, 0),
        table_row(11, "T", None),
        entry(12, RowKind::StreamOwner, 12, "no table, and none expected"),
    ]);
    let table = schema.table("t").unwrap();
    assert_eq!((table.objid, schema.tables().len()), (ObjId(8), 2));
    let columns: Vec<_> = table.columns.iter().map(|c| (c.name.as_str(), c.coltyp)).collect();
    assert_eq!(columns, [("sound", ColumnType::Long), ("strange", ColumnType::Nil)]);
    let indexes: Vec<_> = table.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!((indexes, table.long_values), (vec!["whole"], None));
    for part in [
        "type 77",
        "impossible number",
        "index no root",
        "index i",
        "no root page",
        "two columns",
        "cannot be page 0",
        "table 10",
        "two tables have this name",
    ] {
        assert!(notes.iter().any(|note| note.contains(part)), "no {part} in {notes:#?}");
    }
    assert_eq!(notes.len(), 9);
}

#[test]
fn the_catalogs_own_columns_are_laid_out_by_their_widths() {
    let mut rows = vec![table_row(2, "MSysObjects", None)];
    rows.extend(catalog_columns().iter().map(|column| {
        let row = column_row(2, column.fid.0.into(), &column.name, column.coltyp, 0);
        CatalogEntry {
            record_offset: column.record_offset.map(|_| 4),
            space_usage: column.max_bytes,
            ..row
        }
    }));
    let (schema, _) = schema(&rows);
    let offsets = |columns: &[ColumnDef]| {
        columns.iter().map(|column| (column.fid, column.record_offset)).collect::<Vec<_>>()
    };
    let table = schema.table_by_objid(CATALOG_OBJID).unwrap();
    assert_eq!(offsets(&table.columns), offsets(&catalog_columns()));
    assert!(schema.table_by_objid(ObjId(77)).is_none());
}

//! Records copied as they are stored: whatever the record and the new values are, the bytes are those of the long way, value by value.

use dialtone::ese::error::EseResult;
use dialtone::ese::page::PageSize;
use dialtone::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Fid, Lid};
use dialtone::ese::table::record::{
    FieldInput, FieldValues, RecordView, Rewrite, Stored, TaggedStyle, encode_record,
};
use proptest::prelude::*;

const BOUNDS: (usize, usize) = (1023, 3700);

fn column(fid: u16, coltyp: ColumnType, max_bytes: u32, record_offset: Option<u16>) -> ColumnDef {
    ColumnDef {
        fid: Fid(fid),
        name: format!("C{fid}"),
        coltyp,
        max_bytes,
        flags: ColumnFlags::empty(),
        code_page: 0,
        record_offset,
        default: None,
        derived: false,
    }
}

/// Fixed columns of several widths, variable ones, tagged ones of short and of long types, the last of them multi-valued.
fn columns() -> Vec<ColumnDef> {
    use ColumnType::{Binary, Bit, Currency, Long, LongBinary};
    let mut columns = Vec::new();
    let mut offset = 4;
    for (fid, (coltyp, width)) in (1..).zip([
        (Long, 4),
        (Bit, 1),
        (Currency, 8),
        (Bit, 1),
        (Long, 4),
        (Currency, 8),
        (Long, 4),
        (Long, 4),
        (Bit, 1),
    ]) {
        columns.push(column(fid, coltyp, 0, Some(offset)));
        offset += width;
    }
    columns.extend((128..132).map(|fid| column(fid, Binary, 255, None)));
    columns.extend((256..260).map(|fid| column(fid, Long, 0, None)));
    columns.extend((260..264).map(|fid| column(fid, LongBinary, 0, None)));
    columns.extend((264..267).map(|fid| ColumnDef {
        flags: ColumnFlags::MULTI_VALUED,
        ..column(fid, Binary, 255, None)
    }));
    columns
}

#[derive(Debug, Clone)]
enum Value {
    Null,
    One(Vec<u8>),
    Many(Vec<Vec<u8>>),
    Long(u32),
}

impl Value {
    fn stored(&self) -> Vec<Stored<'_>> {
        match self {
            Self::Null => Vec::new(),
            Self::One(bytes) => vec![Stored::Plain(bytes)],
            Self::Many(values) => values.iter().map(|bytes| Stored::Plain(bytes)).collect(),
            Self::Long(lid) => vec![Stored::Separated(Lid((*lid).into()))],
        }
    }
}

fn input<'s>(stored: &'s [Stored<'s>]) -> FieldInput<'s> {
    match stored {
        [] => FieldInput::Null,
        [one] => FieldInput::One(*one),
        many => FieldInput::Many(many),
    }
}

fn value(column: &ColumnDef) -> BoxedStrategy<Value> {
    let bytes = |most: usize| prop::collection::vec(any::<u8>(), 1..most);
    let one = match column.coltyp {
        ColumnType::Bit => prop_oneof![Just(vec![0]), Just(vec![0xff])].boxed(),
        ColumnType::Long => bytes(5).prop_map(|_| vec![1, 2, 3, 4]).boxed(),
        ColumnType::Currency => any::<[u8; 8]>().prop_map(Vec::from).boxed(),
        ColumnType::Binary => bytes(40).boxed(),
        _ => prop::collection::vec(any::<u8>(), 0..700).boxed(),
    };
    let null = Just(Value::Null);
    if column.flags.contains(ColumnFlags::MULTI_VALUED) {
        let many = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 2..5);
        return prop_oneof![2 => null, 1 => one.prop_map(Value::One), 3 => many.prop_map(Value::Many)].boxed();
    }
    if column.coltyp == ColumnType::LongBinary {
        return prop_oneof![1 => null, 1 => one.prop_map(Value::One), 1 => (1..1000u32).prop_map(Value::Long)]
            .boxed();
    }
    prop_oneof![null, one.prop_map(Value::One)].boxed()
}

fn row() -> impl Strategy<Value = Vec<Value>> {
    columns().iter().map(value).collect::<Vec<_>>()
}

/// For each column perhaps a new value; long values are only ever kept.
fn own() -> impl Strategy<Value = Vec<Option<Value>>> {
    let own = |column: &ColumnDef| {
        let new = value(column).prop_map(|value| match value {
            Value::Long(_) => Value::Null,
            other => other,
        });
        prop::option::weighted(0.3, new)
    };
    columns().iter().map(own).collect::<Vec<_>>()
}

fn encode(columns: &[ColumnDef], values: &[Value]) -> EseResult<Vec<u8>> {
    let stored: Vec<_> = values.iter().map(Value::stored).collect();
    let inputs: Vec<_> = stored.iter().map(|stored| input(stored)).collect();
    let mut record = Vec::new();
    encode_record(columns, &inputs, PageSize::KIB4, &mut record)?;
    Ok(record)
}

proptest! {
    #[test]
    fn the_short_way_gives_the_bytes_of_the_long_way(row in row(), own in own()) {
        let columns = columns();
        let to: Vec<_> = (0..columns.len()).map(Some).collect();
        let rewrite = Rewrite::new(&columns, &columns, &to, BOUNDS).expect("plain columns");
        let Ok(record) = encode(&columns, &row) else { return Ok(()) };
        let mut expected: Vec<Value> = row.clone();
        for (value, own) in expected.iter_mut().zip(&own) {
            match (&own, &value) {
                (Some(own), _) => *value = own.clone(),
                (None, Value::Long(lid)) => *value = Value::Long(lid + 7000),
                (None, _) => {}
            }
        }
        let stored: Vec<_> = own.iter().map(|own| own.as_ref().map(Value::stored)).collect();
        let own: Vec<_> = stored
            .iter()
            .enumerate()
            .filter_map(|(place, own)| Some((place, input(own.as_ref()?))))
            .collect();
        let view = RecordView::parse(&record, TaggedStyle::Small).unwrap();
        let mut out = b"before".to_vec();
        let mut copy = |lid: Lid| Ok(Lid(lid.0 + 7000));
        let is_done = rewrite.record(&columns, &view, &own, &mut copy, &mut out).unwrap();
        prop_assert_eq!(&out[..6], b"before");
        match encode(&columns, &expected) {
            Ok(expected) if expected.len() <= BOUNDS.1 => {
                prop_assert!(is_done);
                prop_assert_eq!(&out[6..], &expected[..]);
            }
            _ => prop_assert!(!is_done && out.len() == 6),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 4..400), own in own()) {
        let columns = columns();
        let to: Vec<_> = (0..columns.len()).map(Some).collect();
        let rewrite = Rewrite::new(&columns, &columns, &to, BOUNDS).expect("plain columns");
        let stored: Vec<_> = own.iter().map(|own| own.as_ref().map(Value::stored)).collect();
        let own: Vec<_> = stored
            .iter()
            .enumerate()
            .filter_map(|(place, own)| Some((place, input(own.as_ref()?))))
            .collect();
        if let Ok(view) = RecordView::parse(&bytes, TaggedStyle::Small) {
            let mut out = Vec::new();
            let _ = rewrite.record(&columns, &view, &own, &mut |lid| Ok(lid), &mut out);
        }
    }

    #[test]
    fn one_wrong_byte_is_copied_or_refused_but_never_misread(
        row in row(),
        at: prop::sample::Index,
        byte: u8,
    ) {
        let columns = columns();
        let to: Vec<_> = (0..columns.len()).map(Some).collect();
        let rewrite = Rewrite::new(&columns, &columns, &to, BOUNDS).expect("plain columns");
        let Ok(mut record) = encode(&columns, &row) else { return Ok(()) };
        let at = at.index(record.len());
        record[at] = byte;
        let Ok(view) = RecordView::parse(&record, TaggedStyle::Small) else { return Ok(()) };
        let mut out = Vec::new();
        if !rewrite.record(&columns, &view, &[], &mut |lid| Ok(lid), &mut out).unwrap() {
            return Ok(());
        }
        let copy = RecordView::parse(&out, TaggedStyle::Small).unwrap();
        for column in &columns {
            let (old, new) = (view.get(column), copy.get(column).unwrap());
            let values = |values: &FieldValues<'_>| values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>();
            // The engine knows one true value of a bit.
            if column.coltyp != ColumnType::Bit {
                prop_assert_eq!(values(&old.unwrap()), values(&new), "column {}", column.name);
            }
        }
    }
}

#[test]
fn columns_that_moved_or_are_missing_take_the_long_way_or_stay_behind() {
    let source = columns();
    let place = |fid: u16| source.iter().position(|column| column.fid == Fid(fid)).unwrap();
    let mut values = vec![Value::Null; source.len()];
    values[place(257)] = Value::One(vec![1, 2, 3, 4]);
    let record = encode(&source, &values).unwrap();
    let view = RecordView::parse(&record, TaggedStyle::Small).unwrap();
    let run = |to: &[Option<usize>], out: &mut Vec<u8>| {
        let rewrite = Rewrite::new(&source, &source, to, BOUNDS)?;
        Some(rewrite.record(&source, &view, &[], &mut |lid| Ok(lid), out).unwrap())
    };
    let same: Vec<_> = (0..source.len()).map(Some).collect();
    let with = |fid: u16, to: Option<usize>| {
        let mut changed = same.clone();
        changed[place(fid)] = to;
        changed
    };
    let mut out = Vec::new();
    assert_eq!(run(&with(257, Some(place(256))), &mut out), Some(false), "it moved");
    assert_eq!(run(&with(256, Some(place(257))), &mut out), Some(true), "another one moved");
    out.clear();
    assert_eq!(run(&with(257, None), &mut out), Some(true), "it is missing");
    assert_eq!(out, encode(&source, &vec![Value::Null; source.len()]).unwrap());
    assert_eq!(run(&with(1, None), &mut out), None, "a fixed column is missing");
}

#[test]
fn a_value_that_is_not_as_wide_as_its_type_takes_the_long_way() {
    let columns = columns();
    let place = columns.iter().position(|column| column.fid == Fid(257)).unwrap();
    let mut loose = columns.clone();
    loose[place] = column(257, ColumnType::Binary, 255, None);
    let to: Vec<_> = (0..columns.len()).map(Some).collect();
    let rewrite = Rewrite::new(&columns, &columns, &to, BOUNDS).unwrap();
    for (len_bytes, is_copied) in [(3, false), (4, true), (10, false)] {
        let mut values = vec![Value::Null; columns.len()];
        values[place] = Value::One(vec![7; len_bytes]);
        let record = encode(&loose, &values).unwrap();
        let view = RecordView::parse(&record, TaggedStyle::Small).unwrap();
        let mut out = Vec::new();
        let done = rewrite.record(&columns, &view, &[], &mut |lid| Ok(lid), &mut out).unwrap();
        assert_eq!(done, is_copied, "{len_bytes} bytes");
    }
}

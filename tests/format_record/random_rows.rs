//! Random tables and rows: what is written is read again, and no bytes make the reader panic.

use dialtone::ese::page::PageSize;
use dialtone::ese::table::column::{ColumnDef, ColumnType, Fid};
use dialtone::ese::table::record::{FieldInput, RecordView, Stored, TaggedStyle, encode_record};
use proptest::prelude::*;

use super::engine_files::column;
use super::{LARGE_PAGE, encoded};

/// One column and the values of it to store.
#[derive(Debug, Clone)]
struct Case {
    column: ColumnDef,
    values: Vec<Vec<u8>>,
}

fn value_for(coltyp: ColumnType, most: usize) -> BoxedStrategy<Vec<u8>> {
    match coltyp.fixed_width_bytes() {
        _ if coltyp == ColumnType::Bit => prop_oneof![Just(vec![0]), Just(vec![0xff])].boxed(),
        Some(width) => prop::collection::vec(any::<u8>(), width).boxed(),
        None => prop::collection::vec(any::<u8>(), 1..=most).boxed(),
    }
}

fn a_column(first_fid: u16, types: &'static [u32]) -> impl Strategy<Value = Case> {
    let coltyp =
        prop::sample::select(types).prop_map(|number| ColumnType::from_number(number).unwrap());
    (coltyp, 1_u32..60, 0_usize..4).prop_flat_map(move |(coltyp, max, count)| {
        let tagged = first_fid == Fid::FIRST_TAGGED;
        let column = column(first_fid, coltyp, max);
        let count = if tagged { count } else { count.min(1) };
        prop::collection::vec(value_for(coltyp, max as usize), count)
            .prop_map(move |values| Case { column: column.clone(), values })
    })
}

/// A random table and a row of it.
fn a_row() -> impl Strategy<Value = Vec<Case>> {
    const FIXED: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18];
    const VARIABLE: &[u32] = &[9, 10];
    const TAGGED: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18];
    let fixed = prop::collection::vec(a_column(1, FIXED), 0..20);
    let variable = prop::collection::vec(a_column(128, VARIABLE), 0..12);
    let tagged = prop::collection::vec(a_column(256, TAGGED), 0..20);
    (fixed, variable, tagged).prop_map(|classes| {
        let mut offset = 4;
        let mut row = Vec::new();
        for (first, cases) in [(1, classes.0), (128, classes.1), (256, classes.2)] {
            for (fid, mut case) in (first..).zip(cases) {
                case.column.fid = Fid(fid);
                case.column.name = format!("c{fid}");
                if first == 1 {
                    case.column.record_offset = Some(offset);
                    offset += case.column.width_bytes() as u16;
                }
                row.push(case);
            }
        }
        row
    })
}

/// What reading must give for a value of a column: fixed values padded.
fn as_read(column: &ColumnDef, value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    if column.record_offset.is_some() {
        let filler = if column.coltyp == ColumnType::Text { b' ' } else { 0 };
        value.resize(column.width_bytes(), filler);
    }
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_rows_of_random_tables_round_trip(row in a_row(), large in any::<bool>()) {
        let page_size = if large { LARGE_PAGE } else { PageSize::KIB4 };
        let columns: Vec<_> = row.iter().map(|case| case.column.clone()).collect();
        let lists: Vec<Vec<Stored<'_>>> = row
            .iter()
            .map(|case| case.values.iter().map(|value| Stored::Plain(value)).collect())
            .collect();
        let values: Vec<_> = lists
            .iter()
            .map(|list| match list.as_slice() {
                [] => FieldInput::Null,
                [one] => FieldInput::One(*one),
                many => FieldInput::Many(many),
            })
            .collect();
        let mut record = vec![0xee; 3];
        encode_record(&columns, &values, page_size, &mut record).unwrap();
        let view = RecordView::parse(&record[3..], TaggedStyle::of_page(page_size, true)).unwrap();
        for case in &row {
            let read: Vec<_> = view.get(&case.column).unwrap().iter().map(Result::unwrap).collect();
            let expected: Vec<_> =
                case.values.iter().map(|value| as_read(&case.column, value)).collect();
            let expected: Vec<_> = expected.iter().map(|value| Stored::Plain(value)).collect();
            prop_assert_eq!(read, expected, "{}", case.column.name);
        }
        let tagged = row.iter().filter(|case| case.column.fid.0 >= 256 && !case.values.is_empty());
        prop_assert_eq!(view.tagged_fields().count(), tagged.count());
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        head in (0_u8..130, 120_u8..=255, 0_u16..64),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let [low, high] = head.2.to_le_bytes();
        read_everything(&[&[head.0, head.1, low, high][..], &rest].concat());
    }

    #[test]
    fn mutated_records_never_panic(
        row in a_row(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let columns: Vec<_> = row.iter().map(|case| case.column.clone()).collect();
        let values: Vec<_> = row
            .iter()
            .map(|case| case.values.first().map_or(FieldInput::Null, |v| FieldInput::bytes(v)))
            .collect();
        let mut record = encoded(&columns, &values);
        for (at, byte) in changes {
            let place = at.index(record.len());
            record[place] = byte;
        }
        read_everything(&record);
    }
}

/// Asks a record, in each style, for every kind of column and all values.
fn read_everything(record: &[u8]) {
    let fids = [0, 1, 2, 7, 8, 127, 128, 129, 255, 256, 257, 260, 0xffff];
    for style in [TaggedStyle::Small, TaggedStyle::Large, TaggedStyle::Linear] {
        let Ok(view) = RecordView::parse(record, style) else { continue };
        for fid in fids {
            let mut column = column(fid, ColumnType::LongBinary, u32::MAX);
            for (offset, derived) in [(None, false), (Some(4), true), (Some(u16::MAX), false)] {
                (column.record_offset, column.derived) = (offset, derived);
                if let Ok(values) = view.get(&column) {
                    assert!(values.iter().count() <= record.len());
                }
            }
        }
        assert!(view.tagged_fields().count() <= record.len());
        for field in view.tagged_fields().flatten() {
            let _ = field.values().map(|values| values.iter().count());
        }
    }
}

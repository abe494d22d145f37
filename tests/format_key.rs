//! Keys: the worked examples of the format sheet, the rules of truncation, NULL and multi-values, the order
//! property of every type, and every non-Unicode index of the engine's own databases, entry by entry.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

#[path = "format_record/engine_files.rs"]
mod engine_files;

use std::borrow::Cow;
use std::cmp::Ordering;

use dialtone::ese::page::{ObjId, Pgno};
use dialtone::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Fid};
use dialtone::ese::table::key::{
    Condition, FieldSource, IndexDef, IndexFlags, IndexKeys, IndexSegment, Key, KeyBuilder,
    TupleLimits, index_has_unicode, index_keys, primary_key,
};
use dialtone::ese::table::record::{FieldValues, RecordView};
use dialtone::ese::table::value::hex_text;
use dialtone::ese::{EseError, EseResult};
use engine_files::{Database, LongValues, column};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn index(flags: IndexFlags, fids: &[u16]) -> IndexDef {
    let segment = |fid: &u16| IndexSegment { fid: Fid(*fid), descending: false, template: false };
    IndexDef {
        name: "index".into(),
        objid: ObjId(9),
        root: Pgno::fixed(30),
        flags: flags | IndexFlags::EXTENDED_COLUMNS,
        segments: fids.iter().map(segment).collect(),
        key_most_bytes: 255,
        var_seg_mac: None,
        conditions: Vec::new(),
        tuple: None,
        density: 80,
        lcmap_flags: None,
        locale: None,
        sort_version: None,
        sort_id: None,
    }
}

/// Every kind of NULL has an entry, as the engine's default has it.
fn all_nulls() -> IndexFlags {
    IndexFlags::ALLOW_ALL_NULLS | IndexFlags::ALLOW_FIRST_NULL | IndexFlags::ALLOW_SOME_NULLS
}

/// A key of one segment.
fn key_of(column: &ColumnDef, index: &IndexDef, descending: bool, value: Option<&[u8]>) -> Vec<u8> {
    let mut builder = KeyBuilder::new(index);
    builder.push(column, descending, value).unwrap();
    builder.as_bytes().to_vec()
}

fn simple(coltyp: ColumnType, value: &[u8]) -> String {
    let column = column(256, coltyp, 0);
    hex_text(&key_of(&column, &index(all_nulls(), &[256]), false, Some(value)))
}

#[test]
fn keys_of_the_format_sheet() {
    use ColumnType as T;
    assert_eq!(simple(T::Short, &(-1337_i16).to_le_bytes()), "7f7ac7");
    assert_eq!(simple(T::Long, &(-13_371_337_i32).to_le_bytes()), "7f7f33f837");
    assert_eq!(simple(T::Long, &1_i32.to_le_bytes()), "7f80000001");
    let currency = 1_337_133_713_371_337_i64.to_le_bytes();
    assert_eq!(simple(T::Currency, &currency), "7f8004c01db400b0c9");
    assert_eq!(simple(T::IeeeSingle, &1.0_f32.to_le_bytes()), "7fbf800000");
    let double = 0x4169_80f9_2447_6143_u64.to_le_bytes();
    assert_eq!(simple(T::IeeeDouble, &double), "7fc16980f924476143");
    assert_eq!(simple(T::UnsignedLong, &13_371_337_u32.to_le_bytes()), "7f00cc07c9");
    assert_eq!(simple(T::Bit, &[0xff]), "7fff");
    assert_eq!(simple(T::Bit, &[0x01]), "7fff");
    assert_eq!(simple(T::Bit, &[0x00]), "7f00");
    assert_eq!(simple(T::Binary, b"test binary data"), "7f746573742062696e09617279206461746108");
    assert_eq!(simple(T::Text, b"Simple ASCII text"), "7f53494d504c45204153434949205445585400");
    assert_eq!(simple(T::Text, b"index"), "7f494e44455800");
    assert_eq!(simple(T::Text, b""), "40");
    assert_eq!(simple(T::LongBinary, b""), "40");
}

#[test]
fn guids_sort_in_two_orders() {
    let guid = [
        0xf1, 0x0a, 0x36, 0x3f, 0x66, 0x67, 0xdc, 0x46, 0x9a, 0xf2, 0x0d, 0xac, 0xf2, 0x95, 0xc2,
        0xa1,
    ];
    assert_eq!(simple(ColumnType::Guid, &guid), "7f0dacf295c2a19af2dc466667f10a363f");
    let column = column(256, ColumnType::Guid, 0);
    let dot_net = index(IndexFlags::DOT_NET_GUID, &[256]);
    assert_eq!(
        hex_text(&key_of(&column, &dot_net, false, Some(&guid))),
        "7f3f360af1676646dc9af20dacf295c2a1"
    );
}

#[test]
fn the_catalog_key_of_a_column_row() {
    let columns = [
        column(1, ColumnType::Long, 4),
        column(2, ColumnType::Short, 2),
        column(3, ColumnType::Long, 4),
    ];
    let mut builder = KeyBuilder::new(&index(IndexFlags::PRIMARY, &[1, 2, 3]));
    builder.push(&columns[0], false, Some(&8_i32.to_le_bytes())).unwrap();
    builder.push(&columns[1], false, Some(&2_i16.to_le_bytes())).unwrap();
    builder.push(&columns[2], false, Some(&1_i32.to_le_bytes())).unwrap();
    assert_eq!(hex_text(builder.as_bytes()), "7f800000087f80027f80000001");
}

#[test]
fn null_sorts_low_or_high_and_descending_inverts_it() {
    let long = column(256, ColumnType::Long, 4);
    let low = index(all_nulls(), &[256]);
    let high = index(all_nulls() | IndexFlags::NULLS_HIGH, &[256]);
    assert_eq!(key_of(&long, &low, false, None), [0x00]);
    assert_eq!(key_of(&long, &high, false, None), [0xc0]);
    assert_eq!(key_of(&long, &low, true, None), [0xff]);
    assert_eq!(key_of(&long, &high, true, None), [0x3f]);
}

#[test]
fn text_that_does_not_fit_ends_in_the_old_slip_of_the_engine() {
    let text = column(256, ColumnType::LongText, 0);
    let key = key_of(&text, &index(all_nulls(), &[256]), false, Some(&[b'a'; 1040]));
    assert_eq!(key.len(), 255);
    assert!(key[1..254].iter().all(|byte| *byte == b'A'));
    // The last byte loses 20 hex whatever it is.
    assert_eq!(key[254], b'a' - 0x20);
    let digits = key_of(&text, &index(all_nulls(), &[256]), false, Some(&[b'1'; 1040]));
    assert_eq!(digits[253..], [b'1', b'1' - 0x20]);
    // 253 bytes and their terminator just fit, 254 do not.
    let most = key_of(&text, &index(all_nulls(), &[256]), false, Some(&[b'z'; 253]));
    assert_eq!((most.len(), most[254]), (255, 0));
    let more = key_of(&text, &index(all_nulls(), &[256]), false, Some(&[b'1'; 254]));
    assert_eq!((more.len(), more[254]), (255, b'1' - 0x20));
}

#[test]
fn text_ends_at_its_first_zero_byte_and_only_ascii_is_folded() {
    assert_eq!(simple(ColumnType::Text, b"ab\0cd"), "7f414200");
    assert_eq!(simple(ColumnType::Text, b"\0"), "7f00");
    assert_eq!(simple(ColumnType::Text, &[0xe4, b'z', 0xc4]), "7fe45ac400");
    let text = column(256, ColumnType::LongText, 0);
    let mut long = vec![b'x'; 300];
    long[200] = 0;
    let key = key_of(&text, &index(all_nulls(), &[256]), false, Some(&long));
    assert_eq!((key.len(), key[201]), (202, 0));
}

#[test]
fn binary_that_does_not_fit_fills_the_key_exactly() {
    let binary = column(256, ColumnType::LongBinary, 0);
    let mut narrow = index(all_nulls(), &[256]);
    narrow.key_most_bytes = 12;
    // Whole groups first, then raw bytes without a count.
    assert_eq!(
        hex_text(&key_of(&binary, &narrow, false, Some(&[0xab; 20]))),
        "7fabababababababab09abab"
    );
    // Nine bytes of value: the second group is cut and zero-padded.
    assert_eq!(
        hex_text(&key_of(&binary, &narrow, false, Some(&[0xab; 9]))),
        "7fabababababababab09ab00"
    );
    // No room for one group.
    narrow.key_most_bytes = 5;
    assert_eq!(hex_text(&key_of(&binary, &narrow, false, Some(&[0xab; 3]))), "7fababab00");
    narrow.key_most_bytes = 1;
    assert_eq!(hex_text(&key_of(&binary, &narrow, false, Some(&[0xab; 3]))), "7f");
}

#[test]
fn a_bound_on_variable_segments_cuts_without_ending_the_key() {
    let columns = [
        column(128, ColumnType::Binary, 255),
        column(129, ColumnType::Text, 255),
        column(1, ColumnType::Binary, 8),
        column(2, ColumnType::Short, 2),
    ];
    let mut definition = index(all_nulls(), &[128, 129, 1, 2]);
    definition.var_seg_mac = Some(5);
    let mut builder = KeyBuilder::new(&definition);
    builder.push(&columns[0], false, Some(&[0x11; 9])).unwrap();
    builder.push(&columns[1], false, Some(b"abcdefgh")).unwrap();
    builder.push(&columns[2], false, Some(&[0x22; 8])).unwrap();
    builder.push(&columns[3], false, Some(&1_i16.to_le_bytes())).unwrap();
    // 'd' less 20 hex is 'D'.
    assert_eq!(hex_text(builder.as_bytes()), "7f111111117f414243447f222222227f8001");
}

#[test]
fn a_full_key_ignores_further_segments_unless_cutting_is_disallowed() {
    let columns = [column(1, ColumnType::LongLong, 8), column(2, ColumnType::Long, 4)];
    let mut definition = index(all_nulls(), &[1, 2]);
    definition.key_most_bytes = 11;
    let push = |definition: &IndexDef| {
        let mut builder = KeyBuilder::new(definition);
        builder.push(&columns[0], false, Some(&1_i64.to_le_bytes()))?;
        builder.push(&columns[1], true, Some(&1_i32.to_le_bytes()))?;
        builder.push(&columns[1], true, None)?;
        Ok::<_, EseError>(hex_text(builder.as_bytes()))
    };
    assert_eq!(push(&definition).unwrap(), "7f8000000000000001807f");
    definition.flags |= IndexFlags::TRUNCATION_DISALLOWED;
    assert!(push(&definition).is_err());
    definition.key_most_bytes = 15;
    assert!(push(&definition).is_ok());
}

#[test]
fn unicode_text_is_refused_by_name() {
    let mut text = column(256, ColumnType::LongText, 0);
    text.code_page = 1200;
    let definition = index(all_nulls(), &[256]);
    let error = KeyBuilder::new(&definition).push(&text, false, Some(&[0x41, 0])).unwrap_err();
    assert!(matches!(error, EseError::Unsupported { .. }));
    assert!(error.to_string().contains("Unicode keys"), "{error}");
    assert!(index_has_unicode(&definition, &[text.clone()]));
    text.code_page = 1252;
    assert!(!index_has_unicode(&definition, &[text]));
}

#[test]
fn a_value_of_the_wrong_width_is_corrupt() {
    let long = column(256, ColumnType::Long, 4);
    let mut builder = KeyBuilder::new(&index(all_nulls(), &[256]));
    assert!(matches!(builder.push(&long, false, Some(&[1, 2, 3])), Err(EseError::Corrupt { .. })));
    assert!(matches!(builder.push(&long, false, Some(&[])), Err(EseError::Corrupt { .. })));
}

/// Values by column number, for the rules on entries.
struct Values(Vec<(u16, Vec<&'static [u8]>)>);

impl FieldSource for Values {
    fn value_count(&self, fid: Fid, _template: bool) -> usize {
        self.0.iter().find(|(number, _)| *number == fid.0).map_or(0, |(_, values)| values.len())
    }

    fn value(&self, fid: Fid, _template: bool, nth: usize) -> EseResult<Option<Cow<'_, [u8]>>> {
        let values = self.0.iter().find(|(number, _)| *number == fid.0);
        Ok(values.and_then(|(_, values)| values.get(nth)).map(|value| Cow::Borrowed(*value)))
    }
}

/// Three multi-valued byte columns, 256 to 258.
fn byte_columns() -> Vec<ColumnDef> {
    (256..259)
        .map(|fid| {
            let mut column = column(fid, ColumnType::UnsignedByte, 1);
            column.flags = ColumnFlags::MULTI_VALUED;
            column
        })
        .collect()
}

fn entries(definition: &IndexDef, values: Vec<(u16, Vec<&'static [u8]>)>) -> Vec<String> {
    let mut keys = Vec::new();
    index_keys(definition, &byte_columns(), &Values(values), &mut keys).unwrap();
    keys.iter().map(|key| hex_text(key.as_ref())).collect()
}

#[test]
fn null_rules_decide_which_rows_have_an_entry() {
    let rows = || {
        [
            (vec![], "all NULL"),
            (vec![(257, vec![&[2][..]])], "first NULL"),
            (vec![(256, vec![&[1][..]])], "second NULL"),
            (vec![(256, vec![&[1][..]]), (257, vec![&[2][..]])], "none NULL"),
        ]
    };
    let told = |flags| {
        let definition = index(flags, &[256, 257]);
        let present =
            rows().into_iter().filter(|(row, _)| !entries(&definition, row.clone()).is_empty());
        present.map(|(_, what)| what).collect::<Vec<_>>()
    };
    let (all, first, some) =
        (IndexFlags::ALLOW_ALL_NULLS, IndexFlags::ALLOW_FIRST_NULL, IndexFlags::ALLOW_SOME_NULLS);
    assert_eq!(told(all | first | some), ["all NULL", "first NULL", "second NULL", "none NULL"]);
    assert_eq!(told(first | some), ["first NULL", "second NULL", "none NULL"]);
    assert_eq!(told(some), ["second NULL", "none NULL"]);
    assert_eq!(told(IndexFlags::empty()), ["none NULL"]);
    let strict = index(IndexFlags::NO_NULL_SEGMENT, &[256, 257]);
    let mut keys = Vec::new();
    let row = Values(vec![(256, vec![&[1]])]);
    assert!(index_keys(&strict, &byte_columns(), &row, &mut keys).is_err());
    assert!(keys.is_empty());
}

#[test]
fn the_first_multi_valued_column_rolls_over_and_duplicates_are_dropped() {
    let row = vec![(256, vec![&[3][..], &[1], &[3]]), (257, vec![&[7][..], &[8]])];
    let multi = index(all_nulls() | IndexFlags::MULTI_VALUED, &[256, 257]);
    assert_eq!(entries(&multi, row.clone()), ["7f017f07", "7f037f07"]);
    let plain = index(all_nulls(), &[256, 257]);
    assert_eq!(entries(&plain, row), ["7f037f07"]);
    assert_eq!(entries(&multi, vec![(257, vec![&[7], &[8]])]), ["007f07"]);
}

#[test]
fn a_cross_product_has_every_combination() {
    let flags = all_nulls() | IndexFlags::MULTI_VALUED | IndexFlags::CROSS_PRODUCT;
    let cross = index(flags, &[256, 257, 258]);
    let row = vec![(256, vec![&[1][..], &[2]]), (257, vec![&[7][..], &[8]])];
    assert_eq!(entries(&cross, row), ["7f017f0700", "7f017f0800", "7f027f0700", "7f027f0800"]);
    // An absent column counts as one NULL, also the first one (an index of the engine's shows it).
    assert_eq!(entries(&cross, vec![(257, vec![&[7], &[8]])]), ["007f0700", "007f0800"]);
}

#[test]
fn a_nested_table_takes_the_values_of_one_rank_together() {
    let flags = all_nulls() | IndexFlags::MULTI_VALUED | IndexFlags::NESTED_TABLE;
    let row = vec![(256, vec![&[1][..], &[2], &[3]]), (257, vec![&[7][..], &[8]])];
    assert_eq!(entries(&index(flags, &[256, 257]), row), ["7f017f07", "7f027f08", "7f0300"]);
}

#[test]
fn a_hostile_cross_product_ends_in_an_error() {
    let one_byte: Vec<&'static [u8]> = vec![&[1]; 600];
    let flags = all_nulls() | IndexFlags::MULTI_VALUED | IndexFlags::CROSS_PRODUCT;
    let row = Values((256..259).map(|fid| (fid, one_byte.clone())).collect());
    let mut keys = Vec::new();
    let error = index_keys(&index(flags, &[256, 257, 258]), &byte_columns(), &row, &mut keys);
    assert!(matches!(error, Err(EseError::Limit { .. })) && keys.is_empty());
}

#[test]
fn conditions_hide_rows() {
    let mut definition = index(all_nulls(), &[256]);
    let condition = |fid, must_be_null| Condition { fid: Fid(fid), template: false, must_be_null };
    definition.conditions = vec![condition(257, false), condition(258, true)];
    let row = |second: bool, third: bool| {
        let mut row = vec![(256, vec![&[1][..]])];
        if second {
            row.push((257, vec![&[2]]));
        }
        if third {
            row.push((258, vec![&[3]]));
        }
        entries(&definition, row).len()
    };
    assert_eq!([row(true, false), row(false, false), row(true, true)], [1, 0, 0]);
}

#[test]
fn tuples_start_at_every_step_until_too_little_is_left() {
    let mut definition = index(all_nulls(), &[256, 257]);
    definition.tuple =
        Some(TupleLimits { shortest: 2, longest: 3, count: 3, increment: 2, start: 1 });
    let columns = [column(256, ColumnType::Text, 255), column(257, ColumnType::UnsignedByte, 1)];
    let tuples = |text: &'static [u8]| {
        let row = Values(vec![(256, vec![text]), (257, vec![&[9]])]);
        let mut keys = Vec::new();
        index_keys(&definition, &columns, &row, &mut keys).unwrap();
        keys.iter().map(|key| hex_text(key.as_ref())).collect::<Vec<_>>()
    };
    // "abcdef": bcd, def; offset 5 leaves one character.
    assert_eq!(tuples(b"abcdef"), ["7f424344007f09", "7f444546007f09"]);
    // Three tuples at most.
    assert_eq!(tuples(b"abcdefghijkl").len(), 3);
    assert!(tuples(b"ab").is_empty());
}

#[test]
fn primary_keys_take_the_first_value_of_each_segment() {
    let definition = index(IndexFlags::PRIMARY | IndexFlags::UNIQUE, &[257, 256]);
    let row = Values(vec![(256, vec![&[1]])]);
    let key = primary_key(&definition, &byte_columns(), &row).unwrap();
    assert_eq!(hex_text(key.as_ref()), "007f01");
    let missing = index(IndexFlags::PRIMARY, &[300]);
    assert!(primary_key(&missing, &byte_columns(), &row).is_err());
    assert!(primary_key(&index(IndexFlags::PRIMARY, &[]), &byte_columns(), &row).is_err());
}

/// Order of two values of a type, told without the key code.
fn value_order(coltyp: ColumnType, a: &[u8], b: &[u8]) -> Ordering {
    fn float<T: PartialOrd>(a: T, b: T) -> Ordering {
        a.partial_cmp(&b).expect("no NaN is generated")
    }
    macro_rules! as_number {
        ($number:ty, $bytes:expr) => {
            <$number>::from_le_bytes($bytes.try_into().unwrap())
        };
    }
    match coltyp {
        ColumnType::Short => as_number!(i16, a).cmp(&as_number!(i16, b)),
        ColumnType::UnsignedShort => as_number!(u16, a).cmp(&as_number!(u16, b)),
        ColumnType::Long => as_number!(i32, a).cmp(&as_number!(i32, b)),
        ColumnType::UnsignedLong => as_number!(u32, a).cmp(&as_number!(u32, b)),
        ColumnType::Currency | ColumnType::LongLong => as_number!(i64, a).cmp(&as_number!(i64, b)),
        ColumnType::UnsignedLongLong => as_number!(u64, a).cmp(&as_number!(u64, b)),
        ColumnType::IeeeSingle => float(as_number!(f32, a), as_number!(f32, b)),
        ColumnType::IeeeDouble | ColumnType::DateTime => {
            float(as_number!(f64, a), as_number!(f64, b))
        }
        ColumnType::Text | ColumnType::LongText => {
            a.to_ascii_uppercase().cmp(&b.to_ascii_uppercase())
        }
        _ => a.cmp(b),
    }
}

/// Values of a type: without NaN and negative zero, text without zero bytes, all short enough for a whole key.
fn value_of(coltyp: ColumnType) -> BoxedStrategy<Vec<u8>> {
    match (coltyp, coltyp.fixed_width_bytes()) {
        (ColumnType::Bit, _) => prop_oneof![Just(vec![0]), Just(vec![0xff])].boxed(),
        (ColumnType::IeeeSingle, _) => {
            any::<i32>().prop_map(|n| (n as f32 / 977.0).to_le_bytes().to_vec()).boxed()
        }
        (ColumnType::IeeeDouble | ColumnType::DateTime, _) => {
            any::<i64>().prop_map(|n| (n as f64 / 977.0).to_le_bytes().to_vec()).boxed()
        }
        (_, Some(width)) => prop::collection::vec(any::<u8>(), width).boxed(),
        (ColumnType::Text | ColumnType::LongText, _) => {
            prop::collection::vec(prop_oneof![1_u8..=255, Just(b'a'), Just(b'A')], 0..100).boxed()
        }
        // Few different bytes, so that prefixes and whole groups collide.
        _ => prop::collection::vec(0_u8..3, 0..40).boxed(),
    }
}

fn ordered_types() -> impl Strategy<Value = ColumnType> {
    let types: Vec<_> = ColumnType::ALL
        .into_iter()
        .filter(|t| !matches!(t, ColumnType::Nil | ColumnType::Slv | ColumnType::Guid))
        .collect();
    prop::sample::select(types)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn keys_sort_as_values_do(
        (coltyp, a, b) in ordered_types().prop_flat_map(|t| (Just(t), value_of(t), value_of(t))),
    ) {
        let column = column(256, coltyp, 0);
        let definition = index(all_nulls(), &[256]);
        let key = |value: &[u8], descending| key_of(&column, &definition, descending, Some(value));
        let wanted = value_order(coltyp, &a, &b);
        prop_assert_eq!(key(&a, false).cmp(&key(&b, false)), wanted);
        prop_assert_eq!(key(&a, true).cmp(&key(&b, true)), wanted.reverse());
        let null = key_of(&column, &definition, false, None);
        prop_assert!(null < key(&a, false));
        let high = index(all_nulls() | IndexFlags::NULLS_HIGH, &[256]);
        prop_assert!(key_of(&column, &high, false, None) > key(&a, false));
    }

    #[test]
    fn cut_keys_never_contradict_the_order(
        a in prop::collection::vec(0_u8..3, 0..60),
        b in prop::collection::vec(0_u8..3, 0..60),
        most in 1_u16..40,
    ) {
        let column = column(256, ColumnType::LongBinary, 0);
        let mut definition = index(all_nulls(), &[256]);
        definition.key_most_bytes = most;
        let key = |value: &[u8]| key_of(&column, &definition, false, Some(value));
        prop_assert!(key(&a).len() <= usize::from(most));
        // Cutting may make keys equal, never turn them round.
        let order = key(&a).cmp(&key(&b));
        prop_assert!(order == Ordering::Equal || order == a.cmp(&b), "{:?}", order);
    }
}

/// The plain values of one row, defaults applied.
struct Row<'t> {
    columns: &'t [ColumnDef],
    /// One list for each column.
    values: Vec<Vec<Vec<u8>>>,
}

impl<'t> Row<'t> {
    fn read(view: &RecordView<'_>, columns: &'t [ColumnDef], long_values: &LongValues) -> Row<'t> {
        let values = columns.iter().map(|column| match view.get(column).unwrap() {
            FieldValues::Default => vec![column.default_value().unwrap().to_vec()],
            values => values.iter().map(|value| long_values.plain(value.unwrap())).collect(),
        });
        Row { columns, values: values.collect() }
    }

    fn of(&self, fid: Fid, template: bool) -> &[Vec<u8>] {
        let matches = |derived_too: bool| {
            self.columns.iter().position(|c| c.fid == fid && (derived_too || c.derived == template))
        };
        &self.values[matches(false).or_else(|| matches(true)).unwrap()]
    }
}

impl FieldSource for Row<'_> {
    fn value_count(&self, fid: Fid, template: bool) -> usize {
        self.of(fid, template).len()
    }

    fn value(&self, fid: Fid, template: bool, nth: usize) -> EseResult<Option<Cow<'_, [u8]>>> {
        Ok(self.of(fid, template).get(nth).map(|bytes| bytes.as_slice().into()))
    }
}

/// Entries of an index as the engine counts and hashes them.
fn digest(entries: &[(Vec<u8>, Vec<u8>)]) -> String {
    let mut hash = Sha256::new();
    for (key, bookmark) in entries {
        hash.update((key.len() as u16).to_le_bytes());
        hash.update((bookmark.len() as u16).to_le_bytes());
        hash.update(key);
        hash.update(bookmark);
    }
    hex_text(&hash.finalize())
}

#[test]
fn every_index_of_the_engines_databases_comes_out_of_its_records() {
    let Some(directory) = engine_files::engine_directory() else { return };
    let mut indexes_checked = 0;
    for kind in ["types", "lv", "index", "prefix", "ddl", "limits"] {
        for page in ["4k", "32k"] {
            let database = Database::open(&directory.join(format!("{kind}-{page}.edb.gz")));
            let answers = engine_files::answers(&directory.join(format!("{kind}-{page}.json.gz")));
            for table in answers["tables"].as_array().unwrap() {
                let name = table["table"].as_str().unwrap();
                if !name.starts_with("MSys") {
                    indexes_checked += check_indexes(&database, name, &table["indexes"]);
                }
            }
        }
    }
    assert!(indexes_checked >= 50, "only {indexes_checked} indexes were checked");
}

/// Compares all indexes of a table that have no Unicode text. Returns how many.
fn check_indexes(database: &Database, name: &str, expected: &serde_json::Value) -> usize {
    let table = &database.tables[name];
    let long_values = LongValues::read(database, table);
    let records = database.nodes(table.root);
    let mut checked = 0;
    for expected in expected.as_array().unwrap() {
        let index_name = expected["name"].as_str().unwrap();
        let definition = table.indexes.iter().find(|i| i.name == index_name).unwrap();
        if index_has_unicode(definition, &table.columns) {
            continue;
        }
        let mut keys_of = IndexKeys::new(definition, &table.columns).unwrap();
        let mut entries = Vec::new();
        for (bookmark, record) in &records {
            let view = RecordView::parse(record, database.style()).unwrap();
            let row = Row::read(&view, &table.columns, &long_values);
            let mut keys: Vec<Key> = Vec::new();
            keys_of.keys(&row, &mut keys).unwrap();
            entries.extend(keys.into_iter().map(|key| (key.0, bookmark.clone())));
        }
        entries.sort();
        let place = format!("{name}.{index_name}");
        assert_eq!(entries.len() as u64, expected["entries"].as_u64().unwrap(), "{place}");
        for (entry, first) in entries
            .iter()
            .zip(expected["first_entries_key_bookmark"].as_array().into_iter().flatten())
        {
            assert_eq!(hex_text(&entry.0), first[0].as_str().unwrap(), "key in {place}");
            assert_eq!(hex_text(&entry.1), first[1].as_str().unwrap(), "bookmark in {place}");
        }
        if let Some(hash) = expected["sha256_of_entries"].as_str() {
            assert_eq!(digest(&entries), hash, "{place}");
        }
        checked += 1;
    }
    checked
}

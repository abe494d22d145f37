//! Records: the worked examples of the format sheet read and written byte for byte, every form of a field,
//! hostile bytes, round trips of random schemas, and every row of the engine's own databases.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

#[path = "format_record/engine_files.rs"]
mod engine_files;
#[path = "format_record/engine_rows.rs"]
mod engine_rows;
#[path = "format_record/random_rows.rs"]
mod random_rows;

use dialtone::ese::page::PageSize;
use dialtone::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Fid, Lid};
use dialtone::ese::table::record::{
    FieldInput, FieldValues, RecordView, Stored, TaggedStyle, encode_record,
};
use dialtone::ese::table::value::hex_text;
use dialtone::ese::{EseError, EseResult};
use engine_files::{catalog_columns, column};

const LARGE_PAGE: PageSize = PageSize::ALL[4];

/// Bytes from hex digits and quoted text.
fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.bytes().filter(u8::is_ascii_hexdigit).collect();
        bytes.extend(
            digits
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()),
        );
    }
    bytes
}

fn small(record: &[u8]) -> RecordView<'_> {
    RecordView::parse(record, TaggedStyle::Small).unwrap()
}

fn encoded(columns: &[ColumnDef], values: &[FieldInput<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_record(columns, values, PageSize::KIB4, &mut out).unwrap();
    out
}

/// Inputs that repeat what a record says; `lists` keeps lists of values alive.
fn inputs<'a>(
    view: &RecordView<'a>,
    columns: &[ColumnDef],
    lists: &'a mut Vec<Vec<Stored<'a>>>,
) -> Vec<FieldInput<'a>> {
    let fields: Vec<_> = columns.iter().map(|column| view.get(column).unwrap()).collect();
    lists.extend(fields.iter().map(|field| field.iter().collect::<EseResult<Vec<_>>>().unwrap()));
    let lists: &'a [_] = lists;
    let pairs = fields.iter().zip(lists);
    pairs
        .map(|(field, list)| match field {
            FieldValues::Null => FieldInput::Null,
            FieldValues::Default => FieldInput::Default,
            FieldValues::One(value) => FieldInput::One(*value),
            FieldValues::Many(_) => FieldInput::Many(list),
        })
        .collect()
}

fn re_encoded(record: &[u8], columns: &[ColumnDef]) -> Vec<u8> {
    let view = small(record);
    let mut lists = Vec::new();
    encoded(columns, &inputs(&view, columns, &mut lists))
}

/// Catalog rows of the sheet, with zeros where the engine fills NULL columns with 2A.
const CATALOG_ROWS: [&str; 7] = [
    r#"08802000 08000000 0100 08000000 1f000000 50000000 00000000 04000000 ff 00 0500 "index""#,
    r#"09802300 08000000 0200 01000000 04000000 04000000 05000000 00000000 00 0400 80fe 0200 "Id""#,
    r#"07801f00 08000000 0200 80000000 09000000 ff000000 00000000 00000000 80 0600 "Binary""#,
    r#"0b842900 08000000 0300 08000000 1f000000 50000000 2f000100 00000000 00 0000 01040300 0500
       80f9 0400 0480 0480 0480 0800 "Id"7849 6400000100 05010440 01 65006e002d0055005300"#,
    r#"07801f00 08000000 0400 1b000000 3b000000 64000000 00000000 01000000 80 0200 "LV""#,
    r#"08802000 02000000 0100 02000000 04000000 50000000 000000c0 14000000 ff 00 0b00 "MSysObjects""#,
    r#"0a842700 02000000 0300 04000000 07000000 50000000 11000100 00000000 00 0000 01040300
       80fd 0400 0480 0480 0480 1000 "Name" 00000100 00000200 00008000 05010440 01 65006e002d0055005300"#,
];

#[test]
fn catalog_rows_are_written_byte_for_byte() {
    for (at, row) in CATALOG_ROWS.iter().enumerate() {
        // Row 3 is quoted with its name in two parts.
        let row = if at == 3 { row.replace(r#""Id"7849 64"#, r#""IxId""#) } else { (*row).into() };
        let record = bytes_of(&row);
        assert_eq!(hex_text(&re_encoded(&record, &catalog_columns())), hex_text(&record), "{row}");
    }
}

#[test]
fn a_catalog_row_is_read_field_by_field() {
    let record = bytes_of(
        r#"09802300 08000000 0200 01000000 04000000 04000000 05000000 00000000 2a 0400 80fe 0200 "Id""#,
    );
    let columns = catalog_columns();
    let view = small(&record);
    let plain = |bytes| FieldValues::One(Stored::Plain(bytes));
    let get = |fid: u16| view.get(columns.iter().find(|c| c.fid == Fid(fid)).unwrap()).unwrap();
    assert_eq!(get(1), plain(&[8, 0, 0, 0]));
    assert_eq!(get(2), plain(&[2, 0]));
    assert_eq!(get(8), FieldValues::Null);
    assert_eq!(get(9), plain(&[4, 0]));
    // Beyond the last one present.
    assert_eq!(get(10), FieldValues::Null);
    assert_eq!(get(128), plain(b"Id"));
    assert_eq!(get(129), FieldValues::Null);
    assert_eq!(get(261), FieldValues::Null);
    assert_eq!((view.last_fixed(), view.last_variable()), (9, 128));
}

#[test]
fn tagged_scalars_of_small_pages_have_no_header() {
    let columns = [
        column(256, ColumnType::Long, 4),
        column(257, ColumnType::Long, 4),
        column(258, ColumnType::Short, 2),
    ];
    let record = bytes_of("007f0400 00010c00 01011000 02011400 04000000 02000000 0300");
    assert_eq!(small(&record).get(&columns[2]).unwrap(), FieldValues::One(Stored::Plain(&[3, 0])));
    assert_eq!(hex_text(&re_encoded(&record, &columns)), hex_text(&record));
}

/// Columns of the table `index` of the sheet, as far as its record goes.
fn index_table_columns() -> Vec<ColumnDef> {
    use ColumnType as T;
    let fixed = [
        T::Long,
        T::Bit,
        T::UnsignedByte,
        T::Short,
        T::Long,
        T::Currency,
        T::IeeeSingle,
        T::IeeeDouble,
        T::DateTime,
        T::UnsignedLong,
        T::LongLong,
        T::Guid,
        T::UnsignedShort,
    ];
    let mut columns = fixed_columns(&fixed.map(|coltyp| (coltyp, 0)));
    columns.push(column(128, T::Binary, 255));
    columns.push(column(129, T::Text, 255));
    columns.push(column(130, T::Text, 255));
    columns.push(column(256, T::LongBinary, 0));
    columns.push(column(257, T::LongText, 0));
    columns.push(column(258, T::LongText, 0));
    columns
}

/// Fixed columns 1.. of these types and declared lengths, laid out.
fn fixed_columns(types: &[(ColumnType, u32)]) -> Vec<ColumnDef> {
    let mut offset = 4;
    let number = 1..;
    let columns = number.zip(types).map(|(fid, (coltyp, max_bytes))| {
        let mut column = column(fid, *coltyp, *max_bytes);
        column.record_offset = Some(offset);
        offset += column.width_bytes() as u16;
        column
    });
    columns.collect()
}

#[test]
fn the_data_record_of_the_sheet_is_read_and_written_byte_for_byte() {
    let text: Vec<u8> =
        "Simple Unicode text \u{1f98a}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut binary = b"test long binary data ".to_vec();
    binary.resize(1022, b'a');
    let mut record = bytes_of(
        r#"0d824c00 01000000 00 d5 c7fa 37f833ff c9b000b41dc00400 0000803f 43614724f9806941
           0000000080afe140 c907cc00 37f833ffffffffff f10a363f6667dc469af20dacf295c2a1 3905 00e0
           1000 2100 4d00 "test binary data" "Simple ASCII text""#,
    );
    record.extend_from_slice(&text);
    record.extend_from_slice(&bytes_of("00010c40 01010b44 02011044 01"));
    record.extend_from_slice(&binary);
    record.extend_from_slice(&bytes_of("0501000000 0502000000"));
    assert_eq!(record.len(), 1204);

    let columns = index_table_columns();
    let view = small(&record);
    let of = |name: u16| view.get(columns.iter().find(|c| c.fid.0 == name).unwrap()).unwrap();
    assert_eq!(of(4), FieldValues::One(Stored::Plain(&[0xc7, 0xfa])));
    assert_eq!(of(130), FieldValues::One(Stored::Plain(&text)));
    assert_eq!(of(256), FieldValues::One(Stored::Plain(&binary)));
    assert_eq!(of(257), FieldValues::One(Stored::Separated(Lid(1))));
    assert_eq!(of(258), FieldValues::One(Stored::Separated(Lid(2))));
    assert_eq!(view.tagged_fields().count(), 3);
    assert_eq!(hex_text(&re_encoded(&record, &columns)), hex_text(&record));
}

/// A small-page record with one tagged column whose data are these.
fn one_tagged(ib: u16, data: &str) -> Vec<u8> {
    let ib = ib.to_le_bytes();
    let mut record = vec![0, 127, 4, 0, 0, 1, ib[0], ib[1]];
    record.extend_from_slice(&bytes_of(data));
    record
}

fn values_of(record: &[u8], coltyp: ColumnType) -> EseResult<Vec<Stored<'_>>> {
    let field = small(record).get(&column(256, coltyp, 0))?;
    field.iter().collect()
}

#[test]
fn multi_values_of_the_sheet_are_read() {
    let bytes = one_tagged(0x4004, "08 0600 0700 0800 00 7f ff");
    let three = [Stored::Plain(&[0][..]), Stored::Plain(&[0x7f]), Stored::Plain(&[0xff])];
    assert_eq!(values_of(&bytes, ColumnType::UnsignedByte).unwrap(), three);

    let two = one_tagged(0x4004, "18 01 00 ff");
    let expected = [Stored::Plain(&[0][..]), Stored::Plain(&[0xff])];
    assert_eq!(values_of(&two, ColumnType::Bit).unwrap(), expected);

    let separated = one_tagged(0x4004, "09 0680 0a80 0e80 01000000 02000000 03000000");
    let lids = [1, 2, 3].map(|lid| Stored::Separated(Lid(lid)));
    assert_eq!(values_of(&separated, ColumnType::LongBinary).unwrap(), lids);

    let compressed = one_tagged(0x4004, "0b 0400 0700 0ee170 6262");
    let expected = [Stored::Compressed(&[0x0e, 0xe1, 0x70][..]), Stored::Plain(b"bb")];
    assert_eq!(values_of(&compressed, ColumnType::LongText).unwrap(), expected);
}

#[test]
fn two_values_are_written_in_the_form_that_every_reader_knows() {
    let mut bit = column(256, ColumnType::Bit, 1);
    bit.flags = ColumnFlags::MULTI_VALUED;
    let values = [Stored::Plain(&[0][..]), Stored::Plain(&[1])];
    let record = encoded(&[bit], &[FieldInput::Many(&values)]);
    assert_eq!(record, one_tagged(0x4004, "08 0400 0500 00 ff"));
}

#[test]
fn a_broken_field_is_an_error_of_that_field_alone() {
    let columns = [
        column(128, ColumnType::Binary, 255),
        column(129, ColumnType::Binary, 255),
        column(256, ColumnType::Long, 4),
        column(257, ColumnType::LongBinary, 0),
        column(258, ColumnType::Long, 4),
    ];
    // Variable column 128 ends after 129; tagged column 257 has header 06: separated and compressed.
    let record =
        bytes_of("00810400 0900 0200 6162 00010c00 01011040 02011300 01000000 06 0102 02000000");
    let view = small(&record);
    let error = view.get(&columns[0]).unwrap_err();
    assert!(
        matches!(&error, EseError::Corrupt { place, .. } if place.object.as_deref() == Some("c128"))
    );
    assert!(view.get(&columns[1]).is_err());
    assert_eq!(view.get(&columns[2]).unwrap().len(), 1);
    assert!(view.get(&columns[3]).is_err());
    assert_eq!(view.get(&columns[4]).unwrap(), FieldValues::One(Stored::Plain(&[2, 0, 0, 0])));
    let broken = view.tagged_fields().filter(|field| field.as_ref().unwrap().values().is_err());
    assert_eq!(broken.count(), 1);
}

#[test]
fn a_broken_frame_is_an_error_of_the_record() {
    for (frame, what) in [
        ("", "nothing"),
        ("007f04", "three bytes"),
        ("807f1400 00000000", "fixed column 128"),
        ("007e0400", "variable column 126"),
        ("007f0300", "an end inside of the head"),
        ("087f0c00 0000000000000000", "8 fixed columns and a bitmap in 8 bytes"),
        ("017f0a00 0000", "an end beyond the record"),
        ("00810400 0000", "half an offset table"),
        ("00800400 0500 41", "variable data beyond the record"),
    ] {
        let frame = bytes_of(frame);
        let error = RecordView::parse(&frame, TaggedStyle::Small);
        assert!(matches!(error, Err(EseError::Corrupt { .. })), "{what}");
    }
    assert!(RecordView::parse(&bytes_of("007f0400"), TaggedStyle::Small).is_ok());
}

#[test]
fn broken_headers_of_tagged_columns_are_refused() {
    for data in [
        "",
        "10 01 00",
        "06 01000000",
        "44 01000000",
        "0c 0200",
        "20",
        "80 00",
        "05 0102",
        "18",
        "18 05 00",
        "08",
        "08 00",
        "08 0000",
        "08 0300 00",
        "08 0600 00",
    ] {
        let record = one_tagged(0x4004, data);
        assert!(values_of(&record, ColumnType::LongBinary).is_err(), "{data}");
    }
    // One value outside, the other one fine.
    let record = one_tagged(0x4004, "08 0400 ff00 41");
    let field = small(&record).get(&column(256, ColumnType::Text, 9)).unwrap();
    assert!(
        field.get(0).unwrap().is_err() && field.get(1).unwrap().is_err() && field.get(2).is_none()
    );
    // Arrays that are none.
    for record in
        ["007f0400 0001 0600 0000", "007f0400 0001 0000", "007f0400 0001 0c00 00", "007f0400 00"]
    {
        let record = bytes_of(record);
        assert!(small(&record).get(&column(256, ColumnType::Long, 4)).is_err());
        assert!(small(&record).tagged_fields().any(|field| field.is_err()));
    }
}

#[test]
fn absent_columns_stand_for_their_default_unless_null_is_said() {
    let mut long = column(256, ColumnType::Long, 4);
    long.flags = ColumnFlags::DEFAULT;
    long.default = Some(vec![42, 0, 0, 0]);
    let absent = bytes_of("007f0400");
    assert_eq!(small(&absent).get(&long).unwrap(), FieldValues::Default);
    let null = one_tagged(0x2004, "");
    assert_eq!(small(&null).get(&long).unwrap(), FieldValues::Null);
    long.flags |= ColumnFlags::USER_DEFINED_DEFAULT;
    assert_eq!(small(&absent).get(&long).unwrap(), FieldValues::Null);
    assert_eq!(long.default_value(), None);
}

#[test]
fn large_pages_have_a_header_on_every_tagged_value() {
    let columns = [column(256, ColumnType::Long, 4), column(257, ColumnType::LongText, 0)];
    let record = bytes_of("007f0400 00010800 01010d00 00 01000000 01 6162");
    let view = RecordView::parse(&record, TaggedStyle::Large).unwrap();
    assert_eq!(view.get(&columns[0]).unwrap(), FieldValues::One(Stored::Plain(&[1, 0, 0, 0])));
    assert_eq!(view.get(&columns[1]).unwrap(), FieldValues::One(Stored::Plain(b"ab")));
    let mut out = Vec::new();
    let values = [FieldInput::bytes(&[1, 0, 0, 0]), FieldInput::bytes(b"ab")];
    encode_record(&columns, &values, LARGE_PAGE, &mut out).unwrap();
    assert_eq!(out, record);

    // NULL over a default: one byte, with the type bit for long values.
    let mut with_default = columns;
    for column in &mut with_default {
        column.flags = ColumnFlags::DEFAULT;
        column.default = Some(vec![0; 4]);
    }
    out.clear();
    encode_record(&with_default, &[FieldInput::Null; 2], LARGE_PAGE, &mut out).unwrap();
    assert_eq!(out, bytes_of("007f0400 00010800 01010900 20 21"));
    let view = RecordView::parse(&out, TaggedStyle::Large).unwrap();
    assert_eq!(view.get(&with_default[0]).unwrap(), FieldValues::Null);
    assert_eq!(view.get(&with_default[1]).unwrap(), FieldValues::Null);
}

#[test]
fn derived_columns_are_told_from_own_ones_of_the_same_number() {
    let own = column(256, ColumnType::Long, 4);
    let mut inherited = own.clone();
    inherited.derived = true;
    let record = bytes_of("007f0400 00010880 00010c00 01000000 02000000");
    let view = small(&record);
    assert_eq!(view.get(&inherited).unwrap(), FieldValues::One(Stored::Plain(&[1, 0, 0, 0])));
    assert_eq!(view.get(&own).unwrap(), FieldValues::One(Stored::Plain(&[2, 0, 0, 0])));
    let columns = [inherited, own];
    assert_eq!(re_encoded(&record, &columns), record);
}

#[test]
fn the_linear_form_of_the_oldest_engines_is_read() {
    let record = bytes_of(
        "007f0400 0001 0400 01000000  0101 0200 6161  0101 0300 626262  0201 0580 01 07000000
         0301 0380 00 7878  0401 0040  0501 0220 7171",
    );
    let view = RecordView::parse(&record, TaggedStyle::Linear).unwrap();
    let get = |fid, coltyp| view.get(&column(fid, coltyp, 0)).unwrap();
    assert_eq!(get(256, ColumnType::Long), FieldValues::One(Stored::Plain(&[1, 0, 0, 0])));
    let many: Vec<_> = get(257, ColumnType::Text).iter().map(Result::unwrap).collect();
    assert_eq!(many, [Stored::Plain(b"aa"), Stored::Plain(b"bbb")]);
    assert_eq!(get(258, ColumnType::LongText), FieldValues::One(Stored::Separated(Lid(7))));
    assert_eq!(get(259, ColumnType::LongText), FieldValues::One(Stored::Plain(b"xx")));
    assert_eq!(get(260, ColumnType::Long), FieldValues::Null);
    assert_eq!(get(261, ColumnType::Text), FieldValues::Null);
    let mut inherited = column(261, ColumnType::Text, 0);
    inherited.derived = true;
    assert_eq!(view.get(&inherited).unwrap(), FieldValues::One(Stored::Plain(b"qq")));
    let fids: Vec<_> = view.tagged_fields().map(|field| field.unwrap().fid.0).collect();
    assert_eq!(fids, [256, 257, 258, 259, 260, 261]);
    // A last item that is cut.
    let cut = RecordView::parse(&record[..record.len() - 1], TaggedStyle::Linear).unwrap();
    assert!(cut.tagged_fields().last().unwrap().is_err());
    assert!(cut.get(&column(256, ColumnType::Long, 4)).is_ok());
}

#[test]
fn deleted_columns_keep_their_place_and_read_as_null() {
    let columns = fixed_columns(&[
        (ColumnType::Short, 2),
        (ColumnType::Nil, 4),
        (ColumnType::UnsignedByte, 1),
    ]);
    let record = bytes_of("037f0c00 0100 ffffffff 07 f8");
    let view = small(&record);
    assert_eq!(view.get(&columns[1]).unwrap(), FieldValues::Null);
    assert_eq!(view.get(&columns[2]).unwrap(), FieldValues::One(Stored::Plain(&[7])));
    assert_eq!(re_encoded(&record, &columns), bytes_of("037f0c00 0100 00000000 07 fa"));
}

#[test]
fn short_fixed_values_are_padded() {
    let mut columns = fixed_columns(&[
        (ColumnType::Text, 4),
        (ColumnType::Text, 5),
        (ColumnType::Binary, 3),
        (ColumnType::Bit, 1),
    ]);
    columns[1].code_page = 1200;
    let values = [
        FieldInput::bytes(b"ab"),
        FieldInput::bytes(b"c\0"),
        FieldInput::bytes(&[9]),
        FieldInput::bytes(&[3]),
    ];
    // The odd byte at the end of the Unicode column is the first half of a space.
    let expected = bytes_of("047f1200 61622020 6300200020 090000 ff f0");
    assert_eq!(encoded(&columns, &values), expected);
}

#[test]
fn null_and_default_are_kept_apart_when_written() {
    let mut columns =
        fixed_columns(&[(ColumnType::UnsignedByte, 1), (ColumnType::UnsignedByte, 1)]);
    columns.push(column(128, ColumnType::Binary, 9));
    columns.push(column(256, ColumnType::UnsignedByte, 1));
    for at in [1, 2, 3] {
        columns[at].flags = ColumnFlags::DEFAULT;
        columns[at].default = Some(vec![5]);
    }
    let (null, default) = (FieldInput::Null, FieldInput::Default);
    let record = encoded(&columns, &[null, default, default, default]);
    assert_eq!(record, bytes_of("02800700 00 05 fd 0100 05"));
    // NULL must reach the record, or the default would be read.
    let record = encoded(&columns, &[null, null, null, default]);
    assert_eq!(record, bytes_of("02800700 00 00 ff 0080"));
    let refused = encode_record(&columns, &[null; 4], PageSize::KIB4, &mut Vec::new());
    assert!(matches!(refused, Err(EseError::Refused { .. })));
}

#[test]
fn what_does_not_fit_its_column_is_refused_and_leaves_nothing_behind() {
    let mut gap = fixed_columns(&[(ColumnType::Long, 4), (ColumnType::Long, 4)]);
    gap.remove(0);
    let mut misplaced = fixed_columns(&[(ColumnType::Long, 4)]);
    misplaced[0].record_offset = Some(5);
    let plain = |coltyp, max| vec![column(256, coltyp, max)];
    let one = [Stored::Plain(&[1][..])];
    let second = [Stored::Plain(&[1][..]), Stored::Compressed(&[2])];
    let long = FieldInput::bytes(&[1, 2, 3, 4]);
    let mut endless = vec![column(1, ColumnType::Binary, u32::MAX)];
    endless[0].record_offset = Some(4);
    let result = encode_record(&endless, &[long], PageSize::KIB4, &mut Vec::new());
    assert!(matches!(result, Err(EseError::Limit { .. })), "a fixed column of 4 GiB");
    let cases: Vec<(Vec<ColumnDef>, FieldInput<'_>, &str)> = vec![
        (gap, long, "a gap"),
        (misplaced, long, "an offset that is not reached"),
        (plain(ColumnType::Short, 2), long, "wrong width"),
        (plain(ColumnType::Text, 3), long, "longer than declared"),
        (plain(ColumnType::Text, 0), FieldInput::bytes(&[1; 256]), "longer than any text"),
        (plain(ColumnType::LongBinary, 3), long, "long value longer than declared"),
        (plain(ColumnType::Text, 9), FieldInput::bytes(&[]), "zero-length without header"),
        (plain(ColumnType::Nil, 4), long, "a deleted column"),
        (plain(ColumnType::Slv, 0), FieldInput::One(Stored::Separated(Lid(1))), "SLV"),
        (plain(ColumnType::Text, 9), FieldInput::One(Stored::Separated(Lid(1))), "separated text"),
        (plain(ColumnType::LongText, 0), FieldInput::One(Stored::Encrypted(&[1])), "encrypted"),
        (plain(ColumnType::LongText, 0), FieldInput::Many(&one), "a list of one"),
        (plain(ColumnType::LongText, 0), FieldInput::Many(&[]), "a list of none"),
        (plain(ColumnType::LongText, 0), FieldInput::Many(&second), "second value compressed"),
        (vec![column(128, ColumnType::Binary, 9)], FieldInput::Many(&second), "many in variable"),
    ];
    for (columns, value, what) in cases {
        let mut out = vec![1, 2, 3];
        let result = encode_record(&columns, &[value], PageSize::KIB4, &mut out);
        assert!(matches!(result, Err(EseError::Refused { .. })), "{what}: {result:?}");
        assert_eq!(out, [1, 2, 3], "{what}");
    }
    let unsorted = [column(257, ColumnType::Long, 4), column(256, ColumnType::Long, 4)];
    assert!(encode_record(&unsorted, &[long, long], PageSize::KIB4, &mut Vec::new()).is_err());
}

#[test]
fn a_record_longer_than_a_page_is_a_limit_error() {
    let columns = [column(256, ColumnType::LongBinary, 0)];
    for (page_size, most) in [(PageSize::KIB4, 3791), (LARGE_PAGE, 32_672)] {
        let fits = vec![7; most - 4 - 4 - 1];
        let mut out = Vec::new();
        encode_record(&columns, &[FieldInput::bytes(&fits)], page_size, &mut out).unwrap();
        assert_eq!(out.len(), most);
        for length in [fits.len() + 1, 100_000] {
            let value = vec![7; length];
            let mut out = Vec::new();
            let result = encode_record(&columns, &[FieldInput::bytes(&value)], page_size, &mut out);
            assert!(matches!(result, Err(EseError::Limit { .. })), "{length}");
            assert!(out.is_empty());
        }
    }
}

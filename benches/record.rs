//! How fast are rows written, read and keyed? The bound beside them is a copy of the same bytes.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::page::PageSize;
use dialtone::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Fid};
use dialtone::ese::table::compress::{decompress, xpress_compress};
use dialtone::ese::table::record::{FieldInput, RecordView, TaggedStyle, encode_record};

/// A folder row: a dozen fixed columns, some text, a dozen tagged columns.
fn columns() -> Vec<ColumnDef> {
    let fixed = (1..13).map(|fid| (fid, ColumnType::LongLong));
    let variable = (128..131).map(|fid| (fid, ColumnType::Binary));
    let tagged = (256..268).map(|fid| (fid, ColumnType::LongBinary));
    let columns = fixed.chain(variable).chain(tagged).map(|(fid, coltyp)| ColumnDef {
        fid: Fid(fid),
        name: format!("column {fid}"),
        coltyp,
        max_bytes: 255,
        flags: ColumnFlags::empty(),
        code_page: 0,
        record_offset: (fid < 128).then_some(4 + 8 * (fid - 1)),
        default: None,
        derived: false,
    });
    columns.collect()
}

fn rows(c: &mut Criterion) {
    let columns = columns();
    let value = [0x5a; 40];
    let values: Vec<_> = columns
        .iter()
        .map(|column| FieldInput::bytes(&value[..column.coltyp.fixed_width_bytes().unwrap_or(40)]))
        .collect();
    let mut record = Vec::new();
    encode_record(&columns, &values, PageSize::KIB4, &mut record).expect("the row fits");
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Bytes(record.len() as u64));
    let mut out = Vec::with_capacity(record.len());
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            encode_record(&columns, black_box(&values), PageSize::KIB4, &mut out)
        });
    });
    group.bench_function("decode all columns", |b| {
        b.iter(|| {
            let view = RecordView::parse(black_box(&record), TaggedStyle::Small).expect("sound");
            columns
                .iter()
                .filter_map(|column| view.get(column).ok())
                .map(|v| v.len())
                .sum::<usize>()
        });
    });
    group.bench_function("copy (the bound)", |b| {
        b.iter(|| {
            out.clear();
            out.extend_from_slice(black_box(&record));
        });
    });
    group.finish();
}

fn chunks(c: &mut Criterion) {
    let text: Vec<u8> = (0..4014_u32)
        .flat_map(|n| format!("<td>row {} of {}</td>\r\n", n * n % 97, n % 13).into_bytes())
        .take(4014)
        .collect();
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
        (state >> 16) as u8
    })
    .take(4014)
    .collect();
    let mut packed = Vec::new();
    assert!(xpress_compress(&text, &mut packed), "text shrinks");
    let mut group = c.benchmark_group("xpress");
    group.throughput(Throughput::Bytes(text.len() as u64));
    let mut out = Vec::with_capacity(2 * text.len());
    for (name, plain) in [("compress text", &text), ("compress noise", &noise)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                xpress_compress(black_box(plain), &mut out)
            });
        });
    }
    group.bench_function("decompress text", |b| {
        b.iter(|| {
            out.clear();
            decompress(black_box(&packed), text.len(), &mut out)
        });
    });
    group.finish();
}

criterion_group!(benches, rows, chunks);
criterion_main!(benches);

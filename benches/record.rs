//! How fast are rows encoded and decoded? The bound beside them is a copy of the same bytes.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::page::PageSize;
use dialtone::ese::table::column::{ColumnDef, ColumnFlags, ColumnType, Fid};
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

criterion_group!(name = benches; config = support::criterion(); targets = rows);
criterion_main!(benches);

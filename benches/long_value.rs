//! How fast are long values read: found by number, put together from their chunks, decompressed where they are compressed?
//!
//! Values of 256 KB, mapped and in the page cache. The bound of reading is a copy of the same bytes in memory. Taking the chunks as
//! they are stored is what a recovery does: nothing is decompressed then.

mod support;

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialtone::ese::table::column::{ColumnFlags, ColumnType, Lid};
use dialtone::ese::table::database::Database;
use dialtone::ese::table::long_value::StoredPart;
use dialtone::ese::table::write::{FieldValue, NewColumn, NewIndex, NewTable};

const VALUES: u32 = 32;
const VALUE_BYTES: usize = 256_000;

fn make(path: &Path, value: &[u8], flags: ColumnFlags) {
    let mut writer = support::create(path);
    let table = NewTable::new("Rows")
        .column(NewColumn::new("Id", ColumnType::Long).flagged(ColumnFlags::NOT_NULL))
        .column(NewColumn::new("Body", ColumnType::LongBinary).flagged(flags))
        .primary(NewIndex::new("ById", &["Id"]));
    let table = writer.create_table(&table).expect("a table");
    for id in 0..VALUES {
        let id = id.to_le_bytes();
        let row = [FieldValue::Bytes(&id), FieldValue::Bytes(value)];
        writer.insert(&table, &row).expect("a row");
    }
    writer.close().expect("a clean end");
}

fn values(criterion: &mut Criterion) {
    let directory = support::directory();
    let mut group = criterion.benchmark_group("long value");
    group.throughput(Throughput::Bytes(u64::from(VALUES) * VALUE_BYTES as u64));
    let kinds = [
        ("plain", support::noise(VALUE_BYTES, 1), ColumnFlags::empty()),
        ("compressed", support::text(VALUE_BYTES), ColumnFlags::COMPRESSED),
    ];
    for (name, value, flags) in &kinds {
        let path = directory.path().join(format!("{name}.edb"));
        make(&path, value, *flags);
        let database = Database::open(&*support::volume(), &path).expect("the database");
        let table = database.table("Rows").expect("the table");
        let reader = table.long_values();
        let first = reader.read_to_vec(Lid(1), VALUE_BYTES).expect("the first value");
        assert_eq!(first, *value, "what is read is what was written");
        let mut out = Vec::with_capacity(VALUE_BYTES);
        group.bench_function(format!("read, {name}"), |bencher| {
            bencher.iter(|| {
                for lid in 1..=VALUES {
                    out.clear();
                    reader.read_into(Lid(lid.into()), VALUE_BYTES, &mut out).expect("a value");
                }
                out.len()
            });
        });
        group.bench_function(format!("take as stored, {name}"), |bencher| {
            bencher.iter(|| {
                let mut bytes = 0;
                for lid in 1..=VALUES {
                    let mut sink = |part: StoredPart<'_>| {
                        if let StoredPart::Chunk { stored, .. } = part {
                            bytes += black_box(stored).len();
                        }
                        Ok(())
                    };
                    reader.copy_stored(Lid(lid.into()), &mut sink).expect("a value");
                }
                bytes
            });
        });
    }
    let value = support::noise(VALUE_BYTES, 1);
    let all: Vec<Vec<u8>> = (0..VALUES).map(|_| value.clone()).collect();
    let mut copy = Vec::with_capacity(VALUE_BYTES);
    group.bench_function("bound: copy", |bencher| {
        bencher.iter(|| {
            for value in black_box(&all) {
                copy.clear();
                copy.extend_from_slice(value);
            }
            copy.len()
        });
    });
    group.finish();
}

criterion_group!(name = benches; config = support::criterion(); targets = values);
criterion_main!(benches);

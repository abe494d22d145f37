//! One record in each of the three layouts: all columns of the catalog, and every tagged field with all its values.
#![no_main]

use dialtone::ese::table::catalog::catalog_columns;
use dialtone::ese::table::record::{FieldValues, RecordView, TaggedStyle};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for style in [TaggedStyle::Small, TaggedStyle::Large, TaggedStyle::Linear] {
        let Ok(record) = RecordView::parse(bytes, style) else { continue };
        for column in catalog_columns() {
            if let Ok(values) = record.get(&column) {
                read(&values);
            }
        }
        for field in record.tagged_fields().flatten() {
            let _ = field.is_long_value();
            if let Ok(values) = field.values() {
                read(&values);
            }
        }
    }
});

fn read(values: &FieldValues<'_>) {
    let found = values.iter().count();
    assert!(found <= values.len(), "{found} of {} values", values.len());
    assert!(values.get(values.len()).is_none());
}

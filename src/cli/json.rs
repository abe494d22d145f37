//! Values as JSON, written straight into a buffer: a dump prints hundreds of millions of them.
//!
//! The form is that of `Value::to_json`, which the tests hold it to.

use std::io::Write as _;

use crate::ese::table::value::{Value, guid_text};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a string with its quotes.
pub fn put_string(out: &mut Vec<u8>, text: &str) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// Appends bytes as lower-case hexadecimal digits, without quotes.
pub fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(2 * bytes.len());
    let digit = |half: u8| HEX.get(usize::from(half)).copied().unwrap_or(b'?');
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// Appends a value.
pub fn put_value(out: &mut Vec<u8>, value: &Value<'_>) {
    // Writing to memory cannot fail.
    let _ = match value {
        Value::Bit(value) => write!(out, "{value}"),
        Value::U8(value) => write!(out, "{value}"),
        Value::I16(value) => write!(out, "{value}"),
        Value::U16(value) => write!(out, "{value}"),
        Value::I32(value) => write!(out, "{value}"),
        Value::U32(value) => write!(out, "{value}"),
        Value::I64(value) => write!(out, "{value}"),
        Value::U64(value) | Value::DateTime(value) => write!(out, "{value}"),
        Value::F32(value) if value.is_finite() => {
            serde_json::to_writer(out, &f64::from(*value)).map_err(Into::into)
        }
        Value::F64(value) if value.is_finite() => {
            serde_json::to_writer(out, value).map_err(Into::into)
        }
        Value::F32(value) => write!(out, "\"{value}\""),
        Value::F64(value) => write!(out, "\"{value}\""),
        Value::Guid(bytes) => write!(out, "\"{}\"", guid_text(bytes)),
        Value::Text(text) => serde_json::to_writer(out, text).map_err(Into::into),
        Value::Bytes(bytes) => {
            out.push(b'"');
            put_hex(out, bytes);
            out.push(b'"');
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn every_value_has_the_json_that_the_library_gives_it() {
        let text = "tab\t quote\" slash\\ \u{1} \u{1f98a} \u{fffd}";
        let values = [
            Value::Bit(true),
            Value::U8(255),
            Value::I16(i16::MIN),
            Value::U16(u16::MAX),
            Value::I32(i32::MIN),
            Value::U32(u32::MAX),
            Value::I64(i64::MIN),
            Value::U64(u64::MAX),
            Value::F32(0.1),
            Value::F32(f32::NAN),
            Value::F64(-0.0),
            Value::F64(1e300),
            Value::F64(5.0),
            Value::F64(f64::NEG_INFINITY),
            Value::DateTime(0x8000_0000_0000_0000),
            Value::Guid([7; 16]),
            Value::Text(Cow::Borrowed(text)),
            Value::Bytes(Cow::Borrowed(&[0, 0x0a, 0xf0, 0xff])),
        ];
        for value in values {
            let mut line = Vec::new();
            put_value(&mut line, &value);
            assert_eq!(String::from_utf8(line).unwrap(), value.to_json().to_string());
        }
    }
}

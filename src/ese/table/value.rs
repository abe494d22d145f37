//! Values for people and for JSON: bytes of a column, read as its type says.
//!
//! Knows types and code pages; knows nothing of records or of where the bytes were. Source: ese-logical 3.1, 3.2.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::ese::error::{EseError, EseResult, Refusal};
use crate::ese::table::column::ColumnType;

/// Code page of UTF-16LE text.
pub const CODE_PAGE_UNICODE: u16 = 1200;
/// Code page of 8-bit text.
pub const CODE_PAGE_WESTERN: u16 = 1252;

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Bit; every non-zero byte is true.
    Bit(bool),
    /// UnsignedByte.
    U8(u8),
    /// Short.
    I16(i16),
    /// UnsignedShort.
    U16(u16),
    /// Long.
    I32(i32),
    /// UnsignedLong.
    U32(u32),
    /// Currency and LongLong.
    I64(i64),
    /// UnsignedLongLong.
    U64(u64),
    /// IEEESingle.
    F32(f32),
    /// IEEEDouble.
    F64(f64),
    /// DateTime: its 8 bytes as a number, because applications do not agree on their meaning.
    DateTime(u64),
    /// GUID, as stored: the first three groups little-endian.
    Guid([u8; 16]),
    /// Text and LongText.
    Text(Cow<'a, str>),
    /// Binary, LongBinary and whatever has no other reading.
    Bytes(Cow<'a, [u8]>),
}

/// Reads the bytes of a value.
///
/// Text never fails on its bytes: what is no text becomes U+FFFD (an unpaired surrogate, an odd last byte).
///
/// # Errors
/// [`EseError::Corrupt`] when a type of fixed width has another number of bytes;
/// [`EseError::Unsupported`] for a code page other than 1252 (also 0 and 20127), 1200 and 65001.
pub fn decode_value(coltyp: ColumnType, code_page: u16, bytes: &[u8]) -> EseResult<Value<'_>> {
    Ok(match coltyp {
        ColumnType::Bit => Value::Bit(array::<1>(coltyp, bytes)? != [0]),
        ColumnType::UnsignedByte => Value::U8(u8::from_le_bytes(array(coltyp, bytes)?)),
        ColumnType::Short => Value::I16(i16::from_le_bytes(array(coltyp, bytes)?)),
        ColumnType::UnsignedShort => Value::U16(u16::from_le_bytes(array(coltyp, bytes)?)),
        ColumnType::Long => Value::I32(i32::from_le_bytes(array(coltyp, bytes)?)),
        ColumnType::UnsignedLong => Value::U32(u32::from_le_bytes(array(coltyp, bytes)?)),
        ColumnType::Currency | ColumnType::LongLong => {
            Value::I64(i64::from_le_bytes(array(coltyp, bytes)?))
        }
        ColumnType::UnsignedLongLong => Value::U64(u64::from_le_bytes(array(coltyp, bytes)?)),
        ColumnType::IeeeSingle => Value::F32(f32::from_le_bytes(array(coltyp, bytes)?)),
        ColumnType::IeeeDouble => Value::F64(f64::from_le_bytes(array(coltyp, bytes)?)),
        ColumnType::DateTime => Value::DateTime(u64::from_le_bytes(array(coltyp, bytes)?)),
        ColumnType::Guid => Value::Guid(array(coltyp, bytes)?),
        ColumnType::Text | ColumnType::LongText => Value::Text(decode_text(code_page, bytes)?),
        ColumnType::Nil | ColumnType::Binary | ColumnType::LongBinary | ColumnType::Slv => {
            Value::Bytes(Cow::Borrowed(bytes))
        }
    })
}

fn array<const N: usize>(coltyp: ColumnType, bytes: &[u8]) -> EseResult<[u8; N]> {
    bytes.try_into().map_err(|_| {
        EseError::corrupt_bytes(format!("{coltyp} has {N} bytes, not {}", bytes.len()))
    })
}

/// Reads text of a column. Never fails on the bytes, see [`decode_value`].
///
/// # Errors
/// [`EseError::Unsupported`] for other code pages.
pub fn decode_text(code_page: u16, bytes: &[u8]) -> EseResult<Cow<'_, str>> {
    match code_page {
        // The five bytes that Windows leaves open become the C1 controls of the same number, as in browsers.
        0 | CODE_PAGE_WESTERN | 20127 => {
            Ok(encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0)
        }
        CODE_PAGE_UNICODE => {
            let units = bytes.chunks(2).map(|pair| match pair {
                [low, high] => u16::from_le_bytes([*low, *high]),
                _ => 0xfffd,
            });
            let decoded = char::decode_utf16(units);
            Ok(Cow::Owned(decoded.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()))
        }
        65001 => Ok(String::from_utf8_lossy(bytes)),
        other => Err(EseError::unsupported(format!("code page {other}"))),
    }
}

/// Appends `text` in a column's code page.
///
/// # Errors
/// [`EseError::Refused`] when the code page lacks a character, [`EseError::Unsupported`] for code pages other
/// than 1252 (also 0) and 1200.
pub fn encode_text(code_page: u16, text: &str, out: &mut Vec<u8>) -> EseResult<()> {
    match code_page {
        0 | CODE_PAGE_WESTERN => {
            let (bytes, _, lossy) = encoding_rs::WINDOWS_1252.encode(text);
            if lossy {
                return Err(EseError::refused(
                    Refusal::BadRequest,
                    "text with characters outside of code page 1252",
                ));
            }
            out.extend_from_slice(&bytes);
            Ok(())
        }
        CODE_PAGE_UNICODE => {
            out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
            Ok(())
        }
        other => Err(EseError::unsupported(format!("writing code page {other}"))),
    }
}

impl Value<'_> {
    /// The value in the form of the command line's `--json` (design, section 6).
    ///
    /// Numbers as numbers, text as strings, bytes as lower-case hex, GUIDs in canonical text, DateTime as its raw
    /// 64-bit number. JSON has no other floats than finite ones: the rest are the strings "NaN", "inf" and "-inf".
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Bit(value) => (*value).into(),
            Self::U8(value) => (*value).into(),
            Self::I16(value) => (*value).into(),
            Self::U16(value) => (*value).into(),
            Self::I32(value) => (*value).into(),
            Self::U32(value) => (*value).into(),
            Self::I64(value) => (*value).into(),
            Self::U64(value) | Self::DateTime(value) => (*value).into(),
            Self::F32(value) => float(f64::from(*value)),
            Self::F64(value) => float(*value),
            Self::Guid(bytes) => guid_text(bytes).into(),
            Self::Text(text) => text.as_ref().into(),
            Self::Bytes(bytes) => hex_text(bytes).into(),
        }
    }
}

fn float(value: f64) -> serde_json::Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => serde_json::Value::Number(number),
        None => value.to_string().into(),
    }
}

/// Lower-case hexadecimal digits, two for each byte.
pub fn hex_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Canonical text of a GUID as stored: lower-case, with dashes, the first three groups byte-swapped.
pub fn guid_text(bytes: &[u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, d @ ..] = *bytes;
    let first = u32::from_le_bytes([a0, a1, a2, a3]);
    let (second, third) = (u16::from_le_bytes([b0, b1]), u16::from_le_bytes([c0, c1]));
    let (fourth, fifth) = d.split_at(2);
    format!("{first:08x}-{second:04x}-{third:04x}-{}-{}", hex_text(fourth), hex_text(fifth))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json_of(coltyp: ColumnType, bytes: &[u8]) -> serde_json::Value {
        decode_value(coltyp, 0, bytes).unwrap().to_json()
    }

    #[test]
    fn values_have_the_json_of_their_type() {
        assert_eq!(json_of(ColumnType::Bit, &[0xff]), json!(true));
        assert_eq!(json_of(ColumnType::Bit, &[0]), json!(false));
        assert_eq!(json_of(ColumnType::UnsignedByte, &[200]), json!(200));
        assert_eq!(json_of(ColumnType::Short, &[0xc7, 0xfa]), json!(-1337));
        assert_eq!(json_of(ColumnType::UnsignedShort, &[0xff, 0xff]), json!(65535));
        assert_eq!(json_of(ColumnType::Long, &[0x37, 0xf8, 0x33, 0xff]), json!(-13_371_337));
        assert_eq!(json_of(ColumnType::UnsignedLong, &[0xff; 4]), json!(u32::MAX));
        assert_eq!(json_of(ColumnType::LongLong, &[0xff; 8]), json!(-1));
        assert_eq!(json_of(ColumnType::UnsignedLongLong, &[0xff; 8]), json!(u64::MAX));
        assert_eq!(json_of(ColumnType::IeeeSingle, &1.5_f32.to_le_bytes()), json!(1.5));
        assert_eq!(json_of(ColumnType::IeeeDouble, &0.1_f64.to_le_bytes()), json!(0.1));
        assert_eq!(json_of(ColumnType::DateTime, &7_u64.to_le_bytes()), json!(7));
        assert_eq!(json_of(ColumnType::Binary, &[0x0a, 0xff]), json!("0aff"));
        let guid = [
            0xf1, 0x0a, 0x36, 0x3f, 0x66, 0x67, 0xdc, 0x46, 0x9a, 0xf2, 0x0d, 0xac, 0xf2, 0x95,
            0xc2, 0xa1,
        ];
        let text = "3f360af1-6766-46dc-9af2-0dacf295c2a1";
        assert_eq!(json_of(ColumnType::Guid, &guid), json!(text));
    }

    #[test]
    fn floats_that_json_cannot_say_are_strings() {
        for (value, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-f64::INFINITY, "-inf")] {
            assert_eq!(json_of(ColumnType::IeeeDouble, &value.to_le_bytes()), json!(text));
        }
        assert_eq!(json_of(ColumnType::IeeeSingle, &f32::NAN.to_le_bytes()), json!("NaN"));
    }

    #[test]
    fn a_wrong_width_is_corrupt_and_not_a_panic() {
        for coltyp in ColumnType::ALL {
            for length in 0..20 {
                let result = decode_value(coltyp, 1252, &[0x41; 20][..length]);
                let right = coltyp.fixed_width_bytes().is_none_or(|width| width == length);
                assert_eq!(result.is_ok(), right, "{coltyp} of {length} bytes");
            }
        }
    }

    #[test]
    fn code_page_1252_reads_and_writes_all_256_bytes() {
        let all: Vec<u8> = (0..=255).collect();
        let text = decode_text(1252, &all).unwrap().into_owned();
        assert_eq!(text.chars().count(), 256);
        assert!(!text.contains(char::REPLACEMENT_CHARACTER));
        for byte in [0x81, 0x8d, 0x8f, 0x90, 0x9d] {
            assert_eq!(text.chars().nth(byte), char::from_u32(byte as u32));
        }
        let mut again = Vec::new();
        encode_text(1252, &text, &mut again).unwrap();
        assert_eq!(again, all);
        assert!(encode_text(1252, "\u{4e00}", &mut again).is_err());
    }

    #[test]
    fn broken_utf16_is_replaced_and_never_refused() {
        assert_eq!(decode_text(1200, &[0x41, 0, 0x00, 0xd8, 0x42, 0]).unwrap(), "A\u{fffd}B");
        assert_eq!(decode_text(1200, &[0x41, 0, 0x42]).unwrap(), "A\u{fffd}");
        assert_eq!(decode_text(1200, &[0x3e, 0xd8, 0x8a, 0xdd]).unwrap(), "\u{1f98a}");
        let mut bytes = Vec::new();
        encode_text(1200, "a\u{1f98a}", &mut bytes).unwrap();
        assert_eq!(bytes, [0x61, 0, 0x3e, 0xd8, 0x8a, 0xdd]);
    }

    #[test]
    fn other_code_pages_are_named_as_unsupported() {
        let error = decode_text(932, b"x").unwrap_err();
        assert!(matches!(error, EseError::Unsupported { .. }) && error.to_string().contains("932"));
    }
}

//! Property types, tags, named properties, and the rule that makes a column name of a tag.

use super::error::{MapiError, MapiResult};
use super::guid::PropertySetGuid;

/// A property id. Below 0x8000 its meaning is fixed; from there on it is a named property, local to one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropId(pub u16);

impl PropId {
    /// Tells whether the id is local to its store and must be translated on the way to another.
    pub const fn is_named(self) -> bool {
        self.0 >= 0x8000
    }
}

/// The type of a property, with the letter that a column name begins with. Source: exchange-store 3.1, 12.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropType {
    /// `I`, PT_SHORT: 2 bytes.
    Short,
    /// `L`, PT_LONG: 4 bytes.
    Long,
    /// `D`, PT_DOUBLE: 8 bytes.
    Double,
    /// `F`, PT_BOOLEAN.
    Boolean,
    /// `Q`, PT_I8: 8 bytes; an id in store form or a number.
    I8,
    /// `S`, PT_STRING8: bytes in a code page.
    String8,
    /// `U`, PT_UNICODE: UTF-16LE without terminator.
    Unicode,
    /// `T`, PT_SYSTIME: FILETIME.
    SysTime,
    /// `G`, PT_CLSID: 16 bytes.
    ClsId,
    /// `V`, PT_SVREID: 21 bytes.
    SvrEid,
    /// `N`, PT_BINARY.
    Binary,
    /// `H`, PT_FILE_HANDLE: a stream in the `.stm`. Its number is not public; ours is invented (0x7fff).
    FileHandle,
}

/// Every type with its letter and its number in a property tag.
const TYPES: [(PropType, char, u16); 12] = [
    (PropType::Short, 'I', 0x0002),
    (PropType::Long, 'L', 0x0003),
    (PropType::Double, 'D', 0x0005),
    (PropType::Boolean, 'F', 0x000b),
    (PropType::I8, 'Q', 0x0014),
    (PropType::String8, 'S', 0x001e),
    (PropType::Unicode, 'U', 0x001f),
    (PropType::SysTime, 'T', 0x0040),
    (PropType::ClsId, 'G', 0x0048),
    (PropType::SvrEid, 'V', 0x00fb),
    (PropType::Binary, 'N', 0x0102),
    (PropType::FileHandle, 'H', 0x7fff),
];

impl PropType {
    /// The letter that stands for the type in a column name.
    pub fn letter(self) -> char {
        TYPES.iter().find(|row| row.0 == self).map_or('?', |row| row.1)
    }

    /// The number of the type in a property tag.
    pub fn code(self) -> u16 {
        TYPES.iter().find(|row| row.0 == self).map_or(0, |row| row.2)
    }

    /// The type of a letter.
    pub fn from_letter(letter: char) -> Option<Self> {
        TYPES.iter().find(|row| row.1 == letter).map(|row| row.0)
    }

    /// The type of a number.
    pub fn from_code(code: u16) -> Option<Self> {
        TYPES.iter().find(|row| row.2 == code).map(|row| row.0)
    }

    /// Length of a value in bytes, where all values have the same.
    pub fn fixed_bytes(self) -> Option<usize> {
        match self {
            Self::Boolean => Some(1),
            Self::Short => Some(2),
            Self::Long => Some(4),
            Self::Double | Self::I8 | Self::SysTime => Some(8),
            Self::ClsId => Some(16),
            Self::SvrEid => Some(21),
            Self::String8 | Self::Unicode | Self::Binary | Self::FileHandle => None,
        }
    }
}

/// In the number of a multi-valued type.
const MULTI_VALUED: u16 = 0x1000;

/// A property: id, type, and whether it has many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropTag {
    /// What it means.
    pub id: PropId,
    /// What its values are.
    pub prop_type: PropType,
    /// Whether it has a list of values.
    pub multi: bool,
}

impl PropTag {
    /// A property with one value.
    pub const fn new(id: u16, prop_type: PropType) -> Self {
        Self { id: PropId(id), prop_type, multi: false }
    }

    /// A property with a list of values.
    pub const fn multi(id: u16, prop_type: PropType) -> Self {
        Self { id: PropId(id), prop_type, multi: true }
    }

    /// The name of its column: `M` for many values, the letter, the id in lower-case hex without leading zeros:
    /// `U37`, `S1a`, `Te06`, `MQe13`. Source: exchange-store 1, fact 7.
    pub fn column_name(self) -> String {
        let multi = if self.multi { "M" } else { "" };
        format!("{multi}{}{:x}", self.prop_type.letter(), self.id.0)
    }

    /// The property of a column name.
    ///
    /// # Errors
    /// [`MapiError::Text`] when the name does not follow the rule, letter by letter.
    pub fn from_column_name(name: &str) -> MapiResult<Self> {
        let refused = || MapiError::text("column name", name);
        let (multi, rest) = name.strip_prefix('M').map_or((false, name), |rest| (true, rest));
        let mut letters = rest.chars();
        let prop_type = letters.next().and_then(PropType::from_letter).ok_or_else(refused)?;
        let id = u16::from_str_radix(letters.as_str(), 16).map_err(|_| refused())?;
        let tag = Self { id: PropId(id), prop_type, multi };
        // Leading zeros, signs and upper-case digits would give one property two columns.
        if tag.column_name() == name { Ok(tag) } else { Err(refused()) }
    }

    /// The tag as a number: id in the upper half, type in the lower.
    pub fn to_u32(self) -> u32 {
        let multi = if self.multi { MULTI_VALUED } else { 0 };
        u32::from(self.id.0) << 16 | u32::from(self.prop_type.code() | multi)
    }

    /// Reads a tag from its number.
    ///
    /// # Errors
    /// [`MapiError::Field`] when the type is not one of ours.
    pub fn from_u32(number: u32) -> MapiResult<Self> {
        let [b0, b1, b2, b3] = number.to_be_bytes();
        let (id, code) = (u16::from_be_bytes([b0, b1]), u16::from_be_bytes([b2, b3]));
        let single = PropType::from_code(code).map(|prop_type| (prop_type, false));
        let many = || {
            let prop_type = PropType::from_code(code & !MULTI_VALUED)?;
            (code & MULTI_VALUED != 0).then_some((prop_type, true))
        };
        let (prop_type, multi) = single.or_else(many).ok_or(MapiError::Field {
            what: "property tag",
            field: "type",
            found: code.into(),
        })?;
        Ok(Self { id: PropId(id), prop_type, multi })
    }
}

/// What a named property is called within its set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropName {
    /// A number (LID in MAPI; not the long value's).
    Number(u32),
    /// A text.
    Text(String),
}

/// A named property: the same in every store, whatever id each gave it. Source: recover-semantics W7.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedProperty {
    /// The set.
    pub set: PropertySetGuid,
    /// The name within the set.
    pub name: PropName,
}

impl NamedProperty {
    /// The key of the unique index over names: first 20 bytes of BLAKE3 over set, kind (0 number, 1 text), and the
    /// number little-endian or the text as UTF-16LE. Source: exchange-store 12 (20-byte hashes), 12.9 `N7e6c`.
    pub fn hash(&self) -> [u8; 20] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.set.as_bytes());
        match &self.name {
            PropName::Number(number) => {
                hasher.update(&[0]).update(&number.to_le_bytes());
            }
            PropName::Text(text) => {
                hasher.update(&[1]).update(&super::to_utf16le(text));
            }
        }
        let mut hash = [0; 20];
        hasher.finalize_xof().fill(&mut hash);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapi::tags;

    #[test]
    fn column_names_follow_the_rule_both_ways() {
        for (tag, name) in [
            (tags::SUBJECT, "U37"),
            (tags::MESSAGE_CLASS, "S1a"),
            (tags::DELIVERY_TIME, "Te06"),
            (tags::SEARCH_KEY, "N300b"),
            (tags::ADDITIONAL_REN_ENTRY_IDS, "MN36d8"),
            (tags::INTERNET_CONTENT, "H6659"),
        ] {
            assert_eq!(tag.column_name(), name);
            assert_eq!(PropTag::from_column_name(name), Ok(tag));
        }
        for name in ["", "M", "U", "U037", "UE06", "X37", "U+7", "U10000", "37", "MMU37"] {
            assert!(PropTag::from_column_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn every_tag_comes_back_from_its_number() {
        for (prop_type, letter, code) in TYPES {
            for tag in [PropTag::new(0x3001, prop_type), PropTag::multi(0x8001, prop_type)] {
                // The invented number of file handles has the multi-value bit set already.
                if prop_type != PropType::FileHandle || !tag.multi {
                    assert_eq!(PropTag::from_u32(tag.to_u32()), Ok(tag), "{letter}");
                }
            }
            assert_eq!(PropType::from_code(code), Some(prop_type));
        }
        assert_eq!(tags::SUBJECT.to_u32(), 0x0037_001f);
        assert!(PropTag::from_u32(0x0037_0000).is_err());
        assert!(PropId(0x8000).is_named() && !PropId(0x7fff).is_named());
    }

    #[test]
    fn the_hash_of_a_name_depends_on_set_kind_and_name() {
        let set = |byte| PropertySetGuid(crate::mapi::Guid([byte; 16]));
        let names =
            [PropName::Number(0x8502), PropName::Number(0x8503), PropName::Text("a".into())];
        let mut hashes: Vec<_> = (1..3)
            .flat_map(|byte| {
                names.clone().map(|name| NamedProperty { set: set(byte), name }.hash())
            })
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 6);
    }
}

//! Errors of the MAPI values: what bytes or text were refused, and why. Knows nothing of files.

/// Why bytes or text are not the value they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapiError {
    /// The value has another length than its kind allows.
    #[error("{what}: {found_bytes} bytes, expected {expected_bytes}")]
    Length {
        /// The kind of value.
        what: &'static str,
        /// The length it must have (its least, where several are allowed).
        expected_bytes: usize,
        /// The length it has.
        found_bytes: usize,
    },
    /// The value ends in the middle of something.
    #[error(
        "{what}: ends at byte {end_bytes}, but {wanted_bytes} bytes were wanted from byte {offset_bytes} on"
    )]
    Truncated {
        /// The kind of value.
        what: &'static str,
        /// Where the missing part begins.
        offset_bytes: usize,
        /// How long it should be.
        wanted_bytes: u64,
        /// Where the value ends.
        end_bytes: usize,
    },
    /// A field holds something that its kind forbids.
    #[error("{what}: {field} is {found:#x}")]
    Field {
        /// The kind of value.
        what: &'static str,
        /// The field.
        field: &'static str,
        /// What it holds.
        found: u64,
    },
    /// The text is not the written form of the value.
    #[error("{what}: {text:?} cannot be read")]
    Text {
        /// The kind of value.
        what: &'static str,
        /// The text, cut after 64 characters.
        text: String,
    },
    /// More of something than the form can hold.
    #[error("{what}: {found} are more than {limit}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many fit.
        limit: u64,
    },
}

/// Result of the MAPI layer.
pub type MapiResult<T> = Result<T, MapiError>;

impl MapiError {
    /// A text that could not be read, cut so that a hostile one does not fill a log.
    pub(super) fn text(what: &'static str, text: &str) -> Self {
        Self::Text { what, text: text.chars().take(64).collect() }
    }
}

/// The bytes as an array of `N`, or the length error that names what they should have been.
pub(super) fn exact<const N: usize>(what: &'static str, bytes: &[u8]) -> MapiResult<[u8; N]> {
    bytes.try_into().map_err(|_| MapiError::Length {
        what,
        expected_bytes: N,
        found_bytes: bytes.len(),
    })
}

/// Reads fields one after the other; every read is checked against what is there.
pub(super) struct Fields<'a> {
    what: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, offset: 0 }
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    pub(super) fn slice(&mut self, wanted: usize) -> MapiResult<&'a [u8]> {
        let end = self.offset.checked_add(wanted);
        let found = end.and_then(|end| self.bytes.get(self.offset..end));
        let found = found.ok_or(MapiError::Truncated {
            what: self.what,
            offset_bytes: self.offset,
            wanted_bytes: u64::try_from(wanted).unwrap_or(u64::MAX),
            end_bytes: self.bytes.len(),
        })?;
        self.offset = self.offset.saturating_add(wanted);
        Ok(found)
    }

    pub(super) fn array<const N: usize>(&mut self) -> MapiResult<[u8; N]> {
        let what = self.what;
        exact(what, self.slice(N)?)
    }

    pub(super) fn u8(&mut self) -> MapiResult<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> MapiResult<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> MapiResult<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }
}

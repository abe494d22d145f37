//! Choosing between the header and its shadow copy. Source: ese-physical 1.6 and 10.2.
//!
//! The page size is not known before: each size is tried, and a copy counts only under the size that it names itself.

use super::{CHECKSUM, DbHeader, declared_page_size, u32_at};
use crate::ese::error::{EseError, EseResult};
use crate::ese::page::PageSize;
use crate::ese::page::checksum::legacy_xor;

/// Bytes from the start of the file that [`choose_header`] can make use of: two pages of the largest size.
const LOOKED_AT_BYTES: usize = 2 * 32768;

/// The header to use.
#[derive(Debug, Clone)]
pub struct HeaderChoice {
    /// The header.
    pub header: DbHeader,
    /// Which copy it is.
    pub source: HeaderSource,
    /// What is wrong with the copies; empty when they are sound and equal.
    pub warnings: Vec<String>,
}

/// One of the two copies of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderSource {
    /// The one at the start of the file.
    Primary,
    /// The one a page further on.
    Shadow,
}

/// Picks a header from the first 64 KiB of a file, or from all of a shorter one.
///
/// A sound primary copy wins, then a sound shadow copy. When neither has a right checksum, but both are headers of the
/// same page size, the primary one is used with a warning. Bytes after the first 64 KiB are not looked at.
///
/// # Errors
/// [`EseError::Corrupt`] when there is no usable copy; the errors of [`DbHeader::decode`] when the copy with the right
/// checksum is no usable header.
pub fn choose_header(first_bytes: &[u8]) -> EseResult<HeaderChoice> {
    let bytes = first_bytes.get(..LOOKED_AT_BYTES).unwrap_or(first_bytes);
    let pairs = || PageSize::ALL.into_iter().map(|size| Copies::at(bytes, size));
    if let Some(copies) = pairs().find(|copies| copies.sound(0) || copies.sound(1)) {
        return copies.choose_sound();
    }
    if let Some(choice) = pairs().find_map(|copies| copies.choose_unverified()) {
        return Ok(choice);
    }
    // Neither copy is sound under any size; the reason is told from the first page, if it is a header at all.
    let size = PageSize::new(declared_page_size(bytes)).unwrap_or(PageSize::KIB4);
    let page = bytes.get(..size.bytes()).unwrap_or(bytes);
    match DbHeader::decode(page) {
        Err(error) => Err(error),
        Ok(_) => Err(EseError::corrupt_bytes("no usable database header")),
    }
}

/// The places of both copies if pages have a certain size. `None` where the file is too short.
struct Copies<'a> {
    copies: [Option<&'a [u8]>; 2],
    size: PageSize,
}

impl<'a> Copies<'a> {
    fn at(bytes: &'a [u8], size: PageSize) -> Self {
        let copy = |index: usize| bytes.get(index * size.bytes()..(index + 1) * size.bytes());
        Self { copies: [copy(0), copy(1)], size }
    }

    fn names_its_size(&self, index: usize) -> Option<&'a [u8]> {
        self.copies
            .get(index)
            .copied()
            .flatten()
            .filter(|page| declared_page_size(page) as usize == self.size.bytes())
    }

    fn sound(&self, index: usize) -> bool {
        self.names_its_size(index).is_some_and(|page| u32_at(page, CHECKSUM) == legacy_xor(page))
    }

    fn choose_sound(&self) -> EseResult<HeaderChoice> {
        let (index, source) = match self.sound(0) {
            true => (0, HeaderSource::Primary),
            false => (1, HeaderSource::Shadow),
        };
        let page = self.copies.get(index).copied().flatten().unwrap_or_default();
        let header = DbHeader::decode(page)?;
        let warning = match (source, self.sound(1), self.copies) {
            (HeaderSource::Shadow, ..) => Some("the header is damaged, its shadow copy is used"),
            (_, false, [_, None]) => Some("the file ends before the header's shadow copy"),
            (_, false, _) => Some("the header's shadow copy is damaged"),
            (_, true, [primary, shadow]) if primary != shadow => {
                Some("the header and its shadow copy differ, the header is used")
            }
            _ => None,
        };
        Ok(HeaderChoice {
            header,
            source,
            warnings: warning.map(str::to_owned).into_iter().collect(),
        })
    }

    /// Both copies have wrong checksums: taken only when they agree on being headers of this page size.
    fn choose_unverified(&self) -> Option<HeaderChoice> {
        let header = DbHeader::decode_unverified(self.names_its_size(0)?).ok()?;
        let shadow = DbHeader::decode_unverified(self.names_its_size(1)?).ok()?;
        let mut warnings =
            vec!["the checksums of the header and its shadow copy are wrong".to_owned()];
        if header != shadow {
            warnings.push("the header and its shadow copy differ, the header is used".to_owned());
        }
        Some(HeaderChoice { header, source: HeaderSource::Primary, warnings })
    }
}

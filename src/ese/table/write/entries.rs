//! Index entries gathered for sorting: keys and bookmarks in one buffer, because there are several for each row and they pass from
//! thread to thread.

/// Entries of one index, in any order until [`Self::sort`].
#[derive(Debug, Default)]
pub struct EntryList {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where an entry lies: its key, and behind that its bookmark.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    key_bytes: u32,
    bookmark_bytes: u32,
}

impl EntryList {
    /// Adds an entry.
    pub fn push(&mut self, key: &[u8], bookmark: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(bookmark);
        // Both are bounded by the longest key of any index.
        let (key_bytes, bookmark_bytes) = (key.len() as u32, bookmark.len() as u32);
        self.places.push(Place { start, key_bytes, bookmark_bytes });
    }

    /// Adds all entries of another list.
    pub fn append(&mut self, other: Self) {
        if self.places.is_empty() {
            *self = other;
            return;
        }
        let moved_bytes = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        let moved = |place: Place| Place { start: place.start + moved_bytes, ..place };
        self.places.extend(other.places.into_iter().map(moved));
    }

    /// Puts the entries into the order of their keys, and of their bookmarks where keys are equal.
    pub fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places.sort_unstable_by(|a, b| entry(bytes, *a).cmp(&entry(bytes, *b)));
    }

    /// Whether two entries that follow each other have one key.
    pub fn has_repeats(&self) -> bool {
        let key = |place: &Place| entry(&self.bytes, *place).0;
        self.places.windows(2).any(|pair| matches!(pair, [a, b] if key(a) == key(b)))
    }

    /// Keys and bookmarks.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.places.iter().map(|place| entry(&self.bytes, *place))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes of memory that the entries take.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len() + std::mem::size_of_val(&*self.places)
    }

    /// Forgets all entries, but keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }
}

fn entry(bytes: &[u8], place: Place) -> (&[u8], &[u8]) {
    let end = place.start + (place.key_bytes + place.bookmark_bytes) as usize;
    bytes[place.start..end].split_at(place.key_bytes as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_several_lists_sort_by_key_and_bookmark() {
        let list = |entries: &[(&[u8], &[u8])]| {
            let mut list = EntryList::default();
            entries.iter().for_each(|(key, bookmark)| list.push(key, bookmark));
            list
        };
        let mut all = EntryList::default();
        all.append(list(&[(b"b", b"2"), (b"", b"9")]));
        all.append(list(&[(b"ab", b""), (b"b", b"1"), (b"a", b"bb")]));
        assert!(!all.has_repeats());
        all.sort();
        let sorted: Vec<_> = all.iter().collect();
        let expected: [(&[u8], &[u8]); 5] =
            [(b"", b"9"), (b"a", b"bb"), (b"ab", b""), (b"b", b"1"), (b"b", b"2")];
        assert_eq!(sorted, expected);
        assert!(all.has_repeats());
        assert_eq!(all.held_bytes(), 10 + 5 * std::mem::size_of::<Place>());
        all.clear();
        assert_eq!(all.iter().count(), 0);
    }
}

//! One kind of damage for each rule, and exactly what `check` must say of it.

use dialtone::ese::check::Severity::{self, Error, Warning};
use dialtone::ese::page::header::DbState;
use dialtone::ese::page::{Dbtime, ObjId, PageEditor, PageFlags, Pgno};

use super::made::*;

/// What was done, the rules that must be reported (notes left out), and how it is done.
pub struct Case {
    pub what: &'static str,
    pub told: &'static [(&'static str, Severity)],
    pub damage: fn(&mut Vec<u8>),
}

const BOTH: [ObjId; 2] = [CATALOG, SHADOW];

pub const FILE: &[Case] = &[
    Case {
        what: "one wrong bit",
        told: &[("checksum", Warning)],
        damage: |bytes| page_of(bytes, 13)[900] ^= 4,
    },
    Case {
        what: "two wrong bits on a page of rows",
        told: &[("checksum", Error), ("page", Error), ("leak", Warning), ("row", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, ROWS);
            page_of(bytes, pgno)[900] ^= 4;
            page_of(bytes, pgno)[100] ^= 1;
        },
    },
    Case {
        what: "a damaged shadow header",
        told: &[("header", Error), ("header", Warning)],
        damage: |bytes| bytes[PAGE + 60] ^= 1,
    },
    Case {
        what: "headers of two times",
        told: &[("header", Warning)],
        damage: |bytes| set_header(bytes, 1, |header| header.set_dbtime(Dbtime(4000))),
    },
    Case {
        what: "a dirty state",
        told: &[("state", Error)],
        damage: |bytes| set_header(bytes, 2, |header| header.set_state(DbState::Dirty)),
    },
    Case {
        what: "a file that ends too early",
        told: &[("length", Error), ("space", Error)],
        damage: |bytes| bytes.truncate(bytes.len() - 3 * PAGE),
    },
    Case {
        what: "bytes after the last page",
        told: &[("length", Error)],
        damage: |bytes| bytes.extend([1; 100]),
    },
    Case {
        what: "an object id above the last one",
        told: &[("objid", Error)],
        damage: |bytes| set_header(bytes, 2, |header| header.set_objid_last(ObjId(9))),
    },
];

pub const TREES: &[Case] = &[
    Case {
        what: "a change counter above the header's",
        told: &[("dbtime", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, ROWS);
            edit(bytes, pgno, |page| page.set_dbtime(Dbtime(1 << 40)));
        },
    },
    Case {
        what: "a leaf of another tree",
        told: &[("objid", Error), ("leak", Warning), ("row", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, ROWS);
            poke(bytes, pgno, 24, &77u32.to_le_bytes());
        },
    },
    Case {
        what: "a child behind the end of the file",
        told: &[("page", Error), ("leak", Warning), ("row", Error)],
        damage: |bytes| {
            let root = root(bytes, ROWS);
            edit_data(bytes, root, 0, |child| *child = 50_000u32.to_le_bytes().to_vec());
        },
    },
    Case {
        what: "a branch that is its own child",
        told: &[("ownership", Error), ("leak", Warning)],
        damage: |bytes| {
            let root = root(bytes, ROWS);
            edit_data(bytes, root, 0, |child| *child = root.to_le_bytes().to_vec());
        },
    },
    Case {
        what: "a leaf that lost its index flag",
        told: &[("flags", Error), ("node", Error), ("index", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, BY_NUMBER);
            edit(bytes, pgno, |page| page.set_flags(PageFlags::LEAF));
        },
    },
    Case {
        what: "a branch that does not know its children for leaves",
        told: &[("flags", Error)],
        damage: |bytes| {
            let root = root(bytes, ROWS);
            edit(bytes, root, |page| page.set_flags(PageFlags::ROOT));
        },
    },
    Case {
        what: "a broken link between leaves",
        told: &[("links", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, ROWS);
            edit(bytes, pgno, |page| page.set_next(None));
        },
    },
    Case {
        what: "a link back to the wrong leaf",
        told: &[("links", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, ROWS);
            edit(bytes, pgno, |page| page.set_previous(Pgno::new(9)));
        },
    },
    Case {
        what: "two nodes that changed places",
        told: &[("node", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, ROWS);
            let page = page_of(bytes, pgno);
            for byte in 0..4 {
                page.swap(PAGE - 8 + byte, PAGE - 12 + byte);
            }
            stamp(bytes, pgno);
        },
    },
    Case {
        what: "free bytes that do not add up",
        told: &[("node", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, ROWS);
            poke(bytes, pgno, 28, &7u16.to_le_bytes());
        },
    },
    Case {
        what: "a branch node marked as versioned",
        told: &[("node", Error)],
        damage: |bytes| {
            let root = root(bytes, ROWS);
            let high_byte = page_of(bytes, root)[PAGE - 5];
            poke(bytes, root, PAGE - 5, &[high_byte | 0x20]);
        },
    },
    Case {
        what: "a separator above the entries behind it",
        told: &[("separator", Error)],
        damage: |bytes| {
            let root = root(bytes, ROWS);
            let (mut key, child) = node(bytes, root, 0);
            *key.last_mut().unwrap() += 1;
            replace_node(bytes, root, 0, &key, &child);
        },
    },
    Case {
        what: "an entry in front of the leaf before",
        told: &[("separator", Error), ("order", Error), ("index", Error)],
        damage: |bytes| {
            let second = pages(bytes, UNIQUE, PageFlags::LEAF, PageFlags::SPACE_TREE)[1];
            let ((mut key, data), first) = (node(bytes, second, 0), leaf(bytes, UNIQUE));
            key.truncate(key.len() - 1);
            key[0] = 0x01;
            assert!(key < node(bytes, first, 0).0);
            edit(bytes, second, |page| assert!(page.insert_node(0, &key, &data)));
        },
    },
    Case {
        what: "leaves at two depths",
        told: &[("depth", Error), ("flags", Error)],
        damage: |bytes| {
            // The one free page of the table becomes a branch page between the root and its first leaf.
            let available = owned_extents(bytes, ROWS) + 1;
            let (key, _) = node(bytes, available, 0);
            let between = u32::from_be_bytes(key.try_into().unwrap());
            edit(bytes, available, |page| page.delete_node(0));
            let root = root(bytes, ROWS);
            let (key, child) = node(bytes, root, 0);
            let pgno = Pgno::fixed(between);
            PageEditor::format(page_of(bytes, between), pgno, ROWS, PageFlags::PARENT_OF_LEAF, &[]);
            edit(bytes, between, |page| assert!(page.insert_node(0, &key, &child)));
            edit_data(bytes, root, 0, |child| *child = between.to_le_bytes().to_vec());
            // Whatever the root says of its children, it cannot be right about all of them any more.
            edit(bytes, root, |page| page.set_flags(PageFlags::ROOT));
        },
    },
    Case {
        what: "a leaf without entries",
        told: &[("node", Error), ("index", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, UNIQUE);
            edit(bytes, pgno, |page| {
                while page.view().node_count() > 0 {
                    page.delete_node(0);
                }
            });
        },
    },
];

pub const SPACE: &[Case] = &[
    Case {
        what: "a parent that hands out no space",
        told: &[("space", Error)],
        damage: |bytes| {
            let root = root(bytes, BY_NUMBER);
            let offset = tag_offset(bytes, root, 0);
            poke(bytes, root, offset + 4, &1u32.to_le_bytes());
        },
    },
    Case {
        what: "a unique index that says it is none",
        told: &[("space", Error)],
        damage: |bytes| {
            let root = root(bytes, UNIQUE);
            let offset = tag_offset(bytes, root, 0) + 8;
            let flags = page_of(bytes, root)[offset] | 2;
            poke(bytes, root, offset, &[flags]);
        },
    },
    Case {
        what: "a space header that is cut short",
        told: &[("space", Error), ("leak", Warning)],
        damage: |bytes| {
            let root = root(bytes, UNIQUE);
            edit(bytes, root, |page| page.set_external_header(&[0; 12]));
        },
    },
    Case {
        what: "pages in use that are listed as free",
        told: &[("ownership", Error)],
        damage: |bytes| {
            // The free extent of the catalog is made to reach back to its leaves.
            let available = owned_extents(bytes, CATALOG) + 1;
            edit_data(bytes, available, 0, |count| *count = 11u32.to_le_bytes().to_vec());
        },
    },
    Case {
        what: "a bit of a single extent that is wrong",
        told: &[("ownership", Error)],
        damage: |bytes| {
            // The long values draw from the extent of their table.
            let (table, child) = (root(bytes, NOTES), root(bytes, NOTES_LV));
            let offset = tag_offset(bytes, table, 0);
            let header = page_of(bytes, table)[offset..offset + 16].to_vec();
            assert_eq!(header[8] & 1, 0, "the table has a single extent");
            let bits = u32::from_le_bytes(header[12..].try_into().unwrap());
            let bits = bits | 1 << (child - table - 1);
            poke(bytes, table, offset + 12, &bits.to_le_bytes());
        },
    },
    Case {
        what: "an extent that two trees own",
        told: &[("ownership", Error)],
        damage: |bytes| {
            // The unique index claims an extent of the other one too.
            let other = owned_extents(bytes, BY_NUMBER);
            let (key, data) = node(bytes, other, 1);
            let owned = owned_extents(bytes, UNIQUE);
            edit(bytes, owned, |page| {
                let line = page.view().node_count();
                assert!(page.insert_node(line, &key, &data));
            });
        },
    },
    Case {
        what: "a space tree outside of what its tree owns",
        told: &[("ownership", Error)],
        damage: |bytes| {
            let owned = owned_extents(bytes, UNIQUE);
            edit(bytes, owned, |page| page.delete_node(1));
        },
    },
    Case {
        what: "owned extents that overlap",
        told: &[("space", Error), ("leak", Warning)],
        damage: |bytes| {
            let owned = owned_extents(bytes, ROWS);
            edit_data(bytes, owned, 1, |count| *count = 7u32.to_le_bytes().to_vec());
        },
    },
    Case {
        what: "an owned extent behind the end of the file",
        told: &[("space", Error)],
        damage: |bytes| {
            let owned = owned_extents(bytes, UNIQUE);
            edit(bytes, owned, |page| {
                let line = page.view().node_count();
                assert!(page.insert_node(line, &[0, 1, 0, 0], &2u32.to_le_bytes()));
            });
        },
    },
    Case {
        what: "a free extent that is not owned",
        told: &[("space", Error)],
        damage: |bytes| {
            let available = owned_extents(bytes, UNIQUE) + 1;
            let other = root(bytes, ROWS).to_be_bytes();
            edit(bytes, available, |page| {
                assert!(page.insert_node(0, &other, &1u32.to_le_bytes()));
            });
        },
    },
    Case {
        what: "a page that the database owns and nobody else",
        told: &[("leak", Warning)],
        damage: |bytes| {
            let available = owned_extents(bytes, ObjId(1)) + 1;
            edit_data(bytes, available, 0, |count| count[0] -= 1);
        },
    },
    Case {
        what: "a page that an index owns and does not use",
        told: &[("leak", Warning)],
        damage: |bytes| {
            let available = owned_extents(bytes, ROWS_LV) + 1;
            edit_data(bytes, available, 0, |count| count[0] -= 1);
        },
    },
];

pub const CATALOGS: &[Case] = &[
    Case {
        what: "a row that is gone from the shadow",
        told: &[("shadow", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, SHADOW);
            edit(bytes, pgno, |page| page.delete_node(3));
        },
    },
    Case {
        what: "a row that differs in the shadow",
        told: &[("shadow", Error)],
        damage: |bytes| {
            edit_catalog(bytes, (ROWS, 1, ROWS.0), &[SHADOW], |row| row[ROW_DENSITY] = 90);
        },
    },
    Case {
        what: "two trees with one root",
        told: &[
            ("catalog", Error),
            ("space", Error),
            ("objid", Error),
            ("ownership", Error),
            ("leak", Warning),
        ],
        damage: |bytes| {
            let number = root(bytes, UNIQUE) as u8;
            edit_catalog(bytes, (ROWS, 3, BY_NUMBER.0), &BOTH, |row| {
                row[ROW_COLTYP_OR_ROOT] = number;
            });
        },
    },
    Case {
        what: "a table without a root",
        told: &[("catalog", Error), ("objids", Warning), ("leak", Warning)],
        damage: |bytes| {
            edit_catalog(bytes, (NOTES, 1, NOTES.0), &BOTH, |row| {
                row[ROW_COLTYP_OR_ROOT..][..4].fill(0)
            });
        },
    },
    Case {
        what: "a catalog index in another place",
        told: &[("catalog", Error), ("ownership", Error), ("leak", Warning)],
        damage: |bytes| {
            edit_catalog(bytes, (CATALOG, 3, 4), &BOTH, |row| row[ROW_COLTYP_OR_ROOT] = 4);
        },
    },
    Case {
        what: "a column over another one",
        told: &[("column", Error), ("index", Error)],
        damage: |bytes| {
            edit_catalog(bytes, (ROWS, 2, 2), &BOTH, |row| row[ROW_RECORD_OFFSET] = 6);
        },
    },
    Case {
        what: "a number in a variable place",
        told: &[("column", Error)],
        damage: |bytes| {
            edit_catalog(bytes, (NOTES, 2, 128), &BOTH, |row| row[ROW_COLTYP_OR_ROOT] = 4);
        },
    },
    Case {
        what: "an object id that names nothing",
        told: &[("objids", Warning)],
        damage: |bytes| {
            let (pgno, line) = find_entry(bytes, OBJIDS, |_, row| {
                row[row.len() - 10..][..4] == NOTES.0.to_le_bytes()
            });
            edit_data(bytes, pgno, line, |row| {
                let at = row.len() - 2;
                row[at] = 4;
            });
        },
    },
];

/// The record of row `id` of the first table: head, Id, Number, NULL bits, tagged area.
fn edit_row(bytes: &mut [u8], id: u32, change: impl FnOnce(&mut Vec<u8>)) {
    let (pgno, line) =
        find_entry(bytes, ROWS, |_, row| row.len() > 8 && row[4..8] == id.to_le_bytes());
    edit_data(bytes, pgno, line, change);
}

pub const RECORDS: &[Case] = &[
    Case {
        what: "NULL where a value is required",
        told: &[("record", Error), ("key", Error), ("index", Error)],
        damage: |bytes| edit_row(bytes, 5, |row| row[12] |= 1),
    },
    Case {
        what: "a column that nobody defined",
        told: &[("record", Error)],
        damage: |bytes| edit_row(bytes, 5, |row| row[13] += 1),
    },
    Case {
        what: "a fixed column too many",
        told: &[("record", Error)],
        damage: |bytes| edit_row(bytes, 5, |row| row[0] = 3),
    },
    Case {
        what: "a header byte of another type",
        told: &[("record", Error)],
        damage: |bytes| edit_row(bytes, 5, |row| row[17] &= !1),
    },
    Case {
        what: "fixed columns that end behind the record",
        told: &[("record", Error)],
        damage: |bytes| edit_row(bytes, 5, |row| row[3] = 0x7f),
    },
    Case {
        what: "a tagged value that ends behind the record",
        told: &[("record", Error)],
        damage: |bytes| edit_row(bytes, 5, |row| row[16] |= 0x1f),
    },
    Case {
        what: "numbers of a wrong length",
        told: &[("record", Error)],
        damage: |bytes| {
            edit_catalog(bytes, (NOTES, 2, 256), &BOTH, |row| row[ROW_COLTYP_OR_ROOT] = 3);
        },
    },
    Case {
        what: "a value in the record that does not decompress",
        told: &[("record", Error)],
        damage: |bytes| {
            let (pgno, line) = find_entry(bytes, NOTES, |key, _| key == [0, 0, 0, 2]);
            // The header byte of the text, plain so far, calls it compressed.
            edit_data(bytes, pgno, line, |row| {
                assert_eq!(row[22..24], [1, b'b']);
                row[22] |= 2;
            });
        },
    },
    Case {
        what: "a record under a key that is not its own",
        told: &[("key", Error), ("index", Error)],
        damage: |bytes| edit_row(bytes, 5, |row| row[4] ^= 0x40),
    },
    Case {
        what: "a row number of a wrong length",
        told: &[("key", Error)],
        damage: |bytes| {
            let (pgno, line) = find_entry(bytes, NOTES, |key, _| key == [0, 0, 0, 12]);
            let (_, row) = node(bytes, pgno, line);
            replace_node(bytes, pgno, line, &[0, 0, 0, 12, 0], &row);
        },
    },
    Case {
        what: "an index that misses an entry",
        told: &[("index", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, BY_NUMBER);
            edit(bytes, pgno, |page| page.delete_node(3));
        },
    },
    Case {
        what: "an index with an entry too many",
        told: &[("index", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, BY_NUMBER);
            let (key, mut bookmark) = node(bytes, pgno, 3);
            bookmark.push(0);
            edit(bytes, pgno, |page| assert!(page.insert_node(4, &key, &bookmark)));
        },
    },
    Case {
        what: "an index entry that leads to another row",
        told: &[("index", Error)],
        damage: |bytes| {
            let pgno = leaf(bytes, UNIQUE);
            edit_data(bytes, pgno, 3, |bookmark| *bookmark.last_mut().unwrap() ^= 1);
        },
    },
];

/// Changes the root of the first long value of `Rows`.
fn edit_long_value(bytes: &mut [u8], change: impl FnOnce(&mut Vec<u8>)) {
    let (pgno, line) = long_value_root(bytes, ROWS_LV);
    edit_data(bytes, pgno, line, change);
}

pub const LONG_VALUES: &[Case] = &[
    Case {
        what: "a reference count that is too low",
        told: &[("long value", Error)],
        damage: |bytes| edit_long_value(bytes, |root| root[0] = 0),
    },
    Case {
        what: "a reference count that is too high",
        told: &[("long value", Warning)],
        damage: |bytes| edit_long_value(bytes, |root| root[0] = 2),
    },
    Case {
        what: "a value that is half deleted",
        told: &[("long value", Error)],
        damage: |bytes| edit_long_value(bytes, |root| root[..4].fill(0xff)),
    },
    Case {
        what: "a value that ends before its length",
        told: &[("long value", Error)],
        damage: |bytes| {
            edit_long_value(bytes, |root| root[4..].copy_from_slice(&20_000u32.to_le_bytes()));
        },
    },
    Case {
        what: "a chunk behind the end of its value",
        told: &[("long value", Error)],
        damage: |bytes| {
            edit_long_value(bytes, |root| root[4..].copy_from_slice(&4014u32.to_le_bytes()));
        },
    },
    Case {
        what: "a root of a strange length",
        told: &[("long value", Error)],
        damage: |bytes| edit_long_value(bytes, |root| root.extend([0, 0])),
    },
    Case {
        what: "chunks without a root",
        told: &[("long value", Error)],
        damage: |bytes| {
            let (pgno, line) = find_entry(bytes, ROWS_LV, |key, _| key == [0, 0, 0, 2]);
            edit(bytes, pgno, |page| page.delete_node(line));
        },
    },
    Case {
        what: "a chunk that is missing",
        told: &[("long value", Error)],
        damage: |bytes| {
            let (pgno, line) =
                find_entry(bytes, ROWS_LV, |key, _| key == [0, 0, 0, 1, 0, 0, 0x1f, 0x5c]);
            edit(bytes, pgno, |page| page.delete_node(line));
        },
    },
    Case {
        what: "a chunk at a place that is no multiple of the chunk size",
        told: &[("long value", Error)],
        damage: |bytes| {
            let (pgno, line) =
                find_entry(bytes, ROWS_LV, |key, _| key == [0, 0, 0, 1, 0, 0, 0x1f, 0x5c]);
            let (mut key, data) = node(bytes, pgno, line);
            key[7] += 1;
            replace_node(bytes, pgno, line, &key, &data);
        },
    },
    Case {
        what: "a chunk that does not decompress",
        told: &[("long value", Error)],
        damage: |bytes| {
            let (pgno, line) = find_entry(bytes, NOTES_LV, |key, _| key.len() == 8);
            edit_data(bytes, pgno, line, |chunk| chunk.truncate(4));
        },
    },
    Case {
        what: "a record that names another value",
        told: &[("long value", Error), ("long value", Warning)],
        damage: |bytes| {
            // The value's number is the last thing in the record.
            edit_row(bytes, 10, |row| {
                let at = row.len() - 3;
                row[at] = 0x70;
            });
        },
    },
];

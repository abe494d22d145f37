"""The readers' own faults that our files (and the vendor's) run into: the only values let pass.

Each exception belongs to one reader and holds only under a condition computed from the value at
hand, never for a file, a table or a column as a whole. `kind` says what it costs:

* `skip`: the reader cannot give the value, so it is not compared with this reader;
* `note`: the reader gives the stored bytes only, or leaves a step to its caller. The step is taken
  here and the value is compared in full.

The numbers are those of the fact sheet (ese-logical 9.1 for libesedb, 9.2 for dissect.esedb).
Those without a number were found here, with the versions in requirements.txt.
"""

from dataclasses import dataclass

from read_libesedb import TWO_VALUES, decompress, separated_items
from values import same


@dataclass(frozen=True)
class Fault:
    reader: str
    kind: str
    fact: str
    reason: str


FAULTS = {
    "libesedb-raw-chunk-18": Fault(
        "libesedb", "skip", "9.1.1", "a raw chunk whose first byte is 18 hex is taken for XPRESS"
    ),
    "libesedb-null-fixed": Fault(
        "libesedb", "skip", "9.1.6", "the null bitmap is ignored: a NULL fixed column shows its filler"
    ),
    "libesedb-null-fixed-stale": Fault(
        "libesedb", "skip", "9.1.6", "the same, showing what the column held before it was set to NULL"
    ),
    "libesedb-default": Fault(
        "libesedb", "skip", "", "defaults of the catalog are not applied to columns that a record lacks"
    ),
    "libesedb-empty": Fault("libesedb", "skip", "", "an empty value and NULL are the same to its interface"),
    "libesedb-empty-tagged": Fault(
        "libesedb", "skip", "9.1.8", "an empty tagged value without header takes bytes of later ones"
    ),
    "libesedb-explicit-null": Fault(
        "libesedb", "skip", "9.1.8", "on small pages the explicit-NULL bit is read as part of an offset"
    ),
    "libesedb-tag-array": Fault(
        "libesedb", "skip", "9.1.8", "a tag array of 16 KiB or more is cut by a 14-bit mask"
    ),
    "libesedb-multi-value": Fault(
        "libesedb", "note", "9.1.10", "its Python module gives a multi-value as one stored block"
    ),
    "libesedb-two-values": Fault(
        "libesedb", "note", "9.1.10", "the two-value form is parsed as an offset array"
    ),
    "libesedb-separated-item": Fault(
        "libesedb", "skip", "9.1.10", "a separated item of a multi-value comes back as its long-value id, the others are compared"
    ),
    "libesedb-stored-compressed": Fault(
        "libesedb", "note", "", "a binary value compressed in the record comes back as stored"
    ),
    "libesedb-seven-bit-chunk": Fault(
        "libesedb", "note", "9.1.3", "a 7-bit compressed chunk comes back as stored; unpacked it is the same"
    ),
    "libesedb-derived": Fault(
        "libesedb", "skip", "9.1.11", "a derived table's own fixed and variable columns are mislaid"
    ),
    "dissect-raw-chunk": Fault(
        "dissect", "skip", "9.2.1", "raw chunks from the third on are decompressed when they look compressed"
    ),
    "dissect-seven-bit-nul": Fault(
        "dissect", "note", "", "a 7-bit value of 8n+7 characters gains a NUL; without it, it is the same"
    ),
    "dissect-template": Fault(
        "dissect", "skip", "9.2.4", "a derived table's inherited columns are not known, which also mislays its own fixed ones"
    ),
    "dissect-deleted": Fault("dissect", "skip", "9.2.6", "nodes marked deleted are returned as rows"),
    "dissect-explicit-null": Fault(
        "dissect", "note", "", "asking for an explicit NULL fails on an unbound name"
    ),
}


@dataclass
class Case:
    """One value in doubt: `expected` is the dump's JSON value, `raw` its bytes, `cell` the reader's."""

    schema: object
    table: object
    column: object
    expected: object
    raw: object
    cell: object
    row: dict


def explain(reader, case):
    """The exception that accounts for a difference, or None."""
    for name, condition in CONDITIONS[reader]:
        if condition(case):
            return name
    return None


def chunks(case, first):
    """The first byte of each chunk of the value(s), from chunk `first` on."""
    size = case.table.chunk_size
    if not case.column.long_value or not size:
        return
    for raw in case.raw if isinstance(case.raw, list) else [case.raw]:
        if raw:
            yield from raw[first * size :: size]


def explain_row(reader, case):
    """The exception that accounts for a row the reader could not give at all, or None."""
    for name, condition in ROW_CONDITIONS[reader]:
        if condition(case):
            return name
    return None


def gave_nothing(case):
    return case.cell is None or case.cell.raw is None


def raw_chunk_18(case):
    return any(byte == 0x18 for byte in chunks(case, 0))


def null_fixed_shown(case):
    shown = case.cell is not None and case.cell.raw is not None
    return case.expected is None and case.column.fixed and shown


def null_fixed(case):
    # The engine fills with 2A, our writer with zeros.
    return null_fixed_shown(case) and case.cell.raw[:1] in (b"\x2a", b"\0") and len(set(case.cell.raw)) == 1


def null_fixed_stale(case):
    # Nothing in the value proves the NULL: dissect does, which reads the bitmap of the same row.
    return null_fixed_shown(case) and not null_fixed(case)


def default_not_applied(case):
    default = case.column.default
    return default is not None and gave_nothing(case) and same(case.expected, default, case.column)


def is_empty(value):
    """Whether the only value is empty; a multi-valued column gives it in a list."""
    return value in ("", [""])


def empty_is_null(case):
    return is_empty(case.expected) and gave_nothing(case) and not case.column.fixed


def empty_tagged(case):
    return is_empty(case.expected) and case.column.tagged and not case.column.long_value and bool(case.cell.raw)


def empty_tagged_in_row(case):
    named = ((case.table.columns.get(name), value) for name, value in case.row.items())
    return any(c and c.tagged and not c.long_value and is_empty(value) for c, value in named)


def explicit_null(case):
    return case.column.tagged and explicit_null_in_row(case)


def explicit_null_in_row(case):
    # The engine stores an explicit NULL only to override a default: such a column is absent here.
    if case.schema.page_size > 8192:
        return False
    return any(
        c.tagged and c.default is not None and c.name not in case.row for c in case.table.columns.values()
    )


def tag_array(case):
    return case.column.tagged and tag_array_in_row(case)


def tag_array_in_row(case):
    tagged = sum(1 for name in case.row if name in case.table.columns and case.table.columns[name].tagged)
    return case.schema.page_size > 8192 and tagged * 4 >= 0x4000


def seven_bit_chunk(case):
    """Holds when their bytes are ours, chunk for chunk, but for chunks left 7-bit compressed."""
    size = case.table.chunk_size
    theirs, ours = case.cell and case.cell.raw, case.raw
    if not case.column.long_value or not size or not isinstance(ours, bytes) or not isinstance(theirs, bytes):
        return False
    position = compressed = 0
    for start in range(0, len(ours), size):
        chunk = ours[start : start + size]
        if theirs[position : position + len(chunk)] == chunk:
            position += len(chunk)
            continue
        length = seven_bit_length(theirs[position : position + 1], len(chunk))
        packed = theirs[position : position + length]
        if not length or len(packed) != length or decompress(packed) != chunk:
            return False
        position += length
        compressed += 1
    return compressed > 0 and position == len(theirs)


def seven_bit_length(first, plain_bytes):
    """The packed length of a chunk whose stored bytes start with `first`; 0 if that is no 7-bit."""
    scheme = first[0] >> 3 if first else 0
    if scheme not in (1, 2):
        return 0
    count = plain_bytes if scheme == 1 else plain_bytes // 2
    return 1 + (7 * count + 7) // 8


def separated_item(case):
    cell = case.cell
    if cell is None or not isinstance(cell.raw, list) or cell.flags & TWO_VALUES:
        return False
    marks = separated_items(cell.stored)
    if not isinstance(case.expected, list) or not len(marks) == len(case.expected) == len(cell.raw):
        return False
    rest = (
        same(e, r, case.column) for e, r, mark in zip(case.expected, cell.raw, marks) if not mark
    )
    lids = (len(r) in (4, 8) for r, mark in zip(cell.raw, marks) if mark)
    return any(marks) and all(rest) and all(lids)


def raw_chunk_from_third(case):
    return any(0x08 <= byte <= 0x1F or 0x28 <= byte <= 0x37 for byte in chunks(case, 2))


def seven_bit_nul(case):
    """Holds when the reader's value is ours with one NUL character more, at the unpacker's edge."""
    if case.cell is None or case.cell.error or not case.column.long_value:
        return False
    # Of a multi-value, only the first item is ever compressed.
    theirs, ours = [v if isinstance(v, list) else [v] for v in (case.cell.raw, case.raw)]
    if len(theirs) != len(ours) or theirs[1:] != ours[1:] or not ours[0] or not theirs[0]:
        return False
    # LongText of code page 1200 may be packed a unit a character, everything else a byte each.
    last = len(ours[0]) % (case.table.chunk_size or len(ours[0]) + 1)
    as_bytes = theirs[0] == ours[0] + b"\0" and last % 8 == 7
    return as_bytes or (theirs[0] == ours[0] + b"\0\0" and last % 16 == 14)


def template_column(case):
    """Inherited columns, and own ones that only the inherited ones tell the place of."""
    column = case.column
    if case.table.template is None or column.derived or column.fixed:
        return case.table.template is not None
    # A tagged id names two columns here; the bit that tells them apart is ignored.
    return any(c.derived and c.id == column.id for c in case.table.columns.values())


def derived_with_own_columns(case):
    own = (c for c in case.table.columns.values() if not c.derived)
    return case.table.template is not None and any(not c.tagged for c in own)


CONDITIONS = {
    "libesedb": [
        ("libesedb-null-fixed", null_fixed),
        ("libesedb-null-fixed-stale", null_fixed_stale),
        ("libesedb-default", default_not_applied),
        ("libesedb-empty", empty_is_null),
        ("libesedb-empty-tagged", empty_tagged),
        ("libesedb-separated-item", separated_item),
        ("libesedb-seven-bit-chunk", seven_bit_chunk),
        ("libesedb-raw-chunk-18", raw_chunk_18),
        ("libesedb-explicit-null", explicit_null),
        ("libesedb-tag-array", tag_array),
    ],
    "dissect": [
        ("dissect-seven-bit-nul", seven_bit_nul),
        ("dissect-raw-chunk", raw_chunk_from_third),
        ("dissect-template", template_column),
    ],
}

ROW_CONDITIONS = {
    "libesedb": [
        ("libesedb-derived", derived_with_own_columns),
        ("libesedb-empty-tagged", empty_tagged_in_row),
        ("libesedb-explicit-null", explicit_null_in_row),
        ("libesedb-tag-array", tag_array_in_row),
    ],
    "dissect": [],
}

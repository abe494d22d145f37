"""Rows through dissect.esedb, as stored bytes.

The public `Record.get` parses each value into a Python object; the parsing functions below it give
the bytes, which compare exactly. All decoding of pages, records, long values and compression is
dissect's own. `Cell.notes` as in read_libesedb.
"""

from dissect.esedb import EseDB
from dissect.esedb import compression
from dissect.esedb.c_esedb import TAG_FLAG, TAGFLD_HEADER
from dissect.esedb.record import TagField

from read_libesedb import Cell, RowError


class Reader:
    name = "dissect"

    def __init__(self, path, schema):
        self.schema = schema
        self.file = open(path, "rb")
        self.db = EseDB(self.file)

    def tables(self):
        return [table.name for table in self.db.tables()]

    def count(self, name):
        nodes = self.db.table(name).root.iter_leaf_nodes()
        return sum(1 for node in nodes if not deleted(node))

    def rows(self, name):
        """Yields a dict of cells, NULL left out; rows of deleted nodes come as DeletedRow."""
        table = self.db.table(name)
        defaults = {c.identifier for c in table.columns if c.identifier > 255 and has_default(c)}
        for record in table.records():
            if deleted(record._node):
                yield DeletedRow()
                continue
            try:
                yield read_row(table, record._data, defaults)
            except Exception as error:  # whatever the reader throws is its answer
                yield RowError(f"{type(error).__name__}: {error}")


class DeletedRow:
    """A node marked deleted, which dissect returns as if it were a row."""


def deleted(node):
    return bool(node.tag.flags & TAG_FLAG.Deleted)


def has_default(column):
    return column.record is not None and (column.record.get("Flags") or 0) & 0x10


def read_row(table, data, defaults):
    row = {}
    for column in present(table, data, defaults):
        try:
            cell = read_cell(table, data, column)
        except Exception as error:
            cell = Cell(error=f"{type(error).__name__}: {error}")
        if cell is not None:
            row[column.name] = cell
    return row


def present(table, data, defaults):
    """The columns that can have a value: fixed, variable, tagged ones in the record, defaults."""
    ids = set(defaults)
    ids.update(data._get_tag_field(k).identifier for k in range(data._tagged_data_count))
    for column in table.columns:
        if column.type.value and (column.identifier < 256 or column.identifier in ids):
            yield column


def read_cell(table, data, column):
    if column.is_tagged:
        index = data._find_tag_field_idx(column.identifier)
        if index is not None and data._get_tag_field(index).is_null:
            # `get` fails here on an unbound name; the tag itself answers.
            return Cell(None, notes=("dissect-explicit-null",))
    if column.is_fixed:
        return plain(data._get_fixed(column))
    if column.is_variable:
        return plain(data._get_variable(column))
    tag, value = data._get_tagged(column)
    if tag is None:
        return plain(value)
    if tag.flags & TAGFLD_HEADER.MultiValues:
        items = data._parse_multivalue(value, tag)
        return Cell([bytes(item) for item in items], flags=int(tag.flags), stored=bytes(value))
    if tag.flags & TAGFLD_HEADER.Separated:
        return Cell(table.get_long_value(bytes(value)), flags=int(tag.flags), stored=bytes(value))
    if tag.flags & TAGFLD_HEADER.Compressed:
        return Cell(compression.decompress(bytes(value)), flags=int(tag.flags), stored=bytes(value))
    return plain(value)


def plain(value):
    return None if value is None else Cell(bytes(value))

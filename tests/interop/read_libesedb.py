"""Rows through libesedb (module pyesedb), as stored bytes, through its documented calls only.

`Cell.raw` is the value's bytes, or a list of them. `Cell.notes` names the listed exceptions that
had to be worked around to get the bytes; such a value is still compared in full.
"""

import struct
from dataclasses import dataclass

import pyesedb
from dissect.util.compression import lzxpress

COMPRESSED, SEPARATED, MULTI_VALUES, TWO_VALUES = 0x02, 0x04, 0x08, 0x10


@dataclass
class Cell:
    """One value: `raw` bytes (or a list), or the `error` that the reader gave instead."""

    raw: object = None
    error: str | None = None
    notes: tuple = ()
    stored: bytes | None = None
    flags: int = 0


class RowError(Exception):
    """The reader could not give a row at all."""


class Reader:
    name = "libesedb"

    def __init__(self, path, schema):
        self.schema = schema
        self.file = pyesedb.file()
        self.file.open(path)

    def tables(self):
        return [table.name for table in self.file.tables]

    def count(self, name):
        return self.file.get_table_by_name(name).number_of_records

    def rows(self, name):
        """Yields a dict of cells, NULL left out, or a RowError in place of a row."""
        table = self.file.get_table_by_name(name)
        columns = [column.name for column in table.columns]
        kinds = [column.type for column in table.columns]
        for index in range(table.number_of_records):
            try:
                record = table.get_record(index)
            except OSError as error:
                yield RowError(str(error))
                continue
            row = {}
            for i in range(record.number_of_values):
                # Type 0 is a deleted column, kept by the catalog for its place in the record.
                if kinds[i] == 0:
                    continue
                cell = read_cell(record, i, kinds[i])
                if cell is not None:
                    row[columns[i]] = cell
            yield row


def read_cell(record, i, kind):
    try:
        stored = record.get_value_data(i)
        flags = record.get_value_data_flags(i) if stored is not None or kind in (11, 12) else 0
        if stored is None:
            # A long value's header byte tells an empty value from NULL; nothing else does.
            return Cell(b"", flags=flags) if flags & 1 else None
        cell = Cell(stored=stored, flags=flags)
        unpack(cell, record, i)
        return cell
    except OSError as error:
        flags = record.get_value_data_flags(i)
        return Cell(error=str(error), flags=flags, stored=attempt(record, i))


def attempt(record, i):
    try:
        return record.get_value_data(i)
    except OSError:
        return None


def unpack(cell, record, i):
    if cell.flags & TWO_VALUES:
        first = cell.stored[0] if cell.stored else 0
        cell.raw = [cell.stored[1 : 1 + first], cell.stored[1 + first :]]
        cell.notes = ("libesedb-two-values",)
    elif cell.flags & MULTI_VALUES:
        cell.raw = take_apart(cell.stored)
        cell.notes = ("libesedb-multi-value",)
    elif cell.flags & SEPARATED:
        cell.raw = record.get_value_data_as_long_value(i).get_data() or b""
    else:
        cell.raw = cell.stored
    if cell.flags & COMPRESSED and not cell.flags & SEPARATED:
        # The library decompresses text on request but gives the stored bytes of everything else.
        first = cell.raw[0] if cell.flags & MULTI_VALUES else cell.raw
        plain = decompress(first)
        cell.raw = [plain, *cell.raw[1:]] if cell.flags & MULTI_VALUES else plain
        cell.notes += ("libesedb-stored-compressed",)


def decompress(data):
    """Unpacks a value compressed inside the record (ese-logical 5)."""
    scheme = data[0] >> 3 if data else 0
    if scheme in (1, 2):
        plain = seven_bit(data)
        return plain if scheme == 1 else plain.decode("ascii").encode("utf-16-le")
    if scheme == 3:
        return lzxpress.decompress(data[3:])
    raise OSError(f"compression scheme {scheme} is not supported")


def seven_bit(data):
    """Unpacks 7-bit characters; the first byte tells how many bits of the last one count."""
    count = ((len(data) - 2) * 8 + (data[0] & 7) + 1) // 7
    plain = bytearray()
    for start in range(1, len(data), 7):
        group = int.from_bytes(data[start : start + 7], "little")
        plain += bytes(group >> shift & 0x7F for shift in range(0, 56, 7))
    return bytes(plain[:count])


def offsets(stored):
    """The offset array at the head of a stored multi-value (ese-logical 2.7), bit 15 included."""
    if stored is None or len(stored) < 2:
        raise OSError("multi-value without an offset array")
    count = (struct.unpack_from("<H", stored)[0] & 0x7FFF) // 2
    if count == 0 or count * 2 > len(stored):
        raise OSError(f"multi-value of {len(stored)} bytes announces {count} items")
    return struct.unpack_from(f"<{count}H", stored)


def take_apart(stored):
    starts = [offset & 0x7FFF for offset in offsets(stored)]
    return [stored[start:end] for start, end in zip(starts, [*starts[1:], len(stored)])]


def separated_items(stored):
    """Which items of a multi-value are long-value ids (bit 15 of the offset)."""
    return [bool(offset & 0x8000) for offset in offsets(stored)]

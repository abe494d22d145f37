"""The comparing programs judged in their turn: a wrong dump must be caught, and a fault let pass
only under its condition. No files and no foreign readers' databases are needed.

    python -m unittest discover -s tests/interop
"""

import struct
import unittest

import dump
from catalog import Schema, Table
from compare import Comparison, Result
from exceptions import CONDITIONS, FAULTS, ROW_CONDITIONS, Case, explain
from read_dissect import DeletedRow
from read_libesedb import Cell, RowError, decompress, separated_items, take_apart
from values import Column, dump_form, engine_form, raw_of, same

LONG = Column("n", 1, 4, 0)
TEXT = Column("t", 256, 10, 1200)
BLOB = Column("b", 257, 11, 0)


def schema(page_size=4096):
    table = Table("T", {c.name: c for c in (LONG, TEXT, BLOB)}, chunk_size=4014)
    return Schema(page_size, {"T": table})


class FakeReader:
    def __init__(self, rows, name="libesedb"):
        self.name, self.list = name, rows

    def tables(self):
        return ["T"]

    def count(self, name):
        return sum(1 for row in self.list if not isinstance(row, DeletedRow))

    def rows(self, name):
        return iter(self.list)


def cells(**raw):
    return {name: Cell(value) for name, value in raw.items()}


def compare(dumped, read, reader="libesedb", limit=0):
    result = Result("x", reader)
    events = [event if isinstance(event, tuple) else ("row", "T", event) for event in dumped]
    Comparison(FakeReader(read, reader), schema(), result, limit).run(events)
    return result


GOOD_DUMP = [{"n": 1, "t": "a\u00e9"}, {"n": 2, "b": "00ff"}]
GOOD_READ = [
    cells(n=b"\1\0\0\0", t="a\u00e9".encode("utf-16-le")),
    cells(n=b"\2\0\0\0", b=b"\0\xff"),
]


class ComparisonTest(unittest.TestCase):
    def test_equal_rows_pass_and_every_value_is_counted(self):
        result = compare(GOOD_DUMP, GOOD_READ)
        self.assertEqual((result.differences, result.rows, result.values), (0, 2, 4), result.messages)

    def test_a_changed_value_is_a_difference(self):
        for wrong in ({"n": 3, "b": "00ff"}, {"n": 2, "b": "00fe"}, {"n": True, "b": "00ff"}):
            self.assertEqual(compare([GOOD_DUMP[0], wrong], GOOD_READ).differences, 1, wrong)

    def test_a_value_left_out_or_added_is_a_difference(self):
        self.assertEqual(compare([GOOD_DUMP[0], {"n": 2}], GOOD_READ).differences, 1)
        self.assertEqual(compare([GOOD_DUMP[0], {**GOOD_DUMP[1], "t": "x"}], GOOD_READ).differences, 1)

    def test_a_missing_an_extra_and_a_swapped_row_are_differences(self):
        self.assertGreater(compare(GOOD_DUMP[:1], GOOD_READ).differences, 0)
        self.assertGreater(compare(GOOD_DUMP + [{"n": 3}], GOOD_READ).differences, 0)
        self.assertGreater(compare(GOOD_DUMP[::-1], GOOD_READ).differences, 0)

    def test_a_table_left_out_or_unknown_is_a_difference(self):
        self.assertEqual(compare([], GOOD_READ).differences, 1)
        self.assertEqual(compare([("row", "U", {"n": 1})], []).differences, 1)

    def test_a_slice_still_counts_the_rows_behind_it(self):
        self.assertEqual(compare(GOOD_DUMP, GOOD_READ, limit=1).differences, 0)
        self.assertEqual(compare(GOOD_DUMP + [{"n": 3}], GOOD_READ, limit=1).differences, 1)

    def test_a_row_the_reader_cannot_read_is_a_difference_unless_it_holds_the_reason(self):
        self.assertEqual(compare([{"n": 1}], [RowError("bad")]).differences, 1)
        result = compare([{"n": 1, "t": ""}], [RowError("bad")])
        self.assertEqual((result.differences, result.used["libesedb-empty-tagged"]), (0, 1))

    def test_announced_columns_must_be_those_of_the_catalog(self):
        columns = [{"name": "n", "coltyp": 4}, {"name": "t", "coltyp": 10}, {"name": "b", "coltyp": 12}]
        announced = ("table", {"table": "T", "columns": columns})
        self.assertEqual(compare([announced, *GOOD_DUMP], GOOD_READ).differences, 1)
        announced = ("table", {"table": "T", "columns": columns[:2]})
        self.assertEqual(compare([announced, *GOOD_DUMP], GOOD_READ).differences, 1)

    def test_deleted_nodes_of_dissect_are_not_rows(self):
        result = compare(GOOD_DUMP, [GOOD_READ[0], DeletedRow(), GOOD_READ[1]], "dissect")
        self.assertEqual((result.differences, result.used["dissect-deleted"]), (0, 1))


class ExceptionsTest(unittest.TestCase):
    def explain(self, reader, column, expected, cell):
        raw = raw_of(expected, column)
        case = Case(schema(), schema().tables["T"], column, expected, raw, cell, {column.name: expected})
        return explain(reader, case)

    def test_a_raw_chunk_is_excused_only_with_the_trigger_byte_at_a_chunk_border(self):
        lost = Cell(error="cannot read")
        plain = bytearray(9000)
        self.assertIsNone(self.explain("libesedb", BLOB, plain.hex(), lost))
        plain[4013] = 0x18
        self.assertIsNone(self.explain("libesedb", BLOB, plain.hex(), lost))
        plain[4014] = 0x18
        self.assertEqual(self.explain("libesedb", BLOB, plain.hex(), lost), "libesedb-raw-chunk-18")
        # dissect fails from the third chunk on only.
        self.assertIsNone(self.explain("dissect", BLOB, plain.hex(), lost))
        plain[8028] = 0x28
        self.assertEqual(self.explain("dissect", BLOB, plain.hex(), lost), "dissect-raw-chunk")

    def test_filler_is_excused_for_null_fixed_columns_only(self):
        self.assertEqual(self.explain("libesedb", LONG, None, Cell(b"****")), "libesedb-null-fixed")
        self.assertEqual(self.explain("libesedb", LONG, None, Cell(b"\1\0\0\0")), "libesedb-null-fixed-stale")
        self.assertIsNone(self.explain("libesedb", LONG, 5, Cell(b"****")))
        self.assertIsNone(self.explain("libesedb", BLOB, None, Cell(b"****")))
        self.assertIsNone(self.explain("dissect", LONG, None, Cell(b"****")))

    def test_a_default_is_excused_only_when_it_is_the_value(self):
        column = Column("n", 256, 4, 0, default=b"\x2a\0\0\0")
        self.assertEqual(self.explain("libesedb", column, 42, None), "libesedb-default")
        self.assertIsNone(self.explain("libesedb", column, 43, None))

    def test_separated_items_are_excused_and_their_neighbours_compared(self):
        stored = struct.pack("<HH", 0x8004, 8) + b"\7\0\0\0" + b"ab"
        cell = Cell(take_apart(stored), flags=9, stored=stored)
        self.assertEqual(separated_items(stored), [True, False])
        self.assertEqual(self.explain("libesedb", BLOB, ["00" * 99, "6162"], cell), "libesedb-separated-item")
        self.assertIsNone(self.explain("libesedb", BLOB, ["00" * 99, "6163"], cell))

    def test_a_seven_bit_chunk_is_excused_only_if_it_unpacks_to_the_value(self):
        packed = bytes.fromhex("0ee170381c0e87c361")
        plain = decompress(packed)
        self.assertEqual(self.explain("libesedb", BLOB, plain.hex(), Cell(packed)), "libesedb-seven-bit-chunk")
        self.assertIsNone(self.explain("libesedb", BLOB, b"b".hex() + plain[1:].hex(), Cell(packed)))

    def test_one_nul_more_is_excused_at_the_unpackers_edge_only(self):
        self.assertEqual(self.explain("dissect", BLOB, "61" * 15, Cell(b"a" * 15 + b"\0")), "dissect-seven-bit-nul")
        self.assertIsNone(self.explain("dissect", BLOB, "61" * 14, Cell(b"a" * 14 + b"\0")))

    def test_every_condition_has_its_entry_and_its_reader(self):
        for listed in (CONDITIONS, ROW_CONDITIONS):
            for reader, conditions in listed.items():
                for name, _ in conditions:
                    self.assertEqual(FAULTS[name].reader, reader, name)


class ValuesTest(unittest.TestCase):
    def test_forms_go_there_and_back(self):
        samples = {1: b"\xff", 2: b"\7", 3: b"\xfe\xff", 8: b"\xff" * 8, 14: b"\xff" * 4, 16: bytes(range(16))}
        for kind, raw in samples.items():
            column = Column("c", 1, kind, 0)
            self.assertEqual(raw_of(dump_form(raw, column), column), raw)
        guid = Column("c", 1, 16, 0)
        self.assertEqual(dump_form(bytes(range(16)), guid), "03020100-0504-0706-0809-0a0b0c0d0e0f")

    def test_floats_compare_at_their_stored_width_and_keep_the_sign_of_zero(self):
        single, double = Column("c", 1, 6, 0), Column("c", 1, 7, 0)
        self.assertTrue(same(0.1, struct.pack("<f", 0.1), single))
        self.assertFalse(same(0.1, struct.pack("<d", 0.1000000001), double))
        self.assertFalse(same(0.0, struct.pack("<d", -0.0), double))

    def test_long_values_of_the_engine_compare_by_their_hash(self):
        answer = engine_form(b"x" * 97, BLOB)
        self.assertTrue(same(answer, b"x" * 97, BLOB))
        self.assertFalse(same(answer, b"x" * 96 + b"y", BLOB))

    def test_seven_bit_of_both_kinds_unpacks_to_its_exact_length(self):
        self.assertEqual(decompress(bytes.fromhex("0ee170381c0e87c361")), b"a" * 9)
        for length in range(1, 40):
            bits = sum(0x61 << 7 * k for k in range(length))
            packed = bits.to_bytes((7 * length + 7) // 8, "little")
            head = (7 * length - 1) % 8
            self.assertEqual(decompress(bytes([8 | head]) + packed), b"a" * length)
            self.assertEqual(decompress(bytes([16 | head]) + packed), b"a\0" * length)


class DumpTest(unittest.TestCase):
    HELLO, EXIT = b'{"type":"hello","v":1}', b'{"type":"exit","code":0}'

    def test_a_dump_without_hello_or_exit_or_with_a_failing_exit_is_refused(self):
        row = b'{"type":"row","table":"T","row":{}}'
        good = list(dump.parse([self.HELLO, b'{"type":"other"}', row, self.EXIT]))
        self.assertEqual(good, [("row", "T", {})])
        for lines in ([row, self.EXIT], [self.HELLO, row], [self.HELLO, b'{"type":"exit","code":1}'], []):
            with self.assertRaises(dump.DumpError):
                list(dump.parse(lines))


if __name__ == "__main__":
    unittest.main()

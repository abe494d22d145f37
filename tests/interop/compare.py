#!/usr/bin/env python3
"""Compares `dialtone dump` with libesedb and dissect.esedb: every table, row and value.

    compare.py [--bin DIALTONE] [--rows N] [--self] FILE...

Rows are paired in the order of the primary tree, in which all readers walk. A difference is
reported with file, table, row, column and both values, and makes the exit status 1. Values that a
reader's listed fault keeps it from giving are counted by fault (exceptions.py).

`--rows N` compares the first N rows of each table in full and only counts the others.
`--self` puts dissect in the place of the dump: it shows that the list of exceptions is complete
for a file without asking our own reader.
"""

import argparse
import collections
import concurrent.futures
import os
import sys
import time
from dataclasses import dataclass, field

import read_dissect
import read_libesedb
from catalog import read_schema
from dump import DumpError, binary, events
from exceptions import FAULTS, Case, explain, explain_row
from read_dissect import DeletedRow
from read_libesedb import RowError
from values import dump_form, raw_of, same, show

READERS = {"libesedb": read_libesedb.Reader, "dissect": read_dissect.Reader}
SHOWN = 12


@dataclass
class Result:
    """What one reader made of one file."""

    path: str
    reader: str
    tables: int = 0
    rows: int = 0
    counted: int = 0
    values: int = 0
    warnings: int = 0
    seconds: float = 0.0
    used: collections.Counter = field(default_factory=collections.Counter)
    differences: int = 0
    messages: list = field(default_factory=list)

    def differ(self, message):
        self.differences += 1
        if self.differences <= SHOWN:
            self.messages.append(message)


class Comparison:
    """Walks the dump's events and the reader's rows side by side."""

    def __init__(self, reader, schema, result, limit, mirror=None):
        self.reader, self.schema, self.result = reader, schema, result
        self.limit, self.mirror = limit, mirror
        self.known = set(reader.tables())
        self.seen = set()
        self.table, self.rows, self.index = None, None, 0

    def run(self, stream):
        for event in stream:
            if event[0] == "row":
                self.row(event[1], event[2], *event[3:])
            elif event[0] == "table":
                self.announce(event[1])
            else:
                self.result.warnings += 1
        self.close()
        for name in sorted(self.known - self.seen):
            count = self.reader.count(name)
            if count:
                self.result.differ(f"{name}: the dump shows no row, {self.reader.name} has {count}")
        self.result.tables = len(self.known | self.seen)

    def announce(self, line):
        table = self.schema.tables.get(line.get("table"))
        if table is None:
            self.result.differ(f"the dump announces table {line.get('table')!r}, the catalog has none")
            return
        listed = line.get("columns")
        if listed is None:
            return
        if {c.get("name") for c in listed} != set(table.columns):
            odd = {c.get("name") for c in listed} ^ set(table.columns)
            self.result.differ(f"{table.name}: columns differ from the catalog's: {sorted(odd)[:5]}")
        for shown in listed:
            column = table.columns.get(shown.get("name"))
            if column and shown.get("coltyp", column.coltyp) != column.coltyp:
                self.result.differ(f"{table.name}.{column.name}: type {shown['coltyp']}, not {column.coltyp}")

    def open(self, name):
        self.close()
        if name in self.seen:
            self.result.differ(f"{name}: its rows come in two pieces")
        self.seen.add(name)
        self.table, self.index = self.schema.tables.get(name), 0
        if self.table is None or name not in self.known:
            self.result.differ(f"{name}: {self.reader.name} has no such table")
            self.table = None
        self.name, self.rows = name, self.walk(name) if self.table else None

    def walk(self, name):
        for row in self.reader.rows(name):
            if isinstance(row, DeletedRow):
                self.result.used["dissect-deleted"] += 1
            else:
                yield row

    def row(self, name, values, cells=None):
        if self.rows is None or name != self.name:
            self.open(name)
        if self.table is None:
            return
        self.index += 1
        if self.limit and self.index > self.limit:
            self.result.counted += 1
            return
        theirs = next(self.rows, None)
        if theirs is None:
            self.result.differ(f"{name}: row {self.index} of the dump is not in {self.reader.name}")
        elif isinstance(theirs, RowError):
            self.lost_row(values, theirs)
        else:
            self.compare(values, theirs, cells)
            self.result.rows += 1

    def lost_row(self, values, error):
        fault = explain_row(self.reader.name, Case(self.schema, self.table, None, None, None, None, values))
        if fault:
            self.result.used[fault] += 1
        else:
            self.result.differ(f"{self.name} row {self.index}: {self.reader.name} fails: {error}")

    def compare(self, values, theirs, cells):
        for name in {**values, **theirs}:
            column = self.table.columns.get(name)
            if column is None:
                self.result.differ(f"{self.name} row {self.index}: the catalog has no column {name!r}")
                continue
            expected, cell = values.get(name), theirs.get(name)
            failed = cell is not None and cell.error is not None
            if cell is not None:
                self.result.used.update(cell.notes)
            if not failed and same(expected, cell.raw if cell else None, column):
                self.result.values += 1
                continue
            fault = self.fault(values, theirs, cells, column)
            if fault:
                self.result.used[fault] += 1
            elif failed and expected is None and self.result.warnings:
                self.result.used["unreadable-on-both-sides"] += 1
            else:
                got = f"an error: {cell.error}" if failed else show(cell.raw if cell else None)
                where = f"{self.name} row {self.index} column {name}"
                self.result.differ(f"{where}: dump {show(expected)}, {self.reader.name} {got}")

    def fault(self, values, theirs, cells, column):
        expected, cell = values.get(column.name), theirs.get(column.name)
        raw = safe_raw(expected, column)
        case = Case(self.schema, self.table, column, expected, raw, cell, values)
        found = explain(self.reader.name, case)
        if found or self.mirror is None:
            return found
        # In a self comparison the stand-in for the dump has faults of its own.
        row = {name: dump_form(c.raw, self.table.columns[name]) for name, c in theirs.items() if not c.error}
        raw = cell.raw if cell and not cell.error else None
        case = Case(self.schema, self.table, column, row.get(column.name), raw, cells.get(column.name), row)
        return explain(self.mirror, case)

    def close(self):
        if self.rows is None or self.table is None:
            return
        if self.limit and self.index > self.limit:
            count = self.reader.count(self.name)
        else:
            count = self.index + sum(1 for _ in self.rows)
        if count != self.index:
            self.result.differ(f"{self.name}: the dump has {self.index} rows, {self.reader.name} {count}")
        self.rows = None


def safe_raw(expected, column):
    try:
        return raw_of(expected, column)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


def stand_in(path, schema):
    """dissect's rows in the dump's form, for `--self`."""
    reader = read_dissect.Reader(path, schema)
    for name in reader.tables():
        columns = schema.tables[name].columns
        for row in reader.rows(name):
            if isinstance(row, dict):
                good = {k: c for k, c in row.items() if c.error is None and c.raw is not None}
                yield "row", name, {k: dump_form(c.raw, columns[k]) for k, c in good.items()}, row


def judge(path, reader_name, program, limit, own):
    """Compares one file with one reader; runs in a process of its own."""
    result = Result(path, reader_name)
    start = time.monotonic()
    try:
        schema = read_schema(path)
        reader = READERS[reader_name](path, schema)
        mirror = "dissect" if own else None
        stream = stand_in(path, schema) if own else events(path, program)
        Comparison(reader, schema, result, limit, mirror).run(stream)
    except (DumpError, OSError, ValueError, KeyError) as error:
        result.differ(f"{type(error).__name__}: {error}")
    result.seconds = time.monotonic() - start
    return result


def report(result):
    verdict = "same" if not result.differences else f"{result.differences} DIFFERENCES"
    counted = f" (+{result.counted} counted)" if result.counted else ""
    warned = f", {result.warnings} dump warnings" if result.warnings else ""
    used = ", ".join(f"{name} {count}" for name, count in sorted(result.used.items())) or "none"
    print(
        f"{os.path.basename(result.path)} | {result.reader}: {verdict}; {result.tables} tables, "
        f"{result.rows} rows{counted}, {result.values} values{warned}; exceptions: {used}; "
        f"{result.seconds:.1f} s"
    )
    for message in result.messages:
        print(f"  {message}")
    if result.differences > SHOWN:
        print(f"  ... and {result.differences - SHOWN} more")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--bin")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--self", dest="own", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    readers = ["libesedb"] if options.own else list(READERS)
    # The longest jobs first: nothing big may start last.
    files = sorted(options.files, key=os.path.getsize, reverse=True)
    jobs = [(path, name) for path in files for name in readers]
    total, used = 0, collections.Counter()
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        waiting = [
            pool.submit(judge, path, name, binary(options.bin), options.rows, options.own) for path, name in jobs
        ]
        for done in concurrent.futures.as_completed(waiting):
            result = done.result()
            total += result.differences
            used.update(result.used)
            report(result)
    print(f"{len(files)} files, {len(jobs)} comparisons, {total} differences")
    for name, count in sorted(used.items()):
        fault = FAULTS.get(name)
        print(f"  {name}: {count}" + (f" ({fault.kind}) {fault.reason} [{fault.fact or 'found here'}]" if fault else ""))
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())

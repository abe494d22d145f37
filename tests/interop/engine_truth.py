#!/usr/bin/env python3
"""Compares `dialtone dump` with the answers of Microsoft's engine beside its databases.

    engine_truth.py [--bin DIALTONE] DATABASE.edb=ANSWERS.json.gz...

Every table, row and value of the answers must be dumped, and nothing else (system tables have no
rows there and are passed over). The cargo tests do the same inside the library; this one goes
through the command line and its JSON. There are no exceptions here.
"""

import argparse
import gzip
import json
import os
import sys

from dump import DumpError, binary, events
from values import Column, raw_of, same, show


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+")
    parser.add_argument("--bin")
    options = parser.parse_args()
    total = 0
    for pair in options.pairs:
        path, answers = pair.split("=", 1)
        try:
            rows, values, problems = judge(path, answers, binary(options.bin))
        except (DumpError, OSError) as error:
            rows, values, problems = 0, 0, [str(error)]
        verdict = "same" if not problems else f"{len(problems)} DIFFERENCES"
        print(f"{os.path.basename(path)} | engine: {verdict}; {rows} rows, {values} values")
        for problem in problems[:12]:
            print(f"  {problem}")
        total += len(problems)
    return 1 if total else 0


def judge(path, answers, program):
    with gzip.open(answers, "rt") as file:
        tables = {t["table"]: t for t in json.load(file)["tables"] if "rows" in t}
    dumped = {name: [] for name in tables}
    for event in events(path, program):
        if event[0] == "row" and event[1] in dumped:
            dumped[event[1]].append(event[2])
    rows = values = 0
    problems = []
    for name, table in tables.items():
        if len(dumped[name]) != len(table["rows"]):
            problems.append(f"{name}: {len(dumped[name])} rows, the engine has {len(table['rows'])}")
        columns = {c["name"]: Column(c["name"], c["id"] & 0xFFFF, c["coltyp"], c["cp"]) for c in table["columns"]}
        for index, (ours, truth) in enumerate(zip(dumped[name], table["rows"]), 1):
            rows += 1
            values += len(truth)
            problems += differences(f"{name} row {index}", columns, ours, truth)
    return rows, values, problems


def differences(where, columns, ours, truth):
    for name in {**truth, **ours}:
        column, value = columns.get(name), ours.get(name)
        if column is None:
            yield f"{where}: the engine has no column {name!r}"
            continue
        try:
            good = name in truth and name in ours and same(truth[name], raw_of(value, column), column)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            yield f"{where} column {name}: {show(value)} is not of its type: {error}"
            continue
        if not good:
            yield f"{where} column {name}: dump {show(value)}, engine {show(truth.get(name))}"


if __name__ == "__main__":
    sys.exit(main())

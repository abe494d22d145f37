#!/usr/bin/env python3
"""Opens databases with impacket's ESE reader and reads every row of every table.

    impacket_open.py [--bin DIALTONE] FILE...

impacket follows no long values and decodes little (ese-logical 9.3), so rows are counted against
`dialtone dump`, not compared. A file that it cannot open, a row that it cannot read and a count
that differs end the run with status 1.
"""

import argparse
import collections
import concurrent.futures
import os
import sys
import time

from impacket.ese import ESENT_DB

from dump import DumpError, binary, events


def tables_of(database):
    """The table names; impacket keeps them to itself."""
    return [name.decode() for name in database._ESENT_DB__tables]


def count_rows(database, name):
    cursor = database.openTable(name)
    if cursor is None:
        raise OSError(f"table {name} does not open")
    rows = 0
    while database.getNextRow(cursor) is not None:
        rows += 1
    return rows


def judge(path, program):
    """Returns the number of tables and rows read, the seconds taken, and what differs."""
    start, problems, ours = time.monotonic(), [], collections.Counter()
    try:
        for event in events(path, program):
            if event[0] == "row":
                ours[event[1]] += 1
    except DumpError as error:
        problems.append(str(error))
    total = names = 0
    try:
        database = ESENT_DB(path)
        for name in tables_of(database):
            names += 1
            theirs = count_rows(database, name)
            total += theirs
            if theirs != ours.pop(name, 0):
                problems.append(f"{name}: impacket reads {theirs} rows, the dump another number")
    except Exception as error:  # whatever impacket throws, the file was not read
        problems.append(f"{type(error).__name__}: {error}")
    problems += [f"{name}: impacket has no such table ({count} rows)" for name, count in ours.items()]
    return path, names, total, time.monotonic() - start, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--bin")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    failed = 0
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        files = sorted(options.files, key=os.path.getsize, reverse=True)
        for done in [pool.submit(judge, path, binary(options.bin)) for path in files]:
            path, names, total, seconds, problems = done.result()
            verdict = "same" if not problems else f"{len(problems)} PROBLEMS"
            name = os.path.basename(path)
            print(f"{name} | impacket: {verdict}; {names} tables, {total} rows counted; {seconds:.1f} s")
            for problem in problems:
                print(f"  {problem}")
            sys.stdout.flush()
            failed += bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

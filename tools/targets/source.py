"""Writes down how many bytes of a store's pages are in use, as one JSON line.

    source.py RECORDS PROGRAM STORE.edb KEY=VALUE...

In use are: pages of the database that a tree owns and that are not free (`info`), and pages of the streaming file that
belong to a content (the rows of StmOwner: L7e73 is the number of pages of a run). Free tails of the files do not count.
"""

import json
import subprocess
import sys


def lines(*command):
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        sys.exit(f"exit status {process.returncode}: {' '.join(command)}")


def used_bytes(program, store):
    pages, page_bytes = 0, 0
    for line in lines(program, "info", "--json", store):
        if line["type"] == "database":
            page_bytes = line["page_size"]
            pages += line["owned_pages"] - line["free_pages"]
    for line in lines(program, "dump", "--json", "--table", "StmOwner", store):
        if line["type"] == "row":
            pages += line["row"]["L7e73"]
    return pages * page_bytes


def main():
    records, program, store, *pairs = sys.argv[1:]
    named = dict(pair.split("=", 1) for pair in pairs)
    line = {"type": "source", **named, "used_bytes": used_bytes(program, store)}
    with open(records, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A stand-in for the dialtone binary that dumps through dissect: `stand_in.py dump FILE --json`.

For trying the comparing programs themselves (`--bin tests/interop/stand_in.py`); proves nothing
about dialtone.
"""

import json
import sys

from catalog import read_schema
from compare import stand_in


def main():
    path = sys.argv[2]
    print(json.dumps({"type": "hello", "v": 1, "command": "dump"}))
    for _, table, row, _ in stand_in(path, read_schema(path)):
        print(json.dumps({"type": "row", "table": table, "row": row}))
    print(json.dumps({"type": "exit", "code": 0}))


if __name__ == "__main__":
    main()

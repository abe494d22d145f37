"""Reads every value of every row with dissect.esedb and prints the number of rows of each table as JSON."""

import json
import sys

from dissect.esedb import EseDB


def main():
    counts, value_bytes = {}, 0
    with open(sys.argv[1], "rb") as file:
        for table in EseDB(file).tables():
            counts[table.name] = 0
            for record in table.records():
                counts[table.name] += 1
                for value in record.as_dict().values():
                    value_bytes += len(value) if isinstance(value, bytes | str) else 0
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump({"rows": counts, "value_bytes": value_bytes}, file)


if __name__ == "__main__":
    main()

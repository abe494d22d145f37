"""Prints the table of tools/compare/run.sh from its measurements; the head comes on standard input.

    table.py RECORDS [JSON]

A ratio says how many times as long the rival takes as dialtone, in the same round: above 1, dialtone is faster.
"""

import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "targets"))
from table import Records  # noqa: E402 (the path comes first)

# Work, ours, the rival and its name.
LINES = (
    ("copy all", "dialtone.copy", "cp.copy", "cp of the store, sync"),
    ("copy all", "dialtone.copy", "maildir.copy", "cp -r of Maildirs, sync"),
    ("copy all", "dialtone.copy", "sqlite.copy", "SQLite INSERT SELECT"),
    ("copy all", "dialtone.copy", "dovecot.copy", "doveadm backup"),
    ("merge, 90 % there", "dialtone.merge", "sqlite.merge", "SQLite INSERT OR IGNORE"),
    ("merge, 90 % there", "dialtone.merge", "sqlite.merge.missing", "SQLite NOT EXISTS"),
    ("merge, 90 % there", "dialtone.merge", "dovecot.merge", "doveadm sync -1"),
    ("merge, all there", "dialtone.again", "sqlite.again", "SQLite INSERT OR IGNORE"),
    ("merge, all there", "dialtone.again", "sqlite.again.missing", "SQLite NOT EXISTS"),
    ("merge, all there", "dialtone.again", "dovecot.again", "doveadm sync -1"),
    ("write out four tables", "dialtone.tables", "esedbexport.tables", "esedbexport"),
    ("read every value", "dialtone.dump", "dissect.dump", "dissect.esedb"),
    ("verify against read", "dialtone.check", "esedbexport.tables", "esedbexport, four tables"),
    ("verify against read", "dialtone.check", "dissect.dump", "dissect.esedb"),
)


def line(records, work, ours, rival, name):
    ratios = [1 / ratio for ratio in records.ratios(ours, rival)]
    if not ratios:
        return None
    pairs = records.pairs(ours, rival)
    return {
        "type": "comparison",
        "work": work,
        "rival": name,
        "dialtone_seconds": statistics.median(run["seconds"] for run, _ in pairs),
        "rival_seconds": statistics.median(run["seconds"] for _, run in pairs),
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "rounds": len(ratios),
    }


def show(lines):
    form = "{:<22} {:<26} {:>10} {:>10} {:>9}   {}"
    print(form.format("work", "rival", "dialtone", "rival", "ratio", "spread"))
    for one in lines:
        seconds = (f"{one['dialtone_seconds']:.3f} s", f"{one['rival_seconds']:.3f} s")
        spread = f"{one['low']:.2f}..{one['high']:.2f}" if one["rounds"] > 1 else "one round"
        print(form.format(one["work"], one["rival"], *seconds, f"{one['ratio']:.2f}", spread))


def main():
    path, *json_path = sys.argv[1:]
    records = Records(path)
    lines = [one for one in (line(records, *names) for names in LINES) if one]
    head = sys.stdin.read()
    print(head)
    show(lines)
    print("\nratio: how many times as long as dialtone the rival takes; above 1, dialtone is faster")
    for json_file in json_path:
        with open(json_file, "w", encoding="utf-8") as file:
            for one in [{"type": "head", "text": head}, *records.lines, *lines]:
                file.write(json.dumps(one) + "\n")


if __name__ == "__main__":
    main()

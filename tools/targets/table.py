"""Turns the records of tools/targets.sh into the table of targets.

    table.py RECORDS ONLY [JSON]

ONLY is a list like S1,S4, or empty for all. JSON is a file that gets every record and every line of the table. A ratio is
made of two measurements of the same round; the table shows the median of the rounds with the smallest and the largest.
"""

import json
import statistics
import sys

MIB = 1 << 20
MEMORY_MAX_MIB = 320
# A process that is on the processor for less of its time than this waits for the disk: more workers cannot help it.
CPU_BOUND = 0.9


class Records:
    """What was measured, by step and round."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.lines = [json.loads(line) for line in file]

    def all(self, kind, step=None):
        return [line for line in self.lines if line["type"] == kind and step in (None, line.get("step"))]

    def runs(self, step):
        return self.all("run", step)

    def values(self, step, value):
        return [value(run) for run in self.runs(step)]

    def pairs(self, step, other):
        """Measurements of the same round."""
        rounds = {run["round"]: run for run in self.runs(other)}
        return [(run, rounds[run["round"]]) for run in self.runs(step) if run["round"] in rounds]

    def ratios(self, step, other):
        return [run["seconds"] / yard["seconds"] for run, yard in self.pairs(step, other)]


def written_bytes(run):
    """What the storage layer was made to write; file systems in memory have no such number."""
    return run["storage_write_bytes"] or run["call_write_bytes"] or 0


def counted(run):
    """Items taken over, items that were there already, items of the source: of a recovery's report."""
    counters, side = run["report"]["counters"], run["report"]["side"]
    inserted = counters["inserted"] + counters["replaced"] + side["hidden_inserted"] + side["dumpster_inserted"]
    there = counters["unchanged"] + counters["moved"] + side["hidden_unchanged"]
    left = side["dumpster_left"] + side["hidden_left"] + side["queued_left"]
    every = counters["scanned"] + side["hidden_inserted"] + side["hidden_unchanged"] + side["dumpster_inserted"] + left
    return inserted, there, every


def amplifications(records, step):
    """Bytes written per used byte of the source, the items that a recovery leaves out taken off by their number."""
    sources = records.all("source", step)
    if not sources:
        return []
    found = []
    for run in records.runs(step):
        inserted, _, every = counted(run)
        found.append(written_bytes(run) / (sources[0]["used_bytes"] * inserted / every))
    return found


def verdict(value, target, stretch, at_least=False):
    """One word on a measured value."""
    if at_least:
        value, target, stretch = -value, -target, None if stretch is None else -stretch
    if stretch is not None and value <= stretch:
        return "met, stretch too"
    return "met" if value <= target else "MISSED"


def row(target_id, work, values, limit, stretch, note="", at_least=False, unit=""):
    """A line of the table, or none if nothing was measured."""
    if not values:
        return None
    middle = statistics.median(values)
    return {
        "type": "target",
        "id": target_id,
        "work": work,
        "measured": middle,
        "low": min(values),
        "high": max(values),
        "rounds": len(values),
        "target": limit,
        "stretch": stretch,
        "at_least": at_least,
        "unit": unit,
        "verdict": verdict(middle, limit, stretch, at_least),
        "note": note,
    }


def seconds_of(records, step):
    runs = records.runs(step)
    return f"{statistics.median(run['seconds'] for run in runs):.2f} s" if runs else "-"


def against(records, step, other):
    return f"{seconds_of(records, step)} against {seconds_of(records, other)}"


def scanning(records):
    note = against(records, "main.check", "main.cat")
    return row("S1", "check --quick / cat", records.ratios("main.check", "main.cat"), 1.3, 1.0, note)


def copying(records):
    note = against(records, "main.copy", "main.cp")
    return row("S2", "copy of all / cp and sync", records.ratios("main.copy", "main.cp"), 1.5, 1.1, note)


def paired_share(records, step):
    shares = []
    for run in records.runs(step):
        inserted, there, _ = counted(run)
        shares.append(there / max(1, inserted + there))
    return f"{100 * statistics.median(shares):.1f} % were there" if shares else ""


def merging(records):
    note = f"{against(records, 'main.merge', 'main.copy')}; {paired_share(records, 'main.merge')}"
    return row("S3", "merge, 90 % there / S2's copy", records.ratios("main.merge", "main.copy"), 0.35, 0.2, note)


def repeating(records):
    inserted = sum(counted(run)[0] for run in records.runs("main.again"))
    note = f"{against(records, 'main.again', 'main.cat')}; {inserted} inserted"
    line = row("S4", "merge again / cat of the source", records.ratios("main.again", "main.cat"), 0.3, 0.1, note)
    if line and inserted:
        line["verdict"] = "MISSED: something was inserted"
    return line


def restoring(records):
    times = ", ".join(seconds_of(records, f"restored.{name}") for name in ("low", "middle", "high"))
    return [
        row("S5", f"{name} restored store / low", records.ratios(f"restored.{name}", "restored.low"), 1.5, 1.1, times)
        for name in ("middle", "high")
    ]


def speeding_up(records, store, work):
    pairs = records.pairs(f"{store}.one", f"{store}.two")
    ratios = [one["seconds"] / two["seconds"] for one, two in pairs]
    if not ratios:
        return None
    busy = statistics.median(one["cpu_seconds"] / one["seconds"] for one, _ in pairs)
    note = f"{against(records, f'{store}.one', f'{store}.two')}; 1 worker kept its core {100 * busy:.0f} % busy"
    line = row("S6", work, ratios, 1.7, 1.9, note, at_least=True)
    if busy < CPU_BOUND and line["verdict"] == "MISSED":
        line["verdict"] = "no judgement: not CPU-bound"
    return line


def small_items(records):
    runs = records.runs("small.copy")
    if not runs:
        return None
    rates = [counted(run)[0] / run["seconds"] for run in runs]
    items, mailboxes = counted(runs[0])[0], runs[0]["totals"]["mailboxes"]
    note = (
        f"{against(records, 'small.copy', 'small.cp')}; {statistics.median(rates):,.0f} items/s "
        f"({min(rates):,.0f}..{max(rates):,.0f}); {mailboxes} mailboxes, {items} items"
    )
    return row("S7", "small items: copy / cp and sync", records.ratios("small.copy", "small.cp"), 4.0, 2.0, note)


def memory(records, step, work):
    low, high = ([run["rss_anon_peak_bytes"] / MIB for run in records.runs(f"memory.{step}.{at}")] for at in ("low", "high"))
    if not low or not high:
        return None
    apart = 100 * abs(high[0] - low[0]) / max(high[0], low[0])
    note = f"{low[0]:.0f} MiB in the small store, {high[0]:.0f} in the large: {apart:.0f} % apart (<= 10 %)"
    line = row("S8", work, [max(low + high)], MEMORY_MAX_MIB, None, note, unit=" MiB")
    line["low"], line["high"] = min(low + high), max(low + high)
    if apart > 10:
        line["verdict"] = "MISSED" if line["verdict"] == "MISSED" else "MISSED: apart"
    return line


def amplifying(records):
    def one(step, work, limit, stretch):
        runs = records.runs(step)
        if not runs:
            return None
        calls = statistics.median(run["call_write_bytes"] for run in runs) / 1e6
        storage = statistics.median(run["storage_write_bytes"] or 0 for run in runs) / 1e6
        note = f"{storage:.0f} MB to the storage layer, {calls:.0f} MB in write calls"
        return row("S9", work, amplifications(records, step), limit, stretch, note)

    lines = [one("main.copy", "bytes written / source, S2", 1.15, 1.05)]
    for name in ("low", "middle", "high"):
        lines.append(one(f"restored.{name}", f"bytes written / source, S5 {name}", 2.0, 1.05))
    return lines


def table(records):
    lines = [scanning(records), copying(records), merging(records), repeating(records), *restoring(records)]
    lines.append(speeding_up(records, "small", "1 worker / 2, small items"))
    lines.append(speeding_up(records, "main", "1 worker / 2, main store"))
    lines.append(small_items(records))
    for step, work in (("copy", "peak of S2"), ("merge", "peak of S3"), ("small", "peak of S7")):
        lines.append(memory(records, step, work))
    return [line for line in lines + amplifying(records) if line]


def show(lines):
    heads = ("", "work", "measured", "spread", "target", "stretch", "", "")
    cells = [heads]
    for line in lines:
        sign, unit = ">=" if line["at_least"] else "<=", line["unit"]
        number = "{:.0f}" if unit else "{:.2f}"
        cells.append((
            line["id"],
            line["work"],
            number.format(line["measured"]) + unit,
            f"{number.format(line['low'])}..{number.format(line['high'])}",
            f"{sign} {line['target']}{unit}",
            "" if line["stretch"] is None else str(line["stretch"]),
            line["verdict"],
            line["note"],
        ))
    widths = [max(len(cell[at]) for cell in cells) for at in range(len(heads))]
    for cell in cells:
        print("  ".join(text.ljust(width) for text, width in zip(cell, widths)).rstrip())


def show_head(records):
    head = records.all("machine")[0]
    print(f"machine      {head['cpu']}, {head['cores']} cores, {int(head['memory_kib']) / (1 << 20):.1f} GiB")
    print(f"kernel       {head['kernel']}")
    print(f"file system  {head['file_system']}")
    print(f"date         {head['date']}")
    print(f"program      {head['program']}, commit {head['commit']}")
    print(
        f"sizes        main store {head['size']}, largest {int(head['large_bytes']) / 1e6:.0f} MB; "
        f"--memory {head['memory']}; {head['runs']} rounds; caches warm, synced before each measurement"
    )
    print("writes       write_bytes of /proc/PID/io, per used byte of the source's pages; what is left out is taken off")
    for note in records.all("note"):
        print(f"note         {note['text']}")
    print()


def main():
    path, only, *json_path = sys.argv[1:]
    records = Records(path)
    wanted = set(only.split(",")) if only else None
    lines = [line for line in table(records) if wanted is None or line["id"] in wanted]
    show_head(records)
    show(lines)
    for json_file in json_path:
        with open(json_file, "w", encoding="utf-8") as file:
            for line in records.lines + lines:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()

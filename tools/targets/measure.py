"""Runs one command and writes down how long it took and what it used, as one JSON line.

    measure.py RECORDS KEY=VALUE... -- COMMAND ARGUMENT...

RECORDS is a file that the line is added to; the KEY=VALUE pairs go into it as they are. Linux only: the numbers come
from /proc. What is measured:

    seconds              wall time from the start of the process to its end
    cpu_seconds          user and system time of the process and its threads
    rss_anon_peak_bytes  highest RssAnon of /proc/PID/status, looked at every 20 ms: memory without mapped file pages
    call_write_bytes     wchar of /proc/PID/io: what it handed to write calls, the output on its pipe taken off
    storage_write_bytes  write_bytes of /proc/PID/io: pages made dirty, by the folio, so too many where writes are scattered
    report, totals       the line of type "report" if the command prints JSON lines, and sums over its mailboxes

Exit status: 0 if the command ended with 0 or 3 (done, with warnings); 1 otherwise, and nothing is written down.
"""

import json
import os
import subprocess
import sys
import threading
import time

SAMPLE_SECONDS = 0.02
DONE = (0, 3)


def field_bytes(path, name):
    """The number behind `name:` in a file of /proc, in the file's unit; None if it is not there (any more)."""
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None


class Memory(threading.Thread):
    """Looks at a process until it is told to stop."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path = f"/proc/{pid}/status"
        self.peak_bytes = 0
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.is_set():
            self.peak_bytes = max(self.peak_bytes, 1024 * (field_bytes(self.path, "RssAnon:") or 0))
            self.is_over.wait(SAMPLE_SECONDS)


class Output(threading.Thread):
    """Keeps what a command prints. It is understood afterwards: the command may need all cores while it runs."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe = pipe
        self.bytes = b""

    def run(self):
        self.bytes = self.pipe.read()

    def report(self):
        """The report, if there is one, and sums over the mailboxes."""
        report, totals = None, {"mailboxes": 0, "item_bytes": 0}
        for line in self.bytes.splitlines():
            if not line.startswith(b"{"):
                continue
            value = json.loads(line)
            if value.get("type") == "report":
                report = value
            elif value.get("type") == "mailbox" and "bytes_after" in value:
                totals["mailboxes"] += 1
                totals["item_bytes"] += value["bytes_after"] - value["bytes_before"]
        return {"report": report, "totals": totals} if report else {}


def measure(command):
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    memory, output = Memory(process.pid), Output(process.stdout)
    memory.start()
    output.start()
    # The process stays a zombie, whose counters can still be read, until it is waited for.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    seconds = time.monotonic() - start
    memory.is_over.set()
    io = f"/proc/{process.pid}/io"
    storage, calls = field_bytes(io, "write_bytes:"), field_bytes(io, "wchar:")
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    output.join()
    memory.join()
    process.stdout.close()
    record = {
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "rss_anon_peak_bytes": memory.peak_bytes,
        "storage_write_bytes": storage,
        "call_write_bytes": None if calls is None else calls - len(output.bytes),
    }
    return process.returncode, record | output.report()


def main():
    cut = sys.argv.index("--")
    records, *pairs = sys.argv[1:cut]
    command = sys.argv[cut + 1:]
    status, record = measure(command)
    if status not in DONE:
        print(f"exit status {status}: {' '.join(command)}", file=sys.stderr)
        sys.exit(1)
    named = dict(pair.split("=", 1) for pair in pairs)
    with open(records, "a", encoding="utf-8") as file:
        file.write(json.dumps({"type": "run", **named, **record}) + "\n")


if __name__ == "__main__":
    main()

"""The lines of `dialtone dump FILE --json`, checked for shape while they stream past."""

import json
import os
import subprocess


class DumpError(Exception):
    """The dump did not keep to its form: no hello, no exit line, or a code that says failure."""


def binary(given=None):
    """The dialtone binary: `--bin`, then DIALTONE_BIN, then the release build of this tree."""
    here = os.path.dirname(os.path.abspath(__file__))
    built = os.path.join(here, "..", "..", "target", "release", "dialtone")
    return given or os.environ.get("DIALTONE_BIN") or built


def events(path, program):
    """Yields ("table", line), ("row", table name, row) and ("warning", line) as they come."""
    command = [program, "dump", path, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        yield from parse(process.stdout)
        status = process.wait()
        # 3 is "done with warnings": damage that was reported, not hidden.
        if status not in (0, 3):
            raise DumpError(f"dump ended with status {status}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def parse(lines):
    last = None
    for number, text in enumerate(lines):
        line = json.loads(text)
        last = line.get("type")
        if number == 0 and (last != "hello" or line.get("v") != 1):
            raise DumpError(f"the first line is not a hello of version 1: {text[:80]!r}")
        if last == "row":
            yield "row", line["table"], line["row"]
        elif last in ("table", "warning"):
            yield last, line
        elif last == "exit" and line.get("code") not in (0, 3):
            raise DumpError(f"the exit line says {line}")
    if last != "exit":
        raise DumpError(f"the last line is not an exit line but {last!r}")

"""The one form in which values are compared: what `dialtone dump --json` prints.

A reader hands over the bytes of a value as stored; `dump_form` turns them into the JSON value
that the dump must show, `raw_of` goes back. Column types and code pages come from the catalog as
dissect reads it, never from the dump itself. (ese-logical 3.1, 3.2)
"""

import hashlib
import math
import struct
import uuid
from dataclasses import dataclass

BIT, UBYTE, SHORT, LONG, CURRENCY, SINGLE, DOUBLE, DATETIME = range(1, 9)
BINARY, TEXT, LONG_BINARY, LONG_TEXT, SLV, ULONG, LONGLONG, GUID, USHORT, ULONGLONG = range(9, 19)

INTEGERS = {
    UBYTE: "<B",
    SHORT: "<h",
    LONG: "<i",
    CURRENCY: "<q",
    DATETIME: "<Q",
    ULONG: "<I",
    LONGLONG: "<q",
    USHORT: "<H",
    ULONGLONG: "<Q",
}
FLOATS = {SINGLE: "<f", DOUBLE: "<d"}
TEXTS = (TEXT, LONG_TEXT)
LONG_VALUES = (LONG_BINARY, LONG_TEXT)
UNICODE = 1200

# Windows-1252 as the web defines it: the five unassigned bytes stand for themselves.
CP1252 = [bytes([b]).decode("cp1252", "ignore") or chr(b) for b in range(256)]
CP1252_BACK = {char: byte for byte, char in enumerate(CP1252)}


@dataclass(frozen=True)
class Column:
    """A column as the catalog describes it; `default` is the stored default's bytes or None."""

    name: str
    id: int
    coltyp: int
    cp: int
    default: bytes | None = None
    derived: bool = False
    order: int = 0

    @property
    def fixed(self):
        return self.id < 128

    @property
    def tagged(self):
        return self.id > 255

    @property
    def long_value(self):
        return self.coltyp in LONG_VALUES


def text_of(raw, cp):
    if cp == UNICODE:
        return raw.decode("utf-16-le", "replace")
    return "".join(map(CP1252.__getitem__, raw))


def dump_form(raw, column):
    """The JSON value of stored bytes (or of a list of them); None stays None."""
    if isinstance(raw, list):
        return [dump_form(item, column) for item in raw]
    if raw is None:
        return None
    kind = column.coltyp
    if kind in TEXTS:
        return text_of(raw, column.cp)
    if kind in INTEGERS and len(raw) == struct.calcsize(INTEGERS[kind]):
        return struct.unpack(INTEGERS[kind], raw)[0]
    if kind in FLOATS and len(raw) == struct.calcsize(FLOATS[kind]):
        return struct.unpack(FLOATS[kind], raw)[0]
    if kind == BIT and len(raw) == 1:
        return raw != b"\0"
    if kind == GUID and len(raw) == 16:
        return str(uuid.UUID(bytes_le=raw))
    return raw.hex()


def raw_of(value, column):
    """The stored bytes of a dumped value. Text that held malformed units does not come back."""
    if isinstance(value, list):
        return [raw_of(item, column) for item in value]
    if value is None:
        return None
    kind = column.coltyp
    if kind in TEXTS:
        if column.cp == UNICODE:
            return value.encode("utf-16-le", "surrogatepass")
        return bytes(CP1252_BACK.get(char, 0x3F) for char in value)
    if kind == BIT:
        return b"\xff" if value else b"\0"
    if kind in INTEGERS:
        return struct.pack(INTEGERS[kind], value)
    if kind in FLOATS:
        return struct.pack(FLOATS[kind], float(value))
    if kind == GUID:
        return uuid.UUID(value).bytes_le
    return bytes.fromhex(value)


def engine_form(raw, column):
    """The value as `ese-engine/*.json` writes it (its form is described in data/README.md)."""
    if isinstance(raw, list):
        return [engine_form(item, column) for item in raw]
    if raw is None:
        return None
    if len(raw) > 96:
        digest = hashlib.sha256(raw).hexdigest()
        return {"len": len(raw), "sha256": digest, "head": raw[:16].hex()}
    kind = column.coltyp
    if kind == BIT or (kind in INTEGERS and kind != DATETIME) or kind in TEXTS:
        return dump_form(raw, column)
    return {"hex": raw.hex()}


def same(expected, raw, column):
    """Whether a dumped value (or one of the engine's) says what the stored bytes say."""
    # Only the record tells a multi-value of one item from a plain value; both say the same.
    if isinstance(expected, list) and len(expected) == 1 and not isinstance(raw, list):
        return same(expected[0], raw, column)
    if isinstance(raw, list) and len(raw) == 1 and not isinstance(expected, list):
        return same(expected, raw[0], column)
    if isinstance(expected, list):
        if not isinstance(raw, list) or len(raw) != len(expected):
            return False
        return all(same(e, r, column) for e, r in zip(expected, raw))
    if expected is None or raw is None or isinstance(raw, list):
        return expected is None and raw is None
    if isinstance(expected, dict):
        return expected == engine_form(raw, column)
    if column.coltyp in FLOATS and len(raw) == struct.calcsize(FLOATS[column.coltyp]):
        return same_float(expected, raw, FLOATS[column.coltyp])
    form = dump_form(raw, column)
    return type(form) is type(expected) and form == expected


def same_float(expected, raw, shape):
    number = struct.unpack(shape, raw)[0]
    if not math.isfinite(number):
        # JSON has no such number: the dump spells it.
        return str(expected).lower() in (str(number), {"inf": "infinity", "-inf": "-infinity"}.get(str(number)))
    if isinstance(expected, bool) or not isinstance(expected, (int, float)):
        return False
    # Packing to the stored width makes 0.1 of a single equal to its longer double, and keeps -0.0.
    return struct.pack(shape, float(expected)) == raw


def show(value):
    """A value for a message: short, and exact where it is cut."""
    if isinstance(value, list):
        return "[" + ", ".join(show(item) for item in value[:4]) + (", ..." if len(value) > 4 else "") + "]"
    text = value.hex() if isinstance(value, bytes) else repr(value)
    if len(text) <= 80:
        return text
    return f"{text[:48]}... ({len(text)} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]})"

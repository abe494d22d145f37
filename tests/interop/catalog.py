"""The schema of a file, taken from its catalog through dissect: what each value's bytes mean.

Our own reader has no say in it. Columns that a derived table inherits are added from its template
here, because dissect leaves them out (exception `dissect-template`).
"""

from dataclasses import dataclass, field

from dissect.esedb import EseDB

from values import Column

DERIVED = 0x10000000
DEFAULT_CHUNK = {2048: 1966, 4096: 4014, 8192: 8110, 16384: 4050, 32768: 8150}
FLAG_DEFAULT = 0x10
FLAG_CALLBACK_DEFAULT = 0x80


@dataclass
class Table:
    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    chunk_size: int = 0
    template: str | None = None


@dataclass
class Schema:
    page_size: int
    tables: dict[str, Table]


def read_schema(path):
    with open(path, "rb") as file:
        db = EseDB(file)
        return schema_of(db)


def schema_of(db):
    tables = {}
    for found in db.tables():
        template = found.record.get("TemplateTable") or None
        table = Table(found.name, template=template, chunk_size=chunk_size(db, found))
        if template and template in tables:
            for column in tables[template].columns.values():
                table.columns[column.name] = inherited(column)
        for column in found.columns:
            if column.type.value != 0:
                table.columns[column.name] = describe(column, len(table.columns))
        tables[found.name] = table
    return Schema(db.page_size, tables)


def chunk_size(db, found):
    """The long-value chunk size: the table's own (LVChunkMax) or the page size's default."""
    own = found.record.get("LVChunkMax")
    return own or DEFAULT_CHUNK.get(db.page_size, 0)


def describe(column, order):
    record = column.record
    default = None
    flags = record.get("Flags") or 0
    # A default made by a callback is nothing that a reader of the file could know.
    if flags & FLAG_DEFAULT and not flags & FLAG_CALLBACK_DEFAULT:
        default = record.get("DefaultValue") or b""
    return Column(
        column.name, column.identifier, column.type.value, record.get("PagesOrLocale") or 0, default, order=order
    )


def inherited(column):
    return Column(column.name, column.id, column.coltyp, column.cp, column.default, True, column.order)

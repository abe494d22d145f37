"""The same mail in SQLite: one table of messages, one row each with its MIME as a blob.

    sqlite.py load MAILDIRS DB        makes DB of a directory of Maildir trees
    sqlite.py thin DB                 deletes a tenth of the rows
    sqlite.py copy SOURCE DB          ATTACH, then INSERT ... SELECT into an empty table with its indexes
    sqlite.py merge SOURCE DB         INSERT OR IGNORE of everything, by the unique index
    sqlite.py missing SOURCE DB       the same with NOT EXISTS, which does not read what is there
    sqlite.py count DB                prints the number of rows

Default journal, synchronous=FULL: a commit is on the disk, as dialtone's is. Python's own sqlite3 module; the statements do
the work, so it costs nothing that Python calls them.
"""

import email.parser
import email.policy
import hashlib
import pathlib
import sqlite3
import sys

SCHEMA = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    mailbox TEXT NOT NULL, folder TEXT NOT NULL, key BLOB NOT NULL,
    received INTEGER, flags TEXT, sender TEXT, subject TEXT, size INTEGER, mime BLOB);
CREATE UNIQUE INDEX message_key ON message (mailbox, folder, key);
CREATE INDEX message_received ON message (mailbox, folder, received);
"""
COLUMNS = "mailbox, folder, key, received, flags, sender, subject, size, mime"


def connect(path):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous=FULL")
    return database


def row(top, path):
    mime = path.read_bytes()
    headers = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(mime)
    mailbox, *folder, _, name = path.relative_to(top).parts
    text = (str(headers.get(field, "")).encode("utf-8", "replace").decode() for field in ("From", "Subject"))
    key = hashlib.blake2b(mime + name.split(":")[0].encode(), digest_size=16).digest()
    return mailbox, "/".join(folder), key, int(name.split(".")[0]), name.rpartition(":")[2], *text, len(mime), mime


def load(maildirs, path):
    top = pathlib.Path(maildirs)
    database = connect(path)
    database.executescript(SCHEMA)
    database.execute("BEGIN")
    files = sorted(file for file in top.rglob("*") if file.is_file())
    marks = ",".join("?" * 9)
    database.executemany(f"INSERT INTO message ({COLUMNS}) VALUES ({marks})", (row(top, file) for file in files))
    database.execute("COMMIT")


def thin(path):
    database = connect(path)
    database.execute("DELETE FROM message WHERE id % 10 = 0")
    database.execute("VACUUM")


def attach(source, path):
    database = connect(path)
    database.execute("ATTACH ? AS source", (source,))
    return database


def copy(source, path):
    database = connect(path)
    database.executescript(SCHEMA)
    database.execute("ATTACH ? AS source", (source,))
    database.execute("INSERT INTO message SELECT * FROM source.message")


def merge(source, path):
    database = attach(source, path)
    database.execute(f"INSERT OR IGNORE INTO message ({COLUMNS}) SELECT {COLUMNS} FROM source.message")


def missing(source, path):
    same = "own.mailbox = other.mailbox AND own.folder = other.folder AND own.key = other.key"
    database = attach(source, path)
    database.execute(
        f"INSERT INTO message ({COLUMNS}) SELECT {COLUMNS} FROM source.message AS other "
        f"WHERE NOT EXISTS (SELECT 1 FROM main.message AS own WHERE {same})"
    )


def count(path):
    print(connect(path).execute("SELECT count(*) FROM message").fetchone()[0])


if __name__ == "__main__":
    {"load": load, "thin": thin, "copy": copy, "merge": merge, "missing": missing, "count": count}[sys.argv[1]](*sys.argv[2:])

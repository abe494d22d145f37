# SQLite: a table of messages copied, and merged by its unique index.

sqlite() { python3 tools/compare/sqlite.py "$@"; }

sqlite_prepare() {
    python3 -c 'import sqlite3' 2>/dev/null || {
        sqlite_missing="this Python has no sqlite3 module"
        return
    }
    say "loading the mail into SQLite"
    sqlite load "$work/mail" "$work/source.db"
    same_count "loaded into SQLite" "$messages" "$(sqlite count "$work/source.db")"
    cp "$work/source.db" "$work/nine.db"
    sqlite thin "$work/nine.db"
}

sqlite_merge() { # STEP ROUND VERB
    warm "$work/source.db" "$work/target.db"
    timed "$1" "$2" python3 tools/compare/sqlite.py "$3" "$work/source.db" "$work/target.db"
    same_count "SQLite after $3" "$messages" "$(sqlite count "$work/target.db")"
}

sqlite_round() {
    rm -f "$work"/target.db*
    warm "$work/source.db"
    timed sqlite.copy "$1" python3 tools/compare/sqlite.py copy "$work/source.db" "$work/target.db"
    same_count "copied by SQLite" "$messages" "$(sqlite count "$work/target.db")"
    sqlite_merge sqlite.again "$1" merge
    sqlite_merge sqlite.again.missing "$1" missing
    cp "$work/nine.db" "$work/target.db"
    sqlite_merge sqlite.merge "$1" merge
    cp "$work/nine.db" "$work/target.db"
    sqlite_merge sqlite.merge.missing "$1" missing
    rm -f "$work"/target.db*
}

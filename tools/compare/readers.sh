# Readers of ESE databases: esedbexport (libesedb) and dissect.esedb, against `dialtone dump` of the same tables.
#
# esedbexport takes a file with these table names for an Exchange store and has a way of its own for some tables, which ends at a
# column of ours; so it gets the four large tables one by one.

readers_tables='Msg MsgFolder 1-23 StmOwner'

readers_prepare() {
    install_packages esedbexport libesedb-utils || say "no esedbexport: libesedb-utils could not be installed"
    dissect_python=python3
    if ! python3 -c 'import dissect.esedb' 2>/dev/null; then
        local pinned
        pinned=$(grep '^dissect.esedb' tests/interop/requirements.txt)
        say "installing $pinned"
        { python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q "$pinned"; } >"$work/pip.log" 2>&1 &&
            dissect_python=$work/venv/bin/python || {
            say "no dissect.esedb: it could not be installed"
            dissect_python=''
        }
    fi
    "$program" dump --json "$work/source.edb" >"$work/dump.json"
}

dumped_rows() { # TABLE
    grep -c "^{\"type\":\"row\",\"table\":\"$1\"," "$work/dump.json" || true
}

readers_round() {
    local table
    warm "$work/source.edb" "$work/source.stm"
    timed dialtone.check "$1" "$program" check --quick "$work/source.edb"
    timed dialtone.dump "$1" sh -c '"$1" dump --json "$2" >/dev/null' sh "$program" "$work/source.edb"
    if command -v esedbexport >/dev/null; then
        rm -rf "$work"/export*
        timed dialtone.tables "$1" sh -c 'program=$1 store=$2 out=$3; shift 3
            for table; do "$program" dump --json --table "$table" "$store" >"$out.$table" || exit 1; done' \
            sh "$program" "$work/source.edb" "$work/export.dialtone" $readers_tables
        timed esedbexport.tables "$1" sh -c 'store=$1 out=$2; shift 2
            for table; do esedbexport -T "$table" -t "$out.$table" "$store" >/dev/null || exit 1; done' \
            sh "$work/source.edb" "$work/export" $readers_tables
        for table in $readers_tables; do
            same_count "rows of $table in esedbexport" "$(dumped_rows "$table")" \
                $(($(cat "$work/export.$table.export/$table".* | wc -l) - 1))
        done
        rm -rf "$work"/export*
    fi
    # One round of it is long enough.
    if [ -n "$dissect_python" ] && [ "$1" -eq 1 ]; then
        timed dissect.dump "$1" "$dissect_python" tools/compare/read_dissect.py "$work/source.edb" "$work/dissect.json"
        same_count "rows in dissect.esedb" "$(grep -c '^{"type":"row"' "$work/dump.json")" \
            "$(python3 -c 'import json, sys; print(sum(json.load(open(sys.argv[1]))["rows"].values()))' "$work/dissect.json")"
    fi
}

#!/bin/bash
# Sets the same mail and the same work against what a user would otherwise take, and prints one table of ratios.
#
#   tools/compare/run.sh [--size 300MB] [--dir DIR] [--runs N] [--only cp,sqlite,dovecot,readers] [--json FILE]
#
#   --size    size of the store that the mail is made as
#   --dir     where everything is made; emptied again at the end (default: target/)
#   --runs    rounds; the table shows medians with the smallest and the largest ratio (default 3)
#   --only    only these rivals
#   --json    every measurement and every line of the table, as JSON lines
#
#   DIALTONE_BIN   the program to compare    (default: a release build of this tree)
#
# What is compared, and what is not fair about it: README.md beside this file. A rival that is not there is installed from the
# distribution, or from PyPI into a virtual environment under DIR; where that cannot be, a line says so and the rest goes on.
# Exit status 1 if a side did not do its work: messages and rows are counted on both.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tools/compare

size=300MB dir=target runs=3 only=cp,sqlite,dovecot,readers json=''
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || set -- --help x
    case $1 in
        --size) size=$2 ;;
        --dir) dir=$2 ;;
        --runs) runs=$2 ;;
        --only) only=$2 ;;
        --json) json=$2 ;;
        *)
            sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1 >&2
            exit 2
            ;;
    esac
    shift 2
done

program=${DIALTONE_BIN:-}
if [ -z "$program" ]; then
    cargo build --release --quiet --bin dialtone
    program=${CARGO_TARGET_DIR:-target}/release/dialtone
fi
program=$(realpath "$program")
mkdir -p "$dir"
work=$(realpath "$(mktemp -d "$dir/compare.XXXXXX")")
trap 'rm -rf "$work"' EXIT
records=$work/records.jsonl
: >"$records"
for part in common dialtone cp sqlite dovecot readers; do
    # shellcheck source=/dev/null
    . $here/$part.sh
done

# --- The mail: a made store, and its messages as Maildirs -----------------------------------------------------------------

say "making the mail"
mailboxes=8
"$program" synth "$work/source.edb" --mailboxes $mailboxes --size "$size" >/dev/null
"$program" synth "$work/twin.edb" --mailboxes $mailboxes --size "$size" --twin same=90 >/dev/null
mkdir "$work/mail"
users=''
for number in $(seq -f %05g $mailboxes); do
    users="$users user$number"
    "$program" export "$work/source.edb" --mailbox "User $number" --format maildir "$work/mail/user$number" >/dev/null
done
messages=$(find "$work/mail" -type f | wc -l)

rivals=''
for rival in dialtone ${only//,/ }; do
    "${rival}_prepare"
    missing=${rival}_missing
    if [ -n "${!missing:-}" ]; then
        say "LEFT OUT: $rival: ${!missing}"
    else
        rivals="$rivals $rival"
    fi
done
for round in $(seq "$runs"); do
    say "round $round of $runs"
    for rival in $rivals; do
        "${rival}_round" "$round"
    done
done

python3 $here/table.py "$records" ${json:+"$json"} <<HEAD
machine      $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores
kernel       $(uname -sr)
file system  $(df --output=source,fstype "$work" | tail -1 | tr -s ' ')
date         $(date -u +%Y-%m-%dT%H:%MZ)
program      $("$program" --version), commit $(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
rivals       SQLite $(python3 -c 'import sqlite3; print(sqlite3.sqlite_version)'), $(dovecot --version 2>/dev/null | cut -d" " -f1 | sed 's/^/Dovecot /' || true), $(esedbexport -V 2>/dev/null | head -1 || true)
mail         $messages messages in $mailboxes mailboxes: store $(du -csb "$work"/source.* | tail -1 | cut -f1 | awk '{printf "%.0f", $1 / 1e6}') MB, \
Maildirs $(find "$work/mail" -type f -printf '%s\n' | awk '{sum += $1} END {printf "%.0f", sum / 1e6}') MB; caches warm, synced before each measurement
HEAD

#!/bin/bash
# Measures the speed that dialtone is to have, nine targets S1 to S9, and prints one table: measured, spread, met or not.
#
#   tools/targets.sh [--size 4GB] [--dir DIR] [--runs N] [--only S1,S4] [--json FILE]
#
#   --size    size of the main store; everything else follows it (default 4GB, for which the targets are meant)
#   --dir     where the stores are made, on the disk to be measured (default: target/); emptied again at the end
#   --runs    rounds of each measurement; the table shows the median and the smallest and largest (default 3)
#   --only    only these targets; what they are compared with is measured all the same
#   --json    every single measurement and every line of the table, as JSON lines
#
#   DIALTONE_BIN     the program to measure                           (default: a release build of this tree)
#   DIALTONE_MEMORY  --memory of every recovery                       (default: 256MiB)
#
# Fair play: each yardstick is measured in the same round as what it is compared with; the files that are read lie in the page
# cache on both sides; everything is synced before the clock starts, so that nobody pays for the writes of the one before.
# dialtone is held to two cores. What a measurement does not read is not left to crowd the cache. What is removed before a measurement is synced, too.
#
# Linux, Bash, coreutils, taskset and Python 3 without packages. Needs free disk of about six times the size; with less, the
# largest stores shrink, and the table says so. A size of 100MB shows in a minute whether everything works, and no more: fixed costs
# rule there. The exit status is 0 whether targets are met or not, and 1 if something failed.
set -euo pipefail
cd "$(dirname "$0")/.."
here=tools/targets

size=4GB dir='' runs=3 only='' json=''
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

case ${size^^} in
    *GB) size_bytes=$((${size%[gG]*} * 1000000000)) ;;
    *MB) size_bytes=$((${size%[mM]*} * 1000000)) ;;
    *) echo "--size wants a number of MB or GB" >&2; exit 2 ;;
esac
[ "$size_bytes" -ge 20000000 ] || { echo "--size wants at least 20MB" >&2; exit 2; }
memory=${DIALTONE_MEMORY:-256MiB}

program=${DIALTONE_BIN:-}
if [ -z "$program" ]; then
    cargo build --release --quiet --bin dialtone
    program=${CARGO_TARGET_DIR:-target}/release/dialtone
fi
program=$(realpath "$program")
mkdir -p "${dir:=target}"
work=$(mktemp -d "$dir/targets.XXXXXX")
trap 'rm -rf "$work"' EXIT
records=$work/records.jsonl
: >"$records"

say() { echo "targets: $*" >&2; }

wanted() { # TARGET...: whether one of them is asked for
    local target
    [ -n "$only" ] || return 0
    for target; do
        [[ ,${only^^}, != *,$target,* ]] || return 0
    done
    return 1
}

note() { # KIND KEY=VALUE...: a line of the records
    python3 - "$@" >>"$records" <<'PYTHON'
import json, sys
print(json.dumps({"type": sys.argv[1], **dict(pair.split("=", 1) for pair in sys.argv[2:])}))
PYTHON
}

# --- Stores -------------------------------------------------------------------------------------------------------------

store() { # NAME ARGUMENT...: makes the store NAME and leaves it synced
    local name=$1
    shift
    say "making store $name"
    "$program" synth "$work/$name.edb" "$@" >/dev/null
}

empty_like() { # NAME OTHER
    remove "$1"
    "$program" create "$work/$1.edb" --like "$work/$2.edb" >/dev/null
}

copy_of() { # NAME OTHER
    remove "$1"
    cp "$work/$2.edb" "$work/$1.edb"
    cp "$work/$2.stm" "$work/$1.stm"
}

remove() { # NAME...
    local name
    for name; do
        rm -rf "$work/$name".edb* "$work/$name".stm*
    done
}

# --- Measuring ----------------------------------------------------------------------------------------------------------

ready() { # NAME...: the stores in the page cache, nothing left to write
    local name
    for name; do
        cat "$work/$name.edb" "$work/$name.stm" >/dev/null
    done
    sync
}

set_aside() { # NAME: out of the page cache, because nobody reads it now
    python3 $here/set_aside.py "$work/$1.edb" "$work/$1.stm"
}

timed() { # STEP ROUND COMMAND...
    local step=$1 round=$2
    shift 2
    python3 $here/measure.py "$records" "step=$step" "round=$round" -- "$@" || {
        say "FAILED: $step"
        exit 1
    }
}

time_cat() { # STEP ROUND NAME
    ready "$3"
    timed "$1" "$2" sh -c 'cat "$1.edb" "$1.stm" >/dev/null' sh "$work/$3"
}

time_cp() { # STEP ROUND NAME
    ready "$3"
    timed "$1" "$2" sh -c 'cp "$1.edb" "$2.edb" && cp "$1.stm" "$2.stm" && sync "$2.edb" "$2.stm"' sh "$work/$3" "$work/cp"
    remove cp
}

recover() { # STEP ROUND FROM TO MODE [WORKERS CPUS]
    local workers=${6:-2} cpus=${7:-$two_cores}
    timed "$1" "$2" taskset -c "$cpus" "$program" recover --from "$work/$3.edb" --to "$work/$4.edb" --mode "$5" \
        --workers "$workers" --memory "$memory" --json
}

time_copy() { # STEP ROUND FROM [WORKERS CPUS]: into a store of the same mailboxes without mail, which stays
    empty_like target "$3"
    ready "$3"
    recover "$1" "$2" "$3" target copy "${4:-2}" "${5:-}"
}

# --- The machine and the sizes ------------------------------------------------------------------------------------------

cores=$(nproc)
# The cores that this process may use; a container need not have the first ones.
read -r one_core two_cores < <(python3 -c 'import os; c = sorted(os.sched_getaffinity(0)); print(c[0], ",".join(map(str, c[:2])))')
commit=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
free_bytes=$(($(df --output=avail -k "$work" | tail -1) * 1024))
[ "$free_bytes" -gt $((size_bytes * 5)) ] || {
    say "FAILED: $dir has $((free_bytes / 1000000)) MB free; this size wants at least $((size_bytes * 5 / 1000000)) MB"
    exit 1
}
main_mailboxes=$((size_bytes / 20000000))
large_bytes=$((size_bytes * 5 / 2))
if [ $((large_bytes * 12 / 5)) -gt "$free_bytes" ]; then
    large_bytes=$((free_bytes * 5 / 12))
    note note "text=the disk is short: the largest stores of S5, S7 and S8 have $((large_bytes / 1000000)) MB instead of \
$((size_bytes * 5 / 2 / 1000000)) MB"
fi
# A small item takes about 9.9 KB of a store: row, nine index entries, body in UTF-16.
small_mailboxes=$((large_bytes / 9910 / 500))
source_fs=$(df --output=source,fstype "$work" | tail -1 | tr -s ' ')
case $source_fs in
    *btrfs | *xfs | *bcachefs) note note "text=cp may share blocks on this file system instead of copying them" ;;
esac
[ "$cores" -ge 2 ] || note note "text=one core only: S6 cannot show anything"
note machine "cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "cores=$cores" \
    "memory_kib=$(awk '/^MemTotal/ {print $2}' /proc/meminfo)" "kernel=$(uname -sr)" "file_system=$source_fs" \
    "date=$(date -u +%Y-%m-%dT%H:%MZ)" "commit=$commit" "program=$("$program" --version)" "size=$size" \
    "size_bytes=$size_bytes" "large_bytes=$large_bytes" "runs=$runs" "memory=$memory" "small_mailboxes=$small_mailboxes"

# --- S1 to S4, S9: the main store ----------------------------------------------------------------------------------------

main_rounds() {
    local round
    store main --mailboxes "$main_mailboxes" --size "$size_bytes"
    python3 $here/source.py "$records" "$program" "$work/main.edb" "step=main.copy"
    if wanted S3; then
        store twin --mailboxes "$main_mailboxes" --size "$size_bytes" --twin same=90
    fi
    for round in $(seq "$runs"); do
        say "main store, round $round of $runs"
        if wanted S1 S4; then
            time_cat main.cat "$round" main
        fi
        if wanted S1; then
            ready main
            timed main.check "$round" taskset -c "$two_cores" "$program" check --quick "$work/main.edb"
        fi
        if wanted S2; then
            time_cp main.cp "$round" main
        fi
        if wanted S2 S3 S4 S6 S9; then
            time_copy main.copy "$round" main
        fi
        if wanted S4; then
            ready main target
            recover main.again "$round" main target merge
        fi
        if wanted S3; then
            copy_of target twin
            ready main target
            recover main.merge "$round" main target merge
        fi
        if wanted S6; then
            time_copy main.one "$round" main 1 "$one_core"
            time_copy main.two "$round" main 2 "$two_cores"
        fi
    done
    remove main twin target
}

# --- S7, S6: many small items --------------------------------------------------------------------------------------------

small_rounds() {
    local round
    store small --mailboxes "$small_mailboxes" --size "$large_bytes" --profile small
    for round in $(seq "$runs"); do
        say "small items, round $round of $runs"
        time_cp small.cp "$round" small
        time_copy small.copy "$round" small
    done
    remove small target
}

# S6 asks how workers share the processor, so the store and its copy fit into the page cache, and no thread waits for the disk to
# take what was written.
worker_rounds() {
    local round bytes=$((size_bytes / 4))
    store small --mailboxes $((small_mailboxes * (bytes / 1000) / (large_bytes / 1000))) --size $bytes --profile small
    for round in $(seq "$runs"); do
        say "small items by 1 and 2 workers, round $round of $runs"
        time_copy small.one "$round" small 1 "$one_core"
        time_copy small.two "$round" small 2 "$two_cores"
    done
    remove small target
}

# --- S5, S9: one dial-tone store, three restored stores ------------------------------------------------------------------

restored_rounds() {
    local round name mailboxes=100 dial_bytes=$((size_bytes / 20))
    [ $dial_bytes -ge 100000000 ] || mailboxes=10
    # Mail that the restored stores do not have, for the same mailboxes.
    store dial --mailboxes $mailboxes --size $dial_bytes --twin same=0,new=100
    store low --mailboxes $mailboxes --size $dial_bytes
    store middle --mailboxes $mailboxes --size $((size_bytes / 2))
    store high --mailboxes $mailboxes --size "$large_bytes"
    for name in low middle high; do
        python3 $here/source.py "$records" "$program" "$work/dial.edb" "step=restored.$name"
    done
    for round in $(seq "$runs"); do
        say "restored stores, round $round of $runs"
        for name in low middle high; do
            copy_of target $name
            set_aside $name
            ready dial target
            recover restored.$name "$round" dial target merge
        done
    done
    remove dial low middle high target
}

# --- S8: memory at two sizes ---------------------------------------------------------------------------------------------

memory_at() { # NAME BYTES: peaks of a copy, of a merge into a twin, of small items
    local mailboxes=$(($2 / 20000000))
    say "memory at $(($2 / 1000000)) MB"
    [ $mailboxes -ge 4 ] || mailboxes=4
    store main --mailboxes $mailboxes --size "$2"
    time_copy "memory.copy.$1" 1 main
    remove target
    store target --mailboxes $mailboxes --size "$2" --twin same=90
    ready main target
    recover "memory.merge.$1" 1 main target merge
    remove main target
    store small --mailboxes $((small_mailboxes * ($2 / 1000) / (large_bytes / 1000))) --size "$2" --profile small
    time_copy "memory.small.$1" 1 small
    remove small target
}

if wanted S1 S2 S3 S4 S6 S9; then main_rounds; fi
if wanted S7; then small_rounds; fi
if wanted S6; then worker_rounds; fi
if wanted S5 S9; then restored_rounds; fi
if wanted S8; then
    memory_at low $((size_bytes / 4))
    memory_at high "$large_bytes"
fi
python3 $here/table.py "$records" "${only^^}" ${json:+"$json"}

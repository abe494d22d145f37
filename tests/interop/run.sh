#!/bin/bash
# Puts dialtone's dump beside the readers that others wrote: libesedb, dissect.esedb and impacket.
#
#   tests/interop/run.sh [WORKDIR]          default: target/interop
#
#   PYTHON             a Python with requirements.txt installed         default: python3
#   DIALTONE_BIN       the binary to judge                              default: target/release/dialtone
#   DIALTONE_SHARED    where the real databases lie (data/ese, data/ese-engine)   default: ../shared
#   DIALTONE_ROWS      compare only the first N rows of each table, count the rest   default: all
#
# Five parts: the comparing programs' own tests; the real databases; the vendor engine's databases and
# its own answers; the databases that this tree writes (tools/write-samples.sh); mailbox stores of the
# demo, of real mail and of the generator, before and after recoveries (stores.sh). Each part runs even
# if an earlier one fails; the exit status is 1 if any did. All of it in full takes two to four
# minutes on two cores, most of it for large.edb and the two large samples.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=${1:-target/interop}
python=${PYTHON:-python3}
shared=${DIALTONE_SHARED:-../shared}
export DIALTONE_BIN=${DIALTONE_BIN:-target/release/dialtone}
here=tests/interop
failed=0

step() {
    echo "--- interop: $1"
    shift
    "$@" || failed=1
}

unpack() { # SOURCE_DIR TARGET_DIR: every database there, without its .gz
    mkdir -p "$2"
    for packed in "$1"/*.gz; do
        case $packed in
            *.json.gz) ;;
            *) gunzip -c "$packed" >"$2/$(basename "$packed" .gz)" ;;
        esac
    done
}

step "tests of the comparing programs" "$python" -m unittest discover -q -s $here

if [ -d "$shared/data/ese" ]; then
    unpack "$shared/data/ese" "$work/ese"
    step "real databases" "$python" $here/compare.py --rows "${DIALTONE_ROWS:-0}" "$work"/ese/*
else
    echo "SKIPPED: real databases: no $shared/data/ese (set DIALTONE_SHARED)"
fi

if [ -d "$shared/data/ese-engine" ]; then
    unpack "$shared/data/ese-engine" "$work/ese-engine"
    pairs=()
    for database in "$work"/ese-engine/*.edb; do
        pairs+=("$database=$shared/data/ese-engine/$(basename "$database" .edb).json.gz")
    done
    step "the engine's own answers" "$python" $here/engine_truth.py "${pairs[@]}"
    step "the engine's databases" "$python" $here/compare.py "$work"/ese-engine/*.edb
else
    echo "SKIPPED: the engine's databases: no $shared/data/ese-engine (set DIALTONE_SHARED)"
fi

samples=$work/samples
echo "--- interop: writing our own databases"
rm -rf "$samples"
if tools/write-samples.sh "$samples" && compgen -G "$samples/*.edb" >/dev/null; then
    step "our own databases" "$python" $here/compare.py --rows "${DIALTONE_ROWS:-0}" "$samples"/*.edb
    step "our own databases in impacket" "$python" $here/impacket_open.py "$samples"/*.edb
else
    echo "FAILED: no databases were written"
    failed=1
fi

stores=$work/stores
echo "--- interop: making mailbox stores and recovering them"
if $here/stores.sh "$stores"; then
    step "mailbox stores before and after recovery" "$python" $here/compare.py "$stores"/*.edb
    step "mailbox stores in impacket" "$python" $here/impacket_open.py "$stores"/*.edb
else
    echo "FAILED: a store was not made, not recovered, or is not sound"
    failed=1
fi

if [ $failed -ne 0 ]; then
    echo "interop: FAILED"
    exit 1
fi
echo "interop: all the same"

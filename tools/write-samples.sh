#!/bin/bash
# Writes the databases that show what dialtone writes, for anyone to put before any other engine.
#
#   tools/write-samples.sh DIR
#
# DIR is made if missing; files of the same names in it are replaced. The content is generated from
# fixed seeds: the same tree writes the same bytes. What each file holds stands at the head of
# examples/write_samples.rs; among them are one with every column type, one with 200,000 rows and
# four indexes, one with 2,000 long values up to 5 MB (100 MB in all) and ten made by random
# operations. About 250 MB in all.
#
# The files are cleanly shut down and made to be fit for Microsoft's engine, which they have not been put before yet:
#
#   esentutl /k FILE.edb      checksums of every page
#   esentutl /g FILE.edb      full integrity check
#
# and for a read-write attach with deletes and new tables on top. tests/interop/run.sh puts them
# before libesedb, dissect.esedb and impacket.
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: tools/write-samples.sh DIR" >&2
    exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
cargo run --release --quiet --example write_samples -- "$out"

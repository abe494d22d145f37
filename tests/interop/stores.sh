#!/bin/bash
# Makes mailbox stores as users would make them, for the readers of others to judge.
#
#   tests/interop/stores.sh DIR             DIR is made anew
#
#   DIALTONE_BIN       the binary to judge                              default: target/release/dialtone
#   DIALTONE_SHARED    where real mail lies (data/mail)                 default: ../shared
#   DIALTONE_FULL=1    a synthetic pair of 300 MB instead of 30 MB
#
# The stores of the demo before and after both recoveries; all of the real mail in three mailboxes of one store, recovered into a
# dial-tone store that has part of it; a synthetic store, recovered into its twin and into an empty one. Every store is checked
# by `dialtone check`, every recovery is run twice, and the second run must write nothing.
set -euo pipefail
out=$1
cd "$(dirname "$0")/../.."
dialtone=$(realpath "${DIALTONE_BIN:-target/release/dialtone}")
shared=${DIALTONE_SHARED:-../shared}
size=30MB
[ "${DIALTONE_FULL:-0}" = 1 ] && size=300MB

rm -rf "$out"
mkdir -p "$out"

recover() { # FROM TO MODE: twice
    "$dialtone" recover --from "$1" --to "$2" --mode "$3" --json >"$out/report.json"
    "$dialtone" recover --from "$1" --to "$2" --mode "$3" --json >"$out/again.json"
    python3 - "$out/again.json" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    event = json.loads(line)
    if event["type"] == "report":
        counters = event["counters"]
        if counters["inserted"] or counters["replaced"] or event["failed"]:
            sys.exit(f"the second run wrote: {counters}")
PY
}

"$dialtone" demo --dir "$out/demo" >/dev/null
mv "$out"/demo/*.edb "$out"/demo/*.stm "$out"
rm -r "$out/demo"

if [ -d "$shared/data/mail" ]; then
    mail=$out/mail
    mkdir "$mail"
    for packed in "$shared"/data/mail/*.tar.gz; do
        mkdir "$mail/$(basename "$packed" .tar.gz)"
        tar xzf "$packed" -C "$mail/$(basename "$packed" .tar.gz)"
    done
    "$dialtone" create "$out/real.edb" >/dev/null
    "$dialtone" import "$out/real.edb" --mailbox Ann --mailbox Bo "$mail"/spamassassin* >/dev/null
    "$dialtone" import "$out/real.edb" --mailbox Cleo --form mixed "$mail"/[!s]* "$mail"/stalwart* >/dev/null
    "$dialtone" create "$out/real-dialtone.edb" --like "$out/real.edb" >/dev/null
    # Part of it again, in another folder.
    "$dialtone" import "$out/real-dialtone.edb" --mailbox Cleo --folder Kept --form mixed "$mail"/stalwart* >/dev/null
    recover "$out/real.edb" "$out/real-dialtone.edb" merge
    for name in real real-dialtone; do
        "$dialtone" export "$out/$name.edb" --mailbox Ann --format eml "$out/export-$name" >/dev/null
    done
    diff -r "$out/export-real" "$out/export-real-dialtone"
    rm -r "$mail" "$out"/export-*
else
    echo "SKIPPED: real mail: no $shared/data/mail (set DIALTONE_SHARED)"
fi

"$dialtone" synth "$out/synth.edb" --mailboxes 10 --size $size >/dev/null
"$dialtone" synth "$out/synth-twin.edb" --mailboxes 10 --size $size --twin same=60,moved=10,edited=5,new=10 >/dev/null
"$dialtone" create "$out/synth-copy.edb" --like "$out/synth.edb" >/dev/null
recover "$out/synth.edb" "$out/synth-twin.edb" merge
recover "$out/synth.edb" "$out/synth-copy.edb" copy
rm "$out"/*.json

for store in "$out"/*.edb; do
    "$dialtone" check "$store" >"$out/check.txt" || { cat "$out/check.txt"; exit 1; }
done
rm "$out/check.txt"

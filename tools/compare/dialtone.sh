# Our side: a copy into an empty store, a merge of which nine tenths are there, a merge with nothing to do.

dialtone_recover() { # STEP ROUND MODE
    warm "$work/source.edb" "$work/source.stm" "$work/target.edb" "$work/target.stm"
    timed "$1" "$2" "$program" recover --from "$work/source.edb" --to "$work/target.edb" --mode "$3" \
        --workers 2 --memory 256MiB --json
}

dialtone_empty() {
    rm -rf "$work"/target.*
    "$program" create "$work/target.edb" --like "$work/source.edb" >/dev/null
}

dialtone_prepare() { :; }

dialtone_round() {
    dialtone_empty
    dialtone_recover dialtone.copy "$1" copy
    same_count "dialtone copied messages" "$messages" "$(measured report.counters.inserted)"
    dialtone_recover dialtone.again "$1" merge
    same_count "dialtone merged again" 0 "$(measured report.counters.inserted)"
    rm -rf "$work"/target.*
    cp "$work/twin.edb" "$work/target.edb"
    cp "$work/twin.stm" "$work/target.stm"
    dialtone_recover dialtone.merge "$1" merge
    local inserted unchanged
    inserted=$(measured report.counters.inserted)
    unchanged=$(measured report.counters.unchanged)
    same_count "dialtone merged messages" "$messages" $((inserted + unchanged))
    rm -rf "$work"/target.*
}

# cp: of the store's two files, and of the same mail as Maildirs. Knows no merge.

cp_prepare() { :; }

cp_round() {
    rm -rf "$work"/copy.*
    warm "$work/source.edb" "$work/source.stm"
    timed cp.copy "$1" sh -c 'cp "$1.edb" "$2.edb" && cp "$1.stm" "$2.stm" && sync "$2.edb" "$2.stm"' \
        sh "$work/source" "$work/copy"
    cmp "$work/source.edb" "$work/copy.edb" || fail "cp"
    rm -rf "$work"/copy.*
    warm "$work/mail"
    timed maildir.copy "$1" sh -c 'cp -r "$1" "$2" && sync -f "$2"' sh "$work/mail" "$work/copy.mail"
    same_count "cp of Maildirs" "$messages" "$(find "$work/copy.mail" -type f | wc -l)"
    rm -rf "$work"/copy.*
}

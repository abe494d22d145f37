# What the comparing scripts share; sourced by run.sh. Every rival is a file that defines
#
#   NAME_prepare    installs and builds what it needs; sets NAME_missing to a reason when it cannot
#   NAME_round N    does the same work as dialtone, measured, and checks that it was done
#
# Stores and mail lie in $work. Measurements go to $records by tools/targets/measure.py.

say() { echo "compare: $*" >&2; }

fail() {
    say "FAILED: $*"
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

install_packages() { # COMMAND PACKAGE...: from the distribution, unless the command is there
    local command=$1
    shift
    command -v "$command" >/dev/null && return
    command -v apt-get >/dev/null || return 1
    say "installing $*"
    { as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "$@"; } \
        >"$work/apt.log" 2>&1 && command -v "$command" >/dev/null
}

timed() { # STEP ROUND COMMAND...: synced before the clock starts
    local step=$1 round=$2
    shift 2
    sync
    python3 tools/targets/measure.py "$records" "step=$step" "round=$round" -- "$@" || fail "$step"
}

warm() { # FILE_OR_DIRECTORY...: in the page cache
    find "$@" -type f -exec cat {} + >/dev/null
}

same_count() { # WHAT EXPECTED FOUND
    [ "$2" -eq "$3" ] || fail "$1: $3 instead of $2"
}

# The last measurement's number under a path of keys, for example report.counters.inserted
measured() {
    python3 - "$records" "$1" <<'PYTHON'
import functools, json, sys
last = open(sys.argv[1]).readlines()[-1]
print(functools.reduce(lambda value, key: value[key], sys.argv[2].split("."), json.loads(last)))
PYTHON
}

# Dovecot: `doveadm backup` into empty mdbox mailboxes, `doveadm sync -1` into such that have nine tenths of the mail.
#
# No server runs: doveadm opens the mailboxes itself. It refuses to work as root, so a run as root does it as nobody. Two users at
# a time, as dialtone has two workers.

as_owner=''
[ "$(id -u)" -ne 0 ] || as_owner='setpriv --reuid nobody --regid nogroup --clear-groups'
export as_owner

dovecot_own() { # DIRECTORY...
    [ "$(id -u)" -ne 0 ] || chown -R nobody:nogroup "$@"
}

doveadm_for() { # USER LOCATION ARGUMENT...
    local user=$1 location=$2
    shift 2
    # shellcheck disable=SC2086 # a command with its arguments
    $as_owner env HOME="$work/dovecot" USER="$user" doveadm -c "$work/dovecot/dovecot.conf" -o "mail_location=$location" "$@"
}

dovecot_config() {
    local user=$1 group=$2
    cat <<CONFIG
base_dir = $work/dovecot/run
state_dir = $work/dovecot/run
log_path = /dev/stderr
ssl = no
default_internal_user = $user
default_login_user = $user
default_internal_group = $group
mail_uid = $user
mail_gid = $group
namespace inbox {
  inbox = yes
  separator = /
}
CONFIG
}

# For each user: the Maildir tree TREE/USER becomes the mdbox MDBOX/USER.
dovecot_load() { # TREE MDBOX
    local user
    for user in $users; do
        doveadm_for "$user" "mdbox:$2/$user" backup -R "maildir:$1/$user:LAYOUT=fs"
    done
}

# A command of doveadm for all users from one tree of mdboxes to another, measured.
dovecot_timed() { # STEP ROUND FROM TO COMMAND...
    local step=$1 round=$2 from=$3 to=$4
    shift 4
    warm "$from"
    timed "$step" "$round" tools/compare/dovecot_users.sh "$work/dovecot" "$from" "$to" "$@"
    same_count "Dovecot after $1" "$messages" "$(dovecot_count "$to")"
}

dovecot_count() { # MDBOX: messages of all users
    local user sum=0 count
    for user in $users; do
        count=$(doveadm_for "$user" "mdbox:$1/$user" mailbox status -t messages '*' | sed 's/.*messages=//')
        sum=$((sum + count))
    done
    echo $sum
}

# A Maildir tree as Dovecot has it: the Inbox is the top.
dovecot_tree() { # TO
    local user part
    cp -r "$work/mail" "$1"
    for user in $users; do
        for part in cur new tmp; do
            mkdir -p "$1/$user/$part"
            [ ! -d "$1/$user/Inbox/$part" ] || find "$1/$user/Inbox/$part" -type f -exec mv -t "$1/$user/$part" {} +
            rm -rf "$1/$user/Inbox/$part"
        done
        rmdir "$1/$user/Inbox" 2>/dev/null || true
    done
}

dovecot_prepare() {
    install_packages doveadm dovecot-core || {
        dovecot_missing="doveadm is not there and dovecot-core could not be installed (see apt.log)"
        return
    }
    local top=$work/dovecot
    mkdir -p "$top"
    printf '%s\n' $users >"$top/users"
    if [ "$(id -u)" -eq 0 ]; then
        chmod 755 "$work"
        # shellcheck disable=SC2086 # a command with its arguments
        $as_owner test -x "$work" || {
            dovecot_missing="nobody cannot enter $work; choose another --dir"
            return
        }
        dovecot_config nobody nogroup >"$top/dovecot.conf"
    else
        dovecot_config "$(id -un)" "$(id -gn)" >"$top/dovecot.conf"
    fi
    say "loading the mail into Dovecot"
    dovecot_tree "$top/tree"
    dovecot_own "$top"
    dovecot_load "$top/tree" "$top/source"
    same_count "loaded into Dovecot" "$messages" "$(dovecot_count "$top/source")"
    # Each tenth message goes; what is left has the same names, and so the same ids in Dovecot.
    find "$top/tree" -name '*.dialtone*' -type f | sort | awk 'NR % 10 == 0' | tr '\n' '\0' | xargs -0 rm
    find "$top/tree" -name 'dovecot*' -delete
    dovecot_load "$top/tree" "$top/nine"
    rm -rf "$top/tree"
}

dovecot_round() {
    local top=$work/dovecot
    rm -rf "$top/target"
    mkdir "$top/target"
    dovecot_own "$top/target"
    dovecot_timed dovecot.copy "$1" "$top/source" "$top/target" backup
    dovecot_timed dovecot.again "$1" "$top/source" "$top/target" sync -1
    rm -rf "$top/target"
    cp -rp "$top/nine" "$top/target"
    dovecot_timed dovecot.merge "$1" "$top/source" "$top/target" sync -1
    rm -rf "$top/target"
}

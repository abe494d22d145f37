#!/bin/bash
# Runs one command of doveadm for every user, two at a time, and waits until all of it is on the disk.
#
#   dovecot_users.sh TOP FROM TO COMMAND...
#
# TOP holds dovecot.conf and the list `users`; FROM and TO hold an mdbox for each of them. $as_owner comes before each command.
set -euo pipefail
top=$1 from=$2 to=$3
shift 3
# shellcheck disable=SC2086 # a command with its arguments
xargs -P 2 -I '{}' ${as_owner:-} env HOME="$top" USER='{}' doveadm -c "$top/dovecot.conf" \
    -o "mail_location=mdbox:$from/{}" "$@" "mdbox:$to/{}" <"$top/users"
sync -f "$to"

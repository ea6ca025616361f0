#!/usr/bin/env bash
# Stops what up.sh started, and nothing else.
#
# Usage: down.sh [--purge]    with --purge the servers' data, logs and settings are deleted as well
#   environment  OMPHALOS_STACK_DIR, as for up.sh
set -eu
. "$(dirname "$0")/lib.sh"
. "$here/background.sh"

case ${1:-} in '' | --purge) ;; *) die "unknown argument $1; usage: down.sh [--purge]" ;; esac
if [ ! -d "$stack" ]; then
    echo "nothing is up: there is no $stack"
    exit 0
fi
exec 9>"$stack/lock"
flock -n 9 || die "another up.sh or down.sh is at work in $stack: wait for it"

stopped=''
for name in "${names[@]}"; do
    pid=$(running "$name") || continue
    kill -TERM "$pid"
    # each gives its server 10 s before it kills it
    for ((tries = 0; tries < 300; tries++)); do
        running "$name" >/dev/null || break
        sleep 0.05
    done
    ! running "$name" >/dev/null || die "$name (pid $pid) does not stop; its log is $stack/$name/log"
    rm -f "$stack/$name/supervisor" "$stack/$name/stdin" "$stack/$name/announcement"
    echo "stopped $name (pid $pid)"
    stopped=yes
done
[ -n "$stopped" ] || echo "nothing is up in $stack"
rm -f "$stack/env"

if [ "${1:-}" = --purge ]; then
    for name in "${names[@]}"; do
        rm -rf "${stack:?}/$name"
    done
    rm -f "$stack/lock"
    # stays where something that is not ours is in it
    rmdir "$stack" 2>/dev/null || :
    echo "deleted the data in $stack"
else
    echo "the data is kept in $stack; down.sh --purge deletes it"
fi

# shellcheck shell=bash disable=SC2154 # lib.sh sets `here`
# What up.sh and down.sh know of the servers in the background: where their state is, which run, and under which URL.
#
# Usage: . "$here/background.sh" after lib.sh; it defines `stack`, `names` and the functions below.

repository=$(cd "$here/../.." && pwd)
stack=${OMPHALOS_STACK_DIR:-target/stack}
case $stack in /*) ;; *) stack=$repository/$stack ;; esac
# shellcheck disable=SC2034 # used by down.sh
names=(rabbitmq es9 es7 opensearch)

# Prints the process that up.sh started for NAME, if it is still that one: a pid alone may long be someone else's.
running() {
    local folder=$stack/$1 pid command
    read -r pid 2>/dev/null <"$folder/supervisor" || return 1
    command=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
    case $command in
    *"/tests/stack/"*".sh "*"$folder "*) echo "$pid" ;;
    *) return 1 ;;
    esac
}

url() {
    sed -n 's/^READY \([^ ]*\) .*/\1/p' "$stack/$1/announcement"
}

# shellcheck shell=bash disable=SC2154 # lib.sh sets `here` and `port_taken`
# Keeps one real server in the foreground: waits until it is ready, says so in one line, and ends it, on SIGTERM, SIGINT
# or the end of standard input. No server outlives this script, not even where the script itself is killed outright.
#
# Usage: . "$here/serve.sh"; claim DIR; spawn COMMAND...; serve NAME URL READY
#   claim   makes DIR this server's alone, and sets `dir` (absolute) and `log`
#   spawn   starts the server, its output appended to the log, and sets `server`, the process to signal
#   helper  starts a process that is killed when the script ends
#   serve   waits until the function READY succeeds and it is this server that listens on the URL's port, prints
#           `READY URL pid=PID`, with the pid in DIR/pid (which the server or the caller writes), and waits for the end. Where
#           somebody else was faster to listen on a port that was chosen here, begins again with other ports

server='' name='' helpers=() log_start=0
# what the script was called with, and where
words=("$@") origin=$PWD

claim() {
    # Standard input is kept aside: bash gives /dev/null to what it starts in the background.
    exec 3<&0
    mkdir -p "$1"
    dir=$(cd "$1" && pwd -P)
    log=$dir/log
    # The server inherits this lock and holds it until it is gone: after a kill of this script alone, the next start
    # on the same folder waits here for the old server's end.
    exec 8>"$dir/lock"
    if ! flock -n 8; then
        say "waiting for the server in $dir to end (pid $(cat "$dir/pid" 2>/dev/null || echo unknown))"
        flock -w 12 8 || die "$dir is in use: stop the server there, or give another folder"
    fi
    rm -f "$dir/pid" "$dir/ready"
    [ ! -e "$log" ] || log_start=$(stat -c %s "$log")
    trap end_helpers EXIT
    trap 'stop; exit 0' TERM INT HUP
}

spawn() {
    setpriv --pdeathsig TERM "$@" </dev/null >>"$log" 2>&1 3<&- &
    server=$!
}

helper() {
    # <&0 is not idle: without a redirection here bash gives a background process /dev/null
    setpriv --pdeathsig KILL "$@" <&0 3<&- 8>&- &
    helpers+=($!)
}

end_helpers() {
    local pid
    for pid in "${helpers[@]}"; do
        kill -KILL "$pid" 2>/dev/null || :
        # else bash reports the kill in words of its own
        wait "$pid" 2>/dev/null || :
    done
    [ -z "$server" ] || rm -f "$dir/pid" "$dir/ready"
}

serve() {
    name=$1
    local url=$2 ready=$3 limit=$((SECONDS + ${OMPHALOS_STACK_TIMEOUT:-180})) pid
    # The end of standard input arrives as a signal too: so there is one way to stop, and no race between two.
    # shellcheck disable=SC2016 # $1 is the inner shell's
    helper sh -c 'while read -r _; do :; done; kill -TERM "$1"' sh $$ <&3
    until "$ready" && listens "$(cat "$dir/pid")" "${url##*:}"; do
        if ! kill -0 "$server" 2>/dev/null; then
            ! lost_a_port || begin_again "${url##*:}"
            # a server may log a page about its own end after the line that matters
            tail -c "+$((log_start + 1))" "$log" | grep -m 5 -E '\[error\]|Exception|^Error' | cut -c 1-300 >&2 || :
            show_log "$log" "$log_start"
            die "$name did not start: see above, or $log"
        elif [ "$SECONDS" -ge "$limit" ]; then
            show_log "$log" "$log_start"
            stop
            die "$name was not ready within ${OMPHALOS_STACK_TIMEOUT:-180} s (OMPHALOS_STACK_TIMEOUT): see above, or $log"
        fi
        sleep 0.05
    done
    pid=$(cat "$dir/pid")
    echo "READY $url pid=$pid"
    wait "$server" 2>/dev/null || :
    die "$name (pid $pid) ended by itself; its log is $log"
}

# Whether the server ended because somebody else listens where it wanted to. RabbitMQ says eaddrinuse or
# dist_port_already_used, and Java "Address already in use".
lost_a_port() {
    tail -c "+$((log_start + 1))" "$log" | grep -qiE 'eaddrinuse|dist_port_already_used|address already in use'
}

# begin_again PORT: from the beginning of the script, with other ports; PORT is the one that matters to the caller, who must be
# told if it is gone and was not ours to choose
begin_again() {
    local word attempt=${OMPHALOS_STACK_ATTEMPT:-1}
    for word in "${words[@]}"; do
        if [ "$word" = "$1" ] && ! port_free "$1"; then
            say "$name: port $1 was taken by another while the server was starting"
            exit "$port_taken"
        fi
    done
    [ "$attempt" -lt 5 ] || die "$name lost its ports to others $attempt times in a row; its log is $log"
    say "$name: a port was taken by another while the server was starting; trying others"
    end_helpers
    server=''
    cd "$origin" || die "$origin is gone"
    OMPHALOS_STACK_ATTEMPT=$((attempt + 1)) exec "$here/${0##*/}" "${words[@]}"
}

stop() {
    local tries children=''
    # A second signal must not cut the orderly stop short; what is below ends in any case.
    trap '' TERM INT HUP
    [ -n "$server" ] || return 0
    kill -TERM "$server" 2>/dev/null || :
    # A test may have suspended it; and the server may be a child of the process that was spawned, as RabbitMQ's is.
    children=$(cat "/proc/$server/task/$server/children" 2>/dev/null || :)
    # shellcheck disable=SC2086 # a list of numbers
    kill -CONT "$server" $children 2>/dev/null || :
    for ((tries = 0; tries < 200; tries++)); do
        kill -0 "$server" 2>/dev/null || return 0
        sleep 0.05
    done
    say "$name did not stop within 10 s: killing it"
    children=$(cat "/proc/$server/task/$server/children" 2>/dev/null || :)
    # shellcheck disable=SC2086 # a list of numbers
    kill -KILL "$server" $children 2>/dev/null || :
    wait "$server" 2>/dev/null || :
}

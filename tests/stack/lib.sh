# shellcheck shell=bash
# What every script here shares: messages, the cache, free ports, and where RabbitMQ and Java are on this machine.
#
# Usage: . "$(dirname "$0")/lib.sh"    (bash; it defines functions and the variables `here`, `cache` and `ports`, nothing else)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${OMPHALOS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/omphalos}/stack
ports=${cache%/stack}/ports

say() { printf 'stack: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# show_log FILE [FROM_BYTE]: the last words of a program, for a message that says why it failed
show_log() {
    say "the last lines of $1:"
    tail -c "+$((${2:-0} + 1))" "$1" | tail -n 20 >&2
}

# Prints the sockets that listen on a port (state 0A), by their inodes: what is left of the connections of a server that was
# killed does not hinder the next one, as all servers here reuse addresses.
listeners() {
    local tables=(/proc/net/tcp) hex
    [ ! -r /proc/net/tcp6 ] || tables+=(/proc/net/tcp6)
    printf -v hex ':%04X' "$1"
    awk -v port="$hex" 'substr($2, length($2) - 4) == port && $4 == "0A" { print $10 }' "${tables[@]}"
}

port_free() { [ -z "$(listeners "$1")" ]; }

# listens PID PORT: whether it is this very process that listens there, and not another one that was faster
listens() {
    local socket
    for socket in $(listeners "$2"); do
        [ -z "$(find "/proc/$1/fd" -lname "socket:\[$socket\]" 2>/dev/null)" ] || return 0
    done
    return 1
}

# reserve PORT: succeeds where nothing listens on it and nobody else has reserved it, here or in tests/src/port.rs. It stays
# reserved as long as this process lives, or one that it has started: so not in a subshell.
reserve() {
    local lock
    mkdir -p "$ports"
    exec {lock}>"$ports/tcp-$1" || die "cannot write $ports/tcp-$1"
    if flock -n "$lock" && port_free "$1"; then
        return 0
    fi
    exec {lock}>&-
    return 1
}

# choose_port VARIABLE: reserves a port below the range the kernel gives to clients, and sets the variable to it. Someone who
# does not know of our reservations may still be faster than the server that is to listen there: see serve.sh.
choose_port() {
    local candidate=$((20000 + ($$ * 7 + RANDOM) % 12000)) tries
    for ((tries = 0; tries < 12000; tries++)); do
        candidate=$((candidate >= 31999 ? 20000 : candidate + 1))
        if reserve "$candidate"; then
            printf -v "$1" %s "$candidate"
            return
        fi
    done
    die "no free port between 20000 and 31999 on 127.0.0.1"
}

# The exit code of a script whose server cannot have the port that it was told to use.
port_taken=98

# take_port VARIABLE PORT: sets the variable to the port that a server was told to use, once it is known to be usable, and
# to a reserved one for 0. A port that is given was reserved by whoever gives it, if at all.
take_port() {
    case $2 in
    0) choose_port "$1" ;;
    '' | *[!0-9]*) die "not a port: $2" ;;
    *)
        if ! port_free "$2"; then
            say "port $2 is taken: give another, or 0 for a free one"
            exit "$port_taken"
        fi
        printf -v "$1" %s "$2"
        ;;
    esac
}

# Prints the folder of the rabbitmq-server script that runs as any user. Debian's one on PATH is not it: that insists
# on the user rabbitmq and the system's own data, and is told by having no rabbitmq-env beside it.
rabbitmq_sbin() {
    local found folder
    found=$(command -v rabbitmq-server || :)
    for folder in ${found:+"$(dirname "$(readlink -f "$found")")"} /usr/lib/rabbitmq/bin; do
        if [ -x "$folder/rabbitmq-server" ] && [ -e "$folder/rabbitmq-env" ]; then
            dirname "$(readlink -f "$folder/rabbitmq-server")"
            return
        fi
    done
    return 1
}

# Prints the folder of prometheus and promtool: one on PATH, or the cache's.
prometheus_home() {
    local found folder
    found=$(command -v prometheus || :)
    for folder in ${found:+"$(dirname "$(readlink -f "$found")")"} "$cache/prometheus"; do
        if [ -x "$folder/prometheus" ] && [ -x "$folder/promtool" ]; then
            echo "$folder"
            return
        fi
    done
    return 1
}

# Prints the root of the Erlang on PATH.
erlang_root() {
    local erl
    erl=$(readlink -f "$(command -v erl)")
    echo "${erl%/bin/erl}"
}

# Prints the program by which Erlang's nodes find each other.
epmd() {
    local found
    found=("$(erlang_root)"/erts-*/bin/epmd)
    echo "${found[0]}"
}

# make_cookie DIR: what Erlang's nodes know each other by, if the folder has none yet
make_cookie() {
    local cookie=$1/.erlang.cookie
    [ ! -e "$cookie" ] || return 0
    (umask 077 && head -c 24 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' >"$cookie")
    chmod 400 "$cookie"
}

# Prints the cache folder that install.sh makes for the RabbitMQ in SBIN on this Erlang.
rabbitmq_index() {
    local sbin=$1 root key
    root=$(erlang_root)
    key=$(echo "$sbin" "$root" "${sbin%/*}"/plugins/* "$root"/lib/* | cksum)
    echo "$cache/rabbitmq-${key%% *}"
}

# Prints a JDK's major version as its `release` file has it: asking `java -version` costs 50 ms a JDK.
jdk_version() {
    local line
    while read -r line; do
        case $line in
        JAVA_VERSION=*)
            line=${line#*\"}
            echo "${line%%[!0-9]*}"
            return
            ;;
        esac
    done 2>/dev/null <"$1/release" || :
    echo 0
}

# Prints the home of a JDK of at least version MIN that has bin/TOOL: JAVA_HOME if it fits, else the newest that the
# engines were tried with (25), else the oldest newer one.
find_jdk() {
    local min=$1 tool=$2 on_path home version rank best='' best_rank=0
    on_path=$(command -v java || :)
    for home in "${JAVA_HOME:-/nowhere}" /usr/lib/jvm/* ${on_path:+"$(readlink -f "$on_path")"}; do
        home=${home%/bin/java}
        [ -x "$home/bin/$tool" ] || continue
        version=$(jdk_version "$home")
        [ "$version" -ge "$min" ] || continue
        rank=$((version <= 25 ? 1000 + version : 1000 - version))
        if [ "$rank" -gt "$best_rank" ]; then
            best=$home best_rank=$rank
        fi
        [ "$home" != "${JAVA_HOME:-}" ] || break
    done
    [ -n "$best" ] || return 1
    echo "$best"
}

# The oldest Java an engine runs on; also the list of the engines' names.
engine_java() {
    case $1 in
    es9 | opensearch) echo 21 ;;
    es7) echo 17 ;;
    *) die "no engine is called $1; there are es9, es7 and opensearch" ;;
    esac
}

# Prints the cache folder of an engine built from exactly these sources for exactly this JDK.
engine_home() {
    local engine=$1 jdk=$2 key
    key=$(cat "$here/engine/$engine.xml" "$here"/engine/*.java "$here/engine/build.sh" "$jdk/release" <(echo "$jdk") | cksum)
    echo "$cache/$engine-${key%% *}"
}

#!/usr/bin/env bash
# Starts a RabbitMQ and a search engine in the background, for people: demos, benchmarks, trying things out. Where they are
# up already, says so. down.sh stops them.
#
# Usage: up.sh
#   environment  OMPHALOS_ENGINE: es9 (default), es7 or opensearch
#                OMPHALOS_STACK_DIR: where state and logs go (default target/stack in the repository)
# Ports are 5672 and 9200 where these are free, and others where they are not. Exits with 1 where a server does not start. The folder's file `env` has the URLs, for a shell or a Makefile to include.
set -eu
. "$(dirname "$0")/lib.sh"
. "$here/background.sh"

engine=${OMPHALOS_ENGINE:-es9}
engine_java "$engine" >/dev/null
mkdir -p "$stack"
exec 9>"$stack/lock"
flock -n 9 || die "another up.sh or down.sh is at work in $stack: wait for it"

for other in es9 es7 opensearch; do
    if [ "$other" != "$engine" ] && running "$other" >/dev/null; then
        die "$other is up in $stack, not $engine: run $here/down.sh first, or set OMPHALOS_ENGINE=$other"
    fi
done

# start NAME PORT SCRIPT [ARGUMENT...]: on the port, if it is free, else on another one
start() {
    local name=$1 folder=$stack/$1 port=$2
    shift 2
    if running "$name" >/dev/null; then
        echo "$name is already up"
        return
    fi
    [ "$port" = 0 ] || reserve "$port" || port=0
    mkdir -p "$folder"
    rm -f "$folder/stdin"
    # a server stops at the end of its standard input; a pipe that it holds open itself has none
    mkfifo "$folder/stdin"
    : >"$folder/announcement"
    setsid "$@" "$folder" "$port" <>"$folder/stdin" >>"$folder/announcement" 2>"$folder/complaints" 9>&- &
    echo $! >"$folder/supervisor"
    echo "$name is starting"
}

# await NAME SCRIPT [ARGUMENT...]: until it is ready; starts it again where somebody else was faster to take the usual port
await() {
    local name=$1 pid code=0
    shift
    pid=$(cat "$stack/$name/supervisor")
    until grep -q '^READY' "$stack/$name/announcement"; do
        if ! kill -0 "$pid" 2>/dev/null; then
            wait "$pid" || code=$?
            if [ "$code" = "$port_taken" ]; then
                start "$name" 0 "$@"
                await "$name" "$@"
                return
            fi
            cat "$stack/$name/complaints" >&2
            fail "$name did not start (exit code $code)"
        fi
        sleep 0.05
    done
}

# What did start goes on, and can be used or stopped.
fail() {
    local other
    for other in "${names[@]}"; do
        ! running "$other" >/dev/null || say "$other is up all the same; $here/down.sh stops it"
    done
    die "$*; its log is $stack/${1%% *}/log"
}

"$here/install.sh" rabbitmq "$engine"
rm -f "$stack/env"
start rabbitmq 5672 "$here/rabbitmq.sh"
start "$engine" 9200 "$here/elasticsearch.sh" "$engine"
await rabbitmq "$here/rabbitmq.sh"
await "$engine" "$here/elasticsearch.sh" "$engine"
# the first may have ended while the second was starting
for name in rabbitmq "$engine"; do
    running "$name" >/dev/null || fail "$name ended as soon as it was ready"
done

# read by shells and by make alike
{
    echo "export OMPHALOS_TEST_AMQP_URL=$(url rabbitmq)"
    echo "export OMPHALOS_TEST_ES_URL=$(url "$engine")"
} >"$stack/env"

cat <<END
  $(printf '%-12s' rabbitmq)$(url rabbitmq)    log: $stack/rabbitmq/log
  $(printf '%-12s' "$engine")$(url "$engine")    log: $stack/$engine/log
  to use      . $stack/env && curl "\$OMPHALOS_TEST_ES_URL"
              $stack/rabbitmq/rabbitmqctl list_queues
  to stop     $here/down.sh    (--purge deletes their data too)
END

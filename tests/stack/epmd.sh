#!/usr/bin/env bash
# Runs what the nodes of a RabbitMQ cluster find each other by in the foreground: one Erlang port mapper on 127.0.0.1, which
# outlives nodes that are killed, and a cookie. Nodes are then started by rabbitmq.sh with cluster=DIR.
#
# Usage: epmd.sh DIR PORT
#   PORT  0 picks a free one
# Prints `READY epmd://127.0.0.1:PORT pid=PID`. Stops on SIGTERM, SIGINT or the end of standard input.
# In DIR: pid, log, port, .erlang.cookie
set -eu
. "$(dirname "$0")/lib.sh"
. "$here/serve.sh"

[ $# -eq 2 ] || die "usage: epmd.sh DIR PORT"
"$here/install.sh" rabbitmq >&2
claim "$1"
port=''
take_port port "$2"
make_cookie "$dir"
echo "$port" >"$dir/port"

spawn "$(epmd)" -port "$port" -address 127.0.0.1
echo "$server" >"$dir/pid"
serve "epmd on port $port" "epmd://127.0.0.1:$port" true

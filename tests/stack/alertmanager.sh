#!/usr/bin/env bash
# Runs one real Alertmanager in the foreground, on 127.0.0.1 only, with all its state in one folder.
#
# Usage: alertmanager.sh DIR PORT CONFIG
#   PORT    of its HTTP API; 0 picks a free one
#   CONFIG  its configuration
# Prints `READY http://127.0.0.1:PORT pid=PID` once it answers. Stops on SIGTERM, SIGINT or the end of standard input. Exits with
# 1 where it does not start or ends by itself. In DIR: pid, log (all output), data/.
set -eu
. "$(dirname "$0")/lib.sh"
. "$here/serve.sh"

[ $# -eq 3 ] || die "usage: alertmanager.sh DIR PORT CONFIG"
config=$(realpath "$3")
"$here/install.sh" alertmanager >&2
claim "$1"
port=''
take_port port "$2"

# serve calls it
# shellcheck disable=SC2317
is_ready() { grep -qsE 'msg="?Listening' "$dir/log"; }

: >"$log"
log_start=0
# it gossips with nobody
spawn prometheus-alertmanager "--config.file=$config" "--storage.path=$dir/data" "--web.listen-address=127.0.0.1:$port" \
    --cluster.listen-address=
echo "$server" >"$dir/pid"
serve "Alertmanager on port $port" "http://127.0.0.1:$port" is_ready

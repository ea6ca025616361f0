#!/usr/bin/env bash
# Runs one real Elasticsearch or OpenSearch node in the foreground, on 127.0.0.1 only, with all its state in one folder. A
# later start on the same folder, after any kind of end, finds the indices again.
#
# Usage: elasticsearch.sh ENGINE DIR PORT [setting=value...]
#   ENGINE         es9 (Elasticsearch 9.5), es7 (Elasticsearch 7.17) or opensearch (OpenSearch 3)
#   PORT           the HTTP port; 0 picks a free one
#   setting=value  node settings, as thread_pool.write.queue_size=1 or http.max_content_length=16kb
#   environment    OMPHALOS_ES_HEAP: the heap, 512m where it is not set
# Prints `READY http://127.0.0.1:PORT pid=PID` once the cluster, indices of an earlier run included, is at least yellow.
# Stops on SIGTERM, SIGINT or the end of standard input. Exits with 1 where the node does not start or ends by itself.
# In DIR: pid, log (all output), data/.
set -eu
. "$(dirname "$0")/lib.sh"
. "$here/serve.sh"

[ $# -ge 3 ] || die "usage: elasticsearch.sh ENGINE DIR PORT [setting=value...]"
engine=$1
"$here/install.sh" "$engine" >&2
jdk=$(find_jdk "$(engine_java "$engine")" java)
home=$(engine_home "$engine" "$jdk")
claim "$2"
port=''
take_port port "$3"
shift 3

heap=${OMPHALOS_ES_HEAP:-512m}
options=("-Xms$heap" "-Xmx$heap" "-Djava.io.tmpdir=$dir/tmp" "-XX:ErrorFile=$dir/jvm-crash-%p.log")
mkdir -p "$dir/tmp"
# The first compiler alone starts a node sooner; the second is what makes it fast when it has real work, which is what a
# large heap is given for.
case $heap in
*[gGtT] | [1-9][0-9][0-9][0-9]*[mM]) ;;
*) options+=(-XX:TieredStopAtLevel=1) ;;
esac

# the file is the launcher's
# shellcheck disable=SC2317 # serve calls it
is_ready() { [ -e "$dir/ready" ]; }

cd "$dir"
spawn "$jdk/bin/java" "@$home/java.args" "${options[@]}" Launcher "path.home=$dir" "$@" "http.port=$port"
echo "$server" >"$dir/pid"
serve "$engine on port $port" "http://127.0.0.1:$port" is_ready

#!/usr/bin/env bash
# Runs the commands of a how-to as they are printed, from start to end, in a world of its own: its own network, so that servers
# have their usual ports, and its own /etc/omphalos, /var/log, /var/lib and names of machines. As root, with programs that are built.
#
# Usage: howto.sh PAGE...     (docs/howto/nginx-apache.md, say)
#   environment  OMPHALOS_PROGRAMS: where the programs are (default target/debug)
# Each block marked sh is one shell's work; a block that only looks (omphalos search, fleet, status, audit) is tried until it is
# content, for half a minute. A block marked ini is the broker's rabbitmq.conf. What stands for a real machine's: systemctl,
# which starts a service as its unit does, and rabbitmqctl. Directories that are not there are made, and stay, empty. Ends with 1 where a command fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=${here%/*}
programs=$(realpath "${OMPHALOS_PROGRAMS:-$repository/target/debug}")

if [ "${1-}" != --inside ]; then
    for page in "$@"; do
        echo "howto: $page" >&2
        page=$(realpath "$page")
        world=$(mktemp -d /tmp/omphalos-howto.XXXXXX)
        code=0
        unshare --mount --net --pid --fork --kill-child "$0" --inside "$page" "$programs" "$world" || code=$?
        # what was in it was in a file system of its own
        rmdir "$world"
        [ "$code" = 0 ] || exit "$code"
    done
    exit
fi
page=$2
programs=$3
world=$4
mount -t tmpfs -o mode=755 tmpfs "$world"
ip link set lo up
mount -t proc proc /proc

# a machine that has just been set up
cache=${OMPHALOS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/omphalos}
mkdir -p "$cache/ports" "$world"/{omphalos,log,lib,bin,servers,root}
for pair in omphalos:/etc/omphalos log:/var/log; do
    mkdir -p "${pair#*:}"
    mount --bind "$world/${pair%%:*}" "${pair#*:}"
done
mount -t tmpfs tmpfs "$cache/ports"
# what the programs of this machine keep there is not needed
for name in omphalos omphalos-run omphalos-shipper omphalos-indexer omphalos-old omphalos-logstash omphalos-syslog; do
    mkdir -p "/var/lib/$name"
    mount -t tmpfs tmpfs "/var/lib/$name"
done
mount -t tmpfs tmpfs /root/omphalos-ca 2>/dev/null || { mkdir -p /root/omphalos-ca && mount -t tmpfs tmpfs /root/omphalos-ca; }
{
    cat /etc/hosts
    echo 127.0.0.1 mq1.example.com es1.example.com
} >"$world/hosts"
mount --bind "$world/hosts" /etc/hosts

line() { # of an access log, now
    echo "203.0.113.$1 - - [$(date '+%d/%b/%Y:%H:%M:%S %z')] \"GET /page/$1 HTTP/1.1\" $2 512 \"-\" \"curl/8\""
}
mkdir -p /var/log/nginx /var/log/apache2 /var/log/remote
for n in $(seq 50); do line "$n" 200; done >/var/log/nginx/access.log
line 60 503 >>/var/log/nginx/access.log
line 61 200 >/var/log/apache2/access.log
echo "$(date '+%Y/%m/%d %H:%M:%S') [error] 12#12: *3 open() \"/srv/x\" failed (2: No such file or directory), client: 203.0.113.7, server: a, request: \"GET /x HTTP/1.1\", host: \"a\"" >/var/log/nginx/error.log
echo "[$(date '+%a %b %d %H:%M:%S.%6N %Y')] [core:error] [pid 7] [client 203.0.113.7:1] AH00126: Invalid URI" >/var/log/apache2/error.log
for n in 1 2 3; do date "+%b %e %H:%M:%S web1 sshd[$n]: session opened for user ann"; done >/var/log/syslog
id=f0a9b3b5c2d1e4f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4
mkdir -p /var/lib/docker/containers
mount -t tmpfs tmpfs /var/lib/docker/containers
mkdir "/var/lib/docker/containers/$id"
printf '{"log":"started\\n","stream":"stdout","time":"%s"}\n' "$(date --utc +%FT%T.5Z)" >"/var/lib/docker/containers/$id/$id-json.log"

# what stands for systemd
cat >"$world/bin/systemctl" <<'END'
#!/usr/bin/env bash
set -eu
world=$(dirname "$(dirname "$(realpath "$0")")")
action=$1 name=${!#}
stop() {
    [ -e "$world/$1.pid" ] || return 0
    kill "$(cat "$world/$1.pid")" 2>/dev/null || :
    tail --pid="$(cat "$world/$1.pid")" -f /dev/null
    rm "$world/$1.pid"
}
case $action in
enable | start) ;;
restart) stop "$name" ;;
stop) stop "$name" && exit ;;
esac
case $name in
omphalos-run) words=(omphalos run --config /etc/omphalos/run.toml --state-dir /var/lib/omphalos-run) ;;
omphalos-shipper) words=(omphalos-shipper --config /etc/omphalos/shipper.toml --state-dir /var/lib/omphalos-shipper) ;;
omphalos-indexer) words=(omphalos-indexer --config /etc/omphalos/indexer.toml --state-dir /var/lib/omphalos-indexer) ;;
esac
setsid "${words[@]}" >>"$world/$name.log" 2>&1 </dev/null &
echo $! >"$world/$name.pid"
sleep 1
kill -0 "$(cat "$world/$name.pid")" || { cat "$world/$name.log" >&2; exit 1; }
END
chmod +x "$world/bin/systemctl"
for program in omphalos omphalos-shipper omphalos-indexer; do ln -s "$programs/$program" "$world/bin/"; done
PATH=$world/bin:$PATH
export PATH

# the blocks of the page, each in a file without its fences; its kind is in the first line
blocks() { awk -v directory="$world" '/^```/ { if (inside) { inside = 0; close(file) } else { inside = 1; n++; file = directory "/block." n; print substr($0, 4) >file } next } inside { print >file }' "$world/page"; }
# a page that goes on where another one ends says so
before=$(sed -n 's/^<!-- after: \(.*\) -->$/\1/p' "$page")
cat ${before:+"${page%/*}/$before"} "$page" >"$world/page"
blocks

server() { # NAME PORT SCRIPT [WORD...]
    local name=$1 port=$2 script=$3
    shift 3
    mkdir -p "$world/servers/$name"
    mkfifo "$world/servers/$name/stdin"
    local words=()
    [ "$script" != elasticsearch.sh ] || words=(es9)
    "$here/stack/$script" "${words[@]}" "$world/servers/$name" "$port" "$@" <>"$world/servers/$name/stdin" >"$world/servers/$name/said" 2>&1 &
    for _ in $(seq 300); do
        ! grep -q ^READY "$world/servers/$name/said" || return 0
        sleep 0.2
    done
    cat "$world/servers/$name/said" >&2
    return 1
}
settings=()
ini=$(grep -lx ini "$world"/block.* || :)
if grep -q 'rabbitmqctl\|amqps\?://' "$world/page" && [ -z "$ini" ]; then
    server rabbitmq 5672 rabbitmq.sh
    ln -s "$world/servers/rabbitmq/rabbitmqctl" "$world/bin/rabbitmqctl"
fi
port=$(grep -om1 '127.0.0.1:920[01]"\]' "$world/page" | grep -o '920[01]' || :)
[ -z "$port" ] && grep -q 'url http://127.0.0.1:9200' "$world/page" && port=9200
[ -z "$port" ] || server es "$port" elasticsearch.sh

run() { bash -euo pipefail "$1" </dev/null; }
for block in $(seq "$(find "$world" -maxdepth 1 -name 'block.*' | wc -l)"); do
    file=$world/block.$block
    case $(head -1 "$file") in
    ini)
        mkdir -p /etc/rabbitmq
        mount -t tmpfs -o mode=755 tmpfs /etc/rabbitmq
        cp /root/omphalos-ca/ca.pem /root/omphalos-ca/mq1.example.com.* /etc/rabbitmq/
        mapfile -t settings < <(sed 1d "$file" | sed 's/ = /=/')
        server rabbitmq 5672 rabbitmq.sh plugins=rabbitmq_auth_mechanism_ssl "${settings[@]}"
        ln -s "$world/servers/rabbitmq/rabbitmqctl" "$world/bin/rabbitmqctl"
        continue
        ;;
    sh) ;;
    *) continue ;;
    esac
    sed -i 1d "$file"
    sed 's/^/    $ /' "$file"
    cd "$repository"
    tries=1
    grep -qvE '^(omphalos (search|fleet|status|audit|dead)|rabbitmqctl list| *$)' "$file" || tries=30
    until run "$file"; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then
            echo "howto: $page: block $block fails" >&2
            tail -n 5 "$world"/omphalos-*.log >&2 2>/dev/null || :
            exit 1
        fi
        sleep 1
    done
done
echo "howto: $page ran to its end" >&2

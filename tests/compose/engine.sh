# shellcheck shell=bash disable=SC2154 # test.sh sets `work` and `here`
# A Docker engine of its own, whose images, containers and networks are in one folder and go with it: the stand-ins have the
# names of real images, and must not meet those of this machine.
#
# Usage: . engine.sh; engine_start; engine_stop; engine_remove
#   engine_start  returns when it answers, and sets DOCKER_HOST; says why where none can be had

engine=''

engine_start() {
    local log=$work/engine.log
    export DOCKER_HOST=unix://$work/engine.sock
    # without iptables networks of their own still work: containers find each other by name, and ports of this machine are
    # passed on by the engine's proxy. Nothing gets out, which nothing needs
    setpriv --pdeathsig TERM dockerd --iptables=false --ip6tables=false --bridge=none --host "$DOCKER_HOST" \
        --data-root "$work/engine" --exec-root "$work/run" --pidfile "$work/engine.pid" \
        --containerd-namespace omphalos-test --containerd-plugins-namespace omphalos-test-plugins \
        >>"$log" 2>&1 </dev/null &
    engine=$!
    until docker version >/dev/null 2>&1; do
        if ! kill -0 "$engine" 2>/dev/null; then
            engine=''
            show_log "$log"
            die "no Docker engine can be had here, so nothing is tested: see above, or $log"
        fi
        sleep 0.1
    done
}

# as at a shutdown of the machine: it stops its containers
engine_stop() {
    [ -n "$engine" ] || return 0
    kill -TERM "$engine" 2>/dev/null || :
    wait "$engine" 2>/dev/null || :
    engine=''
}

# Everything of it, and the bridges of its networks, which an engine leaves behind.
engine_remove() {
    local network
    [ -n "$engine" ] || return 0
    # shellcheck disable=SC2046 # lists of ids
    docker rm --force --volumes $(docker ps --all --quiet) >/dev/null 2>&1 || :
    for network in $(docker network ls --quiet --filter type=custom); do
        docker network rm "$network" >/dev/null 2>&1 || :
    done
    engine_stop
    rm -rf "$work/engine" "$work/run"
}

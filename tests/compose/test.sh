#!/usr/bin/env bash
# Brings docker-compose.yml up for real where no registry can be reached, without Kibana, and counts lines: what is written on
# the host arrives once each, also after `restart` and `kill` of each service and a reboot of the engine. Then
# docker-compose.run.yml, and what an edit builds anew. The images of this project are made by its Dockerfile, with programs that
# cargo built on the host (stand-ins.sh).
#
# Usage: test.sh    as root
#   environment  PROFILE=quick     of Cargo.toml, which the programs are built by
#                COMPOSE           the program: docker-compose, or "docker compose"
#                OMPHALOS_CACHE    see stand-ins.sh
# What it starts is in target/compose and ends with it. Exits with 1 where something is not as it should be, or no engine can be had.
set -eu
repository=$(cd "$(dirname "$0")/../.." && pwd)
cd "$repository"
. tests/stack/lib.sh
here=$repository/tests/compose
. tests/compose/engine.sh
profile=${PROFILE:-quick}
read -r -a program <<<"${COMPOSE:-docker-compose}"
work=$repository/target/compose
logs=$work/logs
written=0
step=''

say() { printf 'test-compose: %s\n' "$*" >&2; }

fail() {
    say "FAILED: $step: $*"
    [ ! -s "$work/said" ] || tail -n 20 "$work/said" >&2
    exit 1
}

clean_up() {
    local code=$?
    engine_remove
    [ "$code" != 0 ] || rm -rf "$work"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 1' TERM INT HUP

# --- the tools of the tests ---

# compose ARGUMENT...: on the chain, in words of its own only where it fails
compose() { "${program[@]}" "$@" >"$work/said" 2>&1 </dev/null || fail "${program[*]} $*"; }

# inside SERVICE COMMAND...: runs it there, and prints what it says
inside() { "${program[@]}" exec -T "$@" 2>"$work/said" </dev/null || fail "${program[*]} exec $*"; }

services() { compose up --detach rabbitmq elasticsearch indexer shipper setup; }

# until_true SECONDS WHAT COMMAND...
until_true() {
    local limit=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$limit" ] || fail "$what"
        sleep 0.2
    done
}

# write_lines COUNT: each with a path of its own
write_lines() {
    local end=$((written + $1)) time
    time=$(LC_ALL=C date -u '+%d/%b/%Y:%H:%M:%S +0000')
    while [ "$written" -lt "$end" ]; do
        written=$((written + 1))
        echo "203.0.113.7 - - [$time] \"GET /line/$written HTTP/1.1\" 200 512 \"-\" \"test/1.0\""
    done >>"$logs/access.log"
}

elasticsearch() { curl -fsS --max-time 10 "http://127.0.0.1:$ELASTICSEARCH_PORT/$1" 2>/dev/null; }

# The lines in Elasticsearch, one a line: /line/1, …
found() {
    elasticsearch 'omphalos-access-*/_search?size=10000&_source=url.original&filter_path=hits.hits._source' | grep -o '/line/[0-9]*' || :
}

all_there() {
    elasticsearch 'omphalos-access-*/_refresh' >/dev/null || return 1
    [ "$(found | wc -l)" -ge "$written" ]
}

arrived() {
    until_true 180 "of $written lines only $(found | wc -l) arrived" all_there
    [ "$(found | sort | uniq --repeated | wc -l)" = 0 ] || fail "lines are there twice: $(found | sort | uniq --repeated | head -n 5)"
    cmp -s <(found | sort) <(seq --format '/line/%.0f' "$written" | sort) || fail "other lines than the $written written are there"
    say "$step: $written lines, once each"
}

running() { docker ps --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" | wc -l; }

container() { "${program[@]}" ps --quiet "$1"; }

# state SERVICE FORMAT
state() { docker inspect --format "$2" "$(container "$1")"; }

# is SERVICE FORMAT WANTED
is() { [ "$(state "$1" "$2")" = "$3" ]; }

# --- before ---

prepare() {
    local target
    [ "$(id -u)" = 0 ] || die "a Docker engine needs root here, so nothing is tested: run it as root"
    tests/stack/install.sh cargo cc docker docker-compose
    # what a run that was killed has left
    rm -rf "$work" || die "$work cannot be removed: is an engine of an earlier run still there?"
    mkdir -p "$work" "$logs"
    # the containers' user is another one
    chmod 755 "$work" "$logs"
    target=$(rustc --print host-tuple)
    say "building static programs of the profile $profile (some minutes the first time)"
    RUSTFLAGS='-C target-feature=+crt-static' cargo build --quiet --locked --profile "$profile" --target "$target" \
        --package omphalos-shipper --package omphalos-indexer --package omphalos
    mkdir "$work/programs"
    for target in "target/$target/$profile"/{omphalos,omphalos-shipper,omphalos-indexer}; do
        strip -o "$work/programs/${target##*/}" "$target"
    done
    say "starting a Docker engine in $work"
    # shellcheck disable=SC2034 # engine.sh uses it
    engine_start
}

settings() {
    local name
    for name in AMQP_PORT RABBITMQ_PORT ELASTICSEARCH_PORT KIBANA_PORT SHIPPER_PORT INDEXER_PORT PAGE_PORT; do
        choose_port "$name"
        export "${name?}"
    done
    for name in RABBITMQ_IMAGE ELASTICSEARCH_IMAGE BUSYBOX_IMAGE RUST_IMAGE; do
        export "$name=$(sed -n "s/^$name=//p" .env)"
    done
    export COMPOSE_PROJECT_NAME=omphalos-test COMPOSE_PROFILES='' SETUP_FLAGS='--retention 30d' ELASTICSEARCH_HEAP=512m
    export OMPHALOS_LOGS=$logs
    # an engine in a sandbox cannot give its containers more than it has
    [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 65536 ] || RABBITMQ_FILES=$(ulimit -Hn)
    export RABBITMQ_FILES=${RABBITMQ_FILES:-65536}
}

images() {
    step='images'
    say "making stand-ins for RabbitMQ, Elasticsearch and the builder"
    "$here/stand-ins.sh" "$work" "$work/programs"
    say "building the images by the Dockerfile"
    docker/images.sh --network none >"$work/said" 2>&1 || fail "docker/images.sh"
}

# --- what is to be ---

chain() {
    local service
    step='up'
    write_lines 200
    services
    arrived
    for service in rabbitmq elasticsearch indexer shipper; do
        step="restart $service"
        write_lines 100
        compose restart "$service"
        write_lines 100
        arrived
    done
    for service in rabbitmq elasticsearch indexer shipper; do
        step="kill $service"
        write_lines 100
        compose kill "$service"
        write_lines 100
        services
        arrived
    done
}

one_shot() {
    step='setup'
    until_true 60 'it does not end' is setup '{{.State.Status}}' exited
    [ "$(state setup '{{.State.ExitCode}}')" = 0 ] || fail "$(docker logs "$(container setup)" 2>&1 | tail -n 5)"
    docker logs "$(container setup)" 2>&1 | grep -q '^template' || fail "it says nothing of a template"
}

confined() {
    local service
    step='confined'
    for service in indexer shipper; do
        [ "$(state "$service" '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}')" = "10001:10001 true [ALL]" ] ||
            fail "$service runs as $(state "$service" '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}')"
    done
    for service in rabbitmq elasticsearch indexer shipper; do
        [ "$(state "$service" '{{.HostConfig.Memory}}')" -gt 0 ] || fail "$service has no limit of memory"
        ! docker inspect "$(container "$service")" | grep -q 'omphalos:omphalos@' || fail "$service: the password is in its environment"
    done
}

commands() {
    local said
    step='search, audit and top'
    said=$(inside indexer omphalos search 'path:/line/1' --json --url http://elasticsearch:9200)
    grep -q '/line/1"' <<<"$said" || fail "search found: $said"
    said=$(inside shipper omphalos audit "$logs/access.log" --parser combined --elasticsearch http://elasticsearch:9200)
    tr -d , <<<"$said" | grep -qE "^ *found +$written\$" || fail "audit found: $said"
    said=$(inside shipper omphalos top --once)
    grep -q '/line' <<<"$said" || fail "top shows: $said"
    say "$step: as docs/compose.md says"
}

reboot() {
    step='reboot of the engine'
    write_lines 100
    engine_stop
    write_lines 100
    engine_start
    # whatever it would start, it has started before it answers
    [ "$(running)" = 0 ] || fail "a demo was revived: $(docker ps --format '{{.Names}}' | tr '\n' ' ')"
    services
    arrived

    step='reboot with RESTART=unless-stopped'
    RESTART=unless-stopped services
    write_lines 100
    engine_stop
    write_lines 100
    engine_start
    arrived
    compose down --volumes
}

page() { curl -fsS --max-time 5 --output /dev/null "$@" "http://127.0.0.1:$PAGE_PORT/api/v1/summary?since=1h" 2>/dev/null; }

# not by `inside`: it may still be starting
sample_found() {
    "${program[@]}" exec -T omphalos omphalos search 'path:/page/*' 2>/dev/null </dev/null | grep -q GET
}

alone() {
    step='omphalos run'
    unset OMPHALOS_LOGS
    export COMPOSE_PROFILES=sample COMPOSE_FILE=docker-compose.run.yml COMPOSE_PROJECT_NAME=omphalos-test-run
    compose up --detach
    until_true 60 'it does not become healthy' is omphalos '{{.State.Health.Status}}' healthy
    page --header "Authorization: Bearer $(cat docker/secrets/page-token)" || fail "its page does not answer"
    ! page || fail "its page asks for no token"
    until_true 60 'no line of the sample is found' sample_found
    compose restart omphalos
    until_true 60 'after a restart no line is found' sample_found
    compose down --volumes
    say "$step: a page, and lines of the sample, also after a restart"
}

# What an edit builds anew, in a copy of the sources.
edits() {
    step='edits'
    mkdir "$work/copy"
    git ls-files -z | xargs -0 cp --parents --no-dereference --target-directory "$work/copy"
    build_copy
    echo edited >>"$work/copy/README.md"
    echo edited >>"$work/copy/tests/compose/test.sh"
    build_copy
    ! grep -q 'Running in' "$work/said" || fail "an edit of README.md or of a test builds something"
    echo "// edited $(date +%s)" >>"$work/copy/shipper/src/lib.rs"
    build_copy
    grep -A 1 -E '^Step .*RUN cargo' "$work/said" | grep -q 'Using cache' || fail "an edit of a source builds the dependencies again"
    grep -A 1 -E '^Step .*RUN find . -path' "$work/said" | grep -q 'Running in' || fail "an edit of a source builds nothing"
    say "$step: README.md builds nothing, a source nothing but the sources"
}

build_copy() {
    DOCKER_BUILDKIT=0 docker build --network none --build-arg "RUST_IMAGE=$RUST_IMAGE" --target shipper --tag edits "$work/copy" \
        >"$work/said" 2>&1 || fail "docker build"
}

prepare
settings
images
chain
one_shot
confined
commands
reboot
alone
edits
step='end'
say "all is well, in $((SECONDS / 60)) min $((SECONDS % 60)) s"

#!/usr/bin/env bash
# Makes images under the very names and tags of .env where no registry can be reached: RabbitMQ and a shell from Debian,
# Elasticsearch from Maven Central (../stack), and a builder whose cargo hands out programs that were built already. They do
# what the compose file uses of the real ones: the same settings, folders, ports and health checks.
#
# Usage: stand-ins.sh WORK PROGRAMS    as root, with DOCKER_HOST
#   WORK      a folder for what goes into the images
#   PROGRAMS  a folder with omphalos, omphalos-shipper and omphalos-indexer, linked statically
#   environment  RABBITMQ_IMAGE, ELASTICSEARCH_IMAGE, BUSYBOX_IMAGE, RUST_IMAGE
#                OMPHALOS_CACHE (default ~/.cache/omphalos): keeps the Debian with its packages, about 600 MB
set -eu
cd "$(dirname "$0")/../.."
. tests/stack/lib.sh

[ $# = 2 ] || die "usage: stand-ins.sh WORK PROGRAMS"
images=tests/compose/images
work=$1
programs=$2
debian=${cache%/stack}/debian-12-compose.tar

# a Debian with the packages that the stand-ins are made of
if [ ! -e "$debian" ]; then
    base=$("$here/debian.sh")
    say "installing rabbitmq-server and curl into a Debian for images, about 100 MB to fetch"
    root=$(mktemp -d "$work/debian.XXXXXX")
    tar --extract --directory "$root" --file "$base"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    for command in update "install --yes --no-install-recommends rabbitmq-server curl ca-certificates libzstd1" clean; do
        # shellcheck disable=SC2086 # the command's words
        chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" apt-get -o Dpkg::Options::=--force-unsafe-io $command >"$work/apt.log" 2>&1 </dev/null ||
            { show_log "$work/apt.log" && die "apt-get $command failed in the Debian of the images"; }
    done
    # the cookie is the node's own, made at its first start
    rm -rf "$root/var/lib/rabbitmq/.erlang.cookie" "$root/var/lib/apt/lists"
    tar --create --directory "$root" --file "$debian.part" .
    mv "$debian.part" "$debian"
    rm -rf "$root"
fi

# image NAME: from the Dockerfile on standard input and the files in WORK/context
image() {
    docker build --network none --tag "$1" --file - "$work/context" >"$work/build.log" 2>&1 ||
        { show_log "$work/build.log" && die "the stand-in for $1 could not be built"; }
}

context() {
    rm -rf "$work/context"
    mkdir "$work/context"
    cp "$images"/* "$work/context"
}

docker import "$debian" omphalos-test/debian >/dev/null
docker tag omphalos-test/debian "$BUSYBOX_IMAGE"

context
image "$RABBITMQ_IMAGE" <<'DOCKERFILE'
FROM omphalos-test/debian
COPY rabbitmq /usr/local/bin/rabbitmq
VOLUME /var/lib/rabbitmq
ENV RABBITMQ_LOGS=- LANG=C.UTF-8
CMD ["/usr/local/bin/rabbitmq"]
DOCKERFILE

# with the paths that it has here, which its class archive goes by
"$here/install.sh" es9
jdk=$(find_jdk "$(engine_java es9)" java)
home=$(engine_home es9 "$jdk")
# the launcher is in its home, and an archive may have nothing twice
mapfile -t jars < <(sed -n 's/^-cp "\(.*\)"$/\1/p' "$home/java.args" | tr : '\n' | grep -vF "$home/")
context
tar --create --absolute-names --exclude '*/jmods' --exclude '*/src.zip' --file "$work/context/engine.tar" \
    "$(readlink -f "$jdk")" "$home" "${jars[@]}"
echo "JAVA_HOME=$(readlink -f "$jdk") ENGINE=$home" >"$work/context/engine.env"
image "$ELASTICSEARCH_IMAGE" <<'DOCKERFILE'
FROM omphalos-test/debian
ADD engine.tar /
COPY engine.env elasticsearch /usr/local/bin/
VOLUME /usr/share/elasticsearch/data
CMD ["/usr/local/bin/elasticsearch"]
DOCKERFILE

context
cp -r "$programs" "$work/context/programs"
image "$RUST_IMAGE" <<'DOCKERFILE'
FROM omphalos-test/debian
COPY programs /programs
COPY cargo rustc /usr/local/bin/
DOCKERFILE
rm -rf "$work/context"

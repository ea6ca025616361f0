#!/usr/bin/env bash
# Builds the three images under the names that the compose files use, and pushes them where that is wanted: 50 web servers
# then pull the shipper's, and need neither sources nor a compiler.
#
# Usage: images.sh [OPTION OF docker build...]
#   environment  PUSH=1 pushes them; REGISTRY, OMPHALOS_VERSION and RUST_IMAGE, by default as in .env; PROFILE (quick) and
#                JOBS (2), see the Dockerfile
set -eu
cd "$(dirname "$0")/.."

# value NAME: of the environment, else of .env
value() { printenv "$1" || sed -n "s/^$1=//p" .env; }

registry=$(value REGISTRY)
version=$(value OMPHALOS_VERSION)
for target in shipper indexer omphalos; do
    name=omphalos-$target
    [ "$target" != omphalos ] || name=omphalos
    image=$registry$name:$version
    echo "building $image" >&2
    docker build --quiet --target "$target" --tag "$image" --build-arg "RUST_IMAGE=$(value RUST_IMAGE)" \
        --build-arg "PROFILE=${PROFILE:-quick}" --build-arg "JOBS=${JOBS:-2}" "$@" .
    [ -z "${PUSH:-}" ] || docker push "$image"
done

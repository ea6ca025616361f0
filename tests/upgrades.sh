#!/usr/bin/env bash
# upgrades.sh COMMIT: builds the programs of an earlier commit in target/earlier, and runs the end-to-end tests that exchange
# them for today's. What is promised between versions stands in docs/operations.md, and COMMIT is by default the first of
# which it is promised.
set -euo pipefail
cd "$(dirname "$0")/.."
from=${1:-4d7c450}
tree=$PWD/target/earlier/tree
if [ "$(git -C "$tree" rev-parse HEAD 2>/dev/null)" != "$(git rev-parse "$from^{commit}")" ]; then
    echo "upgrades: taking the sources of $from to $tree" >&2
    rm -rf "$tree"
    git clone --quiet --no-checkout "$PWD" "$tree"
    git -C "$tree" checkout --quiet --detach "$(git rev-parse "$from^{commit}")"
fi
echo "upgrades: building the programs of $from, and those of today" >&2
(cd "$tree" && CARGO_TARGET_DIR=$PWD/../target cargo build --quiet --locked --workspace --bins)
cargo build --quiet --locked --workspace --bins --tests
OMPHALOS_EARLIER_PROGRAMS=$PWD/target/earlier/target/debug \
    cargo test --locked --workspace --test e2e -- --ignored upgrades:: --test-threads 2

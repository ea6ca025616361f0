# shellcheck shell=bash
# Programs of crates.io that scripts here need, each of one version: built once, into the cache.
#
# Usage: . tests/stack/cargo-tools.sh; cargo_tool NAME VERSION; "$tools/bin/NAME"
#   environment  OMPHALOS_CACHE (default ~/.cache/omphalos)

tools=${OMPHALOS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/omphalos}/tools

# cargo_tool PROGRAM VERSION: without optimisation, which takes longer than it saves here. What is installed is what cargo has
# in its list: not all programs say their version
cargo_tool() {
    if ! grep -qs "^\"$1 $2 " "$tools/.crates.toml" || [ ! -x "$tools/bin/$1" ]; then
        echo "installing $1 $2 from crates.io (cargo install) into $tools, about a minute" >&2
        CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --force --root "$tools" "$1@$2"
    fi
}

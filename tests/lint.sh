#!/usr/bin/env bash
# Everything that is checked without running anything: format, lints, licences and sources of dependencies, unused
# dependencies, shell scripts, the compose files, the built page, the manifests for Kubernetes. What is missing is installed
# first, after a line that says so.
#
# Usage: lint.sh
#   environment  OMPHALOS_CACHE (default ~/.cache/omphalos): cargo's programs go into its folder tools
set -eu
cd "$(dirname "$0")/.."
. tests/stack/cargo-tools.sh

step() {
    echo "lint: $*" >&2
    "$@"
}

tests/stack/install.sh cc docker-compose shellcheck
cargo_tool cargo-deny 0.19.4
cargo_tool cargo-machete 0.9.2

step cargo fmt --all --check
step cargo fmt --manifest-path fuzz/Cargo.toml --check
# its own workspace, which no other step builds
step cargo update --quiet --workspace --locked --manifest-path fuzz/Cargo.toml
step cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
RUSTDOCFLAGS='-D warnings' step cargo doc --quiet --workspace --no-deps --locked --document-private-items
# advisories are left out: their database is on GitHub, which not every builder reaches. `cargo deny check` alone has them
step "$tools/bin/cargo-deny" --log-level error check bans licenses sources
step "$tools/bin/cargo-machete"
mapfile -t scripts < <(git ls-files '*.sh' .ci/run packaging/debian packaging/sysv/service tests/compose/images)
step shellcheck -x "${scripts[@]}"
# scriptlets, which have no first line that says of which shell they are
step shellcheck --shell sh packaging/rpm/*
step docker-compose config --quiet
step docker-compose --file docker-compose.run.yml config --quiet

# the page is committed as it is built, so that nobody needs Node to build the program
page() {
    if ! node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null; then
        echo "lint: web/dist is not compared with web/src: that needs Node 20 and npm" >&2
        return
    fi
    built=$(mktemp -d)
    trap 'rm -rf "$built"' RETURN
    cp -r web/*.json web/*.ts web/index.html web/public web/src "$built"
    (cd "$built" && npm ci --silent --no-audit --no-fund && npm run --silent build >&2)
    for file in web/dist/*.gz; do
        if ! cmp -s <(gunzip -c "$file") <(gunzip -c "$built/dist/${file##*/}"); then
            echo "$file is not what web/src makes: cd web && npm ci && npm run build" >&2
            return 1
        fi
    done
}
step page

# the manifests for Kubernetes, put together and compared with the schemas of its API; neither is needed to build or to test
manifests() {
    local venv=$tools/kubernetes-validate-1.37.0
    if ! command -v kubectl >/dev/null; then
        echo "lint: the manifests are not looked at: that needs kubectl" >&2
        return
    fi
    if [ ! -x "$venv/bin/kubernetes-validate" ]; then
        echo "installing kubernetes-validate 1.37.0 from PyPI into $venv, some seconds" >&2
        rm -rf "$venv"
        if ! python3 -m venv "$venv" || ! "$venv/bin/pip" install --quiet kubernetes-validate==1.37.0; then
            rm -rf "$venv"
            echo "lint: the manifests are not compared with the API: that needs Python with venv and pip" >&2
            return
        fi
    fi
    kubectl kustomize packaging/kubernetes/example >"$tools/manifests.yaml"
    "$venv/bin/kubernetes-validate" --strict --quiet "$tools/manifests.yaml"
}
step manifests

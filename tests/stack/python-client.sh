#!/usr/bin/env bash
# Makes the official Python client of Elasticsearch available, in a virtual environment in the cache. Says what it is about to install,
# on stderr, where it is not there yet.
#
# Usage: python-client.sh
#   environment  OMPHALOS_CACHE (default ~/.cache/omphalos)
# Prints the path of a Python that has it. Exits with 1, and a line that says what to do, where it cannot be installed.
set -eu
. "$(dirname "$0")/lib.sh"

version=9.1.1
home=$cache/python-client-$version
mkdir -p "$cache"
exec 9>"$cache/python-client.lock"
flock 9

if [ ! -e "$home/installed" ]; then
    "$here/install.sh" python
    say "installing elasticsearch $version from PyPI into $home, 10 MB"
    rm -rf "$home"
    python3 -m venv "$home"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check "elasticsearch==$version" >&2 ||
        die "pip cannot install elasticsearch $version: is PyPI, or a mirror in pip's configuration, within reach?"
    touch "$home/installed"
fi
echo "$home/bin/python"

#!/usr/bin/env bash
# Fetches a small Debian 12 for tests that need one of their own, once, and prints the path of its tar.
#
# Usage: debian.sh    as root
#   environment  OMPHALOS_CACHE (default ~/.cache/omphalos): keeps it for next time, about 200 MB
set -eu
. "$(dirname "$0")/lib.sh"

tar=${cache%/stack}/debian-12.tar
work=''
clean_up() { [ -z "$work" ] || rm -rf "$work"; }
trap clean_up EXIT
trap 'exit 1' TERM INT HUP

[ "$(id -u)" = 0 ] || die "a Debian can be made by root only (debootstrap)"
if [ ! -e "$tar" ]; then
    "$here/install.sh" debootstrap
    say "fetching a Debian 12 (debootstrap) into $tar, about 200 MB"
    mkdir -p "${tar%/*}"
    work=$(mktemp -d)
    /usr/sbin/debootstrap --variant=minbase --include=adduser,logrotate,man-db,systemd bookworm "$work/root" \
        http://deb.debian.org/debian >"$work/log" 2>&1 || { show_log "$work/log" && die "debootstrap could not make a Debian"; }
    tar --create --directory "$work/root" --exclude './var/cache/apt/*' --file "$tar.part" .
    mv "$tar.part" "$tar"
fi
echo "$tar"

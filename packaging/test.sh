#!/usr/bin/env bash
# Installs, upgrades, removes and purges the packages in target/packages in a Debian of their own, a chroot, and looks at what
# they do: without systemd; with systemd that does not run; and with one that is told to have run (a program that writes down
# what it is asked for), because no systemd can run in a chroot.
#
# Usage: test.sh    as root, after packaging/build.sh
#   environment  OMPHALOS_CACHE (default ~/.cache/omphalos): keeps the Debian for next time, about 200 MB
set -eu
cd "$(dirname "$0")/.."
packages=$PWD/target/packages
work=''
root=''
step=''

say() { echo "test-packages: $*" >&2; }

fail() {
    say "FAILED: $step: $*"
    exit 1
}

clean_up() {
    local code=$? pidfile
    if [ -n "$root" ]; then
        for pidfile in "$root"/run/omphalos-*.pid; do
            [ ! -e "$pidfile" ] || kill -KILL "$(cat "$pidfile")" 2>/dev/null || :
        done
        ! mountpoint --quiet "$root/proc" || umount "$root/proc"
    fi
    [ -z "$work" ] || rm -rf "$work"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 1' TERM INT HUP

[ "$(id -u)" = 0 ] || fail "it needs root, for chroot"
compgen -G "$packages/omphalos-shipper_*.deb" >/dev/null || fail "no packages in $packages: packaging/build.sh makes them"
tests/stack/install.sh rpm

base=$(tests/stack/debian.sh)

# --- the tools of the tests ---

# a Debian as it was fetched
fresh() {
    ! mountpoint --quiet "$root/proc" || umount "$root/proc"
    rm -rf "$root"
    mkdir "$root"
    tar --extract --directory "$root" --file "$base"
    mount -t proc proc "$root/proc"
    mkdir -p "$root/var/log/nginx"
}

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }

# install DEB...: as an administrator does who keeps what was changed
install() {
    local deb
    for deb in "$@"; do
        cp "$deb" "$root/tmp/package.deb"
        inside dpkg --install --force-confold /tmp/package.deb >"$work/said" 2>&1 </dev/null || fail "$(cat "$work/said")"
    done
}

dpkg_does() { inside dpkg "$@" >"$work/said" 2>&1 </dev/null || fail "dpkg $*: $(cat "$work/said")"; }

said() { grep -qF -- "$1" "$work/said" || fail "nobody said '$1': $(cat "$work/said")"; }

# is PATH OWNER:GROUP MODE
is() {
    local found
    found=$(inside stat -c '%U:%G %a' "$1" 2>&1) || fail "$found"
    [ "$found" = "$2 $3" ] || fail "$1 is $found instead of $2 $3"
}

absent() {
    local path
    for path in "$@"; do
        if [ -e "$root$path" ] || [ -L "$root$path" ]; then fail "$path is there"; fi
    done
}

# newer DEB: the same package of a later version, whose settings file has changed too; prints its name
newer() {
    local folder=$work/newer name
    name=$(dpkg-deb --field "$1" Package)
    rm -rf "$folder"
    dpkg-deb --raw-extract "$1" "$folder"
    sed -i 's/^Version: .*/Version: 99.0-1/' "$folder/DEBIAN/control"
    for file in "$folder"/etc/omphalos/*.toml; do
        echo '# of a later version' >>"$file"
    done
    (cd "$folder" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
    dpkg-deb --root-owner-group --build "$folder" "$work/$name-newer.deb" >/dev/null
    echo "$work/$name-newer.deb"
}

deb_of() { echo "$packages/$1"_*.deb; }

is_running() { inside /etc/init.d/omphalos-shipper status >/dev/null; }

pid() { cat "$root/run/omphalos-shipper.pid"; }

# --- what they are to do ---

settings() {
    cat >>"$root/etc/omphalos/shipper.toml" <<EOF
# changed by the administrator
[[monitor]]
paths = ["/var/log/nginx/access.log"]
parser = "combined"
EOF
    sed -i 's/^#transport =.*/transport = "null"/' "$root/etc/omphalos/shipper.toml"
    echo '192.0.2.1 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8"' >"$root/var/log/nginx/access.log"
    inside chgrp adm /var/log/nginx/access.log
    inside chmod 640 /var/log/nginx/access.log
}

as_omphalos() { inside setpriv --reuid omphalos --regid omphalos --init-groups "$@"; }

installed() {
    step="$system: installation"
    install "$(deb_of omphalos-shipper)" "$(deb_of omphalos-indexer)" "$(deb_of omphalos)"
    local name
    for name in shipper indexer relay run; do
        is "/etc/omphalos/$name.toml" root:omphalos 640
        is "/var/lib/omphalos-$name" omphalos:omphalos 700
        is "/usr/lib/systemd/system/omphalos-$name.service" root:root 644
    done
    is /etc/omphalos root:root 755
    for name in omphalos omphalos-shipper omphalos-indexer; do
        is "/usr/bin/$name" root:root 755
        is "/usr/share/man/man1/$name.1.gz" root:root 644
        is "/usr/share/bash-completion/completions/$name" root:root 644
        is "/usr/share/doc/$name/copyright" root:root 644
        is "/usr/share/doc/$name/changelog.Debian.gz" root:root 644
        is "/usr/share/$name/omphalos.schema.json" root:root 644
        inside "$name" --version >/dev/null || fail "$name does not run"
        inside man --warnings "$name" >/dev/null 2>"$work/said" || fail "man $name: $(cat "$work/said")"
        [ ! -s "$work/said" ] || fail "man $name: $(cat "$work/said")"
    done
    for name in shipper indexer; do
        is "/etc/init.d/omphalos-$name" root:root 755
        is "/etc/logrotate.d/omphalos-$name" root:root 644
        # installed, and yet not started at boot
        compgen -G "$root/etc/rc2.d/K*omphalos-$name" >/dev/null || fail "no link of $name in rc2.d"
    done
    inside logrotate --debug /etc/logrotate.d/omphalos-shipper >/dev/null 2>&1 || fail "logrotate"
    inside id -nG omphalos | grep -qw adm || fail "omphalos is not in adm"
    compgen -G "$root/etc/systemd/system/*.wants/omphalos*" >/dev/null && fail "a unit is enabled"
    [ ! -e "$root/usr/bin/systemctl" ] || inside systemd-analyze verify --man=no omphalos-shipper.service || fail "the unit"
    inside dpkg --verify omphalos omphalos-shipper omphalos-indexer || fail "dpkg --verify"
}

# what has not been told what to do says so, and is not tried again and again
unconfigured() {
    step="$system: without settings"
    local code=0
    as_omphalos omphalos-shipper --config /etc/omphalos/shipper.toml >"$work/said" 2>&1 || code=$?
    [ "$code" = 2 ] || fail "exit code $code: $(cat "$work/said")"
    said "nothing to read: name files"
    if inside /etc/init.d/omphalos-shipper start >"$work/said" 2>&1; then fail "it has started"; fi
    said "nothing to read: name files"
    is_running && fail "it runs"
    inside /etc/init.d/omphalos-shipper stop >/dev/null || fail "what does not run cannot be stopped"
}

configured() {
    step="$system: with settings"
    settings
    inside runuser -u omphalos -- omphalos-shipper check --config /etc/omphalos/shipper.toml >"$work/said" 2>&1 ||
        fail "check: $(cat "$work/said")"
    said "1 files found"
    as_omphalos omphalos-shipper --once --config /etc/omphalos/shipper.toml >"$work/said" 2>&1 || fail "$(cat "$work/said")"
    grep -q /var/log/nginx/access.log -r "$root/var/lib/omphalos-shipper" || fail "no checkpoint has the log"
    for name in indexer relay run; do
        as_omphalos true "$name" # they only have to be readable
        as_omphalos test -r "/etc/omphalos/$name.toml" || fail "omphalos may not read $name.toml"
    done
}

init_script() {
    step="$system: init script"
    inside /etc/init.d/omphalos-shipper start >"$work/said" 2>&1 || fail "start: $(cat "$work/said")"
    is_running || fail "it does not run"
    [ "$(awk '/^Uid:/ { print $2 }' "$root/proc/$(pid)/status")" = "$(inside id -u omphalos)" ] || fail "it does not run as omphalos"
    local first
    first=$(pid)
    inside /etc/init.d/omphalos-shipper start >/dev/null || fail "a second start"
    [ "$(pid)" = "$first" ] || fail "a second start has started another"
    inside /etc/init.d/omphalos-shipper restart >/dev/null || fail "restart"
    [ "$(pid)" != "$first" ] || fail "restart has not"
    is /var/log/omphalos-shipper.log omphalos:adm 640
    grep -q omphalos-shipper "$root/var/log/omphalos-shipper.log" || fail "it has logged nothing"
    local code=0
    inside /etc/init.d/omphalos-shipper stop >/dev/null || fail "stop"
    inside /etc/init.d/omphalos-shipper status >/dev/null || code=$?
    [ "$code" = 3 ] || fail "status of what is stopped is $code"
}

upgraded() {
    step="$system: upgrade"
    local before state
    # invoke-rc.d starts nothing in a chroot unless it is allowed to
    printf '#!/bin/sh\nexit 0\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    inside /etc/init.d/omphalos-shipper start >/dev/null
    before=$(pid)
    cp "$root/etc/omphalos/shipper.toml" "$work/shipper.toml"
    state=$(find "$root/var/lib/omphalos-shipper" -type f | wc -l)
    install "$(newer "$(deb_of omphalos-shipper)")" "$(newer "$(deb_of omphalos-indexer)")"
    is_running || fail "it does not run any more"
    [ "$(pid)" != "$before" ] || fail "the old one still runs"
    cmp "$root/etc/omphalos/shipper.toml" "$work/shipper.toml" || fail "settings were changed"
    is /etc/omphalos/shipper.toml root:omphalos 640
    [ -e "$root/etc/omphalos/shipper.toml.dpkg-dist" ] || fail "the new settings are not beside them"
    # nobody had changed these
    tail -n 1 "$root/etc/omphalos/relay.toml" | grep -q 'of a later version' || fail "the new relay.toml is not there"
    is /etc/omphalos/relay.toml root:omphalos 640
    [ "$(find "$root/var/lib/omphalos-shipper" -type f | wc -l)" -ge "$state" ] || fail "state has gone"
    inside /etc/init.d/omphalos-indexer status >/dev/null && fail "the indexer was started, which did not run"
    return 0
}

removed() {
    step="$system: removal"
    dpkg_does --remove omphalos-shipper omphalos-indexer omphalos
    absent /usr/bin/omphalos-shipper /usr/lib/systemd/system/omphalos-shipper.service /run/omphalos-shipper.pid
    is /etc/omphalos/shipper.toml root:omphalos 640
    is /var/lib/omphalos-shipper omphalos:omphalos 700
    inside /etc/init.d/omphalos-shipper start >/dev/null || fail "the init script that stays must do nothing"
    step="$system: purge"
    dpkg_does --purge omphalos-shipper omphalos-indexer omphalos
    said "deleting /var/lib/omphalos-shipper"
    find "$root" -xdev \( -path "$root/proc" -o -path "$root/tmp" -o -path "$root/var/cache/man" \) -prune -o -name '*omphalos*' -print >"$work/left"
    [ ! -s "$work/left" ] || fail "left are $(cat "$work/left")"
    inside getent passwd omphalos >/dev/null || fail "the user has gone, and its number may become another's"
}

# writes down what systemd is asked for
stub_systemd() {
    mkdir -p "$root/run/systemd/system"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\necho "$*" >>/tmp/asked\n' >"$root/usr/bin/systemctl"
    chmod 755 "$root/usr/bin/systemctl"
}

# asked COMMAND...: whether these, and no others, were asked of systemd about our units
asked() {
    printf '%s\n' "$@" >"$work/wanted"
    grep -v '^--version\|^show\|^-p ' "$root/tmp/asked" >"$work/asked" || :
    cmp -s "$work/wanted" "$work/asked" || fail "$(diff "$work/wanted" "$work/asked")"
    rm "$root/tmp/asked"
}

with_systemd() {
    step="$system: what is asked of it"
    install "$(deb_of omphalos-indexer)"
    said "systemctl enable --now omphalos-relay"
    sort -u -o "$root/tmp/asked" "$root/tmp/asked"
    asked daemon-reload
    install "$(newer "$(deb_of omphalos-indexer)")"
    uniq "$root/tmp/asked" "$root/tmp/once" && mv "$root/tmp/once" "$root/tmp/asked"
    asked daemon-reload "try-restart omphalos-indexer.service" "try-restart omphalos-relay.service"
    dpkg_does --remove omphalos-indexer
    asked "stop omphalos-indexer.service" "--quiet --no-reload disable omphalos-indexer.service" \
        "stop omphalos-relay.service" "--quiet --no-reload disable omphalos-relay.service" daemon-reload
    dpkg_does --purge omphalos-indexer
}

# what rpm says of packages; there is no Fedora here to install them
rpms() {
    step="rpm"
    local rpm name
    for name in omphalos omphalos-shipper omphalos-indexer; do
        rpm=$(echo "$packages/$name"-[0-9]*.rpm)
        rpm --query --package --list --verbose "$rpm" 2>/dev/null | grep -v '^d' | awk '{ print $1, $3, $4, $NF }' >"$work/list"
        grep -q "^-rwxr-xr-x root root /usr/bin/$name\$" "$work/list" || fail "$name has no program: $(cat "$work/list")"
        grep -q '^-rw-r----- root omphalos /etc/omphalos/' "$work/list" || fail "$name has no settings: $(cat "$work/list")"
        rpm --query --package --configfiles "$rpm" 2>/dev/null | grep -q '^/etc/omphalos/' || fail "settings are no configuration"
        rpm --query --package --scripts "$rpm" 2>/dev/null | grep -q '@' && fail "a scriptlet of $name was not filled in"
        rpm --query --package --requires "$rpm" 2>/dev/null | grep -q 'libc.so.6(GLIBC_' || fail "$name does not say which glibc"
    done
}

work=$(mktemp -d)
root=$work/root

for system in "no systemd" "systemd that does not run"; do
    say "$system"
    fresh
    [ "$system" != "no systemd" ] || rm "$root/usr/bin/systemctl"
    installed
    unconfigured
    configured
    init_script
    upgraded
    removed
done

system="systemd that runs"
say "$system"
fresh
stub_systemd
with_systemd

say "rpm"
rpms
say "all is well"

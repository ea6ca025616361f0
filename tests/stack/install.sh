#!/usr/bin/env bash
# Makes real servers available to the scripts beside it, and programs to `make`. Returns at once where everything is there; says on stderr what it
# is about to install otherwise. Debian packages go into the system; the engines' jars and archives into the cache.
#
# Usage: install.sh NAME...    with NAME a server, rabbitmq, es9, es7, opensearch,
#                              or a program, alertmanager, c++, cargo, cc, chromium, debootstrap, docker, docker-compose, faketime, goaccess, logrotate, prometheus, python, rpm, shellcheck, smtp, tmux
#   environment  OMPHALOS_CACHE (default ~/.cache/omphalos); JAVA_HOME, if a certain JDK is to be used
# Exits with 1, and a line that says what to do, where something cannot be installed here.
set -eu
. "$(dirname "$0")/lib.sh"
. "$here/engine/build.sh"

work=''
policy=/usr/sbin/policy-rc.d
policy_mark='# put here for a moment by omphalos tests/stack/install.sh, process'

clean_up() {
    [ -z "$work" ] || rm -rf "$work"
    if grep -qsxF "$policy_mark $$" "$policy"; then
        as_root rm -f "$policy" || :
    fi
}
trap clean_up EXIT
trap 'exit 1' TERM INT HUP

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian starts a service as soon as it is installed, unless this file says no. One that is there already is left alone,
# unless it is ours, left by an installation that was killed.
forbid_services() {
    if [ ! -e "$policy" ] || grep -qF "$policy_mark" "$policy"; then
        printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark $$" | as_root sh -c "cat >$policy && chmod 755 $policy"
    fi
}

# apt_install SIZE PACKAGE...: one line before, nothing more unless it fails
apt_install() {
    local size=$1 log=$cache/apt.log
    shift
    command -v apt-get >/dev/null || die "$* missing and there is no apt-get here: install what provides it by hand"
    as_root true 2>/dev/null || die "$* missing: install it as root (apt-get install $*)"
    say "installing $* from Debian (apt-get), about $size"
    forbid_services
    # a list that cannot be fetched may belong to an archive that is not needed
    as_root apt-get update >"$log" 2>&1 || :
    if ! as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 </dev/null; then
        show_log "$log"
        die "apt-get could not install $*"
    fi
}

# Only rustup itself: it fetches the toolchain that rust-toolchain.toml names when cargo is first run.
install_cargo() {
    local script=https://static.rust-lang.org/rustup/rustup-init.sh
    command -v curl >/dev/null || apt_install "1 MB" curl ca-certificates
    say "installing Rust with rustup (https://rustup.rs) into ${CARGO_HOME:-$HOME/.cargo}, about 600 MB with the toolchain"
    work=$(mktemp -d)
    curl --proto '=https' --tlsv1.2 -sSf -o "$work/rustup-init.sh" "$script" || die "cannot fetch $script: install Rust by hand"
    sh "$work/rustup-init.sh" -y --quiet --no-modify-path --default-toolchain none --profile minimal >/dev/null ||
        die "rustup could not be installed"
    rm -rf "$work"
    work=''
}

install_rabbitmq() {
    local sbin
    if ! rabbitmq_sbin >/dev/null; then
        apt_install "80 MB" rabbitmq-server
        # the package would start its own node at the next boot; nobody asked for that
        as_root update-rc.d rabbitmq-server disable >/dev/null 2>&1 || :
        rabbitmq_sbin >/dev/null || die "rabbitmq-server is installed but has no /usr/lib/rabbitmq/bin/rabbitmq-server"
    fi
    sbin=$(rabbitmq_sbin)
    # it may be there from before a package was removed
    [ -e "$(rabbitmq_index "$sbin")" ] || index_modules "$sbin"
}

# A starting node loads some 700 modules, and looks for each in every folder of its code path, which begins with 70 plugins:
# that is two thirds of the start (measured with 3.10: 5.8 s; 2.1 s with this index). So the index has one folder of links to
# all modules but the plugins', and one with a single "plugin", which is RabbitMQ itself. Where a release is laid out
# otherwise, or two modules have one name, the index stays empty and the node starts as ever.
index_modules() {
    local sbin=$1 index plugins folder folders=()
    index=$(rabbitmq_index "$sbin")
    plugins=${sbin%/*}/plugins
    work=$(mktemp -d "$cache/building.XXXXXX")
    mkdir "$work/modules" "$work/plugins"
    for folder in "$plugins"/*/ebin "$(erlang_root)"/lib/*/ebin; do
        case ${folder#"$plugins/"} in
        rabbitmq_prelaunch-*) folders+=("$folder") ;;
        rabbitmq_*) ;;
        *) folders+=("$folder") ;;
        esac
    done
    if ! ln -s "$plugins"/rabbit-[0-9]* "$work/plugins" 2>/dev/null ||
        ! find "${folders[@]}" \( -name '*.beam' -o -name '*.app' \) -exec ln -s -t "$work/modules" {} + 2>/dev/null; then
        rm -rf "$work/modules" "$work/plugins"
    fi
    mv -T "$work" "$index"
    work=''
}

# Only its two programs, into the cache: the package would bring a service, and libraries for its pages that nobody looks at.
install_prometheus() {
    command -v apt-get >/dev/null || die "prometheus missing and there is no apt-get here: install what provides it by hand"
    say "fetching prometheus from Debian (apt-get download), about 20 MB"
    work=$(mktemp -d "$cache/building.XXXXXX")
    # the user _apt, which fetches, may not be able to look into the cache
    if ! (cd "$work" && apt-get download prometheus) >"$cache/apt.log" 2>&1; then
        # there may be no lists yet, or old ones
        as_root apt-get update >"$cache/apt.log" 2>&1 || :
        (cd "$work" && apt-get download prometheus) >>"$cache/apt.log" 2>&1 || {
            show_log "$cache/apt.log"
            die "apt-get could not fetch prometheus"
        }
    fi
    dpkg-deb -x "$work"/prometheus_*.deb "$work" || die "the package prometheus cannot be unpacked"
    mkdir -p "$cache/prometheus"
    mv "$work/usr/bin/prometheus" "$work/usr/bin/promtool" "$cache/prometheus"
    rm -rf "$work"
    work=''
}

# The whole package: the program looks for its templates in /usr/share and nowhere else.
install_alertmanager() {
    apt_install "40 MB" prometheus-alertmanager
    # the package would start a service at the next boot; nobody asked for that
    as_root update-rc.d prometheus-alertmanager disable >/dev/null 2>&1 || :
}

# The engine and its client.
install_docker() {
    apt_install "240 MB" docker.io
    # the package would start its engine at the next boot; nobody asked for that
    as_root update-rc.d docker disable >/dev/null 2>&1 || :
}

available() {
    local sbin jdk home
    case $1 in
    # Debian keeps logrotate where only root looks
    c++ | cargo | cc | chromium | debootstrap | docker-compose | goaccess | logrotate | rpm | shellcheck | tmux) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
    # the engine: a client alone may be there
    docker) PATH=$PATH:/usr/sbin:/sbin command -v dockerd >/dev/null ;;
    python) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    alertmanager) command -v prometheus-alertmanager >/dev/null && [ -e /usr/share/prometheus/alertmanager/default.tmpl ] ;;
    # a library of Python, of which smtp.py makes a server
    smtp) /usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null ;;
    # a library, which is all that is wanted of it
    faketime) compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null ;;
    prometheus) prometheus_home >/dev/null ;;
    rabbitmq) sbin=$(rabbitmq_sbin) && [ -e "$(rabbitmq_index "$sbin")" ] ;;
    *)
        jdk=$(find_jdk "$(engine_java "$1")" java) || return 1
        home=$(engine_home "$1" "$jdk")
        [ -e "$home/java.args" ] && touch "$home"
        ;;
    esac
}

install() {
    case $1 in
    alertmanager) install_alertmanager ;;
    cargo) install_cargo ;;
    c++) apt_install "80 MB" g++ ;;
    cc) apt_install "60 MB" gcc libc6-dev ;;
    chromium) apt_install "500 MB" chromium ;;
    debootstrap) apt_install "1 MB" debootstrap ;;
    docker) install_docker ;;
    docker-compose) apt_install "30 MB" docker-compose ;;
    faketime) apt_install "1 MB" faketime ;;
    goaccess) apt_install "2 MB" goaccess ;;
    logrotate) apt_install "1 MB" logrotate ;;
    prometheus) install_prometheus ;;
    python) apt_install "30 MB" python3 python3-venv ;;
    rpm) apt_install "10 MB" rpm ;;
    shellcheck) apt_install "15 MB" shellcheck ;;
    smtp) apt_install "2 MB" python3-aiosmtpd ;;
    tmux) apt_install "2 MB" tmux ;;
    rabbitmq) install_rabbitmq ;;
    *) install_engine "$1" ;;
    esac
}

[ $# -gt 0 ] || die "usage: install.sh NAME...; the first lines of this file say which names"
for name in "$@"; do
    case $name in
    alertmanager | c++ | cargo | cc | chromium | debootstrap | docker | docker-compose | faketime | goaccess | logrotate | prometheus | python | rpm | shellcheck | smtp | tmux | rabbitmq) ;;
    *) engine_java "$name" >/dev/null ;;
    esac
done
mkdir -p "$cache"
for name in "$@"; do
    ! available "$name" || continue
    # one installation at a time, for the sake of apt, Maven and the cache; whoever waited finds the work done
    exec 9>"$cache/lock"
    flock -n 9 || { say "waiting for another installation (lock $cache/lock)" && flock 9; }
    available "$name" || install "$name"
    exec 9>&-
done

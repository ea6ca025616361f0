#!/usr/bin/env bash
# Makes target/packages: a .deb and an .rpm of each program, a tarball of all, what is in them (SBOM, CycloneDX), SHA256SUMS.
# The programs are linked with the glibc of this machine, and need no newer one than the packages say. (The images have them
# static. On a host, glibc looks up names by plugins that its administrator chose, and those belong to its own version.)
#
# Usage: build.sh
#   environment  PROFILE (default release): cargo's profile; dev is for tests of the packages
#                SOURCE_DATE_EPOCH (default: of the last commit): the date of everything
set -eu
cd "$(dirname "$0")/.."
. tests/stack/cargo-tools.sh
profile=${PROFILE:-release}
made=target/packaging
packages=target/packages
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# what belongs to a user alone is told by its mode, and not by that of whoever builds
umask 022

say() { echo "packages: $*" >&2; }

# the services of each package
services() {
    case $1 in
    omphalos-shipper) echo omphalos-shipper ;;
    omphalos-indexer) echo omphalos-indexer omphalos-relay ;;
    omphalos) echo omphalos-run ;;
    esac
}
names=(omphalos-shipper omphalos-indexer omphalos)

tests/stack/install.sh cargo cc
cargo_tool cargo-deb 3.8.0
cargo_tool cargo-generate-rpm 0.21.1
cargo_tool cargo-cyclonedx 0.5.9
PATH=$tools/bin:$PATH

say "building the programs ($profile)"
compression=()
if [ "$profile" = dev ]; then
    # as `make test` does, which then need not do it again
    cargo build --quiet --locked --workspace --bins --tests
    built=${CARGO_TARGET_DIR:-target}/debug
    compression=(--fast)
else
    cargo build --quiet --locked --profile "$profile" --bins --package omphalos-shipper --package omphalos-indexer \
        --package omphalos --package omphalos-packaging
    built=${CARGO_TARGET_DIR:-target}/$profile
fi

# not before: cargo would build what is of C, and all that stands on it, again for each date
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
rm -rf "$made" "$packages"
mkdir -p "$made/bin" "$made/sysv" "$packages"
"$built/omphalos-packaging" "$made"
gzip -9n "$made"/man/*/*.1
gzip -9nc CHANGELOG.md >"$made/changelog.gz"
printf 'omphalos (%s-1) unstable; urgency=medium\n\n  * changelog.gz says what is new.\n\n -- Omphalos <packages@omphalos.invalid>  %s\n' \
    "$version" "$(LC_ALL=C date --utc --rfc-email --date "@$SOURCE_DATE_EPOCH")" >"$made/changelog.Debian"
for name in "${names[@]}"; do
    # names of functions stay, for the traces of panics
    strip --strip-debug -o "$made/bin/$name" "$built/$name"
    for kind in debian rpm; do
        mkdir -p "$made/$kind/$name"
        for script in packaging/"$kind"/*; do
            sed "s/@services@/$(services "$name")/" "$script" >"$made/$kind/$name/${script##*/}"
        done
    done
done
for service in omphalos-shipper omphalos-indexer; do
    sed "s/@service@/$service/g" packaging/sysv/service >"$made/sysv/$service"
    sed "s/@service@/$service/g" packaging/sysv/logrotate >"$made/sysv/$service.logrotate"
done

for crate in shipper indexer omphalos; do
    name=omphalos-${crate#omphalos}
    name=${name%-}
    say "$name: .deb, .rpm"
    cargo deb --quiet --locked --no-build --no-strip "${compression[@]}" --package "$name" --output "$packages/"
    cargo generate-rpm --package "$crate" --auto-req builtin --output "$packages/"
done

say "tarball, SBOM, SHA256SUMS"
# the tarball has the files of the packages
folder=omphalos-$version-$(uname -m)-linux
mkdir "$made/$folder"
for deb in "$packages"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --no-same-owner --directory "$made/$folder"
done
tar --create --gzip --directory "$made" --owner=0 --group=0 --numeric-owner --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
    --file "$packages/$folder.tar.gz" "$folder"
# it writes a file beside each Cargo.toml of the workspace
cargo cyclonedx --quiet --format json --spec-version 1.5 --override-filename omphalos.cdx
for crate in shipper indexer omphalos; do
    name=omphalos-${crate#omphalos}
    mv "$crate/omphalos.cdx.json" "$packages/${name%-}-$version.cdx.json"
done
rm -f -- */omphalos.cdx.json
(cd "$packages" && sha256sum -- * >SHA256SUMS)
ls -l "$packages" >&2

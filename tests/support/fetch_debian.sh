#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes a bare Debian 12 that boots with systemd, for tests/support/nspawn.py. The packages that the tests install in it
# are in apt's cache there, so that "apt-get install" works in it without a network. Needs root, mmdebstrap and a network.
# Usage: fetch_debian.sh [DIRECTORY]   (default: $VIRTPROXY_DEBIAN, else <repository>/.lab/debian-12)
# Prints the directory. Runs again without work once the directory is complete.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
target=${1:-${VIRTPROXY_DEBIAN:-$here/.lab/debian-12}}
# What is installed; then what is fetched for the tests: what our own packages need, and Debian's libvirt.
installed=systemd-sysv,dbus,procps,iproute2
fetched=(
    python3-twisted python3-openssl python3-service-identity python3-cryptography python3-cffi python3-jeepney
    python3-lxml python3-prometheus-client libsasl2-modules libsasl2-modules-db polkitd openssl adduser
    libvirt-daemon-system libvirt-clients qemu-system-x86
)

fail() { echo "fetch_debian.sh: $*" >&2; exit 1; }

mkdir -p "$(dirname "$target")"
exec 9>"$target.lock"
flock 9
# What a tree was made of: it is made again when that changes.
contents="$installed ${fetched[*]}"
if [ "$(cat "$target.complete" 2>/dev/null)" = "$contents" ]; then
    echo "$target"
    exit 0
fi
[ "$(id -u)" = 0 ] || fail "needs root"
command -v mmdebstrap >/dev/null || fail "needs mmdebstrap (apt-get install mmdebstrap)"
rm -rf "$target" "$target.complete"
mirror=$(apt-get indextargets --format '$(SITE)' 'Codename: bookworm' 'Component: main' 2>/dev/null | head -n 1)
[ -n "$mirror" ] || fail "apt has no source of the main component of bookworm"
mmdebstrap --quiet --variant=minbase --include="$installed" --components=main --skip=cleanup/apt \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --customize-hook="chroot \"\$1\" apt-get install -qq -y --download-only ${fetched[*]} >/dev/null" \
    --customize-hook='echo host >"$1/etc/hostname"; rm -f "$1/etc/resolv.conf"' \
    bookworm "$target" "$mirror" >&2 || fail "cannot make $target"
echo "$contents" >"$target.complete"
echo "$target"

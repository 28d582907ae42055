#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fetches libvirt 11.3 (clients and libvirtd) from the backports suite of this Debian release
# and unpacks it beside the system, never over it. Called by ./check and by tests/support/lab.py.
# Usage: fetch_lab.sh [DIRECTORY]   (default: $VIRTPROXY_LAB, else <repository>/.lab/libvirt-11.3)
# Prints the directory. Runs again without work once the directory is complete.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
target=${1:-${VIRTPROXY_LAB:-$here/.lab/libvirt-11.3}}
packages=(
    libvirt0 libvirt-common libvirt-clients libvirt-daemon libvirt-daemon-common
    libvirt-daemon-log libvirt-daemon-lock libvirt-daemon-driver-qemu libvirt-daemon-driver-network
    libvirt-daemon-driver-storage libvirt-daemon-driver-nodedev libvirt-daemon-driver-nwfilter
    libvirt-daemon-driver-secret libvirt-daemon-driver-interface
)

if [ -e "$target/.complete" ]; then
    echo "$target"
    exit 0
fi

fail() { echo "fetch_lab.sh: $*" >&2; exit 1; }

[ -r /etc/os-release ] || fail "no /etc/os-release: this needs Debian"
. /etc/os-release
[ "${ID:-}" = debian ] || fail "this needs Debian 12 (bookworm); found ${ID:-an unknown system}"
suite=$VERSION_CODENAME-backports

# The mirror is the one the system already uses for its release suite.
find_mirror() {
    local file
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -r "$file" ] || continue
        awk -v RS= -v suite="$VERSION_CODENAME" '{
            uri = ""; found = 0
            count = split($0, lines, "\n")
            for (i = 1; i <= count; i++) {
                words = split(lines[i], word, " ")
                if (word[1] == "URIs:") uri = word[2]
                if (word[1] == "Suites:") for (j = 2; j <= words; j++) if (word[j] == suite) found = 1
            }
            if (found && uri != "") print uri
        }' "$file"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -r "$file" ] || continue
        sed -e 's/\[[^]]*\]//' "$file" |
            awk -v suite="$VERSION_CODENAME" '$1 == "deb" && $3 == suite { print $2 }'
    done
}
mirror=$(find_mirror | head -n 1)
[ -n "$mirror" ] || fail "no apt source for $VERSION_CODENAME found under /etc/apt"

mkdir -p "$target"
target=$(cd "$target" && pwd)
work=$(mktemp -d "$target/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,parts,debs,root}
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/sources.list"
cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "$work/parts";
Dir::Etc::preferencesparts "$work/parts";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
Acquire::Retries "3";
CONF
export APT_CONFIG=$work/apt.conf
apt-get -qq update >&2 || fail "could not read $suite from the mirror of this system"
(cd "$work/debs" && apt-get -qq download "${packages[@]/%//$suite}" >&2) ||
    fail "could not download libvirt from $suite"
for package in "$work"/debs/*.deb; do
    dpkg-deb -x "$package" "$work/root"
done

libraries=$(dirname "$(find "$work/root" -name 'libvirt.so.0' | head -n 1)")
missing=$(for binary in "$work"/root/usr/bin/virsh "$work"/root/usr/sbin/virt*d; do
    LD_LIBRARY_PATH=$libraries ldd "$binary" | awk '/not found/ { print $1 }'
done | sort -u)
[ -z "$missing" ] || fail "libraries missing on this system: $missing"

rm -rf "$target/usr" "$target/etc" "$target/lib"
for part in "$work"/root/*; do
    mv "$part" "$target/"
done
touch "$target/.complete"
echo "$target"

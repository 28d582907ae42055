#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# First process of a lab: runs in fresh mount, network, pid and host name namespaces (see lab.py, its only caller),
# hides what the host's libvirt owns behind private file systems, says "ready" and waits to be killed.
# Usage: lab_init.sh DIRECTORY NAME [TREE]
# NAME is the host name in here; TREE an unpacked libvirt that replaces the system's in here.
set -euo pipefail

directory=$1
name=$2
tree=${3:-}

mount --make-rprivate /
umount -R -l /sys
mount -t sysfs sysfs /sys
for path in /run /etc/libvirt /etc/pki /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
    mkdir -p "$path"
    mount -t tmpfs -o mode=755 lab "$path"
done
mkdir -p /run/lab /run/libvirt /run/lock /run/sshd /run/user
mount --bind "$directory" /run/lab

hostname "$name"
printf '%s\n' '127.0.0.1 localhost' '::1 localhost' "127.0.1.1 $name" >/run/hosts
mount --bind /run/hosts /etc/hosts

# A device directory without /dev/kvm: guests are emulated, the same on every machine.
devices=/run/lab-devices
mkdir "$devices"
mount -t tmpfs -o mode=755 lab "$devices"
mkdir "$devices/net" "$devices/pts" "$devices/shm" "$devices/mapper"
for node in null zero full random urandom tty net/tun loop-control; do
    [ -e "/dev/$node" ] || continue
    touch "$devices/$node"
    mount --bind "/dev/$node" "$devices/$node"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 lab "$devices/pts"
mount -t tmpfs -o mode=1777 lab "$devices/shm"
ln -s pts/ptmx "$devices/ptmx"
ln -s /proc/self/fd "$devices/fd"
mount --move "$devices" /dev
rmdir "$devices"

if [ -n "$tree" ]; then
    libraries=usr/lib/$(basename "$(dirname "$(find "$tree/usr/lib" -name libvirt.so.0)")")
    for library in "$tree/$libraries"/libvirt*.so.0; do
        mount --bind "$(readlink -f "$library")" "$(readlink -f "/$libraries/$(basename "$library")")"
    done
    for path in "$libraries/libvirt" usr/lib/libvirt usr/share/libvirt usr/sbin/libvirtd usr/bin/virsh \
        usr/bin/virt-admin; do
        mount --bind "$tree/$path" "/$path"
    done
fi

ip link set lo up
echo ready
# The shell stays, because the first process of a pid namespace must reap what daemons leave behind.
sleep infinity &
wait $!

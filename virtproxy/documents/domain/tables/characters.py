# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that carry a stream of bytes, as a table: consoles, channels, smart cards, redirected USB, RNG and TPM.

Read by `grammar`, which says what the notation means.
"""

from __future__ import annotations

CHARACTERS = """
&char
  source/type=pty path
    &charlabel
  source/type=dev path
    &charlabel
  source/type=file path append:onoff
    &charlabel
  source/type=pipe path
    &charlabel
  source/type=unix mode:connect|bind path
    &reconnect
    &charlabel
  source/type=tcp mode:connect|bind host service tls:yesno
    &reconnect
    &charlabel
  source*/type=udp mode:connect|bind host service
    &charlabel
  source/type=spiceport channel
  source/type=nmdm master slave
  source/type=dbus channel
  source/type=qemu-vdagent
    clipboard? copypaste:yesno
    mouse? mode:client|server
  protocol/type=tcp type:raw|telnet|telnets|tls=raw
  log file! append:onoff

&charlabel
  seclabel* model relabel:yesno -labelskip @label
    label #

&character type:chartype=pty -tty

&serial
  serial* &character @character
    &char
    target type port @serial
      model? name
    &device

&parallel
  parallel* &character @character
    &char
    target port @port
    &device

&console
  console* type:chartype=pty -tty @character
    &char
    target type port @consoleport
      model @gone
    &device

&channel
  channel* &character @channel
    &char
    target/.type=virtio,xen type name -state
    target/.type=guestfwd type address port @guestfwd
    &device

&smartcard
  smartcard* mode:host|host-certificates|passthrough! type @smartcard
    certificate* #
    database #
    &char
    target @gone
    &device

&redirdev
  redirdev* bus:usb=usb &character @character
    &char
    &bootable
    &device

&redirfilter
  redirfilter?
    usbdev* class vendor product version allow:yesno! @usbdev

&rng
  rng* model:virtiomodel! @rng
    rate bytes:positive! period:u
    backend/.model=random model! #
    backend/.model=builtin model!
    backend/.model=egd model! type!
      &char
    driver? &virtio
    &device

&tpm
  tpm* model:tpm-tis|tpm-crb|tpm-spapr|tpm-spapr-proxy|spapr-tpm-proxy @tpm
    backend/.type=passthrough type:passthrough|emulator|external!
      device? path
    backend/.type=emulator type:passthrough|emulator|external! version:~default|1.2|2.0 persistent_state:yes|~no \
        debug:nz
      encryption secret:uuid!
      source type:file|dir! path!
      active_pcr_banks?
        sha1
        sha256
        sha384
        sha512
      profile? source name removeDisabled
    backend/.type=external type:passthrough|emulator|external!
      source type:unix! mode path!
    &device
"""

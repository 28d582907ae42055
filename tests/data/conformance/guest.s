# SPDX-License-Identifier: LGPL-2.1-or-later
# Boot sector of the test guest; tests/support/guest.py holds it assembled:
#   as --32 -o guest.o guest.s && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o guest.bin guest.o
# It says that it is ready on the serial port and the screen, then echoes what the serial port receives,
# powers off when its power button is pressed and lets go of PCI devices that are being removed.
.code16
.global _start
_start:
    cli
    xor %ax,%ax
    mov %ax,%ds
    mov %ax,%ss
    mov $0x7c00,%sp
    cld
    sti
    mov $0x0003,%ax
    int $0x10
    mov $0x01,%ah
    mov $0x2000,%cx
    int $0x10
    mov $0x602,%dx
    mov $0x100,%ax
    out %ax,%dx
    mov $banner,%si
print: lodsb
    test %al,%al
    jz main
    push %ax
    call put
    pop %ax
    mov $0x0e,%ah
    mov $7,%bx
    int $0x10
    jmp print
main:
    hlt
    mov $0x600,%dx
    in %dx,%ax
    test $1,%ah
    jnz off
    xor %eax,%eax
    mov $0xae10,%dx
    out %eax,%dx
    mov $0xae04,%dx
    in %dx,%eax
    test %eax,%eax
    jz serial
    mov $0xae08,%dx
    out %eax,%dx
serial: mov $0x3fd,%dx
    in %dx,%al
    test $1,%al
    jz main
    mov $0x3f8,%dx
    in %dx,%al
    call put
    cmp $13,%al
    jne serial
    mov $10,%al
    call put
    jmp serial
off:
    mov $0x604,%dx
    mov $0x2000,%ax
    out %ax,%dx
    jmp main
put:
    push %dx
    push %ax
    mov $0x3fd,%dx
busy: in %dx,%al
    test $0x20,%al
    jz busy
    pop %ax
    mov $0x3f8,%dx
    out %al,%dx
    pop %dx
    ret
banner: .asciz "virtproxy test guest: ready\r\n"

# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person sees, hears and touches, as a table: input, graphics, video, sound and audio back ends.

Read by `grammar`, which says what the notation means.
"""

from __future__ import annotations

DESKTOP = """
&input
  input* type:mouse|tablet|keyboard|passthrough|evdev! bus model:virtiomodel @input
    driver? &virtio
    source/type=passthrough evdev!
    source/type=evdev dev! grab:all grabToggle repeat:onoff
    &device

&listens
  listen* type:none|address|network|socket! address network socket -fromConfig

&graphics
  graphics*/.type=vnc type! socket port:port autoport websocket:i websocketGenerated:yesno listen keymap \
      sharePolicy:allow-exclusive|force-shared|ignore powerControl:yesno wait:yesno &secret @graphics
    &listens
    audio id:positive!
  graphics*/.type=sdl type! display xauth fullscreen:yes|~no
    gl? enable:yesno
  graphics*/.type=rdp type! port:port autoport replaceUser:yes|~no multiUser:yes|~no username passwd listen @graphics
    &listens
  graphics*/.type=desktop type! display fullscreen:yes|~no
  graphics*/.type=spice type! port:port tlsPort:port autoport listen keymap defaultMode:any|secure|insecure \
      username &secret @graphics
    &listens
    channel* name:main|display|inputs|cursor|playback|record|smartcard|usbredir! mode:any|secure|insecure! @spicechannel
    image? compression:auto_glz|auto_lz|quic|glz|lz|off
    jpeg? compression:auto|never|always
    zlib? compression:auto|never|always
    playback? compression:onoff
    streaming? mode:filter|all|off
    mouse? mode:client|server
    clipboard? copypaste:yesno
    filetransfer? enable:yesno
    gl? enable:yesno rendernode
  graphics*/.type=egl-headless type!
    gl? rendernode
  graphics*/.type=dbus type! address p2p:yes|~no
    gl? enable:yesno rendernode
    audio id:positive!
  graphics*/.type= type:sdl|vnc|rdp|desktop|spice|egl-headless|dbus!

&secret passwd passwdValidTo connected:fail|disconnect|keep

&sound
  sound* model:sb16|es1370|pcspk|ac97|ich6|ich9|usb|ich7|virtio! multichannel:yesno streams:u @sound
    alias name @alias
    codec* type:duplex|micro|output!
    audio id:positive!
    acpi? index:u
    driver? &virtio
    &address

&stream mixingEngine:yesno fixedSettings:yesno voices:positive bufferLength:positive

&settings
  settings frequency:positive channels:positive format

&audio
  audio*/.type=none,spice,dbus id:positive! type! timerPeriod:positive
    input? &stream @stream
      &settings
    output? &stream @stream
      &settings
  audio*/.type=alsa id:positive! type! timerPeriod:positive
    input? &stream dev @stream
      &settings
    output? &stream dev @stream
      &settings
  audio*/.type=coreaudio id:positive! type! timerPeriod:positive
    input? &stream bufferCount:u @stream
      &settings
    output? &stream bufferCount:u @stream
      &settings
  audio*/.type=jack id:positive! type! timerPeriod:positive
    input? &stream serverName clientName connectPorts exactName:yesno @stream
      &settings
    output? &stream serverName clientName connectPorts exactName:yesno @stream
      &settings
  audio*/.type=oss id:positive! type! timerPeriod:positive tryMMap:yesno exclusive:yesno dspPolicy:i
    input? &stream dev bufferCount:u tryPoll:yesno @stream
      &settings
    output? &stream dev bufferCount:u tryPoll:yesno @stream
      &settings
  audio*/.type=pulseaudio id:positive! type! timerPeriod:positive serverName
    input? &stream name streamName latency:u @stream
      &settings
    output? &stream name streamName latency:u @stream
      &settings
  audio*/.type=sdl id:positive! type! timerPeriod:positive driver
    input? &stream bufferCount:u @stream
      &settings
    output? &stream bufferCount:u @stream
      &settings
  audio*/.type=file id:positive! type! timerPeriod:positive path
    input? &stream @stream
      &settings
    output? &stream @stream
      &settings
  audio*/.type=pipewire id:positive! type! timerPeriod:positive runtimeDir
    input? &stream name streamName latency:u @stream
      &settings
    output? &stream name streamName latency:u @stream
      &settings
  audio*/.type= id:positive! type:none|alsa|coreaudio|jack|oss|pulseaudio|sdl|spice|file|dbus|pipewire!

&video
  video* @video
    driver? name:~default|qemu|vhostuser &virtio
    model? type:videotype! ram:u vram:u vram64:u vgamem:u heads:u primary:yesno blob:onoff edid:onoff
      acceleration? accel2d:yesno accel3d:yesno rendernode
      resolution? x:positive! y:positive!
    &device

&hub
  hub* type:usb!
    &device
"""

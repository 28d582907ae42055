# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks and their sources, controllers and file systems: what they mean beyond their tables.

Hooks of the tables' lines, as in `machine`. What disks make a domain need (controllers) is in `implied`.
"""

from __future__ import annotations

import re

from virtproxy.documents.domain.shape import Hook, Shaper, put
from virtproxy.documents.domain.values import internal, refused, scaled, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

BUSES = {"hd": "ide", "sd": "scsi", "vd": "virtio", "xvd": "xen", "ubd": "uml", "fd": "fdc"}
_BUSES = frozenset({"ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "nvme"})
_NAME = re.compile(r"(fd|hd|vd|sd|xvd|ubd)([a-z]+)(\d*)")
_PORTS = {
    "nbd": "10809", "iscsi": "3260", "gluster": "24007", "sheepdog": "7000", "http": "80", "https": "443", "ftp": "21",
    "ftps": "990", "tftp": "69", "vxhs": "9999", "ssh": "22",
}  # fmt: skip
_CONTROLLER_MODELS = {
    "scsi": "auto|buslogic|lsilogic|lsisas1068|vmpvscsi|ibmvscsi|virtio-scsi|lsisas1078|virtio-transitional|"
    "virtio-non-transitional|ncr53c90|dc390|am53c974",
    "usb": "piix3-uhci|piix4-uhci|ehci|ich9-ehci1|ich9-uhci1|ich9-uhci2|ich9-uhci3|vt82c686b-uhci|pci-ohci|nec-xhci|"
    "qusb1|qusb2|qemu-xhci|none",
    "pci": "pci-root|pcie-root|pci-bridge|dmi-to-pci-bridge|pcie-to-pci-bridge|pcie-root-port|"
    "pcie-switch-upstream-port|pcie-switch-downstream-port|pci-expander-bus|pcie-expander-bus",
    "ide": "piix3|piix4|ich6",
    "virtio-serial": "virtio|virtio-transitional|virtio-non-transitional",
}  # fmt: skip


def disk_index(name: str) -> int:
    """The number of a disk's name: 0 for sda, 26 for sdaa; -1 if it is no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return -1
    index = 0
    for letter in found[2]:
        index = index * 26 + ord(letter) - ord("a") + 1
    return index - 1


def described(disk: Element) -> str:
    """What a disk's source is called in an error."""
    source = disk.find("source")
    attributes = {} if source is None else source.attributes
    return next((attributes[name] for name in ("file", "dev", "dir", "name") if name in attributes), "")


def disk(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A disk has a target; what has no medium to change has a source."""
    device = element.attributes["device"]
    target = element.find("target")
    if target is None or "dev" not in target.attributes:
        raise VirtError.of(ErrorCode.NO_TARGET, described(element), domain=ErrorDomain.DOMAIN)
    source = element.find("source")
    if source is None:
        element.attributes["type"] = "file"
    if source is None and device in ("disk", "lun"):
        name = target.attributes["dev"]
        raise VirtError.of(ErrorCode.NO_SOURCE, name, domain=ErrorDomain.DOMAIN)
    _check_disk(element, device, target.attributes)
    if device == "cdrom" and element.find("readonly") is None:
        put(element, Element("readonly"), before=_AFTER_READONLY)


_AFTER_READONLY = frozenset({
    "shareable", "transient", "serial", "wwn", "vendor", "product", "encryption", "boot", "alias", "acpi", "address",
})  # fmt: skip


def _check_disk(disk: Element, device: str, target: dict[str, str]) -> None:
    attributes = disk.attributes
    if device == "lun" and attributes["type"] not in ("block", "network", "volume"):
        raise unsupported("disk device='lun' is only valid for block type disk source")
    if attributes["type"] == "vhostuser":
        attributes.setdefault("snapshot", "no")
    if attributes.get("sgio") == "unfiltered":
        raise unsupported("unfiltered sgio is no longer supported")
    _check_driver(disk, target)
    _check_source(disk, target["dev"])
    if target.get("tray") and device not in ("cdrom", "floppy"):
        raise unsupported("tray is only valid for cdrom and floppy")
    if target.get("removable") and target["bus"] not in ("usb", "scsi"):
        raise xml_error("removable is only valid for usb or scsi disks")


_FORMATS = frozenset({
    "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "luks", "cow", "qcow",
    "qcow2", "qed", "vmdk", "auto",
})  # fmt: skip


def _check_driver(disk: Element, target: dict[str, str]) -> None:
    driver = disk.find("driver")
    if driver is None:
        return
    attributes = driver.attributes
    if attributes.get("type") == "aio":
        attributes["type"] = "raw"
    format_ = attributes.get("type", "raw")
    if format_ not in _FORMATS:
        raise unsupported(f"unknown driver format value '{format_}'")
    if "discard_no_unref" in attributes and attributes.get("discard_no_unref") == "on" and format_ != "qcow2":
        raise unsupported("'discard_no_unref' only works with qcow2 disk format")
    if target["bus"] != "virtio":
        if "queues" in attributes:
            raise unsupported("queues attribute in disk driver element is only supported for virtio bus")
        for name in ("iommu", "ats", "packed", "page_per_vq"):
            if name in attributes:
                raise unsupported(f"{name} driver option is only supported for virtio devices")


def _check_chain(disk: Element) -> None:
    here: Element | None = disk
    while here is not None:
        source = here.find("source")
        if source is not None and source.attributes.get("protocol") == "sheepdog":
            raise unsupported("'sheepdog' protocol is no longer supported by any hypervisor driver")
        here = here.find("backingStore")


def _check_source(disk: Element, name: str) -> None:
    _check_chain(disk)
    source, type_ = disk.find("source"), disk.attributes["type"]
    if source is None:
        return
    if "fdgroup" in source.attributes:
        raise unsupported(f"driver does not support FD passing for disk '{name}'")
    if type_ == "nvme" and source.attributes["namespace"] == "0":
        raise unsupported("NVMe namespace can't be zero")
    policy = source.attributes.get("startupPolicy")
    if policy is None:
        return
    if type_ in ("network", "nvme", "vhostuser", "vhostvdpa", "dir_"):
        raise xml_error(f"disk startupPolicy '{policy}' is not allowed for disk of '{type_}' type")
    if policy == "requisite" and disk.attributes["device"] not in ("cdrom", "floppy"):
        raise xml_error("disk startupPolicy 'requisite' is allowed only for cdrom or floppy")


def target(_shaper: Shaper, element: Element, parent: Element | None) -> None:
    """A disk's name at the machine, and the bus that it says."""
    assert parent is not None
    attributes, device = element.attributes, parent.attributes["device"]
    name = attributes.get("dev")
    if name is None:
        return
    if device == "floppy" and not name.startswith("fd"):
        raise internal(f"Invalid floppy device name: {name}")
    if device != "floppy" and name.startswith("fd"):
        raise internal(f"Invalid harddisk device name: {name}")
    bus = attributes.get("bus")
    if bus is None:
        bus = _bus_of(name, parent)
    elif bus not in _BUSES:
        raise refused(bus, "target", "bus", ".")
    rest = {key: value for key, value in attributes.items() if key not in ("dev", "bus")}
    if rest.get("tray") == "closed":
        del rest["tray"]
    element.attributes = {"dev": name, "bus": bus, **rest}


def _bus_of(name: str, disk: Element) -> str:
    for prefix, bus in BUSES.items():
        if name.startswith(prefix):
            return bus
    if disk.find("address") is None:
        raise xml_error(f"Unknown disk name '{name}' and no address specified")
    return "ide"


def chain(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A backing store without a type ends the chain; any other has a format and a source."""
    if "type" not in element.attributes:
        element.children = []
        return
    if element.find("format") is None:
        raise xml_error("missing disk backing store format")
    source = element.find("source")
    if source is None:
        raise xml_error("missing disk backing store source")
    source.attributes.pop("startupPolicy", None)


def netsource(_shaper: Shaper, element: Element, parent: Element | None) -> None:
    """What a protocol's name must look like, and the ports that it has by itself."""
    attributes = element.attributes
    protocol, name = attributes["protocol"], attributes.get("name")
    if name is None and protocol not in ("nbd", "ssh"):
        raise xml_error("missing name for disk source")
    if protocol == "iscsi" and name is not None and "/" not in name and parent is not None and parent.name == "disk":
        attributes["name"] = f"{name}/0"
    if protocol in ("gluster", "rbd") and name is not None and "/" not in name:
        raise xml_error(f"can't split path '{name}' into pool name and image name")
    for inner in element.elements:
        if inner.name == "host" and protocol in _PORTS and "socket" not in inner.attributes:
            port = inner.attributes.get("port", _PORTS[protocol])
            inner.attributes = {"name": inner.attributes.get("name", ""), **inner.attributes, "port": port}


def datastore(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A file for the data has a format and a source."""
    if element.find("format") is None:
        raise xml_error("missing disk data file store format")
    if element.find("source") is None:
        raise xml_error("missing disk data file store source")
    element.child("source").attributes.pop("startupPolicy", None)


def reservations(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Who keeps the reservations: libvirt's own helper, or one behind a socket."""
    if element.attributes["managed"] == "no" and element.find("source") is None:
        raise xml_error("missing connection type for <reservations/>")


def unlessssh(_shaper: Shaper, _element: Element, parent: Element | None) -> bool:
    """What only the protocols of the web can tune."""
    return parent is not None and parent.attributes.get("protocol") in ("http", "https", "ftp", "ftps")


def host(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A host is named, or reached by a socket."""
    attributes = element.attributes
    if attributes.get("transport") == "unix":
        if "socket" not in attributes:
            raise xml_error("missing socket for unix transport")
        element.attributes = {"transport": "unix", "socket": attributes["socket"]}
    else:
        if "socket" in attributes:
            raise xml_error(f"transport '{attributes.get('transport', 'tcp')}' does not support socket attribute")
        if "name" not in attributes:
            raise xml_error("missing name for host")


def controller(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A controller's models are its type's own."""
    attributes = element.attributes
    type_, model = attributes["type"], attributes.get("model")
    if model is not None and type_ in _CONTROLLER_MODELS and model not in _CONTROLLER_MODELS[type_].split("|"):
        raise unsupported(f"Unknown model type '{model}'")
    _check_controller(element, type_, model)
    for name, owner in (("ports", ("virtio-serial", "usb")), ("vectors", ("virtio-serial",))):
        if type_ not in owner:
            attributes.pop(name, None)
    for name in ("maxGrantFrames", "maxEventChannels"):
        if type_ != "xenbus":
            attributes.pop(name, None)


def _check_controller(controller: Element, type_: str, model: str | None) -> None:
    driver, target = controller.find("driver"), controller.find("target")
    virtio_scsi = type_ == "scsi" and model in ("virtio-scsi", "virtio-transitional", "virtio-non-transitional")
    if driver is not None and not virtio_scsi:
        if "iothread" in driver.attributes:
            raise xml_error("'iothread' attribute only supported for virtio scsi controllers")
        if driver.find("iothreads") is not None:
            raise unsupported("iothreads are supported only by 'virtio-scsi' controllers")
    master = controller.find("master")
    if master is not None and type_ == "usb" and model is None:
        raise VirtError.of(ErrorCode.XML_DETAIL, "No master USB controller specified", domain=ErrorDomain.DOMAIN)
    if target is not None and target.find("node") is not None and controller.attributes.get("index", "0") == "0":
        raise unsupported("The PCI controller with index=0 can't be associated with a NUMA node")
    if target is not None and type_ == "pci":
        for name, low, high in (("index", 0, 30), ("chassisNr", 1, 255), ("chassis", 0, 255), ("busNr", 1, 254)):
            value = int(target.attributes.get(name, low))
            if not low <= value <= high:
                what = "target index" if name == "index" else name
                raise unsupported(f"PCI controller {what} '{value}' out of range - must be {low}-{high}")


def filesystem(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """How files are reached is said, even where it is the usual way."""
    attributes = element.attributes
    source, driver = element.find("source"), element.find("driver")
    if source is None or "socket" not in source.attributes:
        attributes.setdefault("accessmode", "passthrough")
    if driver is None or driver.attributes.get("type") != "virtiofs":
        element.remove("binary")
    order = ("type", "accessmode", "model", "multidevs", "fmode", "dmode")
    element.attributes = {name: attributes[name] for name in order if name in attributes}
    if element.find("boot") is not None and (driver is None or driver.attributes.get("type") != "virtiofs"):
        raise unsupported("boot order is only supported for virtiofs")
    if element.find("source") is None and attributes["type"] != "ram":
        raise VirtError.of(ErrorCode.NO_SOURCE, "filesystem", domain=ErrorDomain.DOMAIN)


def usage(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """The memory that a file system may take, in whole KiB."""
    attributes = element.attributes
    found = scaled(attributes.get("usage", ""), attributes.get("units", ""), "KiB")
    if found is None:
        raise xml_error("missing 'usage' attribute for RAM filesystem")
    element.attributes = {"usage": str(found // 1024), "units": "KiB"}


def iotune(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A total leaves no room for limits of its parts."""
    given = {child.name for child in element.elements}
    for unit in ("bytes", "iops"):
        for tail in ("", "_max"):
            parts = {f"read_{unit}_sec{tail}", f"write_{unit}_sec{tail}"}
            if f"total_{unit}_sec{tail}" in given and parts & given:
                what = f"{unit}_sec{tail}"
                raise xml_error(f"total and read/write {what} cannot be set at the same time")


MEANINGS: dict[str, Hook] = {
    hook.__name__: hook
    for hook in (
        disk,
        target,
        chain,
        datastore,
        reservations,
        unlessssh,
        netsource,
        host,
        controller,
        filesystem,
        usage,
        iotune,
    )
}  # fmt: skip

# SPDX-License-Identifier: LGPL-2.1-or-later
"""A parsed domain document checked in the order in which libvirt notices faults, and completed with its defaults.

`model` calls `complete` on the tree of a new document. What the elements hold is shaped by the tables; here is what
concerns the machine as a whole: name, UUID, memory, vCPUs, boot, and what happens when it stops.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid4

from virtproxy.documents.domain import implied
from virtproxy.documents.domain.grammar import root_rule
from virtproxy.documents.domain.layout import OS_TYPES, TEST_HOST, TYPES, Host
from virtproxy.documents.domain.meanings import HOOKS
from virtproxy.documents.domain.shape import Shaper
from virtproxy.documents.domain.values import cpu_numbers, internal, scaled, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

ACTIONS = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
_CPUS_MAX = 1 << 16
_IOTHREADS_MAX = 1 << 16


def complete(root: Element, host: Host = TEST_HOST) -> bytes:
    """Check the tree, fill in what libvirt fills in, put it in order, and return the domain's UUID.

    Raises VirtError with libvirt's code and text.
    """
    _check_root(root)
    name = root.value("name")
    if not name:
        raise VirtError.of(ErrorCode.NO_NAME, domain=ErrorDomain.DOMAIN)
    uuid = _uuid(root)
    _check_type(root)
    _check_name(name)
    _check_os(root)
    prefixes = {name: value for name, value in root.attributes.items() if name.startswith("xmlns")}
    root.attributes = {name: value for name, value in root.attributes.items() if name not in prefixes}
    root.child("uuid").set_text(str(UUID(bytes=uuid)))
    _prepare(root, host)
    implied.sort_disks(root.child("devices"))
    Shaper(HOOKS).shape(root, root_rule())
    _complete_memory(root)
    _complete_vcpus(root)
    _complete_placement(root)
    _complete_iothreads(root)
    _drop_pins(root)
    implied.complete(root, host)
    metadata = root.find("metadata")
    if metadata is not None:
        metadata.attributes.update(prefixes)
    if prefixes:
        used = _prefixes(child for child in root.elements if child is not metadata)
        root.attributes |= {name: uri for name, uri in prefixes.items() if name.removeprefix("xmlns:") in used}
    return uuid


def _prefixes(elements: Iterable[Element]) -> set[str]:
    """The prefixes of names among elements and all inside."""
    used: set[str] = set()
    waiting = list(elements)
    while waiting:
        element = waiting.pop()
        used.update(name.partition(":")[0] for name in (element.name, *element.attributes) if ":" in name)
        waiting += element.elements
    return used


def _check_root(root: Element) -> None:
    if root.name != "domain":
        raise xml_error(f"expecting root element of 'domain', not '{root.name}'", ErrorDomain.XML)


def _check_type(root: Element) -> None:
    if "type" not in root.attributes:
        raise internal("missing domain type attribute")
    if root.attributes["type"] not in TYPES:
        raise unsupported(f"invalid domain type {root.attributes['type']}")


def _check_name(name: str) -> None:
    if "/" in name:
        raise xml_error(f"name {name} cannot contain '/'")


def _check_os(root: Element) -> None:
    os_type = root.value("os/type")
    if not os_type and root.value("bootloader"):
        root.child("os").child("type").set_text("xen")
        return
    if not os_type:
        raise xml_error("an os <type> must be specified")
    if os_type not in OS_TYPES:
        raise unsupported(f"unknown OS type '{os_type}'")
    if os_type == "exe" and not root.value("os/init"):
        raise xml_error("init binary must be specified")


def _uuid(root: Element) -> bytes:
    text = root.value("uuid")
    if text is None:
        return uuid4().bytes
    try:
        return UUID(text).bytes
    except ValueError:
        raise internal("malformed uuid element") from None


def _prepare(root: Element, host: Host) -> None:
    """Put in the elements that every domain has, for the tables to order them."""
    labels = [child for child in root.elements if child.name == "seclabel"]
    if len(labels) > 1 and any("model" not in label.attributes for label in labels):
        raise xml_error("missing security model when using multiple labels")
    for name in ("memory", "vcpu", "clock", "devices"):
        root.child(name)
    for name, action in ACTIONS.items():
        if not root.value(name):
            root.child(name).set_text(action)
    if root.find("memory") is not None and not root.value("memory"):
        root.child("memory").set_text("0")
    os = root.child("os")
    if host.arch is not None:
        os.child("type").attributes.setdefault("arch", host.arch)
    if not root.value("vcpu"):
        root.child("vcpu").set_text("1")


def kib(element: Element) -> int:
    """A memory element in KiB, rounded up; VirtError if it is none."""
    text = element.text.strip()
    found = scaled(text, element.attributes.get("unit", ""), "KiB")
    if found is None:
        raise xml_error(f"Invalid value '{text}' for element or attribute './{element.name}[1]'", ErrorDomain.XML)
    return -(-found // 1024)


def _complete_memory(root: Element) -> None:
    memory = root.child("memory")
    cells = root.find("cpu/numa")
    if cells is not None and memory.text == "0":
        memory.set_text(str(sum(int(cell.attributes["memory"]) for cell in cells.named("cell"))))
    most = int(memory.text)
    if most == 0:
        raise xml_error("Memory size must be specified via <memory> or in the <numa> configuration")
    ceiling = root.find("maxMemory")
    if ceiling is not None and int(ceiling.text) < most:
        raise xml_error("maximum memory size must be equal or greater than the actual memory size")
    current = root.find("currentMemory")
    if current is None:
        place = root.children.index(memory)
        current = Element("currentMemory", {"unit": "KiB"})
        root.children.insert(place + 1, current)
    now = int(current.text or 0)
    current.set_text(str(min(now, most) if now else most))


def _complete_vcpus(root: Element) -> None:
    element = root.child("vcpu")
    listed = root.find("vcpus")
    if listed is not None and listed.elements:
        enabled = sum(each.attributes["enabled"] == "yes" for each in listed.named("vcpu"))
        element.attributes["current"] = str(enabled)
    text = element.text.strip()
    current = element.attributes.get("current", text)
    if not _is_count(text) or not (_is_count(current) or current == "0"):
        which = "maximum" if not _is_count(text) else "current"
        raise xml_error(f"{which} vcpus count must be an integer")
    if int(current) > int(text):
        raise unsupported("maximum vCPU count must not be less than current vCPU count")
    if current == text:
        element.attributes.pop("current", None)


def _complete_placement(root: Element) -> None:
    """Where vCPUs and memory are placed automatically, both are."""
    vcpu, numatune = root.child("vcpu"), root.find("numatune/memory")
    if numatune is not None and numatune.attributes.get("placement") == "auto" and "cpuset" not in vcpu.attributes:
        vcpu.attributes["placement"] = "auto"
    if vcpu.attributes["placement"] == "auto" and numatune is None:
        place = next(
            (at for at, child in enumerate(root.elements) if child.name in _AFTER_NUMATUNE), len(root.children)
        )
        tune = Element("numatune")
        tune.children = [Element("memory", {"mode": "strict", "placement": "auto"})]
        root.children.insert(place, tune)
    if root.find("bootloader") is None:
        root.remove("bootloader_args")
    pages = root.find("memoryBacking/hugepages")
    for page in [] if pages is None or root.find("cpu/numa") is not None else pages.named("page"):
        nodes = sorted(cpu_numbers(page.attributes.get("nodeset", "")) or ())
        if nodes:
            detail = f"hugepages: node {nodes[0]} not found"
            raise VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.DOMAIN)
    if root.find("numatune/memnode") is not None and root.find("cpu/numa") is None:
        raise xml_error("Element 'memnode' is invalid without any guest NUMA cells")


def _drop_pins(root: Element) -> None:
    """Pins and schedulers of vCPUs that the domain does not have are forgotten."""
    tune, most = root.find("cputune"), int(root.value("vcpu") or 1)
    if tune is None:
        return
    gone = {
        id(child)
        for child in tune.elements
        if (child.name == "vcpupin" and int(child.attributes["vcpu"]) >= most)
        or (child.name == "vcpusched" and int(child.attributes["vcpus"]) >= most)
    }
    if gone:
        tune.children = [child for child in tune.children if id(child) not in gone]
        if not tune.children:
            root.remove("cputune")


def _complete_iothreads(root: Element) -> None:
    """Threads that are numbered are all numbered, by the lowest free numbers."""
    listed = root.find("iothreadids")
    count = root.find("iothreads")
    given = [] if listed is None else [int(thread.attributes["id"]) for thread in listed.named("iothread")]
    most = max(int(count.text) if count is not None and count.text else 0, len(given))
    if most >= _IOTHREADS_MAX:
        raise xml_error(f"invalid iothreads count '{most}'")
    taken = set(given)
    if listed is not None:
        if count is None:
            count = Element("iothreads")
            root.children.insert(root.children.index(listed), count)
        count.set_text(str(most))
        free = (number for number in range(1, most + len(given) + 1) if number not in taken)
        added = [next(free) for _ in range(most - len(given))]
        listed.children += [Element("iothread", {"id": str(number)}) for number in added]
        taken.update(added)
    else:
        taken = set(range(1, most + 1))
    for pin in (root.find("cputune") or Element("")).elements:
        if pin.name not in ("iothreadpin", "iothreadsched"):
            continue
        numbers = pin.attributes.get("iothread") or pin.attributes.get("iothreads") or ""
        for number in sorted(cpu_numbers(numbers) or ()):
            if number not in taken:
                raise unsupported(f"Cannot find 'iothread' : {number}")


_AFTER_NUMATUNE = frozenset({"resource", "sysinfo", "bootloader", "os"})


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < _CPUS_MAX

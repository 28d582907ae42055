# SPDX-License-Identifier: LGPL-2.1-or-later
"""vCPUs, the CPU model, NUMA cells and where they run: what they mean beyond their tables.

Hooks of the tables' lines, as in `machine`.
"""

from __future__ import annotations

from virtproxy.documents.domain.shape import Hook, Shaper
from virtproxy.documents.domain.values import cpu_bits, cpu_numbers, internal, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

# More NUMA cells than any machine has: the table of their distances has the square of this.
CELLS_MAX = 512


def cpu(_shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """A CPU's mode and match follow from whether it names a model."""
    attributes, model = element.attributes, element.find("model")
    mode = attributes.get("mode") or (
        "custom" if (model is not None and model.text.strip()) or "match" in attributes else None
    )
    if mode == "custom" and model is None and "match" not in attributes:
        mode = None
        attributes.pop("mode")
    if model is None and mode != "host-model":
        if element.find("vendor") is not None:
            raise xml_error("CPU vendor specified without CPU model")
        if element.find("feature") is not None and mode not in ("host-passthrough", "maximum"):
            raise xml_error("Non-empty feature list specified without CPU model")
    if attributes.get("migratable") and mode not in ("host-passthrough", "maximum"):
        raise unsupported("Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode")
    shaped = {"mode": mode} if mode else {}
    if mode == "custom":
        shaped["match"] = attributes.get("match", "exact")
    if model is not None and "fallback" not in model.attributes and mode in ("custom", "host-model"):
        model.attributes = {"fallback": "allow", **model.attributes}
    element.attributes = shaped | {name: value for name, value in attributes.items() if name not in ("mode", "match")}
    return bool(element.attributes or element.children)


def numa(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Cells are numbered, and the distance from one to another is the same both ways."""
    cells = [child for child in element.elements if child.name == "cell"]
    if len(cells) > CELLS_MAX:
        raise xml_error(f"more than {CELLS_MAX} NUMA cells")
    numbers = sorted(int(cell.attributes.get("id", at)) for at, cell in enumerate(cells))
    if numbers != list(range(len(cells))):
        raise xml_error(
            "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or ranges not starting "
            "from 0 are not allowed"
        )
    for at, cell in enumerate(cells):
        if "id" not in cell.attributes:
            cell.attributes = {"id": str(at), **cell.attributes}
    element.children = [*sorted(cells, key=_cell), *(child for child in element.elements if child.name != "cell")]
    cells.sort(key=_cell)
    if any(cell.find("distances") for cell in cells):
        _fill_distances(cells)
    for latency in (element.find("interconnects") or Element("")).elements:
        if latency.name not in ("latency", "bandwidth"):
            continue
        for name in ("initiator", "target"):
            if int(latency.attributes[name]) >= len(cells):
                raise xml_error(f"'{name}' refers to a non-existent NUMA node")


def _cell(cell: Element) -> int:
    return int(cell.attributes["id"])


def _fill_distances(cells: list[Element]) -> None:
    known: dict[tuple[int, int], str] = {}
    for at, cell in enumerate(cells):
        for sibling in cell.child("distances").named("sibling"):
            other = int(sibling.attributes["id"])
            if other >= len(cells):
                raise xml_error(f"'sibling_id {other}' does not refer to a valid cell within NUMA 'cell id {at}'")
            known[at, other] = sibling.attributes["value"]
    for at, cell in enumerate(cells):
        siblings: list[Element | str] = []
        for other in range(len(cells)):
            value = known.get((at, other)) or known.get((other, at)) or ("10" if at == other else "20")
            siblings.append(Element("sibling", {"id": str(other), "value": value}))
        cell.child("distances").children = siblings


def model(_shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """A CPU model without a name is none."""
    if not element.attributes.get("vendor_id", "x"):
        del element.attributes["vendor_id"]
    if not element.text.strip():
        element.attributes.pop("fallback", None)
    return bool(element.text.strip() or element.attributes)


def maxphysaddr(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """The host's own width may be limited."""
    if "limit" in element.attributes and element.attributes["mode"] != "passthrough":
        raise unsupported("attribute 'limit' is only supported for maxphysaddr mode 'passthrough'")


def vcpus(_shaper: Shaper, element: Element, parent: Element | None) -> bool:
    """All vCPUs are listed once one is."""
    assert parent is not None
    given = {int(vcpu_.attributes["id"]): vcpu_ for vcpu_ in element.named("vcpu")}
    text = parent.value("vcpu") or "1"
    most = int(text) if text.isdigit() else 0
    for number in given:
        if number >= most:
            raise xml_error(f"vcpu id '{number}' is out of range of maximum vcpu count")
    children: list[Element | str] = []
    for number in range(most):
        vcpu_ = given.get(number)
        if vcpu_ is None:
            vcpu_ = Element("vcpu", {"id": str(number), "enabled": "no", "hotpluggable": "yes"})
        attributes = vcpu_.attributes
        if attributes["enabled"] == "no" and attributes.get("hotpluggable") == "no":
            raise unsupported(f"vcpu '{number}' is both offline and not hotpluggable")
        order = ("id", "enabled", "hotpluggable", "order")
        attributes.setdefault("hotpluggable", "no" if number == 0 else "yes")
        vcpu_.attributes = {name: attributes[name] for name in order if name in attributes}
        children.append(vcpu_)
    element.children = children
    return bool(given)


def vcpu(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Placement "auto" needs no list of CPUs."""
    if element.attributes.get("placement") == "auto":
        element.attributes.pop("cpuset", None)


def iothreadids(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Each I/O thread has a number of its own."""
    seen: set[str] = set()
    for thread in element.named("iothread"):
        number = thread.attributes["id"]
        if number in seen:
            raise xml_error(f"duplicate iothread id '{number}' found")
        seen.add(number)


def cputune(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Each vCPU's pinning and scheduler are said once, and in order."""
    pins: dict[int, Element] = {}
    scheds: dict[int, Element] = {}
    scheduled = 0
    for child in element.elements:
        if child.name == "vcpupin":
            vcpu_ = int(child.attributes["vcpu"])
            if vcpu_ in pins:
                raise internal(f"duplicate vcpupin for vcpu '{vcpu_}'")
            pins[vcpu_] = child
        elif child.name == "vcpusched":
            bits = cpu_bits(child.attributes["vcpus"]) or 0
            if bits & scheduled:
                detail = "'vcpusched' attributes 'vcpus' must not overlap"
                raise VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.DOMAIN)
            scheduled |= bits
            for vcpu_ in sorted(cpu_numbers(child.attributes["vcpus"]) or ()):
                scheds[vcpu_] = Element("vcpusched", {**child.attributes, "vcpus": str(vcpu_)})
    if pins or scheds:
        _merge(element, {"vcpupin": pins, "vcpusched": scheds})


def _merge(element: Element, per_vcpu: dict[str, dict[int, Element]]) -> None:
    children: list[Element | str] = []
    done: set[str] = set()
    for child in element.elements:
        if child.name in per_vcpu:
            if child.name not in done:
                done.add(child.name)
                found = per_vcpu[child.name]
                children += [found[number] for number in sorted(found)]
        else:
            children.append(child)
    element.children = children


def sched(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Only the real-time schedulers have a priority, and they must."""
    if element.attributes["scheduler"] in ("fifo", "rr"):
        if "priority" not in element.attributes:
            raise xml_error("Missing scheduler priority")
    else:
        element.attributes.pop("priority", None)


def numatune(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Placement follows from the list of nodes."""
    attributes = element.attributes
    if attributes.get("placement") == "auto":
        attributes.pop("nodeset", None)
    elif "nodeset" not in attributes:
        raise unsupported("nodeset for NUMA memory tuning must be set if 'placement' is 'static'")
    else:
        attributes.pop("placement", None)


MEANINGS: dict[str, Hook] = {
    hook.__name__: hook for hook in (cpu, numa, model, maxphysaddr, vcpus, vcpu, iothreadids, cputune, sched, numatune)
}

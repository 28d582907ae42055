# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gives a parsed domain document libvirt's shape: values checked, defaults filled in, everything in its order.

`model` calls it for whole documents and for single devices. What the tables do not know stays where it is. What an
element means beyond its table is in `meaning`, by the name of the table's hook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from virtproxy.documents.domain.grammar import Child, Rule
from virtproxy.documents.domain.values import missing
from virtproxy.documents.markup import Element

Hook = Callable[..., bool | None]


def put(element: Element, new: Element, before: frozenset[str]) -> None:
    """Insert a child in front of the first of these."""
    names = [child.name if isinstance(child, Element) else "" for child in element.children]
    place = next((at for at, name in enumerate(names) if name in before), len(names))
    element.children.insert(place, new)


class Shaper:
    """Shapes the elements of one document; `hooks` are the meanings, `known` what they share."""

    def __init__(self, hooks: dict[str, Hook], active: bool = False) -> None:
        self.hooks = hooks
        self.active = active

    def shape(self, element: Element, rule: Rule, parent: Element | None = None, child: Child | None = None) -> bool:
        """Shape one element and all inside; False if libvirt leaves it out. VirtError where libvirt refuses it."""
        if rule.verbatim:
            return bool(element.elements) or not rule.droppable
        if element.attributes or rule.attributes:
            self._attributes(element, rule, child)
        if element.children:
            if rule.has_text:
                text = element.text
                if rule.text is not None:
                    value = rule.text(text, element.name, "")
                    if value is None:
                        return False
                    text = value
                inner = any(isinstance(each, Element) for each in element.children)
                elements = self._children(element, rule, child) if inner else []
                if not text.strip() and inner:
                    text = ""
                element.children = [text, *elements] if text else [*elements]
            else:
                element.children = self._children(element, rule, child)
        if rule.hook is not None:
            name, arguments = rule.hook
            if self.hooks[name](self, element, parent, *arguments) is False:
                return False
            if not element.attributes.keys() <= rule.known:
                # What a hook added stands before what nobody knows, as it will when the document is read again.
                known_first = sorted(element.attributes.items(), key=lambda item: item[0] not in rule.known)
                element.attributes = dict(known_first)
        return not rule.droppable or bool(element.attributes or element.children)

    def _attributes(self, element: Element, rule: Rule, child: Child | None) -> None:
        given = element.attributes
        shaped: dict[str, str] = {}
        for name, kind, default, required in rule.attributes:
            value = given.get(name)
            if value is None:
                if required:
                    raise missing(element.name, name)
                value = default
            elif kind is not None:
                value = kind(value, element.name, name)
            if value is not None:
                shaped[name] = value
        if not given.keys() <= rule.known:
            for name in given:
                if name not in rule.known and not (child and child.elsewhere(name, element=False)):
                    shaped[name] = given[name]
        element.attributes = shaped

    def _children(self, element: Element, rule: Rule, within: Child | None) -> list[Any]:
        known = rule.children
        kept: list[tuple[int, Element]] = []
        seen: set[str] = set()
        place, ordered = -1, True
        for inner in element.children:
            if isinstance(inner, str):
                continue
            child = known.get(inner.name)
            if child is None:
                if not (within and within.elsewhere(inner.name, element=True)):
                    kept.append((place, inner))
                continue
            if not child.many:
                if inner.name in seen:
                    continue
                seen.add(inner.name)
            own_rule = child.rule(inner.attributes, element.attributes)
            if own_rule is None or not self.shape(inner, own_rule, element, child):
                continue
            ordered = ordered and child.place >= place
            place = child.place
            kept.append((place, inner))
        if not ordered:
            kept.sort(key=_place)
        return [inner for _, inner in kept]


def _place(entry: tuple[int, Element]) -> int:
    return entry[0]

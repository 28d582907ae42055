# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks a document against libvirt's RelaxNG schemas, for the calls whose flags ask for it (``*_VALIDATE``).

Drivers call it once the root element is the right one, which libvirt looks at first. The schemas are those that the
distribution's libvirt installs; libxml2 judges, here as there, so that the verdict has the same words. Without lxml or
the schemas the call is refused: it asked for a check.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

if TYPE_CHECKING:
    from lxml.etree import RelaxNG, XMLParser, _Element

SCHEMAS = "/usr/share/libvirt/schemas"
# What of libxml2's complaints a client is told: a hostile document has as many as it likes.
COMPLAINTS_MAX = 50


def validate(text: str, schema: str, *, directory: str = SCHEMAS) -> None:
    """Check the document `text` against a schema ("domain", "network", "storagepool", ...).

    Raises VirtError: XML_INVALID_SCHEMA with libxml2's complaints, XML_DETAIL if it is not well formed, and
    OPERATION_UNSUPPORTED if this host cannot check it.
    """
    path = os.path.join(directory, f"{schema}.rng")
    judge = _judge(path)
    root = _root(text)
    if judge.validate(root):
        return
    # The log of a judge is that of the last document, and nobody else uses it meanwhile.
    complaints = "\n".join(str(entry.message) for entry in list(judge.error_log)[:COMPLAINTS_MAX])
    detail = f"Unable to validate doc against {path}\n{complaints}\n"
    raise VirtError.of(ErrorCode.XML_INVALID_SCHEMA, detail, domain=ErrorDomain.XML)


@lru_cache(maxsize=32)
def _judge(path: str) -> RelaxNG:
    try:
        from lxml import etree
    except ImportError:
        raise _cannot("needs lxml: pip install 'virtproxy[validate]' or Debian's python3-lxml") from None
    try:
        return etree.RelaxNG(etree.parse(path, _parser()))
    except OSError:
        raise _cannot(f"needs the schema {path}, which Debian's libvirt0 has") from None
    except etree.LxmlError as error:
        raise _cannot(f"cannot use the schema {path}: {error}") from None


def _root(text: str) -> _Element:
    from lxml import etree

    try:
        return etree.fromstring(text.encode("utf-8", "surrogateescape"), _parser())
    except etree.XMLSyntaxError as error:
        raise VirtError.of(ErrorCode.XML_DETAIL, str(error), domain=ErrorDomain.XML) from None


def _parser() -> XMLParser:
    """One that fetches nothing, expands nothing, and keeps libxml2's limits of size and depth."""
    from lxml import etree

    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _cannot(why: str) -> VirtError:
    return VirtError.of(
        ErrorCode.OPERATION_UNSUPPORTED, f"validation against the schemas {why}", domain=ErrorDomain.XML
    )

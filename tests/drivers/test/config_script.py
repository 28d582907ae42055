# SPDX-License-Identifier: LGPL-2.1-or-later
"""What libvirt-python finds on the host of each configuration file; run by test_config_file.py.

Arguments: a URI with {} for the file's path, then the files. Prints one JSON object: what was found, by file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import libvirt


def tried(work: Callable[[], Any]) -> Any:
    """What a call returns, or its error in full."""
    try:
        return work()
    except libvirt.libvirtError as error:
        return ["error", *error.err]


def domain(dom: Any) -> dict[str, Any]:
    """Everything that a file may say of a domain."""
    snapshots = {snap.getName(): [snap.isCurrent(), snap.getXMLDesc()] for snap in tried(dom.listAllSnapshots)}
    return {
        "xml": dom.XMLDesc(),
        "inactive": tried(lambda: dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)),
        "state": dom.state(),
        "flags": [dom.ID(), dom.isPersistent(), dom.isActive(), tried(dom.hasManagedSaveImage), tried(dom.autostart)],
        "snapshots": snapshots,
    }


def host(conn: Any) -> dict[str, Any]:
    """Everything that a file may say of a host."""
    return {
        "uri": conn.getURI().partition("?")[0].replace("+unix", ""),
        "info": conn.getInfo(),
        "capabilities": conn.getCapabilities(),
        "free": tried(lambda: conn.getCellsFreeMemory(0, 2)),
        "domains": {dom.name(): domain(dom) for dom in conn.listAllDomains()},
        "networks": {net.name(): [net.XMLDesc(), net.isActive(), net.isPersistent()] for net in conn.listAllNetworks()},
        "interfaces": {iface.name(): [iface.XMLDesc(), iface.isActive()] for iface in conn.listAllInterfaces()},
        "pools": {pool.name(): storage(pool) for pool in conn.listAllStoragePools()},
        "devices": {dev.name(): dev.XMLDesc() for dev in conn.listAllDevices()},
    }


def storage(pool: Any) -> dict[str, Any]:
    """A pool and its volumes."""
    volumes = {vol.name(): [vol.XMLDesc(), vol.key(), vol.path(), vol.info()] for vol in pool.listAllVolumes()}
    return {"xml": pool.XMLDesc(), "info": pool.info(), "persistent": pool.isPersistent(), "volumes": volumes}


def found(uri: str) -> Any:
    """The host at a URI."""
    conn = tried(lambda: libvirt.open(uri))
    return conn if isinstance(conn, list) else host(conn)


libvirt.registerErrorHandler(lambda *_: None, None)
print(json.dumps({os.path.basename(path): found(sys.argv[1].replace("{}", path)) for path in sys.argv[2:]}))

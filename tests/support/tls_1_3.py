# SPDX-License-Identifier: LGPL-2.1-or-later
"""Knocks with TLS 1.3 at a port of this process: ``tls_1_3.py PKI STEM...`` prints what became of each as JSON.

A process of its own, because OpenSSL reads its configuration (OPENSSL_CONF) once, when it is loaded.
"""

from __future__ import annotations

import json
import ssl
import sys
from pathlib import Path

from twisted.internet import task
from twisted.internet.threads import deferToThread

from tests.support.tls import ACCEPTED, REFUSED, TlsPort, knock_with_openssl
from virtproxy.auth.tls import ServerTls, TlsSettings


async def knock(reactor: object, directory: str, *stems: str) -> None:
    """Print for each pair whether it is let in, and the log."""
    del reactor
    pki = Path(directory)
    files = (pki / "servercert.pem", pki / "serverkey.pem", pki / "cacert.pem", pki / "crl.pem")
    port = TlsPort(ServerTls(TlsSettings(*files, crl_required=True, allowed_dns=("C=GB,*",))))
    answers = [await deferToThread(knock_with_openssl, port.port, pki, stem, ssl.TLSVersion.TLSv1_3) for stem in stems]
    await port.until(lambda: sum("refused" in line for line in port.log) == answers.count(REFUSED))
    log = list(port.log)
    await port.close()
    print(json.dumps({"accepted": [answer == ACCEPTED for answer in answers], "log": log}))


if __name__ == "__main__":
    task.react(knock, sys.argv[1:])

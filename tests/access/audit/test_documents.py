# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents in the log: digests, and secrets that are not there."""

from __future__ import annotations

import hashlib
import json

import pytest

from virtproxy.access.audit.documents import described, read

PLAIN = "<domain type='kvm'><name>web</name><uuid>1-2</uuid><devices><disk><name>no</name></disk></devices></domain>"

SECRET = [
    "<graphics type='vnc' passwd='{}'/>",
    "<graphics type='spice'\n passwd  =\t\"{}\"/>",
    '<q:commandline xmlns:q="http://libvirt.org/schemas/domain/qemu/1.0"><q:arg value="{}"/></q:commandline>',
    "<qemu:commandline><qemu:env name='A' value='{}'/></qemu:commandline>",
    "<cookies><cookie name='a'>{}</cookie></cookies>",
    "<cookies><cookie name='a'><![CDATA[{}]]></cookie></cookies>",
    "<sysinfo><oemStrings><entry>{}</entry></oemStrings></sysinfo>",
    "<launchSecurity type='sev'><session>{}</session><dhCert>{}</dhCert></launchSecurity>",
    "<os><cmdline>root={}</cmdline></os>",
    "<os><initarg>{}</initarg><initenv name='A'>{}</initenv></os>",
    "<source protocol='https' name='x' query='token={}'/>",
    "<source uri='nbd://user:{}@host/disk'/>",
    "<description>see qemu+tls://user:{}@host/system</description>",
    "<!-- the password is {} --><graphics passwd='{}'/>",
    "<?note {}?><graphics passwd='{}'/>",
]


def test_the_digest_is_the_documents_own() -> None:
    text, found = described(PLAIN, whole=False)
    assert found is not None and (found.name, found.uuid) == ("web", "1-2")
    size, digest = len(PLAIN), hashlib.sha256(PLAIN.encode()).hexdigest()
    assert json.loads(text) == {"root": "domain", "bytes": size, "sha256": digest}


def test_whole_it_is_as_it_came() -> None:
    assert json.loads(described(PLAIN, whole=True)[0])["xml"] == PLAIN


@pytest.mark.parametrize("piece", SECRET)
def test_secrets_are_masked(piece: str) -> None:
    def document(secret: str) -> str:
        return f"<domain xmlns:qemu='q'><name>a&amp;b</name>{piece.replace('{}', secret)}</domain>"

    first, second = (json.loads(described(document(secret), whole=True)[0]) for secret in ("hush-one", "hush-two"))
    assert "hush" not in json.dumps(first)
    assert first["masked"] >= 1
    # The digest says nothing about the secret either.
    assert first["sha256"] == second["sha256"] == hashlib.sha256(first["xml"].encode()).hexdigest()
    again = read(first["xml"])
    assert again is not None and again.name == "a&b", "what is left is still a document"


@pytest.mark.parametrize(
    "text",
    ["", "a", "<a", "<a passwd='x'", "<a></b>", "<a/><a/>", "\udc80", "<a>&no;</a>",
     "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>" * 300 + "</a>" * 300],
)  # fmt: skip
def test_what_does_not_parse_has_no_digest(text: str) -> None:
    described_text, found = described(text, whole=True)
    assert found is None
    assert json.loads(described_text)["malformed"] is True
    assert "sha256" not in described_text and "xml" not in described_text

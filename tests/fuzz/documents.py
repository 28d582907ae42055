# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m tests.fuzz.documents``: hostile documents, headers of images and names of backing stores.

Each is read or refused in words, quickly; and a path that was put where libvirt would find it is a claim, or the
document is not read at all. Each input is made again from the seed and its number.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from collections import Counter
from random import Random

from tests.access.claims.cases import GUESTS, OTHERS
from tests.access.claims.device_cases import DEVICES
from virtproxy.access.claims.backing import backing_claims
from virtproxy.access.claims.document import DocumentError
from virtproxy.access.claims.headers import HeaderError, Held, parse_header
from virtproxy.access.claims.kinds import KINDS
from virtproxy.access.claims.model import Claim
from virtproxy.access.claims.reader import GUEST_DEVICE, read, read_cookie

SECONDS_MAX = 2.0
MARK = "/the/mark"
DOCUMENTS = (
    *(("domain", f"<domain><name>n</name><devices>{xml}</devices></domain>") for xml, _ in DEVICES),
    *((GUEST_DEVICE, xml) for xml, _ in DEVICES),
    *(("domain", f"<domain>{xml}</domain>") for xml, _ in GUESTS),
    *((kind, xml) for kind, xml, _ in OTHERS),
)
# What hostile documents are made of.
PIECES = (
    "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/shadow'>]>", "&x;", "&#x2f;", "&#0;", "&lt;",
    "<![CDATA[", "]]>", "<!--",
    "-->", "<?x y?>", "<?xml version='1.0' encoding='UTF-16'?>", "\0", "\ufeff", "\ud800", "'",
    '"', "<", ">", "/>", "<a ",
    " xmlns='u'", " xmlns:x='u'", "x:", "<source file='/etc/shadow'/>", "<xi:include href='/etc/shadow'/>", "../", "//",
    "\n", "\u2028", "0x", "010", "-1", "99999999999999999999", "<a>" * 300, "<b/>" * 200, "A" * 5000, "json:{", "{}",
)  # fmt: skip
# Ways to write one source of a disk so that some reader could miss it.
DISGUISES = (
    "<source file='{}'/>", "<source\n file = '{}' />", "<source dev='x' file='{}'></source>",
    "<source file='&#x2f;{}'/>",
    "<source file='x'/><source file='{}'/>", "<source file='{}'/><source file='x'/>",
    "<x:source xmlns:x='u' file='{}'/>",
    "<source xmlns:x='u' x:file='{}'/>", "<source xmlns='u' file='{}'/>",
    "<source><!-- --></source><source file='{}'/>",
    "<backingStore><source file='{}'/></backingStore>", "<mirror><source file='{}'/></mirror>", "<mirror file='{}'/>",
    "<source><dataStore><source file='{}'/></dataStore></source>", "<a><source file='{}'/></a>",
    "<source><source file='{}'/></source>",
    "<![CDATA[x]]><source file='{}'/>", "<source file='y{}'/>",
)  # fmt: skip
HEADERS = (
    b"QFI\xfb" + struct.pack(">IQI", 3, 112, 4) + bytes(80) + struct.pack(">I", 104) + bytes(8) + b"/abc",
    b"QFI\xfb" + struct.pack(">IQI", 2, 80, 4) + bytes(52) + bytes(8) + b"/abc",
    b"QED\0" + bytes(12) + struct.pack("<Q", 1) + bytes(32) + struct.pack("<II", 64, 4) + b"/abc",
    b"KDMV" + bytes(24) + struct.pack("<QQ", 1, 1) + bytes(468) + b'# Disk DescriptorFile\nRW 1 FLAT "a" 0\n',
    b'# Disk DescriptorFile\nparentFileNameHint="/p"\nRW 1 FLAT "a" 0\n',
    b"OOOM\0\0\0\2/b".ljust(1040, b"\0"),
)
NAMES = (
    "/a", "a", "../a", "nbd:h:1:exportname=x", "nbd://h/x", "rbd:p/i", "https://h/i?a", "file:/a", "fat:/etc", "",
    'json:{"driver":"nbd","host":"h"}', 'json:{"file":{"driver":"file","filename":"/x"}}', "json:[]",
    "json:1e999", "a:b",
)  # fmt: skip


class Finding(AssertionError):
    """Something went wrong that must not; the message says how to see it again."""


def mutated(random: Random, text: str) -> str:
    """`text` with a few pieces put in, left out, doubled or exchanged."""
    for _ in range(random.randint(0, 4)):
        at, to = sorted((random.randint(0, len(text)), random.randint(0, len(text))))
        to = min(to, at + random.randint(0, 30))
        how = random.randrange(5)
        if how == 0:
            text = text[:at] + random.choice(PIECES) + text[at:]
        elif how == 1:
            text = text[:at] + text[to:]
        elif how == 2:
            text = text[:to] + text[at:to] * random.randint(1, 3) + text[to:]
        elif how == 3:
            text = text[:at] + random.choice(DOCUMENTS)[1] + text[at:]
        else:
            text = text[:at] + chr(random.randint(1, 0x2FF)) + text[to:]
    return text


def one(number: int, seed: int) -> str:
    """Try input `number` of the seed; returns what became of it. Raises Finding."""
    random = Random(f"{seed}/{number}")
    begin = time.perf_counter()
    try:
        became = random.choice((_document, _document, _document, _disguised, _cookie, _header, _name))(random)
    except Exception as error:
        raise Finding(f"{error!r}: python -m tests.fuzz.documents --seed {seed} --only {number}") from error
    taken = time.perf_counter() - begin
    if taken > SECONDS_MAX:
        raise Finding(f"it took {taken:.1f} s: python -m tests.fuzz.documents --seed {seed} --only {number}")
    return became


def _sound(claims: list[Claim] | tuple[Claim, ...]) -> None:
    for claim in claims:
        assert claim.kind in KINDS, claim
        assert isinstance(claim.value, str), claim
        assert str(claim), claim


def _document(random: Random) -> str:
    kind, text = random.choice(DOCUMENTS)
    try:
        document = read(mutated(random, text), kind)
    except DocumentError as error:
        assert 0 < len(str(error)) < 500, error
        return "document refused"
    _sound(document.claims)
    return "document read"


def _disguised(random: Random) -> str:
    """A disk's source that any version of libvirt might find is a claim; elsewhere there is something unknown."""
    disk = "<disk>" + random.choice(DISGUISES).format(MARK) + "</disk>"
    around = random.choice(("{}", "<x/>{}", "{}<disk/>", "<disk/>{}", "<!-- -->{}"))
    space = random.choice(("", "", " xmlns='u'", " xmlns:y='u'"))
    text = f"<domain{space}><name>n</name><devices>{around.format(disk)}</devices></domain>"
    document = read(text, "domain")
    assert any(MARK in claim.value or claim.kind == "unknown" for claim in document.claims), text
    return "disguise seen through"


def _cookie(random: Random) -> str:
    _, text = random.choice(DOCUMENTS)
    try:
        for document in read_cookie(f"<qemu-migration>{mutated(random, text)}</qemu-migration>"):
            _sound(document.claims)
    except DocumentError:
        return "cookie refused"
    return "cookie read"


def _header(random: Random) -> str:
    data = bytearray(random.choice(HEADERS))
    for _ in range(random.randint(0, 6)):
        data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    if random.random() < 0.2:
        del data[random.randrange(len(data)) :]
    try:
        header = parse_header(Held(bytes(data)))
    except HeaderError:
        return "header refused"
    for name, _ in header.names:
        _sound(list(backing_claims(name, "/images", "here")))
    return "header read"


def _name(random: Random) -> str:
    name = mutated(random, random.choice(NAMES))
    if random.random() < 0.3:
        name = "json:" + json.dumps({"driver": name, "file": {"filename": name, "host": [name, 1, None]}})
    claims = list(backing_claims(name, random.choice(("", "/images")), "here"))
    assert claims, name
    _sound(claims)
    return "name read"


def run(inputs: int, seed: int) -> Counter[str]:
    """Try that many inputs; returns what became of them. Raises Finding."""
    return Counter(one(number, seed) for number in range(inputs))


def main() -> int:
    """Run; print what became of the inputs; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.documents", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="makes the same inputs again")
    parser.add_argument("--only", type=int, help="one input of the seed, as a finding names it")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    begin = time.perf_counter()
    try:
        became = run(options.inputs, options.seed) if options.only is None else {one(options.only, options.seed): 1}
    except Finding as finding:
        print(finding, file=sys.stderr)
        return 1
    seconds = time.perf_counter() - begin
    print(", ".join(f"{count} {what}" for what, count in sorted(became.items())))
    print(f"{sum(became.values())} inputs in {seconds:.1f} s; no finding")
    return 0


if __name__ == "__main__":
    sys.exit(main())

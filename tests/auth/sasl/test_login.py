# SPDX-License-Identifier: LGPL-2.1-or-later
"""A SASL login call by call, with libsasl2 itself: the table of its steps, its limits, who comes in."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from scramp import ScramClient

from tests.support.sasl import USERS, at_once, server_of_tests
from virtproxy.auth.login import LoginRefused, Progress
from virtproxy.auth.sasl.login import SaslLogin, SaslRules
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure

pytestmark = pytest.mark.programs("saslpasswd2")
UNIX = Identity(transport="unix", uid=1000)
TLS = Identity(transport="tls", address="127.0.0.1:40000", ssf=256)
TCP = Identity(transport="tcp", address="[fe80::1%eth0]:40000")
JOE = b"\0joe\0" + USERS["joe"].encode()
SCRAM = "SCRAM-SHA-256"


def start(mechanism: str, data: bytes, nil: int = 0) -> remote.AuthSaslStartArgs:
    """Arguments of START."""
    return remote.AuthSaslStartArgs(mech=mechanism, nil=nil, data=data)


def step(data: bytes, nil: int = 0) -> remote.AuthSaslStepArgs:
    """Arguments of STEP."""
    return remote.AuthSaslStepArgs(nil=nil, data=data)


def framed(token: bytes) -> bytes:
    """A token of Kerberos as the GSSAPI has it."""
    body = bytes.fromhex("06092a864886f712010202") + token
    return b"\x60" + bytes([len(body)]) + body


class Talk:
    """One client's calls."""

    def __init__(self, identity: Identity = UNIX, users: tuple[str, ...] | None = None, min_ssf: int = 56) -> None:
        self.login = SaslLogin(server_of_tests(), SaslRules(users, min_ssf), at_once)
        self.identity = identity

    async def call(self, procedure: Procedure[Any, Any], args: Any = None) -> Progress:
        """One call."""
        return await self.login.serve(procedure, args, self.identity)

    async def mechanisms(self) -> list[str]:
        """Begin."""
        reply = (await self.call(remote.AUTH_SASL_INIT)).reply
        assert isinstance(reply.mechlist, str)
        return reply.mechlist.split(",")

    async def refused(self, procedure: Procedure[Any, Any], args: Any = None) -> str:
        """A call that fails; why, as the log says."""
        with pytest.raises(LoginRefused) as caught:
            await self.call(procedure, args)
        assert (caught.value.code, caught.value.message) == (45, "authentication failed: authentication failed")
        return caught.value.why

    async def scram(self, name: str, password: str) -> Progress:
        """Log in; the last answer."""
        client = ScramClient([SCRAM], name, password)
        first = await self.call(remote.AUTH_SASL_START, start(SCRAM, client.get_client_first().encode()))
        assert (first.reply.complete, first.identity) == (0, None)
        client.set_server_first(first.reply.data.decode())
        last = await self.call(remote.AUTH_SASL_STEP, step(client.get_client_final().encode()))
        client.set_server_final(last.reply.data.decode())
        return last


@pytest_twisted.ensureDeferred
async def test_what_is_offered_depends_on_the_transport() -> None:
    everything = [SCRAM, "DIGEST-MD5", "PLAIN", "GSSAPI"]
    assert await Talk(UNIX).mechanisms() == everything
    assert await Talk(TLS).mechanisms() == everything
    # Neither in plain text nor without a layer of its own.
    assert await Talk(TCP).mechanisms() == ["DIGEST-MD5", "GSSAPI"]
    assert await Talk(Identity(transport="carrier pigeon")).mechanisms() == ["DIGEST-MD5", "GSSAPI"]
    assert "no mechanism" in await Talk(TCP, min_ssf=1000).refused(remote.AUTH_SASL_INIT)


@pytest.mark.parametrize("identity", [UNIX, TLS], ids=["unix", "tls"])
@pytest_twisted.ensureDeferred
async def test_scram(identity: Identity) -> None:
    talk = Talk(identity)
    await talk.mechanisms()
    last = await talk.scram("joe", USERS["joe"])
    assert last.identity is not None
    assert (last.reply.complete, last.layer) == (1, None)
    known = (last.identity.sasl_user, last.identity.sasl_mechanism, last.identity.principal, last.identity.ssf)
    assert known == ("joe", SCRAM, None, identity.ssf)
    assert (last.identity.transport, last.identity.uid) == (identity.transport, identity.uid)


@pytest_twisted.ensureDeferred
async def test_a_mechanism_that_was_not_offered_is_refused() -> None:
    for identity, mechanism, why in (
        (TCP, SCRAM, SCRAM),
        (TCP, "PLAIN", "PLAIN"),
        (UNIX, "PLAIN-PLUS", "PLAIN-PLUS"),
        (UNIX, "ANONYMOUS", "ANONYMOUS"),
        (UNIX, "EXTERNAL", "EXTERNAL"),
        (UNIX, "", ""),
        (UNIX, "PLAIN\0X", "PLAIN\\x00X"),
        (UNIX, "PLAIN\n", "PLAIN\\n"),
        (UNIX, "P" * 10000, "P" * 20),
    ):
        talk = Talk(identity)
        await talk.mechanisms()
        said = await talk.refused(remote.AUTH_SASL_START, start(mechanism, JOE))
        assert f'the client chose "{why}", which it was not offered' in said


@pytest_twisted.ensureDeferred
async def test_a_mechanism_is_the_same_in_small_letters() -> None:
    talk = Talk()
    await talk.mechanisms()
    identity = (await talk.call(remote.AUTH_SASL_START, start("plain", JOE))).identity
    assert identity is not None
    assert identity.sasl_mechanism == "PLAIN"


@pytest.mark.parametrize("first", [True, False], ids=["at the start", "in a step"])
@pytest_twisted.ensureDeferred
async def test_a_token_that_would_end_the_process_does_not_get_there(first: bool) -> None:
    talk = Talk()
    await talk.mechanisms()
    if first:
        why = await talk.refused(remote.AUTH_SASL_START, start("GSSAPI", framed(b"\x01\xed" + bytes(50))))
    else:
        await talk.call(remote.AUTH_SASL_START, start("GSSAPI", b""))
        why = await talk.refused(remote.AUTH_SASL_STEP, step(framed(b"\x01\xed" + bytes(50))))
    assert why == "SASL GSSAPI: the client's first token is no request of Kerberos"


@pytest_twisted.ensureDeferred
async def test_out_of_order() -> None:
    """As libvirtd 9.0.0 answers, but for a step before a start, which ends that one's process."""
    talk = Talk()
    for procedure, args in ((remote.AUTH_SASL_START, start("PLAIN", JOE)), (remote.AUTH_SASL_STEP, step(b"x"))):
        assert "none is under way" in await talk.refused(procedure, args)
    await talk.mechanisms()
    # A second beginning is refused and leaves the first as it is.
    await talk.refused(remote.AUTH_SASL_INIT)
    assert (await talk.call(remote.AUTH_SASL_START, start("PLAIN", JOE))).identity is not None
    talk = Talk()
    await talk.mechanisms()
    assert "the client knows the mechanisms" in await talk.refused(remote.AUTH_SASL_STEP, step(b"x"))
    await talk.refused(remote.AUTH_SASL_START, start("PLAIN", JOE))
    # In the middle: another beginning is refused, another mechanism is a new start.
    await talk.mechanisms()
    client = ScramClient([SCRAM], "joe", USERS["joe"])
    await talk.call(remote.AUTH_SASL_START, start(SCRAM, client.get_client_first().encode()))
    await talk.refused(remote.AUTH_SASL_INIT)
    assert (await talk.call(remote.AUTH_SASL_START, start("PLAIN", JOE))).identity is not None


@pytest_twisted.ensureDeferred
async def test_a_failure_costs_the_negotiation_and_nothing_else() -> None:
    talk = Talk()
    for data in (b"\0joe\0wrong", b"\0nobody\0x", b"", b"\0" * 3, b"A" * 99):
        await talk.mechanisms()
        if data == b"":
            # PLAIN asks for the name then.
            assert (await talk.call(remote.AUTH_SASL_START, start("PLAIN", data))).reply.complete == 0
            await talk.refused(remote.AUTH_SASL_STEP, step(b"\0joe\0wrong"))
        else:
            await talk.refused(remote.AUTH_SASL_START, start("PLAIN", data))
        assert "none is under way" in await talk.refused(remote.AUTH_SASL_START, start("PLAIN", JOE))
    await talk.mechanisms()
    assert (await talk.scram("joe", USERS["joe"])).identity is not None


@pytest_twisted.ensureDeferred
async def test_what_is_absent_is_told_from_what_is_empty() -> None:
    talk = Talk()
    await talk.mechanisms()
    asked = await talk.call(remote.AUTH_SASL_START, start("PLAIN", b"", nil=1))
    assert (asked.reply.complete, asked.reply.nil, asked.reply.data) == (0, 0, b"")
    await talk.refused(remote.AUTH_SASL_STEP, step(JOE, nil=1))
    await talk.mechanisms()
    await talk.call(remote.AUTH_SASL_START, start("PLAIN", b""))
    done = await talk.call(remote.AUTH_SASL_STEP, step(JOE))
    assert (done.reply.complete, done.reply.nil, done.reply.data) == (1, 1, b"")


@pytest_twisted.ensureDeferred
async def test_the_largest_data_there_may_be() -> None:
    for mechanism in (SCRAM, "DIGEST-MD5", "PLAIN", "GSSAPI"):
        talk = Talk()
        await talk.mechanisms()
        await talk.refused(remote.AUTH_SASL_START, start(mechanism, b"A" * 65536))


@pytest.mark.parametrize(
    ("users", "comes_in"),
    [
        (None, True),
        ((), False),
        (("j*",), True),
        (("j?",), False),
        (("jo[e]", "JOE", "*@*"), False),
        (("x", "joe"), True),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_list_of_users(users: tuple[str, ...] | None, comes_in: bool) -> None:
    talk = Talk(users=users)
    await talk.mechanisms()
    if comes_in:
        await talk.scram("joe", USERS["joe"])
    else:
        with pytest.raises(LoginRefused) as caught:
            await talk.scram("joe", USERS["joe"])
        assert caught.value.why == f'SASL {SCRAM}: the user "joe" is not in sasl_allowed_username_list'


@pytest_twisted.ensureDeferred
async def test_nobody_logs_in_as_somebody_else() -> None:
    talk = Talk()
    await talk.mechanisms()
    await talk.refused(remote.AUTH_SASL_START, start("PLAIN", b"ann" + JOE))


def test_a_reason_is_one_line_of_the_log() -> None:
    assert LoginRefused("a\nb\x1b").why == "a\\nb\\x1b"

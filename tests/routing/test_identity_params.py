# SPDX-License-Identifier: LGPL-2.1-or-later
"""An identity survives its way over the wire."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from virtproxy.identity import Identity
from virtproxy.routing.identity_params import identity_of, identity_params

words = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
numbers = st.none() | st.integers(0, 2**63 - 1)


@given(
    st.builds(
        Identity,
        user_name=words, uid=numbers, group_name=words, gid=numbers, pid=numbers, process_start_time=numbers,
        sasl_user=words, x509_dname=words, selinux_context=words,
    )
)  # fmt: skip
def test_there_and_back(identity: Identity) -> None:
    assert identity_of(identity_params(identity), Identity()) == identity


def test_what_is_not_said_is_not_kept() -> None:
    before = Identity(uid=0, user_name="root", address="x", transport="unix", sasl_mechanism="GSSAPI",
                      principal="proxy@REALM", x509_sans=("DNS:proxy",))  # fmt: skip
    after = identity_of(identity_params(Identity(sasl_user="mary")), before)
    assert after == Identity(sasl_user="mary", address="x", transport="unix")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions written as text: the one place that runs generated source.

Used by ``value`` for constructors and by ``codec`` for encoders and decoders. The text is made of declarations only,
never of anything a peer sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def function(name: str, source: str, names: Mapping[str, Any]) -> Any:
    """Return the function ``name`` that ``source`` defines; it sees the given names and the builtins."""
    scope = dict(names)
    exec(compile(source, f"<generated {name}>", "exec"), scope)
    return scope[name]

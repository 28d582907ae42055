# SPDX-License-Identifier: LGPL-2.1-or-later
"""Driver features, the questions of CONNECT_SUPPORTS_FEATURE, and who answers them.

Used by routing (which answers for the daemon) and by drivers (which answer for themselves).
"""

from __future__ import annotations

from enum import IntEnum


class Feature(IntEnum):
    """virDrvFeature: VIR_DRV_FEATURE_*."""

    MIGRATION_V1 = 1
    REMOTE = 2
    MIGRATION_V2 = 3
    MIGRATION_P2P = 4
    MIGRATION_DIRECT = 5
    MIGRATION_V3 = 6
    MIGRATE_CHANGE_PROTECTION = 7
    FD_PASSING = 8
    TYPED_PARAM_STRING = 9
    PROGRAM_KEEPALIVE = 10
    XML_MIGRATABLE = 11
    MIGRATION_OFFLINE = 12
    MIGRATION_PARAMS = 13
    REMOTE_EVENT_CALLBACK = 14
    REMOTE_CLOSE_CALLBACK = 15
    NETWORK_UPDATE_HAS_CORRECT_ORDER = 16


# The daemon answers these itself with 1; all else, known or not, is asked of the driver.
ANSWERED_BY_DAEMON = frozenset(
    {
        Feature.PROGRAM_KEEPALIVE,
        Feature.FD_PASSING,
        Feature.REMOTE_EVENT_CALLBACK,
        Feature.REMOTE_CLOSE_CALLBACK,
    }
)

# Of those, what is answered even before a connection is open.
ANSWERED_BEFORE_OPEN = frozenset({Feature.PROGRAM_KEEPALIVE})

# What every driver that can be asked answers.
COMMON_TO_DRIVERS = {
    Feature.REMOTE: 0,
    Feature.FD_PASSING: 1,
    Feature.TYPED_PARAM_STRING: 1,
    Feature.PROGRAM_KEEPALIVE: 0,
    Feature.REMOTE_EVENT_CALLBACK: 0,
    Feature.REMOTE_CLOSE_CALLBACK: 0,
    Feature.NETWORK_UPDATE_HAS_CORRECT_ORDER: 1,
}

# What a driver answers with 1 beyond that. None: it cannot be asked, and everything forwarded is answered with 0.
SUPPORTED_BY_DRIVER: dict[str, frozenset[Feature] | None] = {
    "qemu": frozenset(
        {
            Feature.MIGRATION_V2,
            Feature.MIGRATION_P2P,
            Feature.MIGRATION_V3,
            Feature.MIGRATE_CHANGE_PROTECTION,
            Feature.XML_MIGRATABLE,
            Feature.MIGRATION_OFFLINE,
            Feature.MIGRATION_PARAMS,
        }
    ),
    "libxl": frozenset(
        {
            Feature.MIGRATION_P2P,
            Feature.MIGRATION_V3,
            Feature.MIGRATE_CHANGE_PROTECTION,
            Feature.MIGRATION_PARAMS,
        }
    ),
    "lxc": frozenset(),
    "ch": frozenset(),
    "vz": frozenset(
        {
            Feature.MIGRATION_P2P,
            Feature.MIGRATION_PARAMS,
        }
    ),
    "test": frozenset(),
    "network": frozenset(),
    "bhyve": None,
    "vbox": None,
    "interface": None,
    "nodedev": None,
    "nwfilter": None,
    "secret": None,
    "storage": None,
}

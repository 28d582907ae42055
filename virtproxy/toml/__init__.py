# SPDX-License-Identifier: LGPL-2.1-or-later
"""TOML files that people write: read strictly, and every mistake told with its line."""

# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m tests.fuzz``: at least a million fuzzed packets through the wire, the server end and the client end."""

from __future__ import annotations

import argparse
import sys
import time

from twisted.logger import globalLogBeginner

from tests.fuzz.campaign import Campaign, Finding

MILLION = 1_000_000


def main() -> int:
    """Run the campaign; print its rate; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=MILLION, help="how many packets at least (%(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="makes the same packets again")
    parser.add_argument("--only", type=int, help="one conversation of the seed, as a finding names it")
    options = parser.parse_args()
    # Until logging begins, Twisted keeps what is logged.
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    print(f"seed {options.seed}", flush=True)
    campaign = Campaign(options.seed)
    try:
        if options.only is None:
            print(campaign.run(options.frames))
        else:
            campaign.converse(options.only)
    except Finding as finding:
        print(finding, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

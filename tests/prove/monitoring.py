#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that the platform is seen, that somebody is told, and that nobody is told twice.

    monitoring.py [--only TEXT ...] [--keep] [--reuse]

The whole site of the last commit on a bare Debian 13 node with systemd, and a
listener where Mattermost would be. Faults are real: a stopped server, a full disk,
a certificate that is not renewed, a webhook that nobody answers. Ends with one
line of figures; status 0 only if all are good.
"""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("lab", "prove")]

import lab  # noqa: E402
import monitoring_cases as cases  # noqa: E402
from drift_site import Failed, chosen, parser, promised, scratch  # noqa: E402


def main() -> int:
    """Parse, prove, clean up."""
    args = parser(__doc__ or "", "cases whose first line contains this").parse_args()
    figures = cases.Figures()
    wanted = chosen(cases.CASES, args.only)
    try:
        with scratch("monitoring", args) as directory:
            place = cases.Place(directory, figures, args.keep)
            with place.small_disk(), place.standing(args, place.begin, place.again):
                passed = sum(promised(place, case, lambda case=case: case(place)) for case in wanted)
    except (Failed, lab.LabError) as error:
        print(f"prove-monitoring: not proved: {error}\nThe whole output is in {ROOT / '.cache/prove-monitoring.log'}.")
        return 1
    print(f"prove-monitoring: {passed} of {len(wanted)} cases as promised")
    print(f"prove-monitoring: {figures}")
    return 0 if passed == len(wanted) and not figures.unparsed else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that an upgrade loses nothing, restarts nothing without need, and that nobody goes back by mistake.

    upgrade.py [--from COMMIT] [--keep] [--reuse]

Converges inventories/local of the previous release (docs/releasing.md says which
commit that is) on a bare Debian 13 node with systemd, gives it data, then
converges the last commit while a client asks through the proxy. Each case goes
on from the one before. Ends with one line of figures; status 0 only if all are good.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / ".collections"), *(str(ROOT / "tests" / part) for part in ("lab", "prove"))]

import lab  # noqa: E402
import upgrade_cases as cases  # noqa: E402
from drift_site import Failed, promised, scratch  # noqa: E402


def main() -> int:
    """Parse, prove, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="commit", default="", help="a commit other than the previous release")
    parser.add_argument("--keep", action="store_true", help="leave the node and its inventories")
    parser.add_argument("--reuse", action="store_true", help="use a node that was left")
    args = parser.parse_args()
    figures = cases.Figures()
    started, passed = time.monotonic(), 0
    try:
        with scratch(cases.TOPIC, args) as directory:
            place = cases.Place(directory, figures, args.commit or cases.previous_release(ROOT))
            with place.standing(args, place.begin, place.again):
                for case in cases.CASES:
                    if not promised(place, case, lambda case=case: case(place)):
                        break
                    passed += 1
    except (Failed, lab.LabError) as error:
        print(f"prove-upgrade: not proved: {error}\nThe whole output is in {ROOT / '.cache/prove-upgrade.log'}.")
        return 1
    minutes = (time.monotonic() - started) / 60
    print(f"prove-upgrade: from={place.before} to={place.now} cases={len(cases.CASES)} passed={passed} "
          f"{figures.line()} minutes={minutes:.1f}")
    return 0 if passed == len(cases.CASES) and figures.good else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that releases come and go without a lost request, and that whatever is killed meanwhile is mended.

    releases.py [--only TEXT ...] [--keep] [--reuse]

Converges the CA and the proxy of inventories/local on a bare Debian 13 node with
systemd, and deploys an application of the proof's own (releases_app.py) while
clients that never retry use it (releases_load.py): requests on kept connections,
long ones, uploads and WebSockets. Ends with one line of figures; status 0 only
if all are good.
"""

from __future__ import annotations

import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in (".collections", "tests/lab", "tests/prove")]

import lab  # noqa: E402
import releases_cases  # noqa: E402
import releases_kills  # noqa: E402
from drift_site import Failed, chosen, parser, promised, scratch  # noqa: E402
from releases_site import ROLLBACK_MS, SWITCH_MS, TOPIC, Case, Figures, Place  # noqa: E402

# Deploys, rollbacks, failing deploys, kills.
WANTED = (30, 10, 5, 10)
CASES: tuple[Case, ...] = (*releases_cases.CASES, *releases_kills.CASES)


def prove_case(place: Place, case: Case) -> bool:
    """One case: what it promises."""
    kept = promised(place, case, lambda: case(place))
    if not kept:
        # The next case starts from what is declared, whatever became of this one.
        place.declare_again()
        place.deploy(place.new())
    return kept


def main() -> int:
    """Parse, prove, clean up."""
    args = parser(__doc__ or "", "cases whose first line contains this").parse_args()
    cases = chosen(CASES, args.only)
    figures = Figures()
    started = time.monotonic()
    with scratch(TOPIC, args) as directory:
        place = Place(directory, figures)
        try:
            with place.standing(args, place.begin, place.again):
                passed = sum(prove_case(place, case) for case in cases)
        except (Failed, lab.LabError) as error:
            print(f"prove-releases: not proved: {error}\nThe whole output is in {place.log}.")
            return 1
    place.say(f"{(time.monotonic() - started) / 60:.1f} minutes")
    switch, rollback = figures.median("switch_ms"), figures.median("rollback_ms")
    quick = sum(one <= SWITCH_MS for one in figures.switch_ms), sum(one <= ROLLBACK_MS for one in figures.rollback_ms)
    print(f"prove-releases: {quick[0]} of {len(figures.switch_ms)} switches within {SWITCH_MS} ms, {quick[1]} of "
          f"{len(figures.rollback_ms)} rollbacks to a warm colour within {ROLLBACK_MS / 1000:g} s; "
          f"{passed} of {len(cases)} cases as promised")
    print(f"prove-releases: requests={figures.requests} failed={figures.failed} deploys={figures.deploys} "
          f"rollbacks={figures.rollbacks} broken={figures.broken} kills={figures.kills} "
          f"websockets={figures.websockets} reload_failed={figures.reload_failed} switch_ms={switch:g} "
          f"rollback_ms={rollback:g}")
    good = passed == len(cases) and figures.failed == 0 and switch <= SWITCH_MS and rollback <= ROLLBACK_MS
    counted = figures.deploys, figures.rollbacks, figures.broken, figures.kills
    whole = bool(args.only) or all(number >= wanted for number, wanted in zip(counted, WANTED, strict=True))
    return 0 if good and whole else 1


if __name__ == "__main__":
    sys.exit(main())

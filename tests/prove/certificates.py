#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that certificates come and go without taking the site down, against real nginx, certbot and Pebble.

    certificates.py [--only TEXT ...] [--keep] [--reuse]

Converges the CA and the proxy of inventories/local on a bare Debian 13 node with
systemd, and lets things go wrong one at a time (certificate_cases.py), while a
client makes 20 TLS handshakes a second. After each fault the next healthy run has
to serve the declared certificate, and no fault may spend more orders than the
ledger allows. testssl.sh looks at the proxy at the end. Ends with one line of
figures; status 0 only if all are good.
"""

from __future__ import annotations

import pathlib
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/lab"), str(ROOT / "tests/prove")]

import lab  # noqa: E402
from certificate_cases import CASES, Place  # noqa: E402
from drift_site import Failed, chosen, parser, promised, scratch  # noqa: E402


def prove_case(place: Place, case: t.Callable[[Place], None]) -> bool:
    """One case: what it promises, and that the host is as declared after it."""
    before = len(place.handshakes.errors)

    def whole() -> None:
        case(place)
        place.expect_healthy()
        lost = place.handshakes.errors[before:]
        if lost:
            raise Failed(f"{len(lost)} handshakes failed: {lost[:3]}")

    kept = promised(place, case, whole)
    if not kept:
        place.reset()
    return kept


def main() -> int:
    """Parse, prove, clean up."""
    args = parser(__doc__ or "", "cases whose first line contains this").parse_args()
    cases = chosen(CASES, args.only)
    with scratch("certificates", args) as directory:
        place = Place(directory)
        try:
            with place.standing(args, place.begin, place.converge):
                with place.handshakes:
                    passed = sum(prove_case(place, case) for case in cases)
                findings = place.tls_findings()
        except (Failed, lab.LabError) as error:
            print(f"prove-certificates: not proved: {error}\nThe whole output is in {place.log}.")
            return 1
    made, failed = place.handshakes.made, len(place.handshakes.errors)
    print(f"prove-certificates: cases={len(cases)} passed={passed} handshakes={made} failed_handshakes={failed} "
          f"tls_findings={findings}")
    return 0 if passed == len(cases) and failed == 0 and findings == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

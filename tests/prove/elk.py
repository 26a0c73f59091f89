#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that log lines become documents that are found, kept and aged out as declared.

    elk.py [--only TEXT ...] [--keep] [--reuse]

The role elk of the last commit on a bare Debian 13 node with systemd. The server is
Elasticsearch; what stands in for the rest is named in the last line, which has the
figures; status 0 only if all are good.
"""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

sys.path[0:1] = [str(ROOT / ".collections"), *(str(ROOT / "tests" / part) for part in ("lab", "prove", "unit"))]

import elk_cases as cases  # noqa: E402
from drift_site import chosen, parser, proved  # noqa: E402


def main() -> int:
    """Parse, prove, clean up."""
    args = parser(__doc__ or "", "cases whose first line contains this").parse_args()
    figures = cases.Figures()
    wanted = chosen(cases.CASES, args.only)
    passed = proved("elk", args, wanted, lambda directory: cases.Place(directory, figures))
    if passed < 0:
        return 1
    print(f"prove-elk: {passed} of {len(wanted)} cases as promised")
    print(f"prove-elk: documents={figures.documents} vectors={figures.vectors} passed={figures.passed} "
          f"lost={figures.lost} standins={','.join(cases.STANDINS)}")
    good = passed == len(wanted) and figures.lost <= 0 and figures.passed == figures.vectors
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

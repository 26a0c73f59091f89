#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that Mattermost is told what happens in GitLab: once, in order, in the right words, and nothing else.

    notifier.py [--only TEXT ...] [--keep] [--reuse]

The role mattermost_notifier of the last commit on a bare Debian 13 node with systemd. A
listener takes Mattermost's place and enforces what Mattermost documents. Ends with one line
of figures; status 0 only if all are good.
"""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

sys.path[0:1] = [str(ROOT / ".collections"), *(str(ROOT / "tests" / part) for part in ("lab", "prove"))]

import notifier_cases as cases  # noqa: E402
from drift_site import chosen, parser, proved  # noqa: E402


def main() -> int:
    """Parse, prove, clean up."""
    args = parser(__doc__ or "", "cases whose first line contains this").parse_args()
    figures = cases.Figures()
    wanted = chosen(cases.CASES, args.only)
    passed = proved("notifier", args, wanted, lambda directory: cases.Place(directory, figures))
    if passed < 0:
        return 1
    print(f"prove-notifier: {figures} cases={len(wanted)} passed={passed}")
    return 0 if passed == len(wanted) and figures.good() else 1


if __name__ == "__main__":
    sys.exit(main())

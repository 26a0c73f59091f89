#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that MySQL's accounts are exactly as declared, and that what the data stores acknowledged is kept.

    grants.py [--only TEXT ...] [--keep] [--reuse]

First the module's own step against a MySQL server in a container
(grants_cases.py), then the role data_stores of the last commit on a bare Debian 13
node with systemd (grants_node.py). Ends with one line of figures; status 0 only
if all are good.
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import tempfile
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("lab", "prove", "integration", "unit")]

import grants_cases  # noqa: E402
import grants_node  # noqa: E402
import lab  # noqa: E402
import mysql  # noqa: E402
import pymysql  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError  # noqa: E402
from drift_site import Failed, chosen, parser, promised, say, scratch  # noqa: E402
from hypothesis.errors import HypothesisException  # noqa: E402

TOPIC = "grants"
# How a case tells that something is not as promised: in its own words, or with what it ran into.
WRONG = (Failed, AssertionError, MooringError, HypothesisException, lab.LabError, pymysql.err.MySQLError,
         subprocess.SubprocessError)


def prove_case(case: t.Callable[[t.Any], None], place: t.Any) -> bool:
    """One case; whether it is as promised."""
    return promised(place, case, lambda: case(place), WRONG)


def on_a_server(cases: t.Sequence[t.Any], directory: pathlib.Path, figures: grants_cases.Figures) -> int:
    """How many of these cases hold."""
    if not cases:
        return 0
    # What the server writes there goes in any case.
    with tempfile.TemporaryDirectory(dir=directory) as own:
        say("starting a MySQL server", TOPIC)
        with mysql.Server(pathlib.Path(own)) as server:
            place = grants_cases.Place(server, directory, figures)
            return sum(prove_case(case, place) for case in cases)


def on_a_node(
    cases: t.Sequence[t.Any], directory: pathlib.Path, figures: grants_cases.Figures, args: argparse.Namespace,
) -> int:
    """How many of these cases hold."""
    if not cases:
        return 0
    place = grants_node.Place(directory, figures)
    with place.standing(args, lambda: place.start("--tags", "docker_engine,data_stores"), place.converge):
        place.prepare()
        return sum(prove_case(case, place) for case in cases)


def main() -> int:
    """Parse, prove, clean up."""
    args = parser(__doc__ or "", "cases whose first line contains this").parse_args()
    figures = grants_cases.Figures()
    here, there = chosen(grants_cases.CASES, args.only), chosen(grants_node.CASES, args.only)
    cases = len(here) + len(there)
    try:
        with scratch(TOPIC, args) as directory:
            passed = on_a_server(here, directory, figures)
            passed += on_a_node(there, directory, figures, args)
    except (Failed, lab.LabError) as error:
        print(f"prove-grants: not proved: {error}\nThe whole output is in {ROOT / '.cache/prove-grants.log'}.")
        return 1
    print(f"prove-grants: cases={cases} passed={passed} corpus={figures.corpus} accounts={figures.accounts} "
          f"audit_seconds={figures.audit_seconds} lost_writes={figures.lost_writes} "
          f"failed_logins={figures.failed_logins}")
    good = passed == cases and figures.corpus >= 150 and figures.accounts == 1000 and figures.audit_seconds > 0
    return 0 if good and figures.lost_writes == 0 and figures.failed_logins == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves the whole promise: inventories/prod over SSH and sudo, on three bare hosts that share a network.

    production.py [--only TEXT ...] [--keep] [--reuse] [--without upgrade]

The nodes pull from a registry with a login, get their certificate from an ACME CA by
their name, and are reached as an unprivileged user. Then: secrets are looked for
everywhere, ports are scanned from a stranger's machine, containers are looked at, releases
are deployed under load, and runs are broken in every way that a run can break. Ends with
one line of figures. Exit status 0 only if every one is good.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/prove"), str(ROOT / "tests/lab")]

import drift_site as site  # noqa: E402
import production_cases as cases  # noqa: E402
from production_hosts import Hosts  # noqa: E402


def said(*argv: str) -> str:
    """The last line that a program of this repository prints; raises where it fails."""
    done = subprocess.run([sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, check=False)
    lines = (done.stdout.strip() or "nothing").splitlines()
    if done.returncode:
        raise site.Failed(f"{' '.join(argv)} ended with status {done.returncode}: {lines[-1]} {done.stderr[-500:]}")
    return lines[-1]


def upgrade() -> str:
    """Whether the release before this one can be followed by it: make prove-upgrade."""
    done = subprocess.run([sys.executable, "tests/prove/upgrade.py"], cwd=ROOT, check=False)
    return "failed" if done.returncode else "ok"


def main() -> int:
    """Prove, print."""
    options = site.parser(__doc__ or "", "cases whose title has this text")
    options.add_argument("--without", nargs="*", default=[], choices=["upgrade"], help="leave out what takes longest")
    args = options.parse_args()
    with site.scratch("production", args) as scratch:
        hosts = Hosts(scratch, args)
        try:
            hosts.begin()
            good = [site.promised(hosts, case, lambda case=case: case(hosts))
                    for case in site.chosen(cases.CASES, args.only)]
        finally:
            hosts.end()
        figures = {
            "hosts": len(hosts.nodes), "components": len(hosts.components), "rerun_changed": hosts.rerun_changed,
            "leaks": len(hosts.leaks), "open_ports": ",".join(map(str, sorted(hosts.open_ports))) or "none",
            "bad_inventories": said("-c", "import sys; sys.path[:0] = ['tests/unit']; from bad_inventories import BAD; "
                                          "print(len(BAD))"),
            "faults": hosts.faults,
            "upgrade": "left-out" if "upgrade" in args.without or args.only else upgrade(),
            "defects": said("tests/lab/defects.py").partition("=")[2],
            "docs_commands": said("tests/lab/commands.py").partition("=")[2],
            "requests": hosts.requests, "failed_requests": hosts.failed_requests,
            "cases": len(good), "passed": sum(good), "standins": ",".join(hosts.standins)}
        print(f"prove-production: {' '.join(f'{name}={value}' for name, value in figures.items())}", flush=True)
        return 0 if all(good) and figures["upgrade"] != "failed" else 1


if __name__ == "__main__":
    sys.exit(main())

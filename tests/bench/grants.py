#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to find that 1,000 accounts with 20 grants each are as declared. Asserts nothing.

    grants.py [--runs 3]

Against a MySQL server of its own, in turn, round by round:

- one call: the module's step, which reads all accounts at once and logs in as each;
- one by one: a loop over the accounts that asks mysql.user and SHOW GRANTS for each, parses the answer, and
  logs in as each;

both once more without the logins. The loop has one connection and no Ansible task per account, so it is the
cheapest loop there is.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import statistics
import sys
import tempfile
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import lab  # noqa: E402
import mysql  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._grants import desired_account  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._grants_decide import decide  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._mysql import Mysql  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._show_grants import parse  # noqa: E402

Accounts = list[dict[str, t.Any]]


def one_call(server: mysql.Server, accounts: Accounts, logins: bool) -> None:
    """As the module does it."""
    if logins:
        server.converge(accounts).good()
        return
    declared = [desired_account(one) for one in server.given(accounts)["accounts"]]
    session = Mysql(str(server.socket), "root", mysql.PASSWORD)
    with contextlib.closing(session):
        decide(session.read([]), [], declared)


def one_by_one(server: mysql.Server, accounts: Accounts, logins: bool) -> None:
    """As a loop does it."""
    with contextlib.closing(server.session()) as session, session.cursor() as cursor:
        for account in accounts:
            cursor.execute("SELECT * FROM mysql.user WHERE User = %s AND Host = '%%'", [account["name"]])
            cursor.fetchall()
            cursor.execute("SHOW GRANTS FOR %s@'%%'", [account["name"]])
            for (line,) in cursor.fetchall():
                parse(line)
            if logins:
                server.session(account["name"], account["password"]).close()


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    if why := lab.unbuilt(mysql.IMAGE):
        print(f"bench: grants: skipped, because {why}")
        return 0
    subjects = {"one call": (one_call, True), "one by one": (one_by_one, True),
                "one call, no logins": (one_call, False), "one by one, no logins": (one_by_one, False)}
    times: dict[str, list[float]] = {name: [] for name in subjects}
    with tempfile.TemporaryDirectory() as scratch, mysql.Server(pathlib.Path(scratch)) as server:
        accounts = mysql.many(server)
        # Passwords that were accepted once are remembered by the server, until it is restarted.
        one_call(server, accounts, True)
        for turn in range(args.runs):
            for name, (subject, logins) in subjects.items():
                print(f"bench: {name}, round {turn + 1} of {args.runs}", file=sys.stderr, flush=True)
                started = time.monotonic()
                subject(server, accounts, logins)
                times[name].append(time.monotonic() - started)
    print(f"{f'{len(accounts)} accounts x 20 grants':<28}{'median s':>10}{'min s':>10}{'max s':>10}")
    for name, values in times.items():
        print(f"{name:<28}{statistics.median(values):>10.2f}{min(values):>10.2f}{max(values):>10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

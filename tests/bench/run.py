#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run with nothing to do costs, beside three ways to measure it. Asserts nothing.

    run.py [--runs 5]

Needs the local platform (`make up`). Measured in turn, round by round, so that a
noisy minute hits all of them:

- ping: a playbook with one task, the floor of any Ansible run;
- site: site.yml on inventories/local;
- compose: `docker compose up -d` of the same projects, which sees no file mode,
  no certificate and no database account;
- naive: the same files, network and projects the usual way, a task for each.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import naive  # noqa: E402

PLATFORM = pathlib.Path("/opt/mooring")
PLAYBOOK = str(pathlib.Path(sys.executable).parent / "ansible-playbook")
HOST = {"hosts": "docker_engine", "gather_facts": False, "become": True}


def naive_tasks() -> list[naive.Task]:
    """The same files, network and projects as this machine has."""
    return [naive.network_task(), *(task for project in naive.projects(PLATFORM)
                                    for task in naive.project_tasks(project))]


def timed(*commands: list[str]) -> tuple[float, str]:
    """Seconds and output of commands run one after the other."""
    started, output = time.monotonic(), ""
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False,
                              env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
        output += done.stdout
        if done.returncode:
            sys.exit(f"bench: '{' '.join(command)}' failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - started, output


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    projects = naive.projects(PLATFORM)
    if not projects:
        sys.exit("bench: there is no platform to measure on this machine. Run 'make up' first.")
    inventory = ["-i", str(ROOT / "inventories/local")]
    with tempfile.TemporaryDirectory() as scratch:
        ping, usual = pathlib.Path(scratch, "ping.yml"), pathlib.Path(scratch, "naive.yml")
        ping.write_text(json.dumps([{**HOST, "tasks": [{"name": "Ping", "ansible.builtin.ping": {}}]}]))
        tasks = naive_tasks()
        usual.write_text(json.dumps([{**HOST, "tasks": tasks}]))
        subjects = {
            "ping": [[PLAYBOOK, *inventory, str(ping)]],
            "site": [[PLAYBOOK, *inventory, "site.yml"]],
            "compose": [
                ["docker", "compose", "--project-directory", str(path), "up", "--detach"] for path in projects],
            "naive": [[PLAYBOOK, *inventory, str(usual)]],
        }
        for commands in subjects.values():  # fill caches
            timed(*commands)
        times: dict[str, list[float]] = {name: [] for name in subjects}
        changed = 0
        for turn in range(args.runs):
            for name, commands in subjects.items():
                print(f"bench: {name}, round {turn + 1} of {args.runs}", file=sys.stderr, flush=True)
                seconds, output = timed(*commands)
                times[name].append(seconds)
                if name == "site":
                    changed += sum(map(int, re.findall(r"changed=(\d+)", output)))
    if changed:
        print(f"bench: the site was not converged ({changed} changes); the figures of 'site' are too high.")
    median = {name: statistics.median(values) for name, values in times.items()}
    notes = {
        "ping": "one task",
        "site": f"{median['site'] / median['ping']:.1f} x ping (goal: at most 4)",
        "compose": f"{len(projects)} projects",
        "naive": f"{len(tasks)} tasks, {median['naive'] / median['site']:.1f} x site (goal: at least 5)",
    }
    print(f"{'no-change run':<16}{'median s':>10}{'min s':>10}{'max s':>10}  note")
    for name, values in times.items():
        print(f"{name:<16}{median[name]:>10.2f}{min(values):>10.2f}{max(values):>10.2f}  {notes[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

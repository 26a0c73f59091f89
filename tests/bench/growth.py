#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the cost of a run with nothing to do grows with services and with hosts. Asserts nothing.

    growth.py [--runs 5] [--services 8 24 80] [--hosts 1 10 50]

Services: one Compose project on this machine's engine, each service with a file
that it mounts. Hosts: that many entries of an inventory, each with a project of one service;
they share this machine's engine and Ansible's default of five forks. What it made
goes at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import lab  # noqa: E402

PLAYBOOK = str(pathlib.Path(sys.executable).parent / "ansible-playbook")
COMPOSE = """
services:
{% for number in range(services) %}
  s{{ number }}:
    image: "WITNESS"
    volumes: ["./conf/{{ number }}:/conf:ro"]
    stop_grace_period: 1s
{% endfor %}
"""


def docker(*arguments: str) -> str:
    """Standard output of a docker command."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


class Growth:
    """Projects below a scratch directory, with a prefix of their own."""

    def __init__(self, scratch: pathlib.Path) -> None:
        self.scratch, self.prefix = scratch, f"mooringtest{secrets.token_hex(3)}"
        docker("network", "create", "--label", "mooring.test=1", self.prefix)

    def tree(self, services: int) -> pathlib.Path:
        """A template tree with that many services."""
        tree = self.scratch / f"tree-{services}"
        for number in range(services):
            path = tree / "conf" / str(number) / "settings.txt"
            path.parent.mkdir(parents=True)
            path.write_text(f"setting of service {number}\n")
        (tree / "compose.yml.j2").write_text(COMPOSE.replace("WITNESS", lab.WITNESS))
        return tree

    def run(self, tree: pathlib.Path, hosts: int) -> tuple[float, int]:
        """Seconds and changes of a run, which has to end well."""
        services = len(list((tree / "conf").iterdir()))
        inventory = self.scratch / f"hosts-{hosts}.json"
        inventory.write_text(json.dumps({"all": {"hosts": {
            f"host{number}": {
                "mooring_root": str(self.scratch / f"root-{services}-{number}"),
                "mooring_prefix": f"{self.prefix}-{services}-{number}",
            } for number in range(hosts)}, "vars": {
                "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3",
                "mooring_network": self.prefix, "mooring_allow_stateful_restart": False,
                "mooring_service_defaults": {}, "services": services}}}))
        playbook = self.scratch / "play.yml"
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{
            "name": "Project",
            "mooring.stack.component": {"steps": [{"compose_project": {"name": "growth", "src": str(tree)}}]}}]}]))
        began = time.monotonic()
        done = subprocess.run(
            [PLAYBOOK, "-i", str(inventory), str(playbook)], cwd=ROOT, capture_output=True, text=True, check=False,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
        seconds = time.monotonic() - began
        if done.returncode:
            sys.exit(f"bench: the run failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return seconds, sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))

    def measure(self, services: int, hosts: int, runs: int) -> float:
        """Median of runs that change nothing, in seconds."""
        tree = self.scratch / f"tree-{services}"
        tree = tree if tree.exists() else self.tree(services)
        print(f"bench: {services} services on {hosts} hosts", file=sys.stderr, flush=True)
        self.run(tree, hosts)
        times = [self.run(tree, hosts) for _turn in range(runs)]
        if changed := sum(changes for _seconds, changes in times):
            print(f"bench: {changed} changes in runs that have nothing to do; their figures are too high.")
        return statistics.median(seconds for seconds, _changes in times)

    def remove(self) -> None:
        """Containers and network, those too that a run which was interrupted is still making."""
        until = time.monotonic() + 120
        while True:
            mine = [line.split()[0] for line in docker(
                "ps", "--all", "--format", '{{.ID}} {{.Label "com.docker.compose.project"}}').splitlines()
                if line.split()[1:] and line.split()[1].startswith(self.prefix)]
            try:
                if mine:
                    docker("rm", "--force", "--volumes", *mine)
                docker("network", "rm", self.prefix)
            except subprocess.CalledProcessError as error:
                if time.monotonic() > until:
                    sys.exit(f"bench: network {self.prefix} and what uses it are left over: {error.stderr.strip()}")
                time.sleep(0.5)
            else:
                return


def table(what: str, counts: list[int], measure: t.Callable[[int], float]) -> None:
    """Measure and print line by line."""
    print(f"{'no-change run':<16}{'median s':>10}{f'ms per further {what}':>28}", flush=True)
    first = None
    for count in counts:
        seconds = measure(count)
        first = first or (count, seconds)
        more = f"{(seconds - first[1]) / (count - first[0]) * 1000:.1f}" if count != first[0] else "-"
        print(f"{f'{count} {what}s':<16}{seconds:>10.2f}{more:>28}", flush=True)


def stop(signum: int, _frame: object) -> None:
    """End in a way that removes what was made; a second signal does not disturb that."""
    signal.signal(signum, signal.SIG_IGN)
    sys.exit("bench: stopped.")


def main() -> int:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--services", type=int, nargs="+", default=[8, 24, 80])
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 10, 50])
    args = parser.parse_args()
    lab.need_witness()
    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="mooring-growth-", ignore_cleanup_errors=True) as scratch:
        growth = Growth(pathlib.Path(scratch))
        try:
            table("service", args.services, lambda count: growth.measure(count, 1, args.runs))
            table("host", args.hosts, lambda count: growth.measure(1, count, args.runs))
        finally:
            growth.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())

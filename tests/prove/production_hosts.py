# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three hosts as inventories/prod would have them, and everything that is done to them."""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import time

import drift_site as site
import lab
import prod

TOPIC = "production"
LAB = f"prove-{TOPIC}"


class Hosts(site.Runner):
    """The nodes, their town, and an inventory that is filled in."""

    def __init__(self, scratch: pathlib.Path, args: argparse.Namespace) -> None:
        super().__init__(scratch, TOPIC)
        self.args = args
        self.layout = prod.LAYOUTS["three"]
        self.nodes = {name: lab.Node(LAB, name) for name in self.layout}
        self.components = sorted({group for _seat, groups in self.layout.values() for group in groups})
        self.place: prod.Place
        self.outputs: list[str] = []
        self.rerun_changed: int | str = "not-seen"
        self.leaks: list[str] = []
        self.open_ports: set[int] = set()
        self.faults = self.requests = self.failed_requests = 0
        self.standins: list[str] = []

    # -- from nothing -------------------------------------------------------

    def begin(self) -> None:
        """Nodes and inventory, or those that were left."""
        if not self.args.reuse:
            self.log.unlink(missing_ok=True)
        self.say("cloning the last commit, building what images are missing")
        if not self.code.exists():
            self.clone()
        if self.args.reuse:
            place = json.loads((self.scratch / "place.json").read_text())
            self.place = prod.Place(pathlib.Path(place["inventory"]), place["nodes"], prod.Secrets(place["secrets"]),
                                    place["town"])
            return
        wanted = [image.removeprefix("mooring.local/").partition(":")[0] for image in prod.pushed(self.components)]
        self.playbook("tests/lab/images.yml", "-i", "tests/lab/inventory.yml", "-e", json.dumps(
            {"distro_images_build": sorted(set(wanted) - {"base"})}), own=False).good("building the images")
        self.say("starting the town and three bare nodes")
        self.place = prod.up(LAB, self.scratch, self.layout)
        (self.scratch / "place.json").touch(mode=0o600)
        (self.scratch / "place.json").write_text(json.dumps({
            "inventory": str(self.place.inventory), "nodes": self.place.nodes, "secrets": self.place.secrets,
            "town": self.place.town}))

    def end(self) -> None:
        """Stop what still runs, and remove what was made."""
        self.stop()
        if not self.args.keep:
            self.tool("lab.py", "down", LAB)

    # -- commands -----------------------------------------------------------

    def tool(self, *argv: str) -> str:
        """Output of one of the lab's tools."""
        return subprocess.run([prod.ROOT / "tests/lab" / argv[0], *argv[1:]], check=True, stdout=subprocess.PIPE,
                              text=True).stdout

    def spawn(self, playbook: str, *arguments: str, own: bool = True) -> subprocess.Popen[str]:
        """Start a run, with the inventory that is filled in unless it is not ``own``."""
        options = self.place.options if own else []
        return self.launch(*options, playbook, *arguments, ANSIBLE_SSH_RETRIES="0")

    def playbook(self, playbook: str, *arguments: str, own: bool = True) -> site.Outcome:
        """One run to its end."""
        started = time.monotonic()
        process = self.spawn(playbook, *arguments, own=own)
        run = site.Outcome(process.communicate()[0], process.returncode)
        self.keep(run.output)
        self.write(f"$ ansible-playbook {playbook} {' '.join(arguments)} ({time.monotonic() - started:.0f} s, status "
                   f"{run.status})\n{run.output}")
        return run

    def site(self, *arguments: str) -> site.Outcome:
        """One run of site.yml."""
        return self.playbook("site.yml", *arguments)

    def keep(self, output: str) -> None:
        """What was printed: the search for secrets looks at it."""
        self.outputs.append(output)

    def sh(self, host: str, command: str, check: bool = True) -> str:
        """Output of a shell command of root on a host, standard error included."""
        done = subprocess.run(["docker", "exec", self.nodes[host].container, "bash", "-c", f"exec 2>&1; {command}"],
                              capture_output=True, text=True, errors="replace", check=False)
        if check and done.returncode:
            raise site.Failed(f"'{command}' on {host} ended with {done.returncode}:\n{done.stdout[-2000:]}")
        return done.stdout

    def host_of(self, group: str) -> str:
        """The first host of a group."""
        return next(name for name, (_seat, groups) in self.layout.items() if group in groups)

    def poll(self) -> Poll:
        """A client that asks through the proxy as long as the block lasts."""
        return Poll(self)

    def wait(self, host: str, condition: str, limit: float = 120) -> None:
        """Until a shell condition holds on a host."""
        site.wait_on(self.nodes[host], condition, limit)


class Poll(site.Poll):
    """A client of the platform; what it saw counts for the figures."""

    least = 2.0
    port, name, path = 443, prod.DOMAIN, "/api/hello"

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        super().__init__(hosts.nodes[hosts.host_of("nginx_certbot")].address())

    def __exit__(self, *unused: object) -> None:
        super().__exit__(*unused)
        self._hosts.requests += self.requests
        self._hosts.failed_requests += len(self.errors)

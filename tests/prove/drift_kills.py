# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed at an observed moment while a client polls, and what the next two runs do."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import subprocess
import time

import yaml
from drift_site import ROOT, Failed, Poll, Site, kill_group, say

DECLARED = ROOT / "inventories/local/group_vars/app_blue_green/app_blue_green.yml"
WATCH = pathlib.Path(__file__).with_name("drift_watch.py")
PLATFORM = "/opt/mooring"
CHALL = "mooring-acme_test_ca-challtestsrv-1"
MODULE, CONTROLLER, GROUP = "module", "controller", "group"
MODULES_GONE = "! pgrep -fx '/usr/bin/python3 ?' >/dev/null"


@dataclasses.dataclass(frozen=True)
class Kill:
    """Who is killed when: a moment and its object as drift_watch.py knows them, ``@`` for the idle colour."""

    component: str
    victim: str
    moment: str
    what: str

    def __str__(self) -> str:
        return f"{self.component}: {self.victim} killed when {self.what} {self.moment}"


def project(component: str, victim: str, moment: str, path: str) -> Kill:
    """A moment in the state or the files of a component's project."""
    directory = "demo-@" if component == "app_blue_green" else component
    return Kill(component, victim, moment, f"{PLATFORM}/{directory}/{path}")


STAGED, KEPT = ".mooring/staged", ".mooring/previous/complete"
KILLS = (
    # A new route: written, validated, put in place, reloaded.
    project("nginx_certbot", MODULE, "exists", STAGED),
    project("nginx_certbot", MODULE, "exists", KEPT),
    project("nginx_certbot", MODULE, "differs", "nginx/routes.conf"),
    project("nginx_certbot", MODULE, "done", KEPT),
    project("nginx_certbot", CONTROLLER, "differs", "nginx/routes.conf"),
    project("nginx_certbot", GROUP, "exists", KEPT),
    # A new Redis account: read again without a restart.
    project("data_stores", MODULE, "differs", "secrets/redis/users.acl"),
    project("data_stores", GROUP, "exists", KEPT),
    # Another memory limit of the test CA: both of its services are made anew.
    project("acme_test_ca", MODULE, "differs", "compose.yml"),
    Kill("acme_test_ca", MODULE, "container", CHALL),
    Kill("acme_test_ca", CONTROLLER, "container", CHALL),
    # A new release: another colour, a switch, a record.
    project("app_blue_green", MODULE, "exists", STAGED),
    Kill("app_blue_green", MODULE, "container", "mooring-demo-@-app-1"),
    Kill("app_blue_green", MODULE, "differs", f"{PLATFORM}/nginx_certbot/releases/demo"),
    Kill("app_blue_green", CONTROLLER, "container", "mooring-demo-@-app-1"),
    Kill("app_blue_green", GROUP, "differs", f"{PLATFORM}/nginx_certbot/releases/demo"),
)


def change(site: Site, component: str, number: int) -> dict[str, object]:
    """Variables that make a real change of a component, another one for each number."""
    if component == "nginx_certbot":
        routes = [{"path": path, "application": "demo", "access": "public"}
                  for path in ("/api", "/healthz", "/readyz", f"/extra-{number}")]
        return {"nginx_certbot_routes": routes}
    if component == "data_stores":
        account = {"name": f"extra{number}", "password": f"only-for-this-proof-{number}", "rules": "~extra:* +@read"}
        return {"data_stores_redis_accounts": [*site.extra["data_stores"]["data_stores_redis_accounts"], account]}
    if component == "acme_test_ca":
        return {"acme_test_ca_memory": f"{70 + number}m"}
    serving = re.search(r"mooring-demo-(?:blue|green)-app-1", site.sh("echo mooring-demo-$(cat "
                        f"{PLATFORM}/nginx_certbot/releases/demo)-app-1"))
    if not serving:
        raise Failed("no colour serves")
    release = site.sh(f"docker inspect -f '{{{{index .Config.Labels \"mooring.release\"}}}}' {serving.group()}").strip()
    # Another definition too: the warm colour may run this release already, and then nothing would be made anew.
    (application,) = yaml.safe_load(DECLARED.read_text())["app_blue_green_applications"]
    return {"app_blue_green_applications": [
        {**application, "release": "1.1.0" if release == "1.0.0" else "1.0.0", "memory": f"{260 + number}m"}]}


def kill(site: Site, one: Kill, variables: pathlib.Path) -> str:
    """Start the run, kill at the moment, and wait until nothing of it works any more; what went wrong, or nothing."""
    idle = "green" if site.sh(f"cat {PLATFORM}/nginx_certbot/releases/demo").strip() == "blue" else "blue"
    action = "module" if one.victim == MODULE else "say"
    with subprocess.Popen(
            ["docker", "exec", "-i", site.node.container, "python3", "-u", "-", one.moment,
             one.what.replace("@", idle), action],
            stdin=WATCH.open(), stdout=subprocess.PIPE, text=True) as watch:
        stdout = watch.stdout
        if stdout is None or stdout.readline().strip() != "ready":
            raise Failed("the watcher did not start")
        process = site.spawn("--tags", one.component, "-e", f"@{variables}")
        said = stdout.readline().strip()
        if said.startswith("reached") and one.victim == CONTROLLER:
            process.kill()
        elif said.startswith("reached") and one.victim == GROUP:
            kill_group(process)
        output = process.communicate()[0]
    site.write(f"$ killed: {one}: {said}\n{output}")
    # A module outlives its controller. Whoever starts a run now waits for the lock; here one waits first.
    site.wait(MODULES_GONE, 180)
    if not said.startswith("reached"):
        return "the moment never came"
    if one.victim == MODULE and said == "reached 0":
        return "no module was at work"
    return "" if process.returncode else "the run ended well"


def prove_kill(site: Site, one: Kill, number: int) -> list[str]:
    """One kill point; what was not as promised."""
    variables = site.scratch / "change.json"
    variables.write_text(json.dumps(change(site, one.component, number)))
    arguments = ("--tags", one.component, "-e", f"@{variables}")
    with Poll(site.node.address()) as poll:
        wrong = [said for said in [kill(site, one, variables)] if said]
        healing = site.run(*arguments)
        again = site.run(*arguments)
    if healing.changed < 0:
        wrong.append(f"the next run failed: {healing.output[-1200:]}")
    if again.changed != 0:
        wrong.append(f"the third run changed {again.changed}: {again.differences}")
    if poll.errors:
        wrong.append(f"{len(poll.errors)} of {poll.requests} requests failed: {poll.errors[:3]}")
    strays = [name for name in site.sh("docker ps -a --format '{{.Names}}'").split()
              if not re.fullmatch(r"mooring-\S+-1", name)]
    if strays:
        wrong.append(f"left behind: {', '.join(strays)}")
    say(f"{'NOT OK' if wrong else 'ok':<6} {one} ({poll.requests} requests, then {healing.changed} changed, "
        f"then {again.changed})")
    for text in wrong:
        say(f"       {text[:1500]}")
    return wrong


def prove(site: Site) -> tuple[int, list[str]]:
    """All kill points: how many were good, and the names of the others."""
    started = time.monotonic()
    good, failed = 0, []
    for number, one in enumerate(KILLS):
        try:
            wrong = prove_kill(site, one, number)
        except Failed as error:
            wrong = [str(error)]
            say(f"NOT OK {one}: {error}")
        good += not wrong
        failed += [str(one)] if wrong else []
    if site.run("-e", "mooring_allow_stateful_restart=true").changed < 0 or site.run().changed != 0:
        failed.append("back to the declaration after the kills")
    say(f"{good} of {len(KILLS)} kill points good ({time.monotonic() - started:.0f} s)")
    return good, failed

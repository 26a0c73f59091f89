#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that a Spring Boot service is deployed under load without a lost request.

    spring.py [--deploys 20] [--keep] [--reuse]

examples/apps/spring-backend as its README declares it, with MySQL, Redis, the CA and
the proxy, on a bare Debian 13 node with systemd. Two releases in turn, each third
deployment changes only its environment. Clients with kept connections never retry;
others ask for answers that take so long that some are under way at each SIGTERM.
Ends with one line of figures; status 0 only if all are good. Skipped, with the
reason, where Maven reaches no repository.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import json
import pathlib
import re
import subprocess
import sys
import threading
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/lab"), str(ROOT / "tests/prove")]

import lab  # noqa: E402
import load  # noqa: E402
import spring  # noqa: E402  the one of tests/lab, which stands first
from drift_site import IMAGES, Failed, Run, Site, Threads, parser, scratch  # noqa: E402

NAME, PORT = "shop.test", 443
PASSWORDS = {"vault_shop_mysql_password": "sentinel-mysql-1", "vault_shop_redis_password": "sentinel-redis-1"}
# Preflight takes no domain of examples.
README = json.loads(json.dumps(spring.variables(**PASSWORDS)).replace("shop.example.com", NAME))
IMAGE = f"mooring.local/{README['distro_images_applications'][0]['name']}"
RELEASES = ("1.0.0", "1.1.0")
WATCH, DRAIN = 2, 12
# Longer than a colour is watched and drained, so that some are under way when it gets SIGTERM, and some seconds shorter
# than with the two drain times of the application in addition: a busy machine is late.
SLOW_SECONDS, SLOW_CLIENTS = 20, 8
DRAIN_TIMES = {"DRAIN_SECONDS": "1", "DRAIN_LIMIT_SECONDS": "10"}
MARGIN = 2  # what the module does between watching and draining
CLIENTS, PAUSE = 12, 0.1
PARTS = "acme_test_ca,data_stores,nginx_certbot"
MYSQL = "docker exec -i mooring-data_stores-mysql-1"
GRANT = re.compile(r"GRANT (.+) ON (\S+) TO")


def application(turn: int) -> dict[str, t.Any]:
    """The README's application, with short times and an environment that changes each third turn."""
    (declared,) = README["app_blue_green_applications"]
    return {"app_blue_green_applications": [{
        **declared, "keep_warm": False, "drain_seconds": DRAIN,
        "env": {**declared["env"], **DRAIN_TIMES, "APP_CONFIGURATION": str(turn // 3)},
        "readiness": {**declared["readiness"], "watch": WATCH}}]}


def release(turn: int) -> str:
    """Another one each time, but in the turns that change the environment."""
    return RELEASES[(turn - turn // 3) % 2]


def inventory() -> dict[str, dict[str, t.Any]]:
    """What the README declares, in place of what inventories/local does."""
    def of(group: str) -> dict[str, t.Any]:
        return {name: value for name, value in README.items() if name.startswith(f"{group}_")}

    return {
        "all": {"ansible_connection": "ssh", "ansible_user": "root", "mooring_domain": NAME},
        "data_stores": of("data_stores"),
        "nginx_certbot": {**of("nginx_certbot"), "nginx_certbot_http_bind": "0.0.0.0:80",
                          "nginx_certbot_https_bind": f"0.0.0.0:{PORT}", "nginx_certbot_renewal": "host"},
        "app_blue_green": application(0)}


class Slow(Threads):
    """Clients whose requests take long, one begun every few seconds."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__(functools.partial(self._ask, number) for number in range(SLOW_CLIENTS))
        self.answered: list[tuple[float, float]] = []
        self.errors: list[str] = []

    def _ask(self, number: int) -> None:
        self._stop.wait(number * SLOW_SECONDS / SLOW_CLIENTS)
        connection = load.Client(self._address, PORT, NAME, plain=False)
        while not self._stop.is_set():
            began, error = time.time(), ""
            try:
                connection.request("GET", f"/api/slow?seconds={SLOW_SECONDS}", headers={"Host": NAME})
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    error = f"status {response.status}"
            except (OSError, http.client.HTTPException) as caught:
                error = f"{type(caught).__name__}: {caught}"
                connection.close()
            if error:
                self.errors.append(f"{time.strftime('%H:%M:%S', time.gmtime(began))} /api/slow {error} "
                                   f"after {time.time() - began:.1f} s")
            else:
                self.answered.append((began, time.time()))

    def held(self, moment: float) -> int:
        """How many requests that the old colour got before the switch were under way at this SIGTERM."""
        return sum(began < moment - WATCH - DRAIN - MARGIN and ended > moment for began, ended in self.answered)


class Place(Site):
    """The node with the platform and the Spring service."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory, "spring", inventory(), IMAGES[:5])
        self.terminated: list[float] = []

    def need_images(self) -> None:
        """The platform's, and both releases by the README's declaration."""
        super().need_images()
        self.say("building both releases, unless they are up to date")
        (declared,) = README["distro_images_applications"]
        built = self.build(distro_images_build=[declared["name"]], distro_images_applications=[
            {**declared, "tag": one, "args": {"RELEASE": one}} for one in RELEASES])
        if built.status and (unreachable := spring.UNREACHABLE.search(built.output)):
            raise Unreachable(f"Maven reaches no repository to build it: ...{unreachable[0][-160:]}")
        built.good("building the releases")

    def begin(self) -> None:
        """From a bare node to the first release."""
        self.start("--tags", PARTS)
        self.node.load([f"{IMAGE}:{one}" for one in RELEASES])
        self.deploy(0)

    def deploy(self, turn: int) -> Run:
        """One deployment by the playbook, which has to end well."""
        place = self.inventory / "group_vars/app_blue_green/zz_drift.yml"
        place.write_text(json.dumps(application(turn)))
        return self.run("-v", "-e", f"app_blue_green_release={release(turn)}",
                        playbook=self.code / "playbooks/deploy.yml").good(f"deployment {turn}")

    def watch(self) -> subprocess.Popen[str]:
        """Note when a colour gets SIGTERM, for as long as this process runs."""
        process = subprocess.Popen(
            ["docker", "exec", self.node.container, "docker", "events", "--filter", "event=kill", "--format",
             '{{.TimeNano}} {{.Actor.Attributes.name}} {{.Actor.Attributes.signal}}'],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

        def read() -> None:
            for line in process.stdout or ():
                moment, name, number = line.split()
                if "-shop-" in name and number == "15":
                    self.terminated.append(int(moment) / 1e9)

        threading.Thread(target=read, daemon=True).start()
        return process

    def expect_ended_well(self) -> None:
        """The colour that was stopped ended by itself and said so."""
        names = self.sh("docker ps --all --filter label=mooring.application=shop --filter status=exited "
                        "--format '{{.Names}}'").split()
        if len(names) != 1:
            raise Failed(f"one colour should be stopped: {names}")
        code = self.sh(f"docker inspect --format '{{{{.State.ExitCode}}}}' {names[0]}").strip()
        if code not in ("0", "143") or "Graceful shutdown complete" not in self.sh(f"docker logs {names[0]}"):
            raise Failed(f"{names[0]} did not end by itself (status {code})")

    def proxy_log(self) -> str:
        """The proxy's lines of requests that a client gave up, that failed, or that were asked of two colours."""
        return self.sh("docker logs mooring-nginx_certbot-nginx-1 2>&1 "
                       "| grep -E '\"status\":(499|5..)|\"upstream\":\"[^\"]*,' | tail -30", check=False)

    # -- MySQL ------------------------------------------------------------------

    def sql(self, statement: str) -> list[str]:
        """Lines of an answer to root."""
        return self.sh(f"{MYSQL} sh -c 'MYSQL_PWD=$(cat /run/secrets/root_password) mysql --user=root "
                       f"--batch --skip-column-names' <<'END'\n{statement}\nEND").splitlines()

    def visits(self) -> int:
        """How often /api/hello was answered; the deployments ask it too."""
        return int(self.sql("SELECT total FROM shop.visits")[0])

    def as_shop(self, statement: str, *options: str) -> str:
        """What the server says to the application's account over TCP."""
        client = f"mysql --user=shop --host=127.0.0.1 {' '.join(options)} --batch"
        return self.sh(f"{MYSQL} sh -c 'read -r MYSQL_PWD; export MYSQL_PWD; exec {client}' <<'END'\n"
                       f"{PASSWORDS['vault_shop_mysql_password']}\n{statement}\nEND", check=False)

    def expect_least_privilege(self) -> None:
        """TLS on every connection of the application, exactly the declared privileges, and nothing works without."""
        kinds = self.sql("SELECT DISTINCT connection_type FROM performance_schema.threads "
                         "WHERE processlist_user = 'shop'")
        if kinds != ["SSL/TLS"]:
            raise Failed(f"the application's connections are {kinds}")
        (account,) = README["data_stores_mysql_accounts"]
        declared = {"*.*": {"USAGE"}, **{f"`{level.split('.')[0]}`.*": set(privileges)
                                         for level, privileges in account["grants"].items()}}
        granted = {match[2]: set(match[1].split(", ")) for line in self.sql("SHOW GRANTS FOR shop@`%`")
                   if (match := GRANT.match(line))}
        if granted != declared:
            raise Failed(f"the account has {granted}, and {declared} is declared")
        refused = {"SELECT 1": ["--ssl-mode=DISABLED"], "DROP TABLE shop.visits": [], "CREATE DATABASE other": [],
                   "SELECT * FROM mysql.user": []}
        for statement, options in refused.items():
            said = self.as_shop(statement, *options)
            if "denied" not in said:
                raise Failed(f"'{statement}' {' '.join(options)} was not refused: {said[-300:]}")


class Unreachable(Exception):
    """This machine cannot build it."""


def prove(place: Place, deploys: int) -> tuple[str, bool]:
    """Deploy under load; the line of figures and whether all are good."""
    address, results = place.node.address(), {}
    clients = load.Load(argparse.Namespace(
        address=address, port=PORT, name=NAME, plain=False, path="/api/hello", header="X-Release",
        connections=CLIENTS, pause=PAUSE, seconds=7200, watched=None))
    thread = threading.Thread(target=lambda: results.update(clients.run()))
    watcher, before = place.watch(), place.visits()
    thread.start()
    try:
        with Slow(address) as slow:
            for turn in range(1, deploys + 1):
                run = place.deploy(turn)
                place.expect_ended_well()
                place.say(f"deployment {turn} of {deploys}: release {release(turn)}, {run.seconds:.0f} s; "
                          f"{clients.failed + len(slow.errors)} failed so far")
            place.expect_least_privilege()
    finally:
        clients.stop.set()
        thread.join()
        watcher.terminate()
        watcher.wait()
    held = [slow.held(moment) for moment in place.terminated]
    failed = results["failed"] + len(slow.errors)
    for error in [*results["errors"], *slow.errors[:10]]:
        place.say(f"failed: {error}")
    if failed:
        place.say(f"what the proxy logged of it:\n{place.proxy_log()}")
    visits = place.visits() - before
    line = (f"prove-spring: deploys={deploys} requests={results['requests'] + len(slow.answered) + len(slow.errors)} "
            f"failed={failed} slow={len(slow.answered)} sigterms={len(held)} held_at_sigterm={sum(held)} "
            f"releases={len(results['releases'])} tls=ok grants=ok")
    good = (failed == 0 and len(held) == deploys and all(held) and set(results["releases"]) == set(RELEASES)
            and visits >= results["requests"])
    if visits < results["requests"]:
        place.say(f"MySQL counted {visits} visits only")
    if not all(held):
        place.say(f"a SIGTERM met no request that was under way: {held}")
    return line, good


def main() -> int:
    """Parse, prove, clean up."""
    options = parser(__doc__ or "", "has no meaning here")
    options.add_argument("--deploys", type=int, default=20)
    args = options.parse_args()
    with scratch("spring", args) as directory:
        place = Place(directory)
        try:
            with place.standing(args, place.begin, lambda: place.deploy(0)):
                line, good = prove(place, args.deploys)
        except Unreachable as error:
            print(f"SKIPPED prove-spring: {error}")
            return 0
        except (Failed, lab.LabError) as error:
            print(f"prove-spring: not proved: {error}\nThe whole output is in {place.log}.")
            return 1
    print(line)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

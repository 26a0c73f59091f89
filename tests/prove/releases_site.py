# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node with the proxy and an application of the proof's own, its releases, and the load on them."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import tarfile
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._traffic import Traffic
from drift_site import NAME, PORT, Failed, Run, Site

HERE = pathlib.Path(__file__).resolve().parent
TOPIC = "releases"
APPLICATION, REPOSITORY = "shop", "shop.test/shop"
PROXY = "mooring-nginx_certbot-proxy-1"
PLATFORM = "/opt/mooring"
RECORD, LOCK = (f"{PLATFORM}/app_blue_green/{APPLICATION}.{kind}" for kind in ("json", "lock"))
FILE = f"{PLATFORM}/nginx_certbot/releases/{APPLICATION}"
CONTROL = f"curl -s --unix-socket {PLATFORM}/nginx_certbot/run/control.sock http://control/releases/{APPLICATION}"
PYTHON = ("python3", "-B", "/proof/releases_app.py")
# Of the platform's images this one has a Python, and neither a health check nor anything else of an application.
BASE = "mooring.local/certbot:4"
IMAGES = ("mooring.local/nginx:1.26", "mooring.local/pebble:2", BASE)
READINESS = {"path": "/readyz", "condition": "status == 'UP'", "timeout": 12, "watch": 2}
# For how long a colour may finish what it does: longer than the longest request of the load.
DRAIN_SECONDS = 22
SWITCH_MS, ROLLBACK_MS = 50, 1000
# Of the module that switches, in a run's output with -v.
SWITCH = re.compile(r'"switch_ms": ([\d.]+)')
SECONDS = re.compile(r'"seconds": ([\d.]+)(?=[^{}]*"step": "release_switch")')
PAUSED = ("upload", "websocket")
CLIENTS = {"hello": 44, "slow": 6, "upload": 3, "websocket": 8}
FEWER = {"hello": 12, "slow": 2, "upload": 1, "websocket": 3}


def declared(**options: t.Any) -> dict[str, t.Any]:
    """The application as the inventory declares it: the only place that knows how the role's variables are named."""
    application = {
        "name": APPLICATION, "image": REPOSITORY, "release": "r0", "env": {}, "secrets": {}, "memory": "192m",
        "migrate": [*PYTHON, "migrate"], "url": f"https://{NAME}:{PORT}/api/hello", "drain_seconds": DRAIN_SECONDS,
        "start_timeout": 60,
        "readiness": READINESS, **options}
    return {"app_blue_green_applications": [application]}


def group_vars(**options: t.Any) -> dict[str, dict[str, t.Any]]:
    """What inventories/local is overridden with."""
    route = {"application": APPLICATION, "access": "public"}
    return {
        "all": {"ansible_connection": "ssh", "ansible_user": "root"},
        "nginx_certbot": {
            "nginx_certbot_https_bind": f"0.0.0.0:{PORT}", "nginx_certbot_renewal": "host",
            "nginx_certbot_routes": [
                {"path": "/api", **route}, {"path": "/api/ws", "websocket": True, **route},
                {"path": "/api/upload", "max_body": "20m", "timeout": "120s", **route}]},
        "app_blue_green": declared(**options),
    }


@dataclasses.dataclass
class Figures:
    """What the last line says."""

    requests: int = 0
    failed: int = 0
    websockets: int = 0
    deploys: int = 0
    rollbacks: int = 0
    broken: int = 0
    kills: int = 0
    reload_failed: int = -1
    switch_ms: list[float] = dataclasses.field(default_factory=list)
    rollback_ms: list[float] = dataclasses.field(default_factory=list)

    def median(self, name: str) -> float:
        """Of a list of figures; -1 where nothing was measured."""
        values = getattr(self, name)
        return round(statistics.median(values), 1) if values else -1


@dataclasses.dataclass(frozen=True)
class Step:
    """One run of a playbook under load: when, and which releases it was about."""

    release: str
    begun: float
    ended: float
    # The release whose colour it gave to another one, and the one that it stopped after the drain; "" for none.
    replaced: str = ""
    stopped: str = ""
    # Whether it was undone, so that its own colour went too.
    undone: bool = False


def wrong_closes(
    closes: t.Iterable[dict[str, t.Any]], steps: t.Sequence[Step], first_seen: dict[str, float], drain: float,
) -> list[dict[str, t.Any]]:
    """The WebSockets that were ended when nothing had to end them.

    A release may end its own while its colour is given to another one or stopped,
    when the drain's limit has passed since its successor served; and when it is
    undone.
    """
    def right(close: dict[str, t.Any], step: Step, before: float) -> bool:
        # The client sees it at its next frame.
        if not step.begun <= close["at"] <= step.ended + 1:
            return False
        if close["release"] == step.stopped:
            return close["at"] - first_seen.get(step.release, step.ended) >= drain - 1
        if close["release"] == step.replaced:
            # The record says when the deployment before ended, a little before its run did.
            return close["at"] - before >= drain - 4
        return step.undone and close["release"] == step.release

    before = [-math.inf, *(step.ended for step in steps)]
    return [close for close in closes if not any(map(right, itertools.repeat(close), steps, before))]


class Load:
    """The program releases_load.py, and what it says."""

    def __init__(self, place: Place, clients: dict[str, int], port: int = PORT, counted: bool = True) -> None:
        self._place, self._counted = place, counted
        self._argv = [sys.executable, str(HERE / "releases_load.py"), "--address", place.node.address(), "--port",
                      str(port), "--name", NAME, *(f"--{kind}={number}" for kind, number in clients.items())]
        # Failures that a case expects, by the number of them.
        self.excused = 0
        self.last: dict[str, t.Any] = {}

    def __enter__(self) -> Load:
        self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_unused: object) -> None:
        try:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            for line in self._process.stdout:
                self.last = json.loads(line)
        finally:
            self._process.wait()
        self._place.write(f"load: {json.dumps({**self.last, 'errors': self.last.get('errors', [])[:20]})}")
        figures = self._place.figures
        if self._counted:
            figures.requests += self.last.get("requests", 0)
            figures.websockets += self.last.get("websockets", 0)
            figures.failed += self.last.get("failed", 0) - self.excused

    def ask(self, command: str) -> dict[str, t.Any]:
        """One command; what was seen until it was done."""
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Failed("the load ended by itself")
        self.last = json.loads(line)
        return self.last

    @contextlib.contextmanager
    def paused(self, *kinds: str) -> t.Iterator[None]:
        """While something is killed that would take with it what cannot be asked again."""
        self.ask(f"hold {' '.join(kinds)}")
        try:
            yield
        finally:
            self.ask("go")

    def expect_good(self, what: str, since: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Nothing failed, all in all or since an earlier answer; and nobody was served by what was not ready."""
        now, before = self.ask("tally"), since or {"failed": 0, "requests": 0}
        if now["not_ready"]:
            raise Failed(f"{what}: {now['not_ready']} answers of a release that was not ready")
        if now["failed"] - before["failed"]:
            raise Failed(f"{what}: {now['failed'] - before['failed']} of {now['requests'] - before['requests']} "
                         f"requests failed: {now['errors'][before['failed']:][:5]}")
        if now["requests"] - before["requests"] < 10:
            raise Failed(f"{what}: hardly anything was asked")
        return now


class Place(Site):
    """The node with the CA, the proxy and the application."""

    def __init__(self, scratch: pathlib.Path, figures: Figures) -> None:
        super().__init__(scratch, TOPIC, group_vars(), IMAGES)
        self.figures = figures
        self._releases = 0

    # -- from nothing -----------------------------------------------------------------------

    def begin(self) -> None:
        """From a bare node to the first release."""
        self.start("--tags", "docker_engine,acme_test_ca,nginx_certbot")
        self.prepare()

    def again(self) -> None:
        """On a node that was left."""
        self.run("--tags", "acme_test_ca,nginx_certbot").good("converging the site")
        self._releases = int(time.time()) % 100000
        self.prepare()

    def prepare(self) -> None:
        """The application's own layers, and its first release."""
        context = io.BytesIO()
        dockerfile = (f"FROM {BASE}\nCOPY releases_app.py releases_wire.py /proof/\nENTRYPOINT []\n"
                      f"CMD {json.dumps(PYTHON)}\n")
        with tarfile.open(fileobj=context, mode="w") as archive:
            for name, content in (("Dockerfile", dockerfile.encode()), *(
                    (name, (HERE / name).read_bytes()) for name in ("releases_app.py", "releases_wire.py"))):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        self.build(f"{REPOSITORY}-base", context.getvalue())
        self.image("r0")
        self.deploy("r0").good("the first release")

    def build(self, tag: str, context: bytes) -> None:
        """An image in the node, from a Dockerfile or an archive with one."""
        done = subprocess.run(["docker", "exec", "-i", self.node.container, "docker", "build", "--quiet", "--tag", tag,
                               "-"], input=context, capture_output=True, check=False)
        if done.returncode:
            raise Failed(f"{tag} was not built: {done.stderr.decode()[-1000:]}")

    def image(self, release: str, **environment: t.Any) -> None:
        """The image of a release."""
        words = " ".join(f"{name}={value}" for name, value in {"RELEASE": release, **environment}.items())
        self.build(f"{REPOSITORY}:{release}", f"FROM {REPOSITORY}-base\nENV {words}\n".encode())

    def new(self, **environment: t.Any) -> str:
        """The image of a release that there was not before; its name."""
        self._releases += 1
        release = f"r{self._releases}"
        self.image(release, **environment)
        return release

    def declare_again(self, **options: t.Any) -> None:
        """Other options of the application in the inventory."""
        self.extra = group_vars(**options)
        self.declare()

    # -- runs ---------------------------------------------------------------------------------

    def arguments(self, release: str, *more: str) -> tuple[str, ...]:
        """Of a run that deploys a release."""
        return ("-v", "-e", f"app_blue_green_release={release}", *more)

    def deploy(self, release: str, *more: str) -> Run:
        """One run of deploy.yml to its end."""
        return self.run(*self.arguments(release, *more), playbook=self.code / "playbooks/deploy.yml")

    def start_deploy(self, release: str) -> subprocess.Popen[str]:
        """One run of deploy.yml, under way."""
        return self.spawn(*self.arguments(release), playbook=self.code / "playbooks/deploy.yml")

    def rollback(self) -> Run:
        """One run of rollback.yml to its end."""
        return self.run("-v", playbook=self.code / "playbooks/rollback.yml")

    def measure(self, run: Run, rolled_back: bool = False) -> None:
        """Enter the figures of a run that switched."""
        switched, seconds = SWITCH.search(run.output), SECONDS.search(run.output)
        if not switched or not seconds:
            raise Failed(f"the run does not say how long its switch took:\n{run.output[-1500:]}")
        self.figures.switch_ms.append(float(switched.group(1)))
        if rolled_back:
            self.figures.rollback_ms.append(float(seconds.group(1)) * 1000)

    # -- looking ------------------------------------------------------------------------------

    def serving(self) -> str:
        """The colour that the proxy says to serve."""
        document = json.loads(self.sh(CONTROL))
        traffic = Traffic.from_line(document.get("traffic"))
        if traffic is None:
            raise Failed(f"no colour serves: {document}")
        return traffic.colour

    def container(self, colour: str) -> str:
        """Name of a colour's container."""
        return f"mooring-{APPLICATION}-{colour}-app-1"

    def idle(self) -> str:
        """The other colour."""
        return "green" if self.serving() == "blue" else "blue"

    def release_of(self, colour: str) -> str:
        """What a colour's container is a release of; "" where there is none."""
        return self.sh(f"docker inspect -f '{{{{index .Config.Labels \"mooring.release\"}}}}' {self.container(colour)} "
                       "2>/dev/null || true").strip()

    def entries(self) -> list[dict[str, t.Any]]:
        """The deployments on record."""
        return json.loads(self.sh(f"cat {RECORD}"))["history"]

    def expect_serving(self, release: str) -> None:
        """The colour that serves runs and is ready, and it is this release."""
        colour = self.serving()
        if self.release_of(colour) != release:
            raise Failed(f"{self.release_of(colour) or 'nothing'} serves in {colour} instead of {release}")
        self.expect_a_ready_colour()

    def expect_a_ready_colour(self) -> str:
        """The colour that serves, which has to be ready."""
        colour = self.serving()
        address = self.sh(f"docker inspect -f '{{{{.NetworkSettings.Networks.mooring.IPAddress}}}}' "
                          f"{self.container(colour)}").strip()
        said = self.sh(f"curl -s -m 5 http://{address}:8080/readyz", check=False)
        if '"UP"' not in said:
            raise Failed(f"{colour} serves and is not ready: {said or 'no answer'}")
        return colour


@dataclasses.dataclass
class Steps:
    """Runs under load, and what they did to which colour."""

    place: Place
    done: list[Step] = dataclasses.field(default_factory=list)

    def deploy(self, release: str, warm: bool = True) -> Run:
        """A release that has to come into service."""
        run, begun, before = self._run(lambda: self.place.deploy(release))
        run.good(f"deploying {release}")
        self.place.measure(run)
        self.place.expect_serving(release)
        self._enter(release, begun, before[1], "" if warm else before[0])
        self.place.figures.deploys += 1
        return run

    def rollback(self) -> Run:
        """Back to the warm colour."""
        run, begun, before = self._run(self.place.rollback)
        run.good("rolling back")
        self.place.measure(run, rolled_back=True)
        self.place.expect_serving(before[1])
        self._enter(before[1], begun)
        self.place.figures.rollbacks += 1
        return run

    def broken(self, release: str, reason: str) -> Run:
        """A release that must not come into service, for this reason."""
        run, begun, before = self._run(lambda: self.place.deploy(release))
        if run.status == 0:
            raise Failed(f"{release} was to fail, and was deployed")
        said = run.output.replace("\\n", "\n")
        if not re.search(reason, said):
            raise Failed(f"the run does not say '{reason}':\n{said[-2500:]}")
        self.place.expect_serving(before[0])
        self._enter(release, begun, before[1], undone=True)
        left = self.place.release_of(self.place.idle())
        if left == release:
            raise Failed(f"{release} failed and is still there")
        entry = self.place.entries()[-1]
        if (entry["result"], entry["release"]) != ("undone", release):
            raise Failed(f"the record does not say that {release} was undone: {entry}")
        self.place.figures.broken += 1
        return run

    def _run(self, play: t.Callable[[], Run]) -> tuple[Run, float, tuple[str, str]]:
        serving = self.place.serving()
        before = (self.place.release_of(serving), self.place.release_of("green" if serving == "blue" else "blue"))
        begun = time.time()
        return play(), begun, before

    def _enter(self, release: str, begun: float, replaced: str = "", stopped: str = "", undone: bool = False) -> None:
        self.done.append(Step(release, begun, time.time(), replaced, stopped, undone))


Case = t.Callable[[Place], None]

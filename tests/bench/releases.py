#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a switch and a rollback take, and what the release switch costs the proxy's traffic. Asserts nothing.

    releases.py [--switches 60] [--rollbacks 5] [--rounds 8] [--seconds 2]

A proxy and an application of its own on this machine's engine, by the roles nginx_certbot and app_blue_green: the
proxy with a certificate that nobody signed, the application an nginx that answers at once, so that it is not what is
measured. Needs root, the image mooring.local/nginx:1.26, and for the lines about traffic the program wrk.

- switch: the colour is written to its file, the proxy told, and its answer compared;
- rollback: playbooks/rollback.yml to the warm colour, from the module's begin to the switch;
- throughput: over TLS, on kept connections, with the platform's configuration and with a proxy_pass to one colour's
  address in its place, in turn; everything else is the same, the count for Prometheus too. Beside it what a request
  takes of a processor in the proxy, which a noisy machine disturbs less;
- p99: of requests to the platform's proxy while the colour is switched every 0.5 s, and while it is not, in turn.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests/lab")]

import lab  # noqa: E402
import nginx_conf  # noqa: E402
import yaml  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._proxy import Proxy  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._traffic import COLOURS, Traffic  # noqa: E402

IMAGE = "mooring.local/nginx:1.26"
LABEL = ("mooring.test", "bench")
PLAYBOOK = str(pathlib.Path(sys.executable).parent / "ansible-playbook")
NAME, APPLICATION, PATH = "bench.test", "shop", "/shop"
RELEASES = ("1", "2")
SWITCHING, SWITCH_PAUSE = "switching", 0.5
# Threads and connections of the client: it shares the processors with the proxy and what is behind it.
WRK = ("--threads", "1", "--connections", "16")

BACKEND = """\
FROM {image}
LABEL {label}
COPY nginx.conf /etc/bench/nginx.conf
ARG RELEASE
RUN sed -i "s/RELEASE/$RELEASE/" /etc/bench/nginx.conf
CMD ["nginx", "-c", "/etc/bench/nginx.conf", "-g", "daemon off;"]
"""
BACKEND_CONF = """\
worker_processes auto;
pid /tmp/nginx.pid;
error_log stderr warn;
events { worker_connections 2048; }
http {
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    access_log off;
    default_type application/json;
    server {
        listen 8080;
        location / {
            add_header X-Release RELEASE;
            return 200 '{"status":"UP","release":"RELEASE","what":"an answer as long as those of a small service are"}';
        }
    }
}
"""
# wrk goes to the address that is given and names the host of the URL, and tells what it saw as JSON.
SCRIPT = """\
local lookup = wrk.lookup
wrk.lookup = function(_, service) return lookup("{address}", service) end
function done(summary, latency, _)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
    io.write(string.format('{{"requests": %d, "rate": %.1f, "failed": %d, "p99": %.3f}}\\n', summary.requests,
        summary.requests / summary.duration * 1e6, failed, latency:percentile(99) / 1e3))
end
"""

Figures = dict[str, float]


def say(text: str) -> None:
    """Progress, plain."""
    print(f"bench: releases: {text}", file=sys.stderr, flush=True)


def free_port() -> int:
    """A port on loopback that nobody listens at now."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def processor_time(container: str) -> int:
    """Nanoseconds for which the processes of a container have run."""
    total = 0
    for pid in lab.docker("top", container, "-o", "pid").split()[1:]:
        with contextlib.suppress(FileNotFoundError):  # a health check that has ended
            total += int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    return total


class Platform:
    """Proxy and application on this machine's engine, with a prefix and a root of their own."""

    def __init__(self, scratch: pathlib.Path) -> None:
        self.scratch, self.root = scratch, scratch / "root"
        scratch.chmod(0o755)  # certificates are written as the proxy's user
        self.prefix = f"bench-{secrets.token_hex(3)}"
        self.image = f"{self.prefix}/app"
        self.directory = self.root / "nginx_certbot"
        self.https = f"127.0.0.1:{free_port()}"
        self.proxy = Proxy(str(self.directory / "run" / "control.sock"), str(self.directory / "releases"))

    def application(self, release: str) -> dict[str, t.Any]:
        """The variables that declare the application: the only place that knows them."""
        options = {
            "name": APPLICATION, "image": self.image, "release": release, "memory": "64m", "drain_seconds": 2,
            "readiness": {"path": "/readyz", "watch": 1}, "url": f"https://{NAME}:{self.https.split(':')[1]}{PATH}"}
        return {"app_blue_green_applications": [options]}

    def start(self) -> None:
        """The proxy, and both releases deployed one after the other, so that both colours are warm."""
        lab.docker("network", "create", "--label", "=".join(LABEL), self.prefix)
        self._images()
        self._inventory()
        say("converging the proxy")
        self._proxy()
        for release in RELEASES:
            say(f"deploying release {release}")
            self.play("deploy", **self.application(release))

    def _images(self) -> None:
        context = self.scratch / "image"
        context.mkdir()
        (context / "Dockerfile").write_text(BACKEND.format(image=IMAGE, label="=".join(LABEL)))
        (context / "nginx.conf").write_text(BACKEND_CONF)
        for release in RELEASES:
            lab.docker("build", "--quiet", "--tag", f"{self.image}:{release}", "--build-arg", f"RELEASE={release}",
                       str(context))

    def _inventory(self) -> None:
        """What the roles are told about this machine."""
        defaults = yaml.safe_load((ROOT / "roles/platform/defaults/main.yml").read_text())["mooring_service_defaults"]
        variables = {
            "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3",
            "mooring_domain": NAME, "mooring_root": str(self.root), "mooring_prefix": self.prefix,
            "mooring_service_defaults": {**defaults, "labels": dict([LABEL])},
            "preflight_disk_minimum": "1m", "preflight_memory_minimum": "1m",
            "nginx_certbot_image": IMAGE, "nginx_certbot_http_bind": f"127.0.0.1:{free_port()}",
            "nginx_certbot_https_bind": self.https,
            "nginx_certbot_routes": [{"path": PATH, "application": APPLICATION, "access": "public"}]}
        groups = {name: {"hosts": {"here": None}} for name in ("docker_engine", "nginx_certbot", "app_blue_green")}
        (self.scratch / "hosts.yml").write_text(yaml.safe_dump({
            "all": {"hosts": {"here": {**variables, **self.application(RELEASES[0])}}}, **groups}))

    def _proxy(self) -> None:
        """The role's steps but those that need a CA."""
        (task,) = yaml.safe_load((ROOT / "roles/nginx_certbot/tasks/main.yml").read_text())
        (steps,) = [found["steps"] for name, found in task.items() if name.endswith(".component")]
        placeholder, project = steps[0], next(step for step in steps if "compose_project" in step)
        project["compose_project"]["src"] = str(ROOT / "roles/nginx_certbot/templates/project")
        playbook = self.scratch / "proxy.yml"
        playbook.write_text(json.dumps([{"hosts": "nginx_certbot", "gather_facts": False, "tasks": [
            # Its defaults and variables, and nothing else of it.
            {"ansible.builtin.import_role": {"name": "mooring.stack.nginx_certbot", "rolespec_validate": False},
             "when": False},
            {"mooring.stack.component": {"steps": [placeholder, project]}}]}]))
        self.play(str(playbook))

    def play(self, playbook: str, **variables: t.Any) -> str:
        """Output of a run, which has to end well."""
        path = playbook if playbook.endswith(".yml") else f"playbooks/{playbook}.yml"
        done = subprocess.run(
            [PLAYBOOK, "-v", "-i", str(self.scratch / "hosts.yml"), path, "-e", json.dumps(variables)],
            cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"})
        if done.returncode:
            sys.exit(f"bench: '{playbook}' failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
        return done.stdout

    def variant(self, name: str, change: t.Callable[[list[nginx_conf.Directive]], list[nginx_conf.Directive]]) -> str:
        """Another proxy from the same project, with its configuration changed; the name of its container."""
        copy = self.scratch / name
        lab.run("cp", "--archive", str(self.directory), str(copy))
        for path in copy.glob("nginx/*.conf"):
            path.write_text(nginx_conf.dump(change(nginx_conf.parse(path.read_text()))))
        compose = yaml.safe_load((copy / "compose.yml").read_text())
        del compose["services"]["proxy"]["ports"]
        compose["name"] = f"{self.prefix}-{name}"
        (copy / "compose.yml").write_text(yaml.safe_dump(compose))
        lab.docker("compose", "--project-directory", str(copy), "up", "--detach", "--wait")
        return f"{self.prefix}-{name}-proxy-1"

    def address(self, container: str) -> str:
        """Of a container on the platform network."""
        return lab.docker("inspect", "--format", f'{{{{(index .NetworkSettings.Networks "{self.prefix}").IPAddress}}}}',
                          container)

    def switches(self, count: int) -> list[float]:
        """Milliseconds of each of so many switches; the colour that is on record serves again afterwards."""
        times, recorded = [], self.proxy.traffic(APPLICATION)
        for turn in range(count):
            began = time.monotonic()
            self.proxy.switch(APPLICATION, Traffic(COLOURS[turn % 2]))
            times.append((time.monotonic() - began) * 1000)
        self.proxy.switch(APPLICATION, recorded)
        return times

    @contextlib.contextmanager
    def switching(self) -> t.Iterator[None]:
        """The colour is switched all the time."""
        stop = threading.Event()

        def switch() -> None:
            for colour in itertools.cycle(COLOURS):
                self.proxy.switch(APPLICATION, Traffic(colour))
                if stop.wait(SWITCH_PAUSE):
                    return

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            switches = pool.submit(switch)
            try:
                yield
            finally:
                stop.set()
            switches.result()

    def rollbacks(self, count: int) -> list[float]:
        """Milliseconds of each of so many rollbacks to the warm colour, as the module tells them."""
        times = []
        for turn in range(count):
            say(f"rollback {turn + 1} of {count}")
            said = self.play("rollback")
            found = re.search(r'"seconds": ([\d.]+), "step": "release_switch"', said)
            if not found:
                sys.exit(f"bench: the rollback switched nothing:\n{said[-3000:]}")
            times.append(float(found[1]) * 1000)
        return times

    def load(self, proxy: str, seconds: float) -> Figures:
        """What wrk sees at a proxy's container, and the microseconds of a processor that this takes per request."""
        script = self.scratch / f"{proxy}.lua"
        script.write_text(SCRIPT.format(address=self.address(proxy)))
        before = processor_time(proxy)
        said = lab.run("wrk", *WRK, "--duration", f"{seconds:.0f}s", "--script", str(script),
                       f"https://{NAME}{PATH}").stdout.decode()
        figures: Figures = json.loads(said.strip().splitlines()[-1])
        return {**figures, "cpu": (processor_time(proxy) - before) / 1e3 / max(1, figures["requests"])}

    def remove(self) -> None:
        """Everything that carries the prefix, also what a run that was ended is still making."""
        def gone() -> bool:
            names = lab.docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{self.prefix}-").split()
            if names:
                lab.docker("rm", "--force", "--volumes", *names, check=False)
            lab.docker("network", "rm", self.prefix, check=False)
            return not lab.docker("network", "ls", "--quiet", "--filter", f"name=^{self.prefix}$")

        lab.wait_for(f"containers and network {self.prefix} are gone", 60, gone, lambda: "")
        if images := lab.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", self.image).split():
            lab.docker("image", "rm", "--force", *images)


def row(name: str, values: t.Sequence[float], note: str, digits: int = 1) -> str:
    """A line of the table: median, 95th percentile and largest."""
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return (f"{name:<24}{statistics.median(values):>10.{digits}f}{high:>10.{digits}f}{ordered[-1]:>10.{digits}f}"
            f"  {note}")


def traffic(platform: Platform, rounds: int, seconds: float) -> list[str]:
    """The lines about throughput and p99."""
    backend = f"{platform.address(f'{platform.prefix}-{APPLICATION}-{COLOURS[0]}-app-1')}:8080"
    switched = f"{platform.prefix}-nginx_certbot-proxy-1"
    subjects = {
        "with the switch": switched,
        "plain": platform.variant("plain", lambda found: nginx_conf.plain(found, f"http://{backend}")),
        "plain, kept": platform.variant("kept", lambda found: nginx_conf.kept(
            nginx_conf.plain(found, "http://backend"), "backend", backend))}
    seen: dict[str, list[Figures]] = {name: [] for name in (*subjects, SWITCHING)}
    for proxy in subjects.values():  # fill caches
        platform.load(proxy, 1)
    for turn in range(rounds):
        say(f"throughput and p99, round {turn + 1} of {rounds}")
        # What comes first in one round comes last in the next.
        for name in list(seen)[::-1 if turn % 2 else 1]:
            with platform.switching() if name == SWITCHING else contextlib.nullcontext():
                seen[name].append(platform.load(subjects.get(name, switched), seconds))
    lines = []
    for figure, unit in (("rate", "1/s"), ("cpu", "CPU us")):
        # Of the same round, because a noisy minute hits both.
        ratio = statistics.median(ours[figure] / max(1, plain[figure]) for ours, plain in zip(
            seen["with the switch"], seen["plain"], strict=True))
        goal = " (goal: at least 0.9)" if figure == "rate" else ""
        notes = {"with the switch": f"{ratio:.2f} x plain{goal}", "plain": "proxy_pass to an address",
                 "plain, kept": "and connections to it are kept"}
        lines += [row(f"{name}, {unit}", [one[figure] for one in seen[name]], note, 0) for name, note in notes.items()]
    for name, title, note in (("with the switch", "p99 steady, ms", "no switch"),
                              (SWITCHING, "p99 switching, ms", f"a switch each {SWITCH_PAUSE} s")):
        lines.append(row(title, [one["p99"] for one in seen[name]], note))
    rates = [one["rate"] for one in seen["with the switch"]]
    if min(rates) < max(rates) / 3:
        lines.append("bench: the rounds differ by more than three times: something disturbed them.")
    if failed := sum(one["failed"] for found in seen.values() for one in found):
        lines.append(f"bench: {failed:.0f} requests failed; the figures of traffic mean nothing.")
    return lines


def stop(signum: int, _frame: object) -> None:
    """End in a way that removes what was made; a second signal does not disturb that."""
    signal.signal(signum, signal.SIG_IGN)
    sys.exit("bench: stopped.")


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switches", type=int, default=60)
    parser.add_argument("--rollbacks", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2)
    args = parser.parse_args()
    if why := lab.unbuilt(IMAGE):
        print(f"bench: releases: skipped, because {why}")
        return 0
    if os.geteuid():
        print("bench: releases: skipped, because the switch's files are root's. 'sudo make bench' measures it.")
        return 0
    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="mooring-bench-", ignore_cleanup_errors=True) as scratch:
        platform = Platform(pathlib.Path(scratch))
        try:
            platform.start()
            say("switches")
            lines = [row("switch, ms", platform.switches(args.switches), f"{args.switches} of them (goal: at most 50)"),
                     row("rollback, ms", platform.rollbacks(args.rollbacks), "to a warm colour (goal: at most 1000)")]
            if shutil.which("wrk"):
                lines += traffic(platform, args.rounds, args.seconds)
            else:
                lines.append("bench: throughput and p99: skipped, because wrk is missing: apt-get install wrk.")
        finally:
            platform.remove()
    print(f"{'releases':<24}{'median':>10}{'p95':>10}{'max':>10}  note")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())

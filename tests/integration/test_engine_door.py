# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The read-only door to the engine and its metrics: what it answers, what it refuses, and what it never shows.

Most of it asks the machine's own engine about the containers of a platform that does not exist. What an engine does
seldom, and what must not reach one, is asked of a stand-in that listens in its place.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import http.client
import http.server
import json
import os
import pathlib
import re
import secrets
import socket
import socketserver
import subprocess
import threading
import time
import typing as t
import urllib.parse

import pytest
import templates
from ansible_collections.mooring.stack.plugins.module_utils._docker import SOCKET
from ansible_collections.mooring.stack.plugins.module_utils._unix_http import UnixConnection
from conftest import ROOT, docker

NGINX = "mooring.local/nginx:1.26"
SOURCE = ROOT / "roles/monitoring/templates/project/engine"
UID = 101
DOOR, METRICS = 2375, 9323
# Stands wherever a secret may stand: environment, command line, health check, output of a health check.
SENTINEL = "sentinel-that-nobody-shows"


class Answer(t.NamedTuple):
    """Of the door."""

    status: int
    headers: t.Mapping[str, str]
    body: str

    @property
    def document(self) -> t.Any:
        return json.loads(self.body)


class Door:
    """A container as the role would run it, in front of ``engine``, the path of a socket."""

    def __init__(self, directory: pathlib.Path, prefix: str, engine: str, *options: str) -> None:
        self.name = f"{prefix}-door-{secrets.token_hex(2)}"
        self.render(directory / "engine", prefix)
        docker("run", "--detach", "--label", "mooring.test=1", "--name", self.name, "--read-only", "--tmpfs", "/tmp",
               "--user", f"{UID}:{os.stat(engine).st_gid}", "--cap-drop", "ALL", "--security-opt",
               "no-new-privileges:true", "--memory", "64m", "--pids-limit", "512", *options,
               "--volume", f"{directory / 'engine'}:/etc/mooring:ro", "--volume", f"{engine}:/var/run/docker.sock:ro",
               "--entrypoint", "nginx", NGINX, "-e", "stderr", "-c", "/etc/mooring/nginx.conf")
        self.wait(lambda: self.get("/nothing").status == 403)

    @staticmethod
    def render(directory: pathlib.Path, prefix: str) -> None:
        """The role's tree, with the one variable of the platform that it reads."""
        variables = {"ansible_managed": "test", "mooring_prefix": prefix, "mooring_network": "platform"}
        for name, text in templates.render_tree(SOURCE, variables).items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    @property
    def address(self) -> str:
        return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name)

    def get(self, path: str, method: str = "GET", port: int = DOOR, **more: t.Any) -> Answer:
        """The answer to a request; ``path`` is sent to the byte."""
        with contextlib.closing(http.client.HTTPConnection(self.address, port, timeout=20)) as connection:
            connection.request(method, path, **more)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))

    def metrics(self) -> Metrics:
        answer = self.get("/metrics", port=METRICS)
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return parsed(answer.body)

    def wait(self, condition: t.Callable[[], t.Any], seconds: float = 30) -> None:
        """Until it holds."""
        limit = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if condition():
                    return
            assert time.monotonic() < limit, self.said()
            time.sleep(0.1)

    def said(self) -> str:
        """Its log, which is what nginx writes to standard error."""
        return subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True).stderr

    def remove(self) -> None:
        docker("rm", "--force", self.name)


Metrics = dict[tuple[str, str], float]
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\} ([0-9.e+-]+)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
LABELS = ["container", "project", "service", "application", "colour", "release"]


def parsed(text: str) -> Metrics:
    """Values by container and name without ``mooring_container_``, of a page that has to be strictly of its format.

    https://prometheus.io/docs/instrumenting/exposition_formats/: a family in one piece with HELP and TYPE before it,
    no sample twice, and a line feed at the end.
    """
    assert text == "" or text.endswith("\n")
    found: Metrics = {}
    families: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in families and line.split(" ", 3)[3]
            families.append(name)
            kind = next(lines)
            assert kind in (f"# TYPE {name} gauge", f"# TYPE {name} counter")
            assert kind.endswith("counter") == name.endswith("_total")
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        assert sample[1] == families[-1]
        labels = LABEL.findall(sample[2])
        assert [label for label, _value in labels] == LABELS
        key = (dict(labels)["container"], sample[1].removeprefix("mooring_container_"))
        assert key not in found
        found[key] = float(sample[3])
    return found


def of(metrics: Metrics, container: str) -> dict[str, float]:
    return {name: value for (owner, name), value in metrics.items() if owner == container}


# ---------------------------------------------------------------- a platform on the machine's own engine


STATES = {"running", "restarting", "restarts_total", "start_time_seconds", "oom_killed"}
USES = {"cpu_seconds_total", "memory_bytes", "memory_limit_bytes", "pids", "block_read_bytes_total",
        "block_write_bytes_total", "network_receive_bytes_total", "network_transmit_bytes_total"}
WAITS = ["sleep", "1000"]


class Platform:
    """Containers of a platform, one of another, and a door that shows the first."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.prefix = f"mooringtest{secrets.token_hex(3)}"
        self.directory = directory

    def start(self) -> None:
        self.run("web", "--env", f"PASSWORD={SENTINEL}", "--memory", "48m", "--health-cmd", f"echo {SENTINEL}",
                 "--health-interval", "1s", "--label", "mooring.application=shop", "--label", "mooring.colour=blue",
                 "--label", 'mooring.release=1.0 "a\\b"', "--label", f"mooring.component={self.component('web')}",
                 command=["sh", "-c", f"echo begun; : {SENTINEL}; while :; do sleep 1; done"])
        self.run("ill", "--health-cmd", f"echo {SENTINEL}; exit 1", "--health-interval", "1s", "--health-retries", "1")
        self.run("starting", "--health-cmd", "true", "--health-interval", "1h", "--network", "none")
        self.run("terminal", "--tty", command=["sh", "-c", "echo begun; exec sleep 1000"])
        self.run("stopped", command=["sh", "-c", "exit 3"])
        self.run("again", "--restart", "always", command=["sh", "-c", "exit 4"])
        self.run("failed", command=[f"/no/{SENTINEL}"], starts=False)
        self.run("once", "--label", "com.docker.compose.oneoff=True")
        self.run("alien", "--env", f"PASSWORD={SENTINEL}", project="another")
        # A platform whose name begins like this one's.
        self.run("neighbour", "--label", "mooring.component=shop", project=f"{self.prefix}-two-shop")
        docker("run", "--detach", "--label", "mooring.test=1", "--name", self.named("free"), NGINX, *WAITS)
        self.door = Door(self.directory, self.prefix, SOCKET)
        self.door.wait(lambda: (self.health("ill"), self.health("web")) == ("unhealthy", "healthy"))

    def health(self, service: str) -> str:
        return docker("inspect", "--format", "{{.State.Health.Status}}", self.named(service))

    def component(self, service: str) -> str:
        return f"of-{service}"

    def named(self, service: str) -> str:
        return f"{self.prefix}-{service}"

    def run(
        self, service: str, *options: str, project: str = "", command: list[str] = WAITS, starts: bool = True,
    ) -> None:
        docker("run", "--detach", "--label", "mooring.test=1", "--name", self.named(service),
               "--label", f"com.docker.compose.project={project or self.prefix + '-' + self.component(service)}",
               "--label", f"com.docker.compose.service={service}", *options, NGINX, *command, check=starts)

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", *docker(
            "ps", "--all", "--quiet", "--filter", f"name=^{self.prefix}").split())


OURS = {"web", "ill", "starting", "terminal", "stopped", "again", "failed"}
THEIRS = ["once", "alien", "neighbour", "free"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("platform"))
    try:
        platform.start()
        yield platform
    finally:
        platform.remove()


@pytest.fixture(scope="module")
def door(platform: Platform) -> Door:
    return platform.door


def engine(question: str) -> t.Any:
    """What the engine itself answers."""
    with contextlib.closing(UnixConnection(SOCKET, 20)) as connection:
        connection.request("GET", question)
        return json.loads(connection.getresponse().read())


@pytest.mark.parametrize("version", ["", "/v1.41"])
def test_the_list_has_the_containers_of_the_platform(platform, door, version):
    found = door.get(f"{version}/containers/json?all=1&size=1").document
    assert {one["Names"][0] for one in found} == {f"/{platform.named(name)}" for name in OURS}
    own = {one["Id"]: one for one in engine(f"{version}/containers/json?all=1")}
    for one in found:
        original = own[one["Id"]]
        assert set(one) == {"Id", "Names", "Image", "ImageID", "Created", "Ports", "Labels", "State", "Status",
                            "HostConfig", "NetworkSettings"}
        assert one["Labels"] == original["Labels"]
        # The engine has them in no order.
        assert sorted(map(str, one["Ports"])) == sorted(map(str, original["Ports"]))
        for name, endpoint in one["NetworkSettings"]["Networks"].items():
            assert endpoint.items() <= original["NetworkSettings"]["Networks"][name].items()
            assert {"NetworkID", "IPAddress"} <= set(endpoint)
    web = next(one for one in found if one["Names"] == [f"/{platform.named('web')}"])
    assert web["HostConfig"] == {"NetworkMode": "default"} and web["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]


def test_the_list_without_the_stopped_ones_and_with_filters(platform, door):
    running = {one["Names"][0] for one in door.get("/containers/json").document}
    assert f"/{platform.named('stopped')}" not in running and f"/{platform.named('web')}" in running
    filters = urllib.parse.quote(json.dumps({"label": ["mooring.colour=blue"]}))
    assert [one["Names"] for one in door.get(f"/containers/json?filters={filters}").document] == [
        [f"/{platform.named('web')}"]]
    assert door.get("/containers/json?filters=x").document["message"].startswith("invalid"), "says the engine"


@pytest.mark.parametrize("version", ["", "/v1.41"])
def test_a_container_by_its_name_and_by_its_id(platform, door, version):
    name = platform.named("web")
    found = door.get(f"{version}/containers/{name}/json").document
    original = engine(f"{version}/containers/{name}/json")
    assert door.get(f"{version}/containers/{original['Id']}/json").document == found
    # Health checks run meanwhile, and change nothing else.
    assert found["State"] == {**{key: original["State"][key] for key in found["State"]},
                              "Health": {"Status": "healthy", "FailingStreak": 0}}
    assert found["Config"]["Tty"] is False and found["Config"]["Labels"] == original["Config"]["Labels"]
    assert found["HostConfig"]["NetworkMode"] == "default" and found["HostConfig"]["LogConfig"] == {
        "Type": original["HostConfig"]["LogConfig"]["Type"]}
    for secret in ("Env", "Cmd", "Entrypoint", "Healthcheck"):
        assert secret in original["Config"] or secret == "Entrypoint"
        assert secret not in found["Config"]
    assert not {"Path", "Args", "Mounts", "GraphDriver", "LogPath", "ExecIDs"} & set(found)
    assert door.get(f"/containers/{platform.named('terminal')}/json").document["Config"]["Tty"] is True


@pytest.mark.parametrize("path", ["/containers/{}/json", "/v1.41/containers/{}/json", "/containers/{}/logs?stdout=1"])
@pytest.mark.parametrize("name", [*THEIRS, "nobody"])
def test_a_container_of_nobody_here_does_not_exist(platform, door, name, path):
    answer = door.get(path.format(platform.named(name)))
    assert (answer.status, answer.document) == (404, {"message": f"No such container: {platform.named(name)}"})


def test_networks(platform, door):
    found = {one["Name"]: one for one in door.get("/v1.41/networks").document}
    bridge = engine("/networks/bridge")
    assert found["bridge"]["Id"] == bridge["Id"]
    # What Prometheus makes labels of.
    assert {"Id", "Name", "Scope", "Internal", "Ingress", "Labels"} <= set(found["bridge"])
    assert not {"Containers", "Options", "IPAM"} & set(found["bridge"])
    assert door.get(f"/networks/{bridge['Id']}").document == found["bridge"] == door.get("/networks/bridge").document
    assert door.get("/networks/nobody").status == 404


def test_the_engine_itself(door):
    ping = door.get("/_ping")
    # From which the clients take the version that they ask with.
    assert (ping.status, ping.body, ping.headers["Api-Version"]) == (200, "OK", engine("/version")["ApiVersion"])
    head = door.get("/_ping", "HEAD")
    assert (head.status, head.headers["Api-Version"]) == (200, ping.headers["Api-Version"])
    assert door.get("/v1.41/version").document["Version"] == engine("/version")["Version"]
    info = door.get("/info").document
    original = engine("/info")
    assert info["ServerVersion"] == original["ServerVersion"] and info["MemTotal"] == original["MemTotal"]
    assert not {"HttpProxy", "RegistryConfig", "Swarm", "Labels", "Plugins", "SystemTime"} & set(info)
    answer = door.get("/v1.999/info")
    assert answer.status == 400 and "too new" in answer.document["message"]
    assert door.get("/containers/json", "HEAD").body == ""


def test_nothing_shows_what_may_be_secret(platform, door):  # defect 63
    names = [*sorted(OURS), *THEIRS]
    asked = ["/containers/json?all=1", "/version", "/info", "/networks", "/networks/bridge",
             *(f"/containers/{platform.named(name)}/json" for name in names),
             *(f"/containers/{platform.named(name)}/logs?stdout=1&stderr=1&details=1" for name in names)]
    assert SENTINEL in json.dumps(engine(f"/containers/{platform.named('web')}/json")), "it is there to be shown"
    for path in asked:
        answer = door.get(path)
        assert answer.status in (200, 404) and SENTINEL not in answer.body + str(answer.headers), path
    assert SENTINEL not in door.get("/metrics", port=METRICS).body
    assert SENTINEL not in door.said()


class Stream:
    """An answer that does not end, as it comes in."""

    def __init__(self, door: Door, path: str) -> None:
        self.connection = http.client.HTTPConnection(door.address, DOOR, timeout=20)
        self.connection.request("GET", path)
        self.text = b""

    @functools.cached_property
    def answer(self) -> http.client.HTTPResponse:
        """Events have no headers before the first one, which is the engine's way."""
        return self.connection.getresponse()

    def until(self, end: bytes, after: bytes = b"") -> bytes:
        """What came in until it has this in it, which comes within the timeout or is an error."""
        while end not in self.text.rpartition(after)[2] if after else end not in self.text:
            more = self.answer.read1(65536)
            assert more, self.text
            self.text += more
        return self.text

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@pytest.mark.parametrize("version", ["", "/v1.41"])
def test_a_log_is_followed(platform, door, version):
    name = platform.named("web")
    stream = Stream(door, f"{version}/containers/{name}/logs?stdout=1&stderr=1&follow=1&timestamps=1&since=0")
    # Of a container without a terminal: a header of eight bytes, and the time.
    assert re.match(rb"\x01\0\0\0\0\0\0.\d{4}-\d\d-\d\dT[0-9:.]+Z begun\n", stream.until(b"begun\n"), re.DOTALL)
    for number in range(3):
        line = f"line {version} {number}"
        begun = time.monotonic()
        docker("exec", name, "sh", "-c", f"echo '{line}' >/proc/1/fd/{1 + number % 2}")
        stream.until(line.encode() + b"\n")
        assert time.monotonic() - begun < 5, "it comes when it is written"
    stream.close()
    tail = door.get(f"{version}/containers/{name}/logs?stdout=1&tail=1").body
    assert tail.endswith(f"line {version} 2\n") and "begun" not in tail
    assert door.get(f"/containers/{name}/logs?stdout=1&follow=1", "HEAD").status == 200
    assert door.get(f"/containers/{name}/logs").status == 400, "the engine wants stdout or stderr"


def test_a_log_of_a_terminal_and_of_a_container_that_ended(platform, door):
    assert door.get(f"/containers/{platform.named('terminal')}/logs?stdout=1").body == "begun\r\n"
    assert door.get(f"/containers/{platform.named('stopped')}/logs?stdout=1&follow=1").body == ""


def test_many_logs_are_followed_at_once(platform, door):
    name = platform.named("web")
    streams = [Stream(door, f"/containers/{name}/logs?stdout=1&follow=1&tail=0") for _number in range(60)]
    assert {stream.answer.status for stream in streams} == {200}
    docker("exec", name, "sh", "-c", "echo all-of-them >/proc/1/fd/1")
    for stream in streams:
        stream.until(b"all-of-them\n")
        stream.close()
    assert door.metrics()


def test_the_library_that_the_callers_share_is_served(platform, door):
    """The docker command is built on it, as Prometheus, Alloy and Promtail are; it asks for the version first."""
    def through(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["docker", "--host", f"tcp://{door.address}:{DOOR}", *arguments],
                              capture_output=True, text=True, check=False, timeout=60)

    web = platform.named("web")
    listed = through("ps", "--all", "--format", "{{.Names}}")
    assert set(listed.stdout.split()) == {platform.named(name) for name in OURS}, listed.stderr
    state = through("container", "inspect", "--format", "{{.State.Running}} {{.Config.Tty}}", web)
    assert state.stdout == "true false\n"
    assert through("logs", web).stdout.startswith("begun\n")
    assert through("network", "inspect", "--format", "{{.Name}}", "bridge").stdout == "bridge\n"
    for refused in (["exec", web, "true"], ["run", NGINX], ["rm", "--force", web], ["cp", f"{web}:/etc/passwd", "-"],
                    ["top", web], ["image", "ls"], ["volume", "ls"], ["stop", web]):
        done = through(*refused)
        assert done.returncode and "containers of this platform" in done.stderr, refused
    assert docker("inspect", "--format", "{{.State.Status}}", web) == "running"


def test_states(platform, door):
    name = platform.named("again")
    door.wait(lambda: int(docker("inspect", "--format", "{{.RestartCount}}", name)) >= 4)
    before = int(docker("inspect", "--format", "{{.RestartCount}}", name))
    door.wait(lambda: of(door.metrics(), name)["restarting"] == 1)
    metrics = door.metrics()
    assert {owner for owner, _name in metrics} == {platform.named(service) for service in OURS}
    web = of(metrics, platform.named("web"))
    assert STATES | {"healthy"} <= set(web)
    assert {name: web[name] for name in STATES | {"healthy"} if name != "start_time_seconds"} == {
        "running": 1, "restarting": 0, "healthy": 1, "oom_killed": 0, "restarts_total": 0}
    started = docker("inspect", "--format", "{{.State.StartedAt}}", platform.named("web"))[:23]
    assert web["start_time_seconds"] == pytest.approx(datetime.datetime.fromisoformat(started + "+00:00").timestamp(),
                                                      abs=0.002)
    assert of(metrics, platform.named("ill"))["healthy"] == 0
    assert "healthy" not in of(metrics, platform.named("starting"))
    assert "healthy" not in of(metrics, platform.named("terminal"))
    stopped = of(metrics, platform.named("stopped"))
    assert set(stopped) == STATES and stopped["running"] == 0
    assert set(of(metrics, platform.named("failed"))) == STATES - {"start_time_seconds"}, "it never started"
    again = of(metrics, name)
    assert before <= again["restarts_total"] <= int(docker("inspect", "--format", "{{.RestartCount}}", name))


def test_labels(platform, door):
    line = next(line for line in door.get("/metrics", port=METRICS).body.splitlines()
                if line.startswith(f'mooring_container_running{{container="{platform.named("web")}"'))
    assert line == (
        f'mooring_container_running{{container="{platform.named("web")}",project="{platform.prefix}-of-web",'
        'service="web",application="shop",colour="blue",release="1.0 \\"a\\\\b\\""} 1')


def test_a_paused_container_runs(platform, door):
    docker("pause", platform.named("terminal"))
    try:
        assert of(door.metrics(), platform.named("terminal"))["running"] == 1
    finally:
        docker("unpause", platform.named("terminal"))


def test_what_a_container_uses_is_what_the_engine_says(platform, door):
    """Where it says anything: one that finds not all cgroups mounted says nothing, and then there is nothing here."""
    name = platform.named("web")
    stats = engine(f"/containers/{name}/stats?stream=false")
    web = of(door.metrics(), name)
    if stats["read"].startswith("0001"):
        assert not USES & set(web)
        pytest.skip("the engine of this machine does not measure its containers ('docker stats' shows zeros)")
    assert set(web) >= USES
    assert web["memory_limit_bytes"] == 48 * 1024 * 1024
    assert 0 < web["memory_bytes"] < web["memory_limit_bytes"]
    assert web["pids"] == pytest.approx(stats["pids_stats"]["current"], abs=2)
    assert web["cpu_seconds_total"] == pytest.approx(stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, abs=2)
    assert web["network_receive_bytes_total"] == pytest.approx(stats["networks"]["eth0"]["rx_bytes"], abs=100_000)
    assert set(of(door.metrics(), platform.named("starting"))) & USES <= USES - {
        "network_receive_bytes_total", "network_transmit_bytes_total"}


# ---------------------------------------------------------------- an engine that stands in


class Questions(http.server.BaseHTTPRequestHandler):
    """Answers what the test lets it answer."""

    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        path = self.path.split("?")[0]
        found = self.server.answers.get(path, (404, {"message": f"page not found: {path}"}))
        if callable(found):
            found = found(self.path)
        status, document = found
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_arguments: t.Any) -> None:
        """A unix socket has no address to log."""


Reply = tuple[int, t.Any]


class StandIn(socketserver.ThreadingUnixStreamServer):
    """Listens where the engine would."""

    daemon_threads = True
    request_queue_size = 200

    def __init__(self, path: str) -> None:
        super().__init__(path, Questions)
        os.chmod(path, 0o660)
        self.path = path
        self.answers: dict[str, Reply | t.Callable[[str], Reply]] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def has(self, *containers: dict[str, t.Any], **stats: t.Any) -> None:
        """These containers; ``stats`` by name, a reply or a document."""
        self.answers = {"/_ping": (200, b"OK")}
        self.answers["/containers/json"] = (200, [
            {"Id": one["Id"], "Names": [one["Name"]], "Labels": one["Config"]["Labels"]} for one in containers])
        for one in containers:
            self.answers[f"/containers/{one['Id']}/json"] = (200, one)
            reply = stats.get(one["Name"][1:], {})
            self.answers[f"/containers/{one['Id']}/stats"] = reply if callable(reply) or isinstance(
                reply, tuple) else (200, {"read": "2026-11-26T06:45:30.674506866Z", **reply})

    def handle_error(self, *_arguments: t.Any) -> None:
        """The door does not wait for ever, and an answer that comes later has nowhere to go."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


def described(name: str, project: str = "p-shop", **state: t.Any) -> dict[str, t.Any]:
    """What an engine says of a container."""
    return {
        "Id": f"id-{name}", "Name": f"/{name}", "RestartCount": 0,
        "State": {"Status": "running", "Running": True, "OOMKilled": False,
                  "StartedAt": "2026-11-26T06:45:05.248907138Z", **state},
        "Config": {"Labels": {"com.docker.compose.project": project, "com.docker.compose.service": name}}}


@pytest.fixture(scope="module")
def stand_in_place(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[tuple[StandIn, Door]]:
    directory = tmp_path_factory.mktemp("standin")
    stand_in = StandIn(str(directory / "docker.sock"))
    door = Door(directory, "p", stand_in.path)
    yield stand_in, door
    door.remove()
    stand_in.close()


@pytest.fixture
def stand_in(stand_in_place: tuple[StandIn, Door]) -> StandIn:
    stand_in = stand_in_place[0]
    stand_in.has()
    stand_in.seen.clear()
    return stand_in


@pytest.fixture
def before(stand_in_place: tuple[StandIn, Door]) -> Door:
    """The door before it."""
    return stand_in_place[1]


REFUSED = [
    "/containers/web", "/containers/web/archive?path=/etc", "/containers/web/export", "/containers/web/top",
    "/containers/web/changes", "/containers/web/stats", "/containers/web/attach/ws", "/containers/web/exec",
    "/exec/1/json", "/images/json", "/images/web/json", "/images/web/get", "/volumes", "/system/df", "/secrets",
    "/configs", "/services", "/nodes", "/swarm", "/swarm/unlockkey", "/tasks", "/plugins", "/auth", "/build",
    "/session", "/distribution/web/json", "/containers", "/containers/", "/", "/INFO", "/info/", "/networks/",
    "/v1.41/metrics", "/metrics", "/healthz",
    # Other ways to write one that is allowed, or to leave it.
    "//info", "//containers/json", "/containers//json", "/./info", "/v1.41/../info", "/v1.41//info", "/%69nfo",
    "/v1.41/containers/web/../../info", "/containers/../info", "/containers/x%2f..%2f..%2finfo",
    "/containers/%2e%2e/json",
    "/containers/web%2fjson", "/containers/web%2f..%2fother/json", "/containers/../json", "/containers/./json",
    "/containers/web/json/", "/containers/web/json;x", "/containers/web/json#x", "/containers/web\\json",
    "/info%20", "/info%0a", "/v2.0/info", "/v1/info", "/v1.4.1/info", "/v1.41/v1.41/info", "/vx/info",
    # Places that only the door's own script may go to.
    "/one/info", "/one/containers/json", "/all/containers/json", "/all/networks",
    "/passed/info", "/events", "/passed/containers/web/logs?stdout=1",
    "/passed/v1.41/images/json",
]
WRITES = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "LINK", "get"]
ALLOWED = ["/_ping", "/info", "/networks", "/containers/json", "/containers/web/json",
           "/v1.41/containers/web/logs?stdout=1"]


def test_of_several_networks_the_platform_s_is_shown(stand_in, before):
    several = {"aaa": {"IPAddress": "192.0.2.1"}, "platform": {"IPAddress": "192.0.2.2"}}
    labels = {"com.docker.compose.project": "p-shop"}
    stand_in.answers["/containers/json"] = (200, [
        {"Id": "both", "Labels": labels, "NetworkSettings": {"Networks": several}},
        {"Id": "other", "Labels": labels, "NetworkSettings": {"Networks": {"aaa": several["aaa"]}}}])
    assert {one["Id"]: one["NetworkSettings"]["Networks"] for one in before.get("/containers/json").document} == {
        "both": {"platform": several["platform"]}, "other": {"aaa": several["aaa"]}}


@pytest.mark.parametrize("path", REFUSED)
def test_paths_that_are_refused_do_not_reach_the_engine(stand_in, before, path):  # defect 63
    answer = before.get(path)
    assert answer.status == 403 and answer.headers["Content-Type"] == "application/json", path
    assert "containers of this platform" in answer.document["message"]
    assert stand_in.seen == []


@pytest.mark.parametrize("method", WRITES)
def test_methods_that_are_refused_do_not_reach_the_engine(stand_in, before, method):  # defect 63
    stand_in.has(described("web"))
    for path in [*ALLOWED, "/containers/create", "/containers/web/start", "/containers/web/exec", "/build"]:
        answer = before.get(path, method, body=b"x" * 3000 if method == "POST" else None)
        assert answer.status == 403 or (method == "get" and answer.status == 400), path
    assert stand_in.seen == []


@pytest.mark.parametrize("request_line", [
    "CONNECT engine:80", "GET info", "GET /info%00", "GET /../../etc", "GET /containers/..%2f..%2finfo"])
def test_what_is_no_request_is_refused(stand_in, before, request_line):
    with socket.create_connection((before.address, DOOR), 10) as connection:
        connection.sendall(f"{request_line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert re.match(rb"HTTP/1.1 40[035] ", connection.recv(100))
    assert stand_in.seen == []


def test_the_engine_is_asked_no_more_than_is_allowed(stand_in, before):
    stand_in.has(described("web"))
    stand_in.answers["/v1.41/containers/web/json"] = stand_in.answers["/containers/id-web/json"]
    headers = {"X-Registry-Auth": SENTINEL, "Authorization": SENTINEL, "Connection": "Upgrade", "Upgrade": "tcp"}
    before.get("/v1.41/containers/web/logs?stdout=1&details=1&since=1&tail=5%26x%3d1&stdout=%0d%0aX:y&x=1",
               headers=headers, body=b"{}")
    before.get("/containers/json?all=1&size=1&limit=1&x=1", "HEAD", headers=headers)
    before.get("/info?x=1", headers=headers)
    assert [(method, path) for method, path, _headers in stand_in.seen] == [
        ("GET", "/v1.41/containers/web/json"),
        ("GET", "/v1.41/containers/id-web/logs?stdout=1&stdout=%0D%0AX%3Ay&since=1&tail=5%26x%3D1"),
        ("GET", "/containers/json?all=1"),
        ("GET", "/info")]
    assert all(set(sent) <= {"Host", "Connection"} for _method, _path, sent in stand_in.seen)
    assert SENTINEL not in str(stand_in.seen) and "Upgrade" not in str(stand_in.seen)


# What two engines really said of a container; of the second only what differs by the version of cgroups.
VERSION_1 = {
    "pids_stats": {"current": 2, "limit": 512},
    "blkio_stats": {"io_service_bytes_recursive": [
        {"major": 8, "minor": 0, "op": "Read", "value": 4096}, {"major": 8, "minor": 0, "op": "Write", "value": 512},
        {"major": 8, "minor": 0, "op": "Sync", "value": 4608}, {"major": 8, "minor": 0, "op": "Total", "value": 4608},
        {"major": 8, "minor": 16, "op": "Read", "value": 1}]},
    "cpu_stats": {"cpu_usage": {"total_usage": 4101240284, "percpu_usage": [2186265618, 1914974666]}},
    "memory_stats": {
        "usage": 23728128, "max_usage": 31985664, "limit": 536870912,
        "stats": {"cache": 32768, "inactive_file": 0, "total_cache": 32768, "total_inactive_file": 4096}},
    "networks": {"eth0": {"rx_bytes": 11879, "tx_bytes": 9711}, "eth1": {"rx_bytes": 1, "tx_bytes": 2}},
}
VERSION_2 = {
    **VERSION_1,
    "blkio_stats": {"io_service_bytes_recursive": [
        {"major": 8, "minor": 0, "op": "read", "value": 4096}, {"major": 8, "minor": 0, "op": "write", "value": 512}]},
    "memory_stats": {"usage": 23728128, "limit": 536870912, "stats": {"file": 32768, "inactive_file": 8192}},
}


@pytest.mark.parametrize(("stats", "expected"), [
    (VERSION_1, {"memory_bytes": 23728128 - 4096, "block_read_bytes_total": 4097}),
    (VERSION_2, {"memory_bytes": 23728128 - 8192, "block_read_bytes_total": 4096}),
    # More cache than is in use says that the two were read at different times.
    ({**VERSION_2, "memory_stats": {"usage": 5, "limit": 9, "stats": {"inactive_file": 6}}},
     {"memory_bytes": 5, "memory_limit_bytes": 9}),
])
def test_what_a_container_uses(stand_in, before, stats, expected):
    stand_in.has(described("web"), web=stats)
    found = of(before.metrics(), "web")
    assert {name: found[name] for name in USES} == {
        "cpu_seconds_total": 4.101240284, "memory_limit_bytes": 536870912, "pids": 2, "block_read_bytes_total": 4096,
        "block_write_bytes_total": 512, "network_receive_bytes_total": 11880, "network_transmit_bytes_total": 9713,
        **expected}
    assert found["start_time_seconds"] == 1795675505.248
    assert "/containers/id-web/stats?stream=false&one-shot=true" in [path for _method, path, _sent in stand_in.seen]


def test_what_the_engine_cannot_tell_is_not_there(stand_in, before):
    """An engine that finds not all cgroups answers so, and one whose container is in the network of the host."""
    nothing = {"read": "0001-01-01T00:00:00Z", "pids_stats": {}, "cpu_stats": {"cpu_usage": {"total_usage": 0}},
               "blkio_stats": {"io_service_bytes_recursive": None}, "memory_stats": {}}
    host = {**VERSION_2, "blkio_stats": {"io_service_bytes_recursive": None}}
    del host["networks"]
    stand_in.has(described("web"), described("host"), web=nothing, host=host)
    metrics = before.metrics()
    assert set(of(metrics, "web")) == STATES
    assert set(of(metrics, "host")) == STATES | USES - {"network_receive_bytes_total", "network_transmit_bytes_total"}
    assert of(metrics, "host")["block_read_bytes_total"] == 0, "as docker stats has it"


@pytest.mark.parametrize("part", ["json", "stats"])
def test_a_container_that_vanishes_is_left_out(stand_in, before, part):
    stand_in.has(described("web"), described("gone"), web=VERSION_1, gone=VERSION_1)
    stand_in.answers[f"/containers/id-gone/{part}"] = (404, {"message": "No such container: id-gone"})
    metrics = before.metrics()
    assert of(metrics, "gone") == {} and of(metrics, "web")["running"] == 1


@pytest.mark.parametrize("reply", [(500, {"message": "it broke"}), (200, b"no document"), (200, b"")])
def test_a_container_whose_use_is_not_known_is_there(stand_in, before, reply):
    stand_in.has(described("web"), described("odd"), web=VERSION_1, odd=reply)
    metrics = before.metrics()
    assert set(of(metrics, "odd")) == STATES and set(of(metrics, "web")) >= USES


@pytest.mark.parametrize(("path", "reply", "message"), [
    ("/containers/json", (500, {"message": "it broke"}), "it broke"),
    ("/containers/json", (200, b"no document"), "does not answer"),
    ("/containers/id-web/json", (200, b"null"), "does not answer"),
    ("/containers/id-web/json", (500, {"message": "it broke"}), "it broke"),
])
def test_an_engine_that_does_not_tell_makes_the_scrape_fail(stand_in, before, path, reply, message):
    """Half of the containers would look as if the others were gone."""
    stand_in.has(described("web"), described("other"), web=VERSION_1, other=VERSION_1)
    stand_in.answers[path] = reply
    answer = before.get("/metrics", port=METRICS)
    assert answer.status in (500, 503) and message in answer.document["message"]


def test_a_failure_among_many_is_one(stand_in, before):
    names = [f"c{number}" for number in range(250)]
    stand_in.has(*map(described, names), **dict.fromkeys(names, VERSION_1))
    stand_in.answers["/containers/id-c3/json"] = stand_in.answers["/containers/id-c200/json"] = (500, {"message": "no"})
    for _time in range(3):
        assert before.get("/metrics", port=METRICS).status == 500
    stand_in.has(*map(described, names), **dict.fromkeys(names, VERSION_1))
    assert len(before.metrics()) == 250 * len(STATES | USES)
    assert not re.search(r"\[(alert|emerg|crit)\]|exited on signal|TypeError|ReferenceError", before.said())


def test_a_long_answer_is_read_to_its_end(stand_in, before):
    """nginx would leave one that fills its buffers waiting for ever, were it to buffer it."""
    many = [{**described(f"c{number}"), "Names": [f"/c{number}"],
             "Labels": {"com.docker.compose.project": "p-shop", "long": "x" * 3000}} for number in range(1000)]
    stand_in.answers["/containers/json"] = (200, many)
    assert len(before.get("/containers/json").document) == 1000
    stand_in.has({**described("web"), "GraphDriver": {"Data": "x" * 400_000}}, web=VERSION_1)
    assert of(before.metrics(), "web")["running"] == 1
    # And where it is longer than there is room, nobody is left waiting.
    stand_in.has({**described("web"), "GraphDriver": {"Data": "x" * 600_000}})
    with pytest.raises(http.client.RemoteDisconnected):
        before.metrics()
    assert "too big subrequest response" in before.said()


@pytest.mark.parametrize(("path", "status"), [("/containers/json", 503), ("/containers/id-web/stats", 200)])
def test_an_engine_that_hangs_is_not_waited_for(stand_in, before, path, status):
    """Prometheus gives a scrape ten seconds. What the states say is known even where the use is not."""
    stand_in.has(described("web"), described("other"), web=VERSION_1, other=VERSION_1)
    released = threading.Event()
    stand_in.answers[path] = lambda _path: (200, released.wait(30) and [])
    begun = time.monotonic()
    answer = before.get("/metrics", port=METRICS)
    assert answer.status == status and time.monotonic() - begun < 9
    released.set()
    if status == 200:
        assert set(of(parsed(answer.body), "web")) == STATES
        assert set(of(parsed(answer.body), "other")) >= USES


def test_a_hundred_and_fifty_containers(stand_in, before):
    def late(_path: str) -> Reply:
        time.sleep(0.05)
        return 200, {"read": "2026-11-26T06:45:30Z", **VERSION_1}

    names = [f"c{number}" for number in range(150)]
    stand_in.has(*map(described, names), **dict.fromkeys(names, late))
    metrics = before.metrics()
    assert sorted({owner for owner, _name in metrics}) == sorted(names)
    assert sum(name == "pids" for _owner, name in metrics) == 150


def test_only_what_it_serves(stand_in, before):
    for path in ["/", "/info", "/containers/json", "/one/info", "/passed/info", "/metrics/", "//metrics",
                 "/v1.41/metrics"]:
        assert before.get(path, port=METRICS).status == 403, path
    assert before.get("/metrics", "POST", port=METRICS).status == 403
    assert before.get("/metrics", "HEAD", port=METRICS).body == ""
    stand_in.seen.clear()
    with pytest.raises(ConnectionRefusedError):
        before.get("/healthz", port=8081)
    assert stand_in.seen == []


def health(door: Door) -> int:
    """Status of the health check, as the engine would run it."""
    return subprocess.run(["docker", "exec", door.name, "sh", "/etc/mooring/health.sh"], check=False).returncode


def test_the_health_check_asks_the_engine(stand_in, before):
    assert health(before) == 0
    assert [path for _method, path, _sent in stand_in.seen] == ["/_ping"]
    stand_in.answers["/_ping"] = (500, {"message": "it broke"})
    assert health(before) == 1
    assert before.get("/info").status == 404, "and it is still there"


@pytest.fixture
def own(tmp_path: pathlib.Path) -> t.Iterator[tuple[StandIn, Door]]:
    """A pair that a test may end."""
    stand_in = StandIn(str(tmp_path / "docker.sock"))
    door = Door(tmp_path, "p", stand_in.path, "--restart", "unless-stopped")
    yield stand_in, door
    door.remove()
    stand_in.close()


def test_an_engine_that_is_gone(own):
    stand_in, door = own
    stand_in.close()
    for path in ALLOWED:
        answer = door.get(path)
        assert (answer.status, answer.document) == (503, {"message": "The Docker engine does not answer."}), path
    assert door.get("/metrics", port=METRICS).status == 503
    assert door.get("/images/json").status == 403


def test_an_engine_that_was_started_anew_is_found(own, tmp_path):
    """With live-restore the door outlives it, and has mounted a socket that nobody listens at any more."""
    stand_in, door = own
    stand_in.close()
    os.unlink(stand_in.path)
    anew = StandIn(stand_in.path)
    anew.has()
    assert door.get("/containers/json").status == 503
    health(door)
    door.wait(lambda: door.get("/containers/json").status == 200)
    assert int(docker("inspect", "--format", "{{.RestartCount}}", door.name)) == 1
    assert health(door) == 0
    anew.close()

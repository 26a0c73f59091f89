# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reads asks the engine's socket, and the command line where that is not to be had."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import typing as t

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _docker
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

FOUND = {"Id": "1", "Name": "/one"}


@pytest.fixture
def engine(tmp_path) -> t.Iterator[t.Callable[[dict[str, tuple[int, t.Any]]], str]]:
    """Starts an engine that answers as told; 404 to everything else.

    What is posted goes by ``POST`` and the path; an answer may be a function of what it was.
    """
    with contextlib.ExitStack() as stack:

        def start(answers: dict[str, tuple[int, t.Any]]) -> str:
            path = str(tmp_path / "docker.sock")
            server = stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)))
            server.bind(path)
            server.listen()

            def serve() -> None:
                # Ends when the socket is closed.
                with contextlib.suppress(OSError):
                    while True:
                        connection, _address = server.accept()
                        with connection, connection.makefile("rb") as stream:
                            method, target, _version = stream.readline().decode().split()
                            headers = http.client.parse_headers(stream)
                            posted = json.loads(stream.read(int(headers.get("Content-Length", 0))) or "null")
                            question = target if method == "GET" else f"{method} {target}"
                            status, document = answers.get(question, (404, {"message": "No such thing"}))
                            if callable(document):
                                document = document(posted)
                            connection.sendall(
                                f"HTTP/1.0 {status} Word\r\nA: b\r\n\r\n{json.dumps(document)}".encode())

            threading.Thread(target=serve, daemon=True).start()
            return path

        yield start


class Cli:
    """A docker command that answers every call alike."""

    def __init__(self, rc: int = 0, out: str = "", err: str = "") -> None:
        self.answer, self.calls = (rc, out, err), []

    def __call__(self, argv: list[str]) -> tuple[int, str, str]:
        self.calls.append(argv)
        return self.answer


def died(action: str, code: str = "") -> str:
    return json.dumps({"Action": action, "Actor": {"Attributes": {"exitCode": code} if code else {}}})


@pytest.mark.parametrize(("events", "said"), [
    ([], ""),
    ([died("die", "3")], "ended with status 3"),
    ([died("die", "3"), died("die", "139")], "was ended by signal 11 (status 139)"),
    ([died("die", "137")], "was killed (status 137), as a process is that needs more memory than its limit allows"),
    ([died("oom"), died("die", "137")],
     "ran out of the memory that its limit allows and was killed (status 137)"),
    ([died("oom")], ""),
])
def test_how_a_restarted_container_ended_is_read_from_the_events(events, said):
    cli = Cli(out="".join(f"{event}\n" for event in events))
    assert Docker(cli, path="").last_ending("one", 10.0, 12.5) == said
    assert cli.calls[0][:6] == ["docker", "events", "--since", "10.000000000", "--until", "12.500000000"]


def test_the_architecture_is_the_engine_s(engine):
    assert Docker(Cli(), path=engine({"/version": (200, {"Version": "1", "Arch": "arm64"})})).architecture() == "arm64"
    assert Docker(Cli(out="amd64\n"), path="").architecture() == "amd64"
    assert Docker(Cli(rc=1), path="").architecture() == ""


def test_an_image_for_another_architecture_is_told(engine):
    docker = Docker(Cli(), path=engine({
        "/version": (200, {"Version": "1", "Arch": "amd64"}), "/images/a:1/json": (200, {"Architecture": "arm64"}),
        "/images/b:1/json": (200, {"Architecture": "amd64"})}))
    assert docker.foreign_images(["b:1", "a:1", "c:1"]) == ["The image a:1 is for arm64, and this engine runs amd64."]


def test_a_host_without_docker_has_no_engine():
    cli = Cli()
    docker = Docker(cli, binary="no-such-program", path="")
    assert (docker.info(), docker.version(), docker.address("one", "net")) == ({}, "", "")
    assert cli.calls == []


def test_what_exists_is_read_from_the_socket(engine):
    cli = Cli()
    docker = Docker(cli, path=engine({
        "/containers/one/json": (200, FOUND),
        "/images/example.com/app:1.0/json": (200, {"Id": "image"}),
        "/networks/net": (200, {"Name": "net"}),
        "/containers/json?all=1&filters=%7B%22label%22%3A%20%5B%22a%3Db%22%2C%20%22c%22%5D%7D": (200, [{"Id": "one"}]),
        "/containers/json?all=1&filters=%7B%22label%22%3A%20%5B%5D%2C%20%22volume%22%3A%20%5B%22data%22%5D%7D": (
            200, [{"Id": "two"}]),
        "/info": (200, {"ServerVersion": "20.10"}),
    }))
    assert docker.inspect("container", ["one", "none"]) == [FOUND]
    assert docker.inspect("image", ["example.com/app:1.0"]) == [{"Id": "image"}]
    assert docker.inspect("network", ["net", "none"]) == [{"Name": "net"}]
    assert docker.containers("a=b", "c") == ["one"]
    assert docker.containers(volume="data") == ["two"]
    assert docker.info() == {"ServerVersion": "20.10"}
    assert cli.calls == []


def test_overlays_are_the_networks_that_join_hosts(engine):
    docker = Docker(Cli(), path=engine({
        "/networks/wide": (200, {"Name": "wide", "Driver": "overlay"}),
        "/networks/narrow": (200, {"Name": "narrow", "Driver": "bridge"})}))
    assert docker.overlays({"wide", "narrow", "gone"}) == {"wide"}
    cli = Cli()
    assert Docker(cli, path="").overlays([]) == frozenset()
    assert cli.calls == [], "nothing to ask"


def test_get_tells_what_the_engine_answers_whatever_that_is(engine):
    docker = Docker(Cli(), path=engine({"/nodes": (503, {"message": "no leader"}), "/swarm": (200, {"ID": "1"})}))
    assert docker.get("/nodes") == (503, {"message": "no leader"})
    assert docker.get("/swarm") == (200, {"ID": "1"})


def test_post_gives_the_answer_or_the_engine_s_refusal(engine):
    docker = Docker(Cli(), path=engine({
        "POST /swarm/init": (200, lambda wish: f"{wish['ListenAddr']} it is"),
        "POST /swarm/join": (503, {"message": "already part of a swarm"}),
        "POST /swarm/leave": (500, None)}))
    assert docker.post("/swarm/init", {"ListenAddr": "192.0.2.11:2377"}) == "192.0.2.11:2377 it is"
    with pytest.raises(MooringError, match="refuses /swarm/join with status 503: already part of a swarm"):
        docker.post("/swarm/join", {"JoinToken": "sesame"})
    with pytest.raises(MooringError, match="status 500: no reason given"):
        docker.post("/swarm/leave", {"Force": True})


def test_what_only_the_socket_answers_needs_it():
    for ask in (lambda docker: docker.get("/nodes"), lambda docker: docker.post("/swarm/init", {"a": "b"})):
        cli = Cli()
        with pytest.raises(MooringError, match="does not answer /.*docker_engine role first.*DOCKER_HOST"):
            ask(Docker(cli, path=""))
        assert cli.calls == []


def test_without_the_socket_the_command_line_reads(tmp_path):
    cli = Cli(1, json.dumps([FOUND]), "Error: No such container: none")
    docker = Docker(cli, path=str(tmp_path / "nothing.sock"))
    assert docker.inspect("container", ["one", "none"]) == [FOUND]
    assert cli.calls == [["docker", "container", "inspect", "one", "none"]]


def test_the_command_line_lists_by_the_same_labels():
    cli = Cli(out="1\n2\n")
    assert Docker(cli, path="").containers("a=b", "c") == ["1", "2"]
    assert cli.calls == [
        ["docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", "label=a=b", "--filter", "label=c"]]
    assert Docker(cli, path="").containers(volume="data") == ["1", "2"]
    assert cli.calls[1:] == [["docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", "volume=data"]]


@pytest.mark.parametrize("status", [400, 500])
def test_what_the_engine_refuses_the_command_line_explains(engine, status):
    cli = Cli(1, "[]", "Error response from daemon: it broke")
    docker = Docker(cli, path=engine({"/volumes/v": (status, {"message": "it broke"})}))
    with pytest.raises(CommandFailed, match="it broke"):
        docker.inspect("volume", ["v"])


def test_what_is_no_engine_is_not_believed(tmp_path):
    path = str(tmp_path / "other.sock")
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as server:
        server.bind(path)
        server.listen()
        thread = threading.Thread(target=lambda: server.accept()[0].sendall(b"220 hello"), daemon=True)
        thread.start()
        cli = Cli(out="[]")
        assert Docker(cli, path=path)._ask("/version") is None


@pytest.mark.parametrize(("rc", "out", "found"), [
    (0, '{"ServerVersion": "20.10", "Driver": "overlay2"}', {"ServerVersion": "20.10", "Driver": "overlay2"}),
    # What the command line says where no engine answers.
    (1, '{"ServerVersion": "", "ServerErrors": ["Cannot connect"]}', {}),
    (0, '{"ServerErrors": ["Cannot connect"]}', {}),
    (1, "", {}),
])
def test_info_of_the_command_line(rc, out, found):
    assert Docker(Cli(rc, out), path="").info() == found


@pytest.mark.parametrize(("environment", "config", "path"), [
    ({}, None, _docker.SOCKET),
    ({}, "{}", _docker.SOCKET),
    ({}, '{"currentContext": "default"}', _docker.SOCKET),
    ({}, '{"currentContext": "remote"}', ""),
    ({}, "no JSON", ""),
    ({}, "[]", ""),
    ({"DOCKER_HOST": "tcp://192.0.2.1:2376"}, None, ""),
    ({"DOCKER_CONTEXT": "remote"}, None, ""),
])
def test_the_socket_is_asked_only_where_the_command_line_would(monkeypatch, tmp_path, environment, config, path):
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    assert _docker.local_socket() == path

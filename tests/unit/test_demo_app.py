"""The demo application without a database: its answers, and that its end loses no request."""

from __future__ import annotations

import http.client
import json
import pathlib
import socket
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "apps" / "demo"))

from demo.app import Answer, App, Unavailable  # noqa: E402
from demo.server import MAX_BODY_BYTES, Server  # noqa: E402
from demo.settings import Faults, Settings, SettingsError  # noqa: E402


class FakeDatabase:
    def __init__(self) -> None:
        self.rows: list[dict] = []
        self.down = False

    def check(self) -> None:
        if self.down:
            raise Unavailable("mysql", "connection refused")

    def items(self) -> list[dict]:
        self.check()
        return list(self.rows)

    def add(self, name: str) -> dict:
        self.check()
        self.rows.append({"id": len(self.rows) + 1, "name": name})
        return self.rows[-1]

    def count(self) -> int:
        self.check()
        return len(self.rows)


class FakeCache:
    def __init__(self) -> None:
        self.visits, self.kept, self.down = 0, None, False

    def check(self) -> None:
        if self.down:
            raise Unavailable("redis", "connection refused")

    def visit(self) -> int:
        self.check()
        self.visits += 1
        return self.visits

    def items(self) -> list[dict] | None:
        self.check()
        return self.kept

    def keep(self, items: list[dict]) -> None:
        self.check()
        self.kept = items

    def forget(self) -> None:
        self.check()
        self.kept = None


def make_app(**faults) -> App:
    return App(FakeDatabase(), FakeCache(), lambda: Answer(200, b"", "text/plain"),
               release="1.0.0", colour="blue", faults=Faults(**faults))


def get(app: App, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, dict]:
    answer = app.handle(method, path, body)
    return answer.status, json.loads(answer.body)


def test_hello_goes_through_both_stores() -> None:
    app = make_app()
    assert get(app, "/api/hello") == (200, {"release": "1.0.0", "colour": "blue", "visits": 1, "items": 0})
    assert get(app, "/api/items", "POST", b'{"name": " anchor "}') == (201, {"id": 1, "name": "anchor"})
    assert get(app, "/api/hello")[1] == {"release": "1.0.0", "colour": "blue", "visits": 2, "items": 1}


def test_the_list_is_cached_until_an_item_is_added() -> None:
    app = make_app()
    assert [app.handle("GET", "/api/items", b"").headers["X-Cache"] for _ in range(2)] == ["miss", "hit"]
    get(app, "/api/items", "POST", b'{"name": "anchor"}')
    answer = app.handle("GET", "/api/items", b"")
    assert answer.headers["X-Cache"] == "miss"
    assert json.loads(answer.body) == {"items": [{"id": 1, "name": "anchor"}]}


def test_the_list_needs_no_redis() -> None:
    app = make_app()
    app._cache.down = True
    assert get(app, "/api/items") == (200, {"items": []})
    assert get(app, "/api/items", "POST", b'{"name": "anchor"}')[0] == 201
    assert get(app, "/api/hello") == (503, {"error": "redis is not available."})


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("POST", "/api/items", b"", 400),
    ("POST", "/api/items", b"\xff", 400),
    ("POST", "/api/items", b"[]", 400),
    ("POST", "/api/items", b'{"name": 1}', 400),
    ("POST", "/api/items", b'{"name": "  "}', 400),
    ("POST", "/api/items", json.dumps({"name": "x" * 201}).encode(), 400),
    ("DELETE", "/api/items", b"", 405),
    ("GET", "/api", b"", 404),
    ("GET", "/../etc/passwd", b"", 404),
])
def test_bad_requests(method: str, path: str, body: bytes, status: int) -> None:
    code, content = get(make_app(), path, method, body)
    assert code == status
    assert content["error"]


@pytest.mark.parametrize(("down", "ready", "healthy"), [((), 200, 200), (("mysql",), 503, 503), (("redis",), 503, 503)])
def test_health_and_readiness(down: tuple[str, ...], ready: int, healthy: int) -> None:
    app = make_app()
    app._database.down, app._cache.down = "mysql" in down, "redis" in down
    assert get(app, "/healthz")[0] == 200
    assert get(app, "/readyz")[0] == ready
    status, details = get(app, "/health")
    assert status == healthy
    assert {name: part["status"] for name, part in details["components"].items()} == {
        name: "DOWN" if name in down else "UP" for name in ("mysql", "redis")}


def test_faults() -> None:
    assert get(make_app(never_ready=True), "/readyz")[0] == 503
    started = time.monotonic()
    get(make_app(slow_seconds=0.05), "/api/hello")
    assert time.monotonic() - started >= 0.05


def test_all_missing_settings_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_environment({"PORT": "http", "FAULT_SLOW_MS": "-1"})
    for name in ("PORT", "FAULT_SLOW_MS", "MYSQL_DATABASE", "MYSQL_USER"):
        assert name in str(error.value)
    settings = Settings.from_environment({"MYSQL_DATABASE": "shop", "MYSQL_USER": "shop", "FAULT_SLOW_MS": "250"})
    assert (settings.port, settings.faults) == (8080, Faults(slow_seconds=0.25))


@pytest.fixture
def server():
    app = make_app(slow_seconds=0.02)
    server = Server(("127.0.0.1", 0), app, "1.0.0", lambda *_args: None)
    server.start()
    yield server
    if not app.draining:
        server.drain(0, 5)


def exchange(server: Server, text: str) -> bytes:
    """Everything the server answers to raw text until it closes the connection."""
    with socket.create_connection(server.server_address, timeout=5) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_two_requests_sent_at_once_are_both_answered(server: Server) -> None:
    answers = exchange(server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.count(b"X-Release: 1.0.0") == 2


@pytest.mark.parametrize(("head", "status"), [
    ("Content-Length: many", 400), ("Content-Length: -1", 400), ("Content-Length: 10", 400),
    (f"Content-Length: {MAX_BODY_BYTES + 1}", 413), ("Transfer-Encoding: chunked", 411),
])
def test_bodies_that_are_refused(server: Server, head: str, status: int) -> None:
    answer = exchange(server, f"POST /api/items HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in answer and b"X-Release: 1.0.0" in answer


def test_draining_under_keep_alive_load_loses_no_request(server: Server) -> None:
    failures: list[str] = []
    answered = [0] * 8

    def client(number: int) -> None:
        """Requests on one connection until the server says that it closes it."""
        connection = http.client.HTTPConnection(*server.server_address, timeout=10)
        while True:
            try:
                connection.request("POST", "/api/items", body=b'{"name": "anchor"}')
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
                return
            if answer.status != 201:
                failures.append(str(answer.status))
            answered[number] += 1
            if answer.will_close:
                return

    idle = http.client.HTTPConnection(*server.server_address, timeout=5)
    idle.request("GET", "/healthz")
    idle.getresponse().read()
    clients = [threading.Thread(target=client, args=(number,)) for number in range(len(answered))]
    for thread in clients:
        thread.start()
    while min(answered) < 3:
        time.sleep(0.01)
        assert not failures

    drained: list[bool] = []
    drain = threading.Thread(target=lambda: drained.append(server.drain(0.5, 5)))
    drain.start()
    while not server.app.draining:
        time.sleep(0.005)
    probe = http.client.HTTPConnection(*server.server_address, timeout=5)
    probe.request("GET", "/readyz")
    assert probe.getresponse().status == 503
    for thread in (*clients, drain):
        thread.join(10)
        assert not thread.is_alive()
    assert drained == [True]
    assert failures == []
    assert len(server.app._database.rows) == sum(answered)
    assert idle.sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.server_address, timeout=1)

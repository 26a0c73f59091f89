"""What a running Redis is compared with, and the protocol against a server that speaks just enough of it."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _redis
from ansible_collections.mooring.stack.plugins.module_utils import _step_redis_server as step
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._redis import Found, Record, Redis, RedisGone

ACCOUNTS = [{"name": "demo", "password": "right\r\npässword", "rules": "~demo:*"}]
LISTED = ["user default off", "user demo on #ab ~demo:* +@all"]


class Server:
    """Answers as Redis does, with settings and accounts that commands change."""

    def __init__(self, path):
        self.path = str(path)
        self.settings = {"maxmemory": "1024", "maxmemory-policy": "noeviction"}
        self.logins = {"health": "h", "demo": ACCOUNTS[0]["password"]}
        self.loaded = (dict(self.logins), list(LISTED))
        self.listed = list(LISTED)
        self.open = False
        self.may_look = True
        self.asked = []

    def answer(self, words):
        self.asked.append(words)
        if words[0] == "AUTH":
            return b"+OK\r\n" if self.logins.get(words[1]) == words[2] else b"-WRONGPASS invalid\r\n"
        if words[0] == "GET":
            return b"$-1\r\n" if self.open else b"-NOAUTH Authentication required.\r\n"
        if not self.may_look and words[:2] in (["CONFIG", "GET"], ["ACL", "LIST"]):
            return b"-NOPERM User health has no permissions\r\n"
        if words[:2] == ["CONFIG", "GET"]:
            return self.array([part for name in words[2:] if name in self.settings
                               for part in (name, self.settings[name])])
        if words[:2] == ["CONFIG", "SET"]:
            self.settings[words[2]] = words[3]
        elif words[:2] == ["ACL", "LOAD"]:
            self.logins, self.listed, self.open = dict(self.loaded[0]), list(self.loaded[1]), False
            self.may_look = True
        elif words[:2] == ["ACL", "LIST"]:
            return self.array(self.listed)
        return b"+OK\r\n"

    @staticmethod
    def array(items):
        return b"*%d\r\n" % len(items) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one.encode()) for one in items)


@contextlib.contextmanager
def serving(path, answer):
    """A server at ``path`` that answers every command of a connection with ``answer(words)``."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def serve():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                while line := stream.readline():
                    words = []
                    for _word in range(int(line[1:])):
                        length = int(stream.readline()[1:])
                        words.append(stream.read(length + 2)[:-2].decode())
                    said = answer(words)
                    connection.sendall(said)
                    if not said.endswith(b"\r\n"):
                        break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield str(path)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path / "s")
    with serving(tmp_path / "s", made.answer):
        yield made


class Module:
    def __init__(self, check_mode=False):
        self.check_mode = check_mode


def converge(server, check_mode=False, planned=None, **changes):
    return step.converge(Module(check_mode), {
        "socket": server.path, "login_user": "health", "login_password": "h", "accounts": ACCOUNTS,
        "settings": {"maxmemory": "1kb", "maxmemory-policy": "noeviction"}, "record": f"{server.path}.record",
        "service": "redis", **changes}, planned)


def differing(result):
    return [(one["object"], one["field"], one["expected"], one["found"]) for one in result["differences"]]


def test_a_server_as_declared_is_left_alone_and_recorded(server):
    assert converge(server)["changed"] is False
    server.asked.clear()
    assert converge(server) == {"changed": False, "differences": [], "notices": [], "proven": ["demo"]}
    assert ["ACL", "LOAD"] not in server.asked
    with open(server.path + ".record") as stream:
        assert "#ab" not in stream.read()


@pytest.mark.parametrize(("drift", "difference"), [
    (lambda s: s.settings.update(maxmemory="0"), ("redis setting maxmemory", "value", "1024", "0")),
    (lambda s: s.logins.pop("demo"), ("redis account demo", "login", "accepted", "refused")),
    (lambda s: s.listed.pop(), ("redis account demo", "presence", "present", None)),
    (lambda s: s.listed.append("user mallory on nopass"), ("redis account mallory", "presence", None, "present")),
    (lambda s: s.listed.__setitem__(1, "user demo on #ab ~* +@all"),
     ("redis account demo", "rules", "as declared", "others")),
    (lambda s: setattr(s, "open", True), ("redis account default", "login", "refused", "accepted")),
], ids=["setting", "password", "removed", "added", "rules", "default is open"])
def test_what_was_changed_at_run_time_is_named_and_undone(server, drift, difference):
    converge(server)
    drift(server)
    server.asked.clear()
    predicted = converge(server, check_mode=True)
    assert not any(words[:2] in (["ACL", "LOAD"], ["CONFIG", "SET"]) for words in server.asked)
    healed = converge(server)
    assert differing(predicted) == differing(healed) == [difference]
    assert converge(server)["differences"] == []


@pytest.mark.parametrize(("planned", "named"), [
    ({}, ["redis setting maxmemory", "redis account demo"]),
    ({"mysql": "restart", "redis": "unpause"}, ["redis setting maxmemory", "redis account demo"]),
    ({"redis": "reload"}, ["redis setting maxmemory"]),
    ({"redis": "restart"}, []),
    ({"redis": "create"}, []),
])
def test_what_a_step_before_it_puts_right_is_not_predicted(server, planned, named):
    converge(server)
    server.settings.update(maxmemory="0")
    server.logins.pop("demo")
    predicted = converge(server, check_mode=True, planned=planned)
    assert [one["object"] for one in predicted["differences"]] == named
    assert predicted["changed"] is bool(named)
    # A run sees for itself what was put right.
    assert len(converge(server, planned=planned)["differences"]) == 2


def test_a_new_declaration_is_loaded_and_recorded_without_being_drift(server):
    converge(server)
    server.loaded = (server.logins, [LISTED[0], "user demo on #ab ~new:* +@all"])
    changed = [{**ACCOUNTS[0], "rules": "~new:*"}]
    assert converge(server, accounts=changed)["differences"] == []
    assert server.listed == server.loaded[1]
    assert converge(server, accounts=changed)["differences"] == []


def test_an_account_that_may_not_look_yet_loads_its_right_to_do_so(server):
    server.may_look = False
    assert converge(server, check_mode=True)["notices"] == [
        "Redis was not compared: NOPERM User health has no permissions"]
    assert converge(server)["differences"] == []
    assert server.may_look


def test_what_cannot_be_put_right_fails_and_names_it(server):
    server.loaded[0].pop("demo")
    server.logins.pop("demo")
    with pytest.raises(MooringError, match="redis account demo: login is refused, declared accepted") as error:
        converge(server)
    assert error.value.details["differences"]


def test_check_mode_before_the_first_run_and_without_a_server(tmp_path, server):
    assert converge(server, check_mode=True, socket=str(tmp_path / "absent" / "s"))["differences"] == []
    gone = {"socket": str(tmp_path / "gone")}
    assert converge(server, check_mode=True, **gone)["notices"][0].startswith("Redis was not compared:")
    with pytest.raises(MooringError, match="does not answer"):
        converge(server, **gone)


@pytest.mark.parametrize(("value", "expected"), [
    ("128mb", "134217728"), ("1k", "1000"), ("2GB", "2147483648"), (5, "5"), ("AllKeys-LRU", "allkeys-lru"),
    ("-1", "-1"), (" yes ", "yes")])
def test_settings_are_compared_as_redis_writes_them(value, expected):
    assert _redis.normal(value) == expected


def test_a_setting_that_the_server_does_not_know_is_left_alone():
    found = Found({}, (), True, Record("salt"))
    assert _redis.decide({"of-a-newer-version": 1}, Record("salt"), found) == []


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"other": 1}'])
def test_a_record_that_cannot_be_read_counts_as_none(text):
    assert Record.from_json(text, "salt") == Record("salt")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n", b"", b"+OK"])
def test_what_is_not_redis_is_refused(tmp_path, answer):
    with (serving(tmp_path / "s", lambda words: answer) as path, pytest.raises(MooringError, match="not Redis"),
          Redis(path) as redis):
        redis.ask("PING")


def test_nobody_there(tmp_path):
    with pytest.raises(RedisGone, match="does not answer"):
        Redis(str(tmp_path / "s"))

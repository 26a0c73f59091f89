"""The login proof against a server that speaks just enough of the protocol."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._redis import Redis, RedisGone
from ansible_collections.mooring.stack.plugins.module_utils._step_redis_login import try_all

REFUSED = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"


@contextlib.contextmanager
def serving(path, answer):
    """A server at ``path`` that answers each connection's one command with ``answer(words)``."""
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
                words = []
                for _word in range(int(stream.readline()[1:])):
                    length = int(stream.readline()[1:])
                    words.append(stream.read(length + 2)[:-2].decode())
                connection.sendall(answer(words))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield str(path)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def passwords(known, stranger=b"-NOAUTH Authentication required.\r\n"):
    """Answers like a server with these accounts."""
    return lambda words: (
        (b"+OK\r\n" if known.get(words[1]) == words[2] else REFUSED) if words[0] == "AUTH" else stranger)


def test_each_account_is_tried(tmp_path):
    with serving(tmp_path / "s", passwords({"demo": "right\r\npässword", "other": "x"})) as path:
        result = try_all(path, [{"name": "demo", "password": "right\r\npässword"}, {"name": "other", "password": "y"}])
    assert result == {"proven": ["demo"], "refused": ["other"], "stranger_refused": True}


# defect 33
@pytest.mark.parametrize("answer", [b"$-1\r\n", b"+OK\r\n"])
def test_a_stranger_who_gets_an_answer_is_seen(tmp_path, answer):
    with serving(tmp_path / "s", passwords({}, stranger=answer)) as path:
        assert try_all(path, [])["stranger_refused"] is False


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n", b"", b"+OK"])
def test_what_is_not_redis_is_refused(tmp_path, answer):
    with (serving(tmp_path / "s", lambda words: answer) as path, pytest.raises(MooringError, match="not Redis"),
          Redis(path) as redis):
        redis.ask("PING")


def test_nobody_there(tmp_path):
    with pytest.raises(RedisGone, match="does not answer"):
        Redis(str(tmp_path / "s"))

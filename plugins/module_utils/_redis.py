# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what a Redis server says at its socket, and what of it is not as declared."""

from __future__ import annotations

import dataclasses
import difflib
import re
import socket
import types
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._record import Record

TIMEOUT = 10

# redis.conf, "memory size": k and kb differ.
UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}


class RedisGone(MooringError):
    """No server answers at the socket."""


class Refused(MooringError):
    """The server answered a command with an error."""


class Redis:
    """One connection through the server's socket (RESP2, Redis documentation "Serialization protocol")."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise RedisGone(f"Redis does not answer at {path}: {error}.") from error
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Redis:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: types.TracebackType | None) -> None:
        self._stream.close()
        self._socket.close()

    def ask(self, *words: str) -> t.Any:
        """The answer to a command: a string, a number, None or a list of them. Raises :class:`Refused`."""
        encoded = [word.encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)]
        try:
            self._socket.sendall(b"".join(parts))
            return self._answer()
        except OSError as error:
            raise RedisGone(f"Redis stopped answering at {self._path}: {error}.") from error

    def accepts(self, name: str, password: str) -> bool:
        """Whether the account can log in; if so, it is logged in."""
        try:
            return self.ask("AUTH", name, password) == "OK"
        except Refused:
            return False

    def _answer(self) -> t.Any:
        line = self._stream.readline()
        kind, rest = line[:1], line[1:-2].decode("utf-8", "replace")
        if not line.endswith(b"\r\n") or kind not in (b"+", b"-", b":", b"$", b"*"):
            raise MooringError(f"What answers at {self._path} is not Redis.")
        if kind == b"-":
            raise Refused(rest)
        if kind == b"+":
            return rest
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if kind == b"*":
            return [self._answer() for _item in range(number)]
        return self._stream.read(number + 2)[:-2].decode("utf-8", "replace")


@dataclasses.dataclass(frozen=True)
class Found:
    """What a running server said: its settings by name, who could not log in, whether a stranger was refused."""

    settings: dict[str, str]
    refused: tuple[str, ...]
    stranger_refused: bool
    record: Record


def record(recorded: Record, declared: t.Any, listed: t.Iterable[str]) -> Record:
    """The record of a declaration and the answer to ACL LIST.

    Redis writes rules in words of its own, so that the declared ones cannot be compared with them.
    """
    return recorded.of(declared, {line.split()[1]: line for line in listed})


def normal(value: t.Any) -> str:
    """A setting as Redis answers it: sizes in bytes, words in lower case."""
    text = str(value).strip().lower()
    size = re.fullmatch(r"(\d+)([kmg]?b?)", text)
    return str(int(size[1]) * UNITS[size[2]]) if size else text


def decide(settings: dict[str, t.Any], recorded: Record, found: Found) -> list[Difference]:
    """What of a running server is not as declared."""
    differences = [
        Difference(f"redis setting {name}", "value", normal(value), found.settings[name])
        for name, value in sorted(settings.items())
        if name in found.settings and normal(found.settings[name]) != normal(value)]
    named = set(found.refused)
    differences += [Difference(f"redis account {name}", "login", "accepted", "refused") for name in found.refused]
    if not found.stranger_refused:
        differences.append(Difference("redis account default", "login", "refused", "accepted"))
        named.add("default")
    # Of another declaration it says nothing: the file of accounts has changed as well, and is named.
    if recorded.declared == found.record.declared:
        for name in sorted(set(recorded.accounts) | set(found.record.accounts)):
            was, now = recorded.accounts.get(name), found.record.accounts.get(name)
            if was == now or name in named:
                continue
            if was is None or now is None:
                differences.append(Difference(
                    f"redis account {name}", "presence", was and "present", now and "present"))
            else:
                differences.append(Difference(f"redis account {name}", "rules", "as declared", "others"))
    return differences


# ---------------------------------------------------------------- the rules of an account

# ACL SETUSER, Redis documentation. What may be added to an account that can do nothing.
_RULE = re.compile(
    r"(?:~|%(?:R|W|RW|WR)~|&).+|[+-]@[a-z]+|[+-][a-z][a-z0-9_.-]*(?:\|[A-Za-z0-9_.-]+)?"
    r"|allkeys|resetkeys|allchannels|resetchannels|allcommands|nocommands|clearselectors"
    r"|(?:skip-)?sanitize-payload", re.IGNORECASE)
_LOGIN = re.compile(r"on|off|nopass|reset|resetpass|[<>#!].*", re.IGNORECASE)
CATEGORIES = (
    "admin", "all", "bitmap", "blocking", "connection", "dangerous", "fast", "geo", "hash", "hyperloglog", "keyspace",
    "list", "pubsub", "read", "scripting", "set", "slow", "sortedset", "stream", "string", "transaction", "write",
)


def refused_rule(rules: str) -> tuple[str, str] | None:
    """The first rule that Redis or the role would not take: what is wrong with it, and the remedy.

    A category that no one knows is only refused where it is nearly another: modules of Redis bring their own.
    """
    # A selector is rules in parentheses.
    for word in re.sub(r"[()]", " ", rules).split():
        if _LOGIN.fullmatch(word):
            # It may hold a password.
            return ("has a rule about passwords or on and off, which the role sets itself",
                    "Name keys, channels and commands only")
        if not _RULE.fullmatch(word):
            return f"'{word}' is no rule of Redis", "Write it like ~prefix:*, +@read, -@dangerous or +get"
        category = word[2:].lower() if word[1:2] == "@" else ""
        near = difflib.get_close_matches(category, CATEGORIES, n=1, cutoff=0.75)
        if category and category not in CATEGORIES and near:
            return f"Redis has no category '{category}'", f"Did you mean {word[:2]}{near[0]}"
    return None

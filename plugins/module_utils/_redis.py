# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the few words of the Redis protocol that a login needs."""

from __future__ import annotations

import socket
import types

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

TIMEOUT = 10


class RedisGone(MooringError):
    """No server answers at the socket."""


class Redis:
    """One connection through the server's socket."""

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

    def ask(self, *words: str) -> str:
        """The first line that answers a command: ``OK`` for ``+OK``; errors and values keep their mark."""
        encoded = [word.encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)]
        try:
            self._socket.sendall(b"".join(parts))
            line = self._stream.readline()
        except OSError as error:
            raise RedisGone(f"Redis stopped answering at {self._path}: {error}.") from error
        if not line.endswith(b"\r\n") or line[:1] not in (b"+", b"-", b":", b"$", b"*"):
            raise MooringError(f"What answers at {self._path} is not Redis.")
        return line[:-2].decode("utf-8", "replace").removeprefix("+")

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the REST API of an Elasticsearch at an address."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import typing as t
import urllib.parse

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._http import basic

TIMEOUT = 30.0
# What a server says that is busy or about to be ready, and for how long it is asked again.
BUSY = (429, 503)
BUSY_SECONDS = 20.0
INTERVAL = 0.5


class NoAnswer(MooringError):
    """Nobody answers, or not in JSON."""


class Refused(MooringError):
    """An answer that says no; ``status`` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def reason(document: t.Any, status: int) -> str:
    """What a refusal says: the innermost cause, because those around it only say where it was found."""
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):
        return error
    said = f"status {status}"
    while isinstance(error, dict):
        said = str(error.get("reason") or said)
        error = error.get("caused_by")
    return said


class Elasticsearch:
    """One server; ``user`` and ``password`` are those of an account that may do what is asked.

    A connection is kept as long as the server keeps it.
    """

    def __init__(self, address: str, user: str, password: str, port: int = 9200) -> None:
        self._connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
        self._where = f"{address}:{port}"
        self._login = basic(user, password)

    def __enter__(self) -> Elasticsearch:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """The document of an answer of status 2xx; raises :class:`Refused`, :class:`NoAnswer`."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            status, document = self._exchange(method, path, body, self._login)
            if status not in BUSY or time.monotonic() > deadline:
                break
            time.sleep(INTERVAL)
        if status >= 300:
            raise Refused(reason(document, status), status)
        return document

    def accepts(self, user: str, password: str) -> bool:
        """Whether that account can log in."""
        status, _document = self._exchange("GET", "/_security/_authenticate", None, basic(user, password))
        return status == 200

    def _exchange(self, method: str, path: str, body: t.Any, authorization: str) -> tuple[int, t.Any]:
        headers = {"Authorization": authorization, "Content-Type": "application/json", "Accept": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            try:
                answer = self._send(method, path, data, headers)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # The server closed a connection that was kept; a new one tells whether it is there.
                self._connection.close()
                answer = self._send(method, path, data, headers)
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            said = str(error) or type(error).__name__
            raise NoAnswer(f"Elasticsearch does not answer at {self._where}: {said}.") from error
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(content or b"{}")
        raise NoAnswer(f"What answers at {self._where} is not Elasticsearch (status {answer.status}, no JSON).")

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        self._connection.request(method, path, data, headers)
        return self._connection.getresponse()


def quoted(name: str) -> str:
    """A name as part of a path."""
    return urllib.parse.quote(name, safe="")

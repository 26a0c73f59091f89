# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the proxy's release switch, and HTTP questions to one address.

The proxy keeps the chosen colour of an application in shared memory and reads
it from a file when it starts. The file is written first, then the proxy is told
to read it again: whenever a run dies in between, the proxy goes on with a
colour that is up, and the two places can be compared.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import ssl
import typing as t
import urllib.parse

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._release import COLOURS
from ansible_collections.mooring.stack.plugins.module_utils._unix_http import UnixConnection

_BODY_LIMIT = 2**20


class Unreachable(MooringError):
    """Nobody answered, or not in HTTP."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _AddressedTLSConnection(http.client.HTTPConnection):
    """HTTPS to an address that need not be what the name resolves to.

    The certificate is not judged: that is the proxy role's proof, and an
    expired certificate must not keep a repaired release from being deployed.
    """

    def __init__(self, address: str, port: int, server_name: str, timeout: float) -> None:
        super().__init__(address, port, timeout=timeout)
        self._server_name = server_name
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._server_name)


def _exchange(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str],
              whom: str) -> Answer:
    try:
        with contextlib.closing(connection):
            connection.request(method, path, headers={**headers, "Connection": "close"})
            response = connection.getresponse()
            body = response.read(_BODY_LIMIT)
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)
    except (OSError, http.client.HTTPException) as error:
        said = str(error) or type(error).__name__
        raise Unreachable(f"{whom} does not answer: {said}.") from error


def ask(url: str, *, address: str = "", timeout: float = 5.0) -> Answer:
    """GET ``url``; with ``address`` the connection goes there, whatever the name resolves to."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise MooringError(f"'{url}' is not a URL that begins with http:// or https:// and names a host.")
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    where = address or parts.hostname
    connection: http.client.HTTPConnection
    if tls:
        connection = _AddressedTLSConnection(where, port, parts.hostname, timeout)
    else:
        connection = http.client.HTTPConnection(where, port, timeout=timeout)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _exchange(connection, "GET", path, {"Host": parts.netloc}, f"{url} (asked at {where}:{port})")


class Proxy:
    """The release switch of the proxy on this host."""

    def __init__(self, socket_path: str, releases_dir: str, timeout: float = 5.0) -> None:
        self._socket = socket_path
        self._releases = pathlib.Path(releases_dir)
        self._timeout = timeout

    def _request(self, method: str, application: str) -> str | None:
        answer = _exchange(
            UnixConnection(self._socket, self._timeout), method, f"/releases/{application}", {},
            f"The proxy's control socket {self._socket}",
        )
        try:
            document = json.loads(answer.body)
        except ValueError:
            document = None
        if method == "GET" and answer.status == 404:
            # The proxy runs, but does not know the application (yet).
            return None
        if answer.status != 200 or not isinstance(document, dict):
            text = answer.body.decode("utf-8", "replace").strip()
            raise MooringError(
                f"The proxy's control socket {self._socket} answered {method} for application "
                f"'{application}' with status {answer.status}: {text or 'no text'}")
        colour = document.get("active")
        return colour if colour in COLOURS else None

    def active(self, application: str) -> str | None:
        """The colour that serves now; raises :class:`Unreachable` where no proxy runs."""
        return self._request("GET", application)

    def declared(self, application: str) -> str | None:
        """The colour that the file on disk says; None for no file and for any other word."""
        word = (files.read_text(str(self._releases / application)) or "").strip()
        return word if word in COLOURS else None

    def declare(self, application: str, colour: str | None) -> None:
        """Write the file on disk, or remove it, without telling the proxy."""
        if not self._releases.is_dir():
            raise MooringError(
                f"The directory {self._releases} does not exist: the proxy is not set up on this host. "
                "Run the role nginx_certbot first.")
        path = self._releases / application
        if colour is None:
            path.unlink(missing_ok=True)
            return
        # The proxy reads it as another user.
        files.write_file(str(path), f"{colour}\n".encode(), 0o644, os.geteuid(), os.getegid())

    def switch(self, application: str, colour: str | None) -> None:
        """Let ``colour`` serve from now on: on disk, then in memory, then ask whether it does."""
        self.declare(application, colour)
        serving = self._request("POST", application)
        if serving != colour:
            raise MooringError(
                f"The proxy was told to serve {colour or 'no colour'} of application '{application}' "
                f"but says that it serves {serving or 'no colour'}.")


def view(proxy: Proxy, application: str) -> dict[str, t.Any]:
    """What the proxy's memory and file say; a proxy that does not run is no error here."""
    try:
        memory, answers = proxy.active(application), True
    except Unreachable:
        memory, answers = None, False
    return {"proxy_answers": answers, "memory": memory, "file": proxy.declared(application)}

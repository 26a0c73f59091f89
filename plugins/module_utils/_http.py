# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: HTTP questions to one address."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import ssl
import urllib.parse

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

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


def basic(user: str, password: str) -> str:
    """The header Authorization by which an account logs in (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def exchange(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str],
             whom: str, *, body: bytes | None = None, where: str = "") -> Answer:
    """One request on a connection that is closed afterwards.

    Raises :class:`Unreachable` that names ``whom`` and, if it is given, ``where`` it was asked.
    """
    try:
        with contextlib.closing(connection):
            connection.request(method, path, body, {**headers, "Connection": "close"})
            response = connection.getresponse()
            content = response.read(_BODY_LIMIT)
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)
    except (OSError, http.client.HTTPException) as error:
        said = str(error) or type(error).__name__
        raise Unreachable(f"{whom} does not answer{where and f' at {where}'}: {said}.") from error


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
    return exchange(connection, "GET", path, {"Host": parts.netloc}, f"{url} (asked at {where}:{port})")

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the proxy's release switch.

The proxy keeps who gets an application's requests in shared memory and reads it
from a file when it starts. The file is written first, then the proxy is told to
read it again: whenever a run dies in between, the proxy goes on with a colour
that is up, and the two places can be compared.
"""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils._canary import Seen
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._http import Unreachable, exchange
from ansible_collections.mooring.stack.plugins.module_utils._traffic import COLOURS, Traffic
from ansible_collections.mooring.stack.plugins.module_utils._unix_http import UnixConnection


class Proxy:
    """The release switch of the proxy on this host."""

    def __init__(self, socket_path: str, releases_dir: str, timeout: float = 5.0) -> None:
        self._socket = socket_path
        self._releases = pathlib.Path(releases_dir)
        self._timeout = timeout

    def _request(self, method: str, application: str) -> dict[str, t.Any]:
        """What the proxy says of an application; empty where it does not know it (yet)."""
        answer = exchange(
            UnixConnection(self._socket, self._timeout), method, f"/releases/{application}", {},
            f"The proxy's control socket {self._socket}",
        )
        try:
            document = json.loads(answer.body)
        except ValueError:
            document = None
        if method == "GET" and answer.status == 404:
            return {}
        if answer.status != 200 or not isinstance(document, dict):
            text = answer.body.decode("utf-8", "replace").strip()
            raise MooringError(
                f"The proxy's control socket {self._socket} answered {method} for application "
                f"'{application}' with status {answer.status}: {text or 'no text'}")
        return document

    def traffic(self, application: str) -> Traffic | None:
        """Who gets the requests now; raises :class:`Unreachable` where no proxy runs."""
        return Traffic.from_line(self._request("GET", application).get("traffic"))

    def seen(self, application: str) -> dict[str, Seen]:
        """How each colour answered since both get requests."""
        counts = self._request("GET", application).get("seen") or {}
        return {colour: Seen.from_counts(counts.get(colour) or {}) for colour in COLOURS}

    def declared(self, application: str) -> Traffic | None:
        """What the file on disk says; None for no file and for any other text."""
        return Traffic.from_line(files.read_text(str(self._releases / application)))

    def declare(self, application: str, traffic: Traffic | None) -> None:
        """Write the file on disk, or remove it, without telling the proxy."""
        if not self._releases.is_dir():
            raise MooringError(
                f"The directory {self._releases} does not exist: the proxy is not set up on this host. "
                "Run the role nginx_certbot first.")
        path = self._releases / application
        if traffic is None:
            path.unlink(missing_ok=True)
            return
        # The proxy reads it as another user.
        files.write_file(str(path), f"{traffic.line()}\n".encode(), 0o644, os.geteuid(), os.getegid())

    def switch(self, application: str, traffic: Traffic | None) -> None:
        """Send the requests so from now on: on disk, then in memory, then ask whether it does."""
        self.declare(application, traffic)
        found = self._request("POST", application).get("traffic")
        if Traffic.from_line(found) != traffic:
            raise MooringError(
                f"The proxy was told to serve {traffic.line() if traffic else 'no colour'} of application "
                f"'{application}' but says that it serves {found or 'no colour'}.")


def view(proxy: Proxy, application: str) -> dict[str, t.Any]:
    """What the proxy's memory and file say; a proxy that does not run is no error here."""
    try:
        memory, answers = proxy.traffic(application), True
    except Unreachable:
        memory, answers = None, False
    return {"proxy_answers": answers, "memory": memory, "file": proxy.declared(application)}

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that keeps the root of a test CA where its clients look for it."""

from __future__ import annotations

import http.client
import ssl
import typing as t
import urllib.parse

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _x509 as x509
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "url": {"type": "str", "required": True},
    "container": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
    "ca_file": {"type": "path", "required": True},
    "path": {"type": "path", "required": True},
}


class _Connection(http.client.HTTPSConnection):
    """HTTPS to an address, verified against the name of the URL."""

    def __init__(self, address: str, name: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(address, port, timeout=5, context=context)
        self._name, self._tls = name, context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def fetch(url: str, address: str, ca_file: str) -> bytes:
    """The body of ``url``, asked at ``address``."""
    parts = urllib.parse.urlsplit(url)
    try:
        context = ssl.create_default_context(cafile=ca_file)
        connection = _Connection(address, parts.hostname or "", parts.port or 443, context)
        try:
            connection.request("GET", parts.path, headers={"Host": parts.netloc})
            response = connection.getresponse()
            body = response.read(2**16)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise MooringError(f"The test CA does not answer at {url} (asked at {address}): {error}.") from error
    if response.status != 200:
        raise MooringError(f"The test CA answered {url} with status {response.status}.")
    return body


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read the file and the CA, decide, write; the result. Raises :class:`MooringError`."""
    held = (files.read_text(params["path"]) or "").encode("utf-8", "surrogateescape")
    docker = Docker(module.run_command)
    address = docker.address(params["container"], params["network"])
    if not address and not module.check_mode:
        raise MooringError(f"The container {params['container']} does not run; start it, then run this again.")
    # In check mode a CA that does not run, or is up for a moment between two crashes, will start with a new root.
    current = b""
    try:
        if address:
            with docker.inside(params["container"]):
                current = fetch(params["url"], address, params["ca_file"])
    except MooringError:
        if not module.check_mode:
            raise
    before = x509.pem_fingerprint(held) if b"BEGIN CERTIFICATE" in held else ""
    after = x509.pem_fingerprint(current) if current else ""
    result: dict[str, t.Any] = {
        "changed": not current or current != held, "differences": [], "notices": [], "fingerprint": after}
    if result["changed"]:
        # What is expected stays unnamed: check mode cannot know the root of a CA that does not run yet.
        result["differences"] = [
            Difference(f"file {params['path']}", "root", "that of the running CA", before[:16] or None).as_dict()]
        result["message"] = (
            "The test CA has a new root: certificates it issued before can no longer be trusted and are replaced."
            if held else f"Clients have to trust {params['path']}."
        )
        if current and not module.check_mode:
            files.write_file(params["path"], current, 0o644)
    if module._diff:
        result["diff"] = {"before": f"{before or 'absent'}\n", "after": f"{after or 'unknown'}\n",
                          "before_header": params["path"], "after_header": params["path"]}
    return result

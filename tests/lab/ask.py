#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an HTTPS server at an address by a name that nobody resolves, and print what it says as JSON.

With --ca the certificate is verified, chain and name, as a browser would.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import pathlib
import ssl
import sys


class Client(http.client.HTTPConnection):
    """HTTPS to an address, for a name."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options.address, options.port, timeout=30)
        self._name = options.name
        self._context = ssl.create_default_context(cafile=options.ca)
        if not options.ca:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        self.issuer: str | None = None

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)
        # An unverified certificate tells nothing, so Python does not show it.
        names = dict(pair[0] for pair in (self.sock.getpeercert() or {}).get("issuer", ()))
        self.issuer = names.get("commonName")


def main() -> int:
    """Read the options, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="address of the server")
    parser.add_argument("--port", type=int, default=443)
    parser.add_argument("--name", required=True, help="host name that is asked for")
    parser.add_argument("--ca", help="file with the roots that are trusted")
    parser.add_argument("--user", help="user:password-file for basic authentication")
    parser.add_argument("--post", help="JSON to send instead of asking with GET")
    parser.add_argument("path")
    options = parser.parse_args()
    client = Client(options)
    headers = {"Host": options.name if options.port == 443 else f"{options.name}:{options.port}"}
    if options.user:
        name, _, file = options.user.partition(":")
        password = pathlib.Path(file).read_text(encoding="utf-8").strip()
        headers["Authorization"] = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    if options.post:
        headers["Content-Type"] = "application/json"
    client.request("POST" if options.post else "GET", options.path, options.post, headers)
    response = client.getresponse()
    text = response.read().decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    print(json.dumps({
        "status": response.status, "headers": {key.lower(): value for key, value in response.getheaders()},
        "issuer": client.issuer, "json": document, "text": text[:2000]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

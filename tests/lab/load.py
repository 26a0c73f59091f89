#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep-alive clients that never retry: every request that is not answered well counts as failed.

Runs until it gets SIGTERM or SIGINT, the file named by --while is gone, or the time is over.
Then prints one line of JSON: requests, failed, the first errors, and how many answers each release gave.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import json
import pathlib
import signal
import socket
import ssl
import sys
import threading
import time


class Client(http.client.HTTPConnection):
    """HTTPS to an address, for a name; the certificate is not what is tested here."""

    def __init__(self, address: str, port: int, name: str, plain: bool) -> None:
        super().__init__(address, port, timeout=30)
        self._name, self._plain = name, plain
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._plain:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)


class Load:
    """What all clients have seen so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.releases: collections.Counter[str] = collections.Counter()
        self.errors: list[str] = []
        self.failed = 0

    def client(self) -> None:
        """Ask on one connection until told to stop."""
        host = f"{self.options.name}:{self.options.port}" if self.options.port != 443 else self.options.name
        connection = Client(self.options.address, self.options.port, self.options.name, self.options.plain)
        while not self.stop.is_set():
            release, error = "none", ""
            begin = time.time()
            try:
                connection.request("GET", self.options.path, headers={"Host": host})
                response = connection.getresponse()
                response.read()
                release = response.getheader(self.options.header) or "none"
                if response.status != 200:
                    error = f"status {response.status}"
            except (OSError, http.client.HTTPException) as caught:
                error = f"{type(caught).__name__}: {caught}"
                connection.close()
            with self.lock:
                self.releases[release] += 1
                if error:
                    self.failed += 1
                    self.errors.append(f"{time.strftime('%H:%M:%S', time.gmtime(begin))} {self.options.path} {error} "
                                       f"after {time.time() - begin:.1f} s")
            self.stop.wait(self.options.pause)

    def run(self) -> dict[str, object]:
        """Let all clients run, and say what they saw."""
        threads = [threading.Thread(target=self.client) for _ in range(self.options.connections)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + self.options.seconds
        while time.monotonic() < end and not self.stop.wait(0.2):
            if self.options.watched and not self.options.watched.exists():
                break
        self.stop.set()
        for thread in threads:
            thread.join()
        return {"requests": sum(self.releases.values()), "failed": self.failed, "errors": self.errors[:10],
                "releases": dict(self.releases)}


def main() -> int:
    """Read the options, run, print; status 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="address of the proxy")
    parser.add_argument("--port", type=int, default=443)
    parser.add_argument("--name", required=True, help="host name that is asked for")
    parser.add_argument("--plain", action="store_true", help="HTTP instead of HTTPS")
    parser.add_argument("--path", default="/api/hello")
    parser.add_argument("--header", default="X-Release", help="header that tells the release")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two requests of a client")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--while", dest="watched", type=pathlib.Path, help="stop when this file is gone")
    load = Load(parser.parse_args())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: load.stop.set())
    print(json.dumps(load.run()), flush=True)
    return 1 if load.failed else 0


if __name__ == "__main__":
    sys.exit(main())

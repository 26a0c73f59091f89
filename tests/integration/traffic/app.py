# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replica that says its name, and fails as the last part of the path says."""

from __future__ import annotations

import hashlib
import http.server
import os
import signal
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    """``/app/500`` has this status; ``/app/drop`` ends the connection without an answer.

    What a client says after ``?release=`` it says again in the header X-Release, whatever it is.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _mark, query = self.path.partition("?")
        word = path.rpartition("/")[2]
        if word in ("drop", os.environ["DROPS"]):
            self.close_connection = True
            return
        if word == "slow":
            time.sleep(0.3)
        if self.headers.get("Upgrade"):
            self.close_connection = True
            self.send_response(101)
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", self.headers["Upgrade"])
            self.end_headers()
            return
        answer = f"{os.environ['NAME']} {hashlib.sha256(body).hexdigest()}".encode()
        self.send_response(int(word) if word.isdigit() else 200)
        if query:
            self.send_header("X-Release", urllib.parse.unquote(query.removeprefix("release=")))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PUT = do_GET

    def log_message(self, *_arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """Takes as many connections at once as a test opens; who has to wait asks again after a second."""

    request_queue_size = 256


# The process with number 1 ignores signals that it does not handle.
signal.signal(signal.SIGTERM, lambda *_arguments: os._exit(0))
Server(("", 8080), Handler).serve_forever()

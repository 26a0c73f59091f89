# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is broken in the way that its image says: ``FAULT``, a word of FAULTS below."""

from __future__ import annotations

import http.server
import os
import signal
import sys
import threading
import time

FAULT = os.environ.get("FAULT", "")
FAULTS = ("", "crash-at-start", "crash-later", "never-ready", "flapping", "ready-then-failing", "migration",
          "wrong-port", "out-of-memory")


class Application(http.server.ThreadingHTTPServer):
    """Counts how often it was asked."""

    asked = 0


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every question with the release, and whether it is ready."""

    def do_GET(self) -> None:
        self.server.asked += 1
        asked = self.server.asked
        ready = {"never-ready": False, "flapping": asked % 3 > 0, "ready-then-failing": asked <= 3}.get(FAULT, True)
        body = f'{{"status": "{"UP" if ready else "DOWN"}"}}'.encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Release", os.environ["RELEASE"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


def crash() -> None:
    print("crash-later: the licence has expired", flush=True)
    os._exit(70)


def eat() -> None:
    print("out-of-memory: loading the catalogue", flush=True)
    catalogue = []
    while True:
        catalogue.append(b"x" * 2**20)
        time.sleep(0.001)


def main() -> int:
    assert FAULT in FAULTS
    if sys.argv[1:] == ["migrate"]:
        with open("/run/secrets/password", encoding="utf-8") as secret:
            print(f"migration with {secret.read()}: table orders is locked" if FAULT == "migration" else "migrated")
        return 1 if FAULT == "migration" else 0
    print(f"release {os.environ['RELEASE']} starts ({FAULT or 'good'})", flush=True)
    if FAULT == "crash-at-start":
        print("crash-at-start: no such host: mysql", flush=True)
        return 3
    # The process with number 1 ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_arguments: os._exit(0))
    if FAULT in ("crash-later", "out-of-memory"):
        timer = threading.Timer(5 if FAULT == "crash-later" else 3, crash if FAULT == "crash-later" else eat)
        timer.daemon = True
        timer.start()
    Application(("", 8081 if FAULT == "wrong-port" else 8080), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())

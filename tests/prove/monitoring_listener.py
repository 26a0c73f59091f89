# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands where Mattermost would: takes what is posted, and prints one line of JSON for each.

As strict as an incoming webhook is: a body that is no JSON, or says nothing, is refused with 400.
"""

from __future__ import annotations

import http.server
import json
import time


class Hook(http.server.BaseHTTPRequestHandler):
    """POST /hooks/<id> and /heartbeat; everything else is unknown, as a webhook that was removed is."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        says_nothing = not isinstance(document, dict) or self.path.startswith("/hooks/") and not (
            document.get("text") or document.get("attachments"))
        status = 400 if says_nothing else 200 if self.path in ("/hooks/proof", "/heartbeat") else 404
        print(json.dumps({"at": time.time(), "path": self.path, "status": status, "body": document,
                          "type": self.headers.get("Content-Type")}), flush=True)
        # Mattermost says ok, and Alertmanager takes anything else for a failure, whatever the status.
        answer = b"ok" if status == 200 else b'{"message":"Invalid webhook"}'
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if status == 200 else "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_unused: object) -> None:
        """Its lines are the record, and nothing else."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("0.0.0.0", 8065), Hook).serve_forever()

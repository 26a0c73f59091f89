#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A listener in Mattermost's place: takes what an incoming webhook takes, and no more.

    mattermost.py PORT FILE

Each post that it takes is a line of JSON in FILE. ``PUT /`` with ``{"status": 503}`` lets it
answer so from now on.
"""

from __future__ import annotations

import http.server
import json
import pathlib
import sys
import threading
import typing as t

# Mattermost, "Incoming webhooks": longer ones are several posts, which is not what is wanted here.
LONGEST = 16383
FIELDS = {"text", "channel", "username", "icon_url", "icon_emoji", "attachments", "type", "props", "priority"}


class Listener(http.server.ThreadingHTTPServer):
    """Holds what was posted to it, and what it answers."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], hook: str = "/hooks/", file: pathlib.Path | None = None) -> None:
        super().__init__(address, Hook)
        self.hook, self.file = hook, file
        self.posts: list[dict[str, t.Any]] = []
        self.refused: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.hook}"

    def texts(self) -> list[str]:
        """What a channel shows."""
        with self.lock:
            return [post["text"] for post in self.posts]


class Hook(http.server.BaseHTTPRequestHandler):
    """An incoming webhook."""

    server: Listener
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.server.status = json.loads(self.body())["status"]
        self.answer(200, "ok")

    def do_GET(self) -> None:
        self.answer(200, json.dumps({"status": "OK"}))

    def do_POST(self) -> None:
        body = self.body()
        if self.server.status != 200:
            self.answer(self.server.status, json.dumps({"id": "lab", "message": "as the lab wants it"}))
            return
        why = self.refusal(body)
        with self.server.lock:
            if why:
                self.server.refused.append(why)
            else:
                post = json.loads(body)
                self.server.posts.append(post)
                if self.server.file:
                    with self.server.file.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(post, ensure_ascii=False) + "\n")
        if why:
            self.answer(400, json.dumps({"id": "lab", "message": why}))
        else:
            self.answer(200, "ok")

    def refusal(self, body: bytes) -> str:
        """Why Mattermost would not take it, or would change it."""
        if not self.path.startswith(self.server.hook):
            return "Invalid webhook."
        if self.headers.get("Content-Type") != "application/json":
            return "Could not parse multipart form or JSON."
        try:
            post = json.loads(body.decode("utf-8"))
        except ValueError:
            return "Could not parse the incoming webhook."
        text = post.get("text") if isinstance(post, dict) else None
        if not isinstance(text, str) or not text.strip():
            return "No text specified."
        if len(text) > LONGEST:
            return f"The text has {len(text)} characters."
        if set(post) - FIELDS:
            return f"Unknown: {', '.join(set(post) - FIELDS)}."
        return ""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        pass


if __name__ == "__main__":
    Listener(("0.0.0.0", int(sys.argv[1])), file=pathlib.Path(sys.argv[2])).serve_forever()

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 with keep-alive connections, and an end that loses no request.

A thread serves one connection. Between two requests it waits for the next one
and for the end of the service at once, so an idle connection is closed only
while nothing has arrived on it.
"""

from __future__ import annotations

import http.server
import logging
import os
import select
import socket
import threading
import time
import typing as t
import urllib.parse

from demo.app import App

MAX_BODY_BYTES = 64 * 1024
# Longer than proxies keep an idle connection, so that the proxy closes it first.
IDLE_SECONDS = 90
REQUEST_SECONDS = 30

log = logging.getLogger("demo")
Observe = t.Callable[[str, str, int, float], None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "demo", ""
    error_content_type = "application/json"
    error_message_format = '{"error": "%(message)s"}\n'
    disable_nagle_algorithm = True
    timeout = REQUEST_SECONDS
    # Head and body of an answer leave in one packet.
    wbufsize = -1

    def handle(self) -> None:
        self.close_connection = False
        while not self.close_connection and self._next_request():
            self.handle_one_request()

    def _next_request(self) -> bool:
        """Waits for the next request; False when it will not come."""
        self.connection.settimeout(0)
        buffered = self.rfile.peek(1)  # a client may have sent two requests at once
        self.connection.settimeout(self.timeout)
        if buffered:
            return True
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        poll.register(self.server.ending, select.POLLIN)
        ready = [descriptor for descriptor, _event in poll.poll(IDLE_SECONDS * 1000)]
        return self.connection.fileno() in ready

    def end_headers(self) -> None:
        self.send_header("X-Release", self.server.release)
        if self.server.app.draining:
            self.send_header("Connection", "close")
        super().end_headers()

    def _answer(self) -> None:
        started = time.monotonic()
        body = self._read_body()
        if body is None:
            return
        path = urllib.parse.urlsplit(self.path).path
        answer = self.server.app.handle(self.command, path, body)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()
        self.server.observe(self.command, self.server.app.route(path), answer.status, time.monotonic() - started)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def _read_body(self) -> bytes | None:
        """The body, or None when the request was refused; send_error then closes the connection."""
        if "Transfer-Encoding" in self.headers:
            self.send_error(411, "Send the body with a Content-Length.")
            return None
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit():
            self.send_error(400, "Content-Length is not a number.")
            return None
        if int(length) > MAX_BODY_BYTES:
            self.send_error(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.send_error(400, "The body ended early.")
            return None
        return body

    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002 (the name is the base class's)
        log.info("%s %s", self.address_string(), format % args)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], app: App, release: str, observe: Observe) -> None:
        self.app, self.release, self.observe = app, release, observe
        # Readable for every waiting thread once the other end is closed.
        self.ending, self._end = os.pipe()
        self._open = 0
        self._changed = threading.Condition()
        super().__init__(address, Handler)

    def process_request(self, request: socket.socket, client_address: t.Any) -> None:
        with self._changed:
            self._open += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket.socket, client_address: t.Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        log.exception("The request of %s failed.", client_address[0])

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="accept", daemon=True).start()

    def _accept_waiting(self) -> None:
        """Take the connections that the kernel already made: closing the port would reset them."""
        self.socket.setblocking(False)
        while True:
            try:
                request, address = self.get_request()
            except BlockingIOError:
                return
            self.process_request(request, address)

    def drain(self, notice_seconds: float, limit_seconds: float) -> bool:
        """Ends the service; True when every request that arrived was answered.

        Readiness fails from now on, and for ``notice_seconds`` requests are still
        accepted, so that whoever asks for readiness sees it. Then the port is
        closed, idle connections are closed, and busy ones finish.
        """
        self.app.draining = True
        time.sleep(notice_seconds)
        self.shutdown()
        self._accept_waiting()
        self.server_close()
        os.close(self._end)
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, timeout=limit_seconds)

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application whose releases are deployed; its image says which release it is and how it is broken (FAULT).

It is not ready in its first START_SECONDS and then refuses /api with a header
that says so, so that nobody can be served by it unseen. After SIGTERM it answers
what comes in for a second more, without keeping connections, closes WebSockets
with 1001, and ends with its last request.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
import time
import urllib.parse

import releases_wire as wire

RELEASE, FAULT = os.environ.get("RELEASE", ""), os.environ.get("FAULT", "")
FAULTS = ("", "crash-at-start", "crash-later", "never-ready", "ready-then-failing", "migration", "errors", "slow")
START_SECONDS = float(os.environ.get("START_SECONDS", "1"))
MIGRATE_SECONDS = float(os.environ.get("MIGRATE_SECONDS", "0.1"))
NOTICE_SECONDS = 1.0
# After the first request that it served, so after the switch.
FAULT_SECONDS = 0.7
SLOW_SECONDS = 0.8
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


class Application:
    """Connections, and what has happened so far."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.served = 0.0
        self.asked = 0
        self.busy = 0
        self.idle: set[asyncio.StreamWriter] = set()
        self.draining = asyncio.Event()
        self.said: set[str] = set()

    def say(self, text: str) -> None:
        """A line of the log, once."""
        if text not in self.said:
            self.said.add(text)
            print(f"{RELEASE}: {text}", flush=True)

    @property
    def started(self) -> bool:
        """Whether it has ever been ready."""
        return FAULT != "never-ready" and time.monotonic() - self.begun >= START_SECONDS

    @property
    def ready(self) -> bool:
        """Whether new requests are welcome."""
        fails = FAULT == "ready-then-failing" and self.served and time.monotonic() - self.served > FAULT_SECONDS
        return self.started and not fails and not self.draining.is_set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        try:
            more = True
            while more:
                self.idle.add(writer)
                head = await wire.read_head(reader)
                self.idle.discard(writer)
                if head is None:
                    break
                self.busy += 1
                try:
                    more = await self.answer(head, reader, writer)
                finally:
                    self.busy -= 1
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            print(f"{RELEASE}: a connection ended early: {error!r}", flush=True)
        finally:
            self.idle.discard(writer)
            writer.close()

    async def answer(self, head: wire.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection can have another."""
        url = urllib.parse.urlsplit(head.words[1])
        if url.path == "/readyz":
            ready = self.ready
            self.say("ready" if ready else "asked while not ready")
            if self.served:
                self.say("asked while serving")
            return await self.send(writer, 200 if ready else 503, {"status": "UP" if ready else "DOWN"}, head)
        if not self.started:
            return await self.send(writer, 503, {"error": "not ready"}, head, {"X-Not-Ready": "1"})
        if not self.served:
            self.served = time.monotonic()
            self.say("serving")
        if url.path == "/api/hello":
            self.asked += 1
            if FAULT == "errors" and self.asked % 3 == 0:
                return await self.send(writer, 500, {"error": "a third of all"}, head)
            await asyncio.sleep(SLOW_SECONDS if FAULT == "slow" else 0)
            return await self.send(writer, 200, {"release": RELEASE}, head)
        if url.path == "/api/slow":
            seconds = float(urllib.parse.parse_qs(url.query)["seconds"][0])
            await asyncio.sleep(seconds)
            return await self.send(writer, 200, {"release": RELEASE, "seconds": seconds}, head)
        if url.path == "/api/upload":
            return await self.send(writer, 200, await receive(reader, head.length), head)
        if url.path == "/api/ws" and "sec-websocket-key" in head.headers:
            await self.echo(head, reader, writer)
            return False
        return await self.send(writer, 404, {"error": "not found"}, head)

    async def send(self, writer: asyncio.StreamWriter, status: int, document: object, head: wire.Head,
                   more: dict[str, str] | None = None) -> bool:
        """One answer; whether the connection can have another request."""
        body = json.dumps(document).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "X-Release": RELEASE}
        if head.closes or self.draining.is_set():
            headers["Connection"] = "close"
        headers.update(more or {})
        lines = [f"HTTP/1.1 {status} {REASONS[status]}", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join((*lines, "", "")).encode() + body)
        await writer.drain()
        return headers.get("Connection") != "close"

    async def echo(self, head: wire.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A WebSocket: every text comes back, until one of the two ends it."""
        writer.write("\r\n".join((
            "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", f"X-Release: {RELEASE}",
            f"Sec-WebSocket-Accept: {wire.accept_key(head.headers['sec-websocket-key'])}", "", "")).encode())
        end = asyncio.ensure_future(self.draining.wait())
        incoming = asyncio.ensure_future(wire.read_frame(reader))
        try:
            while not end.done():
                await asyncio.wait((end, incoming), return_when=asyncio.FIRST_COMPLETED)
                if not incoming.done():
                    continue
                opcode, payload = incoming.result()
                if opcode == wire.CLOSE:
                    writer.write(wire.frame(wire.CLOSE, payload))
                    return
                writer.write(wire.frame(opcode, payload))
                incoming = asyncio.ensure_future(wire.read_frame(reader))
            writer.write(wire.close_frame(wire.GOING_AWAY))
            # What was sent before the client saw it may still come in.
            async with asyncio.timeout(2):
                while (await incoming)[0] != wire.CLOSE:
                    incoming = asyncio.ensure_future(wire.read_frame(reader))
        except TimeoutError:
            print(f"{RELEASE}: a WebSocket's client did not answer its end", flush=True)
        finally:
            end.cancel()
            incoming.cancel()

    async def drain(self) -> None:
        """Answer what is under way or on its way, and let nobody wait for what will not come."""
        self.say("draining")
        self.draining.set()
        await asyncio.sleep(NOTICE_SECONDS)
        while self.busy:
            await asyncio.sleep(0.02)
        for writer in self.idle:
            writer.close()
        self.say("drained")


async def receive(reader: asyncio.StreamReader, length: int) -> dict[str, object]:
    """Read a body; its length and digest."""
    digest, left = hashlib.sha256(), length
    while left:
        chunk = await reader.read(min(left, 2**16))
        if not chunk:
            raise asyncio.IncompleteReadError(b"", left)
        digest.update(chunk)
        left -= len(chunk)
    return {"release": RELEASE, "length": length, "sha256": digest.hexdigest()}


async def crash_later(application: Application) -> None:
    """End at once, in the middle of everything, after the first request."""
    while not application.served or time.monotonic() - application.served < FAULT_SECONDS:
        await asyncio.sleep(0.05)
    print(f"{RELEASE}: crash-later: the licence has expired", flush=True)
    os._exit(70)


async def run() -> None:
    """Serve until SIGTERM."""
    application = Application()
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    server = await asyncio.start_server(application.serve, "", 8080, limit=wire.HEAD_LIMIT, backlog=512)
    application.say("starting")
    crash = asyncio.ensure_future(crash_later(application)) if FAULT == "crash-later" else None
    await told.wait()
    await application.drain()
    server.close()
    if crash:
        crash.cancel()


def main() -> int:
    """Migrate or serve."""
    if FAULT not in FAULTS:
        raise SystemExit(f"FAULT is one of {', '.join(FAULTS)}")
    if sys.argv[1:] == ["migrate"]:
        print(f"{RELEASE}: migrating", flush=True)
        time.sleep(MIGRATE_SECONDS)
        print("migration: table orders is locked" if FAULT == "migration" else f"{RELEASE}: migrated", flush=True)
        return 1 if FAULT == "migration" else 0
    if FAULT == "crash-at-start":
        print("crash-at-start: no such host: mysql", flush=True)
        return 3
    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())

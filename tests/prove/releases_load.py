#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that never retry, as the proof of releases needs them; every answer that is not as it should be is counted.

    releases_load.py --address ADDRESS --port PORT --name NAME [--hello N] [--slow N] [--upload N] [--websocket N]

Reads one command a line from standard input and answers each with one line of
JSON, what all clients have seen so far:

    tally               nothing else
    hold KIND ...       these clients end what they do and their connections, and then wait
    go                  nobody waits any more
    stop                all end what they do, and the program ends

KIND is ``hello`` (GET /api/hello on one connection for as long as the server
keeps it), ``slow`` (requests of 5-20 s), ``upload`` (some MB in some seconds) or
``websocket``. A connection that the server closes without having announced it
is a failure of the request that finds it so.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import collections
import dataclasses
import hashlib
import itertools
import json
import os
import random
import ssl
import sys
import time
import typing as t

import releases_wire as wire

KINDS = ("hello", "slow", "upload", "websocket")
# What a client runs into when its request is not answered.
LOST = (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
# More than fail while a container is restarted.
ERRORS_KEPT = 5000
ANSWER_SECONDS = 45.0
ECHO_SECONDS = 5.0
PIECES = 16


class Unexpected(ValueError):
    """An answer came, and it is not the right one."""


@dataclasses.dataclass
class Tally:
    """What all clients have seen; times are in seconds since 1970."""

    requests: int = 0
    failed: int = 0
    not_ready: int = 0
    websockets: int = 0
    frames: int = 0
    kinds: dict[str, int] = dataclasses.field(default_factory=dict)
    releases: dict[str, int] = dataclasses.field(default_factory=dict)
    first_seen: dict[str, float] = dataclasses.field(default_factory=dict)
    errors: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    closes: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)

    def answered(self, kind: str, head: wire.Head, begun: float, now: float) -> bool:
        """Count an answer; whether it is good."""
        self._asked(kind)
        release = head.headers.get("x-release", "none")
        self.releases[release] = self.releases.get(release, 0) + 1
        self.first_seen.setdefault(release, now)
        if "x-not-ready" in head.headers:
            self.not_ready += 1
        good = head.status == (101 if kind == "websocket" else 200)
        if not good:
            self._error(kind, f"status {head.status} of release {release}", begun, now)
        return good

    def lost(self, kind: str, error: BaseException, begun: float, now: float) -> None:
        """Count a request that was not answered."""
        self._asked(kind)
        self._error(kind, f"{type(error).__name__}: {error}", begun, now)

    def broken(self, kind: str, error: BaseException, begun: float, now: float) -> None:
        """Count as failed what was answered first, and was not right afterwards."""
        self._error(kind, f"{type(error).__name__}: {error}", begun, now)

    def closed(self, release: str, code: int, opened: float, now: float) -> None:
        """Count a WebSocket that the server ended; only its going away is no failure."""
        self.closes.append({"at": now, "release": release, "code": code, "age": round(now - opened, 1)})
        if code != wire.GOING_AWAY:
            self._error("websocket", f"closed with {code} by release {release}", opened, now)

    def _asked(self, kind: str) -> None:
        self.requests += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def _error(self, kind: str, what: str, begun: float, now: float) -> None:
        self.failed += 1
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append({"at": now, "begun": begun, "kind": kind, "error": what})


class Connection:
    """One connection over TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self.reader, self.writer, self._host = reader, writer, host

    def send_head(self, method: str, path: str, **headers: str) -> None:
        """The head of a request; in the names of headers an underscore is a dash."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}",
                 *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        self.writer.write("\r\n".join((*lines, "", "")).encode())

    async def answer(self) -> tuple[wire.Head, bytes]:
        """The answer to what was sent."""
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await wire.read_head(self.reader)
            if head is None:
                raise ConnectionError("closed without an answer")
            if head.headers.get("transfer-encoding"):
                raise ValueError("an answer in chunks")
            return head, await self.reader.readexactly(head.length) if head.status != 101 else b""


class Load:
    """All clients, and what they have seen."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.tally = Tally()
        self.stopped = False
        self.held: set[str] = set()
        self.at_work: collections.Counter[str] = collections.Counter()
        self._kept: dict[int, Connection] = {}
        self._kinds: dict[int, str] = {}
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        # The certificate is not what is looked at here.
        self._context.verify_mode = ssl.CERT_NONE

    # -- clients --------------------------------------------------------------------------

    async def connect(self) -> Connection:
        """A new connection."""
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(
                self.options.address, self.options.port, ssl=self._context, server_hostname=self.options.name)
        return Connection(reader, writer, f"{self.options.name}:{self.options.port}")

    async def client(self, number: int, kind: str) -> None:
        """Do one thing after the other, until told to stop."""
        work = {"hello": self.hello, "slow": self.slow, "upload": self.upload, "websocket": self.websocket}[kind]
        choose = random.Random(number)
        self._kinds[number] = kind
        # All at once would be a burst, which is not what is looked at.
        await asyncio.sleep(choose.uniform(0, 1))
        while not self.stopped:
            if kind in self.held:
                self.drop(number)
                await asyncio.sleep(0.05)
                continue
            self.at_work[kind] += 1
            begun = time.time()
            try:
                await work(number, choose)
            except Unexpected as error:
                self.tally.broken(kind, error, begun, time.time())
                self.drop(number)
            except LOST as error:
                self.tally.lost(kind, error, begun, time.time())
                self.drop(number)
            finally:
                self.at_work[kind] -= 1
            await asyncio.sleep(self.options.pause * choose.uniform(0.8, 1.2))

    def drop(self, number: int) -> None:
        """Give up a client's connection."""
        connection = self._kept.pop(number, None)
        if connection:
            connection.writer.close()

    async def kept(self, number: int) -> Connection:
        """The client's own connection, for as long as the server keeps it."""
        if number not in self._kept:
            self._kept[number] = await self.connect()
        return self._kept[number]

    async def result(self, number: int, kind: str, begun: float) -> dict[str, t.Any]:
        """The document in the answer to a request."""
        head, body = await self._kept[number].answer()
        good = self.tally.answered(kind, head, begun, time.time())
        if head.closes:
            self.drop(number)
        return json.loads(body) if good else {}

    async def hello(self, number: int, _choose: random.Random) -> None:
        """A short request."""
        begun = time.time()
        (await self.kept(number)).send_head("GET", "/api/hello")
        await self.result(number, "hello", begun)

    async def slow(self, number: int, choose: random.Random) -> None:
        """A request that takes 5-20 s."""
        begun = time.time()
        (await self.kept(number)).send_head("GET", f"/api/slow?seconds={choose.uniform(5, 20):.1f}")
        await self.result(number, "slow", begun)

    async def upload(self, number: int, choose: random.Random) -> None:
        """Some MB, in pieces over some seconds."""
        begun, piece, pause = time.time(), choose.randbytes(2**17), choose.uniform(0.1, 0.4)
        connection = await self.kept(number)
        connection.send_head("POST", "/api/upload", Content_Length=str(len(piece) * PIECES))
        digest = hashlib.sha256()
        for _ in range(PIECES):
            digest.update(piece)
            connection.writer.write(piece)
            await connection.writer.drain()
            await asyncio.sleep(pause)
        document = await self.result(number, "upload", begun)
        if document and document["sha256"] != digest.hexdigest():
            raise Unexpected(f"of an upload another text arrived: {document}")

    async def websocket(self, number: int, choose: random.Random) -> None:
        """A WebSocket for up to a minute, with a frame every 0.2 s."""
        begun = time.time()
        connection = self._kept[number] = await self.connect()
        key = base64.b64encode(choose.randbytes(16)).decode()
        connection.send_head("GET", "/api/ws", Upgrade="websocket", Connection="Upgrade",
                             Sec_WebSocket_Key=key, Sec_WebSocket_Version="13")
        head, _body = await connection.answer()
        try:
            if not self.tally.answered("websocket", head, begun, time.time()):
                return
            if head.headers.get("sec-websocket-accept") != wire.accept_key(key):
                raise Unexpected("a handshake was not answered with its key")
            self.tally.websockets += 1
            await self.talk(connection, head.headers["x-release"], begun, choose)
        except LOST as error:
            # It was answered once and is counted; that it broke is a failure all the same.
            raise Unexpected(f"WebSocket of release {head.headers.get('x-release')}: {error!r}") from error
        finally:
            self.drop(number)

    async def talk(self, connection: Connection, release: str, opened: float, choose: random.Random) -> None:
        """Send and expect the echo, until the time is over or the server ends it."""
        end = time.monotonic() + choose.uniform(20, 60)
        for turn in itertools.count():
            over = self.stopped or "websocket" in self.held or time.monotonic() > end
            sent = str(turn).encode()
            mask = os.urandom(4)
            connection.writer.write(
                wire.close_frame(wire.NORMAL, mask) if over else wire.frame(wire.TEXT, sent, mask))
            async with asyncio.timeout(ECHO_SECONDS):
                opcode, payload = await wire.read_frame(connection.reader)
            if opcode == wire.CLOSE:
                code = wire.close_code(payload)
                if not over or code != wire.NORMAL:
                    self.tally.closed(release, code, opened, time.time())
                    connection.writer.write(wire.close_frame(code, mask))
                return
            if over:
                continue
            if payload != sent:
                raise Unexpected(f"the echo of {sent!r} was {payload!r}")
            self.tally.frames += 1
            await asyncio.sleep(0.2)

    # -- commands -------------------------------------------------------------------------

    async def obey(self) -> None:
        """Commands, until the last or the end of the input."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while not self.stopped:
            command, *kinds = (await reader.readline()).decode().split() or ["stop"]
            if command == "hold":
                self.held = set(kinds)
                while any(self.at_work[kind] for kind in kinds) or {
                        self._kinds[number] for number in self._kept} & self.held:
                    await asyncio.sleep(0.05)
            elif command == "go":
                self.held = set()
            elif command == "stop":
                break
            print(json.dumps(dataclasses.asdict(self.tally)), flush=True)

    async def run(self) -> None:
        """Everything, from the first client to the last."""
        numbers = itertools.count(1)
        clients = [asyncio.ensure_future(self.client(next(numbers), kind))
                   for kind in KINDS for _ in range(getattr(self.options, kind))]
        try:
            await self.obey()
        finally:
            self.stopped = True
            await asyncio.gather(*clients)
        print(json.dumps(dataclasses.asdict(self.tally)), flush=True)


def main() -> int:
    """Read the options, run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="address of the proxy")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", required=True, help="host name that is asked for")
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two requests of a client")
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, help="how many of these clients")
    asyncio.run(Load(parser.parse_args()).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())

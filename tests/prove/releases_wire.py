# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of HTTP/1.1 messages and frames of WebSockets, as the application and its clients both need them.

Standard library only: this file lies in the application's image too.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib

HEAD_LIMIT = 2**16
TEXT, CLOSE = 0x1, 0x8
# RFC 6455, 7.4.1: an end as agreed, and one because the server goes away.
NORMAL, GOING_AWAY = 1000, 1001
# RFC 6455, 1.3: what a server adds to the client's key.
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclasses.dataclass(frozen=True)
class Head:
    """The first line of a message in its words, and its headers; names are in lower case."""

    words: tuple[str, ...]
    headers: dict[str, str]

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.words[1])

    @property
    def length(self) -> int:
        """Of the body, in bytes."""
        return int(self.headers.get("content-length", "0"))

    @property
    def closes(self) -> bool:
        """Whether whoever sent it ends the connection after this message, and says so."""
        return self.headers.get("connection", "").lower() == "close"


def parse_head(data: bytes) -> Head:
    """A message's head, which ends with an empty line. Raises ValueError."""
    first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"'{line}' is no header")
        headers[name.strip().lower()] = value.strip()
    words = tuple(first.split(" ", 2))
    if len(words) < 2:
        raise ValueError(f"'{first}' is no first line")
    return Head(words, headers)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next message's head; None where the connection ended before its first byte."""
    try:
        return parse_head(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None


def accept_key(key: str) -> str:
    """What a server answers to the key of a WebSocket's handshake."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()


def _masked(payload: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def frame(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """A whole message in one frame of at most 64 KiB; clients have to mask (RFC 6455, 5.3)."""
    length = len(payload)
    bit = 0x80 if mask else 0
    size = bytes([bit | length]) if length < 126 else bytes([bit | 126]) + length.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + mask + (_masked(payload, mask) if mask else payload)


def close_frame(code: int, mask: bytes = b"") -> bytes:
    """The frame that ends a WebSocket."""
    return frame(CLOSE, code.to_bytes(2, "big"), mask)


def close_code(payload: bytes) -> int:
    """The code in a closing frame; 1005 (RFC 6455, 7.1.5) where it has none."""
    return int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Opcode and payload of the next frame; raises IncompleteReadError where the connection just ends."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    mask = await reader.readexactly(4) if second & 0x80 else b""
    payload = await reader.readexactly(length)
    return first & 0x0F, _masked(payload, mask) if mask else payload

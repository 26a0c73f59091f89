# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of the proof of releases: what counts as failed, and the WebSockets they speak."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("prove", "lab")]

import releases_load as load  # noqa: E402
import releases_wire as wire  # noqa: E402
from releases_site import SECONDS, SWITCH, Step, wrong_closes  # noqa: E402


def read(data: bytes, reading):
    """What a reader of these bytes, after which the connection ends, makes of them."""
    async def fed():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await reading(reader)

    return asyncio.run(fed())


@pytest.mark.parametrize("data, status, length, closes", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", 200, 12, False),
    (b"HTTP/1.1 200 OK\r\ncontent-length:3\r\nConnection: Close\r\n\r\n", 200, 3, True),
    (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n", 101, 0, False),
    (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", 502, 0, False),
])
def test_the_head_of_an_answer(data, status, length, closes):
    head = read(data, wire.read_head)
    assert (head.status, head.length, head.closes) == (status, length, closes)


def test_a_connection_that_ends_before_an_answer_is_told_from_one_that_ends_in_it():
    assert read(b"", wire.read_head) is None
    with pytest.raises(asyncio.IncompleteReadError):
        read(b"HTTP/1.1 200 OK\r\nContent-", wire.read_head)


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"])
def test_what_is_no_head_is_refused(data):
    with pytest.raises(ValueError):
        read(data, wire.read_head)


def test_the_key_of_a_handshake():
    # The example of RFC 6455, 1.3.
    assert wire.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("data, frame", [
    # The examples of RFC 6455, 5.7.
    (bytes.fromhex("810548656c6c6f"), (wire.TEXT, b"Hello")),
    (bytes.fromhex("818537fa213d7f9f4d5158"), (wire.TEXT, b"Hello")),
    (bytes.fromhex("827e0100") + bytes(256), (2, bytes(256))),
    (bytes.fromhex("827f0000000000010000") + bytes(65536), (2, bytes(65536))),
])
def test_frames_are_read(data, frame):
    assert read(data, wire.read_frame) == frame


@pytest.mark.parametrize("payload", [b"", b"Hello", b"x" * 125, b"x" * 126, b"x" * 65535])
@pytest.mark.parametrize("mask", [b"", b"\x37\xfa\x21\x3d"])
def test_frames_are_written(payload, mask):
    assert read(wire.frame(wire.TEXT, payload, mask), wire.read_frame) == (wire.TEXT, payload)
    if payload == b"Hello" and mask:
        assert wire.frame(wire.TEXT, payload, mask).hex() == "818537fa213d7f9f4d5158"


def test_a_connection_that_ends_within_a_frame_is_no_frame():
    with pytest.raises(asyncio.IncompleteReadError):
        read(bytes.fromhex("8105486c"), wire.read_frame)


@pytest.mark.parametrize("code", [wire.NORMAL, wire.GOING_AWAY])
def test_closing_frames(code):
    opcode, payload = read(wire.close_frame(code, b"mask"), wire.read_frame)
    assert (opcode, wire.close_code(payload)) == (wire.CLOSE, code)
    assert wire.close_code(b"") == 1005


def answer(status: int, **headers: str) -> wire.Head:
    return wire.Head(("HTTP/1.1", str(status), "..."), {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize("kind, head, failed, not_ready", [
    ("hello", answer(200, x_release="r1"), 0, 0),
    ("websocket", answer(101, x_release="r1"), 0, 0),
    ("websocket", answer(200, x_release="r1"), 1, 0),
    ("hello", answer(502), 1, 0),
    ("upload", answer(503, x_release="r1", x_not_ready="1"), 1, 1),
    # It would not count as failed, and must not happen all the same.
    ("hello", answer(200, x_release="r1", x_not_ready="1"), 0, 1),
])
def test_answers_are_counted(kind, head, failed, not_ready):
    tally = load.Tally()
    assert tally.answered(kind, head, 10.0, 11.0) is (failed == 0)
    assert (tally.requests, tally.failed, tally.not_ready, len(tally.errors)) == (1, failed, not_ready, failed)
    assert tally.kinds == {kind: 1}


def test_the_first_answer_of_a_release_is_remembered():
    tally = load.Tally()
    for now, release in ((1.0, "r1"), (2.0, "r2"), (3.0, "r1")):
        tally.answered("hello", answer(200, x_release=release), now, now)
    assert tally.first_seen == {"r1": 1.0, "r2": 2.0}
    assert tally.releases == {"r1": 2, "r2": 1}
    assert json.loads(json.dumps(dataclasses.asdict(tally)))["releases"] == tally.releases


def test_what_is_lost_is_a_failed_request_and_what_breaks_later_is_counted_once():
    tally = load.Tally()
    tally.lost("hello", ConnectionError("closed without an answer"), 1.0, 2.0)
    assert (tally.requests, tally.failed) == (1, 1)
    assert "closed without an answer" in tally.errors[0]["error"]
    tally.answered("websocket", answer(101), 1.0, 2.0)
    tally.broken("websocket", load.Unexpected("no echo"), 1.0, 2.0)
    assert (tally.requests, tally.failed) == (2, 2)


def test_only_going_away_ends_a_websocket_well():
    tally = load.Tally()
    tally.closed("r1", wire.GOING_AWAY, 1.0, 2.0)
    assert tally.failed == 0
    tally.closed("r1", 1011, 1.0, 2.0)
    assert tally.failed == 1 and [one["code"] for one in tally.closes] == [1001, 1011]


@pytest.mark.parametrize("close, step, right", [
    ({"at": 15.0, "release": "r1"}, Step("r3", 10, 20, replaced="r1"), True),
    ({"at": 15.0, "release": "r2"}, Step("r3", 10, 20, replaced="r1"), False),
    ({"at": 25.0, "release": "r1"}, Step("r3", 10, 20, replaced="r1"), False),
    # r3 serves since 12: the limit is not over before 32.
    ({"at": 32.5, "release": "r2"}, Step("r3", 10, 40, replaced="r1", stopped="r2"), True),
    ({"at": 20.0, "release": "r2"}, Step("r3", 10, 40, replaced="r1", stopped="r2"), False),
    ({"at": 15.0, "release": "r3"}, Step("r3", 10, 20), False),
    ({"at": 15.0, "release": "r3"}, Step("r3", 10, 20, undone=True), True),
])
def test_when_an_application_may_end_websockets(close, step, right):
    assert wrong_closes([close], [step], {"r3": 12.0}, 20) == ([] if right else [close])


@pytest.mark.parametrize(("at", "right"), [(15.0, False), (27.0, True)])
def test_a_warm_colour_has_its_time_too_before_it_is_replaced(at, right):
    close = {"at": at, "release": "r1"}
    steps = [Step("r2", 1, 9), Step("r3", 10, 40, replaced="r1")]
    assert wrong_closes([close], steps, {}, 20) == ([] if right else [close])


def test_figures_are_found_in_a_run():
    output = ('changed: [local] => {"steps": [{"seconds": 9.0, "step": "compose_project"}, {"drained_seconds": 1.2, '
              '"seconds": 0.81, "step": "release_switch", "steps": {"record": true}, "switch_ms": 3.4}]}')
    assert SWITCH.search(output)[1] == "3.4"
    assert SECONDS.search(output)[1] == "0.81"

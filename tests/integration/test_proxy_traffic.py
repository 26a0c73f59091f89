# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy's own configuration in a real nginx: who gets a request, who gets it again, and what is counted."""

from __future__ import annotations

import collections
import contextlib
import json
import pathlib
import random
import re
import secrets
import time
import typing as t

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._canary import Seen
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._traffic import Traffic
from conftest import docker
from nginx_proxy import NAME, NginxProxy, make_readable, start_replica

REPLICAS = ("blue", "blue-2", "green", "green-2", "green-3")
ROUTES = [
    {"path": "/app", "application": "shop", "access": "public"},
    {"path": "/upload", "application": "shop", "access": "public", "max_body": "20m"},
    {"path": "/private", "application": "shop"},
    {"path": "/other", "application": "other", "access": "public"},
]
DROPS = {"blue-2": "ok"}


class Answer(t.NamedTuple):
    """Of the proxy; ``who`` is the replica, ``body`` what it got."""

    status: int
    who: str
    body: str
    cookie: str


class Platform(NginxProxy):
    """nginx and five replicas of an application, of which ``blue-2`` drops each question for ``ok``."""

    def __init__(self, directory: pathlib.Path, image: str) -> None:
        super().__init__(directory, f"mooringtest{secrets.token_hex(3)}", ROUTES)
        self.image = image

    def start(self) -> None:
        docker("network", "create", "--label", "mooring.test=1", self.prefix)
        for replica in REPLICAS:
            start_replica(self.prefix, self.image, replica, DROPS.get(replica, ""))
        super().start()

    def ask(self, path: str = "/app/ok", method: str = "GET", body: bytes | None = None, cookie: str = "") -> Answer:
        """One request on a connection of its own."""
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, {"Host": NAME, **({"Cookie": cookie} if cookie else {})})
            response = connection.getresponse()
            text = response.read().decode()
            who, _space, digest = text.partition(" ") if response.status == 200 or "html" not in text else ("", "", "")
            return Answer(response.status, who, digest, response.getheader("Set-Cookie") or "")

    def count(self, times: int, *arguments: t.Any, **keywords: t.Any) -> collections.Counter[str]:
        """How often each replica answered."""
        return collections.Counter(self.ask(*arguments, **keywords).who for _turn in range(times))

    def seen(self, answers: int) -> dict[str, Seen]:
        """How each colour answered, once so many answers are counted: that is after they were sent."""
        limit = time.monotonic() + 10
        while True:
            seen = self.control.seen("shop")
            if sum(colour.requests for colour in seen.values()) >= answers:
                return seen
            assert time.monotonic() < limit, seen
            time.sleep(0.05)

    def remove(self) -> None:
        for name in (*REPLICAS, "proxy"):
            docker("rm", "--force", "--volumes", f"{self.prefix}-{name}", check=False)
        docker("network", "rm", self.prefix, check=False)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, image: str) -> t.Iterator[Platform]:
    directory = tmp_path_factory.mktemp("proxy")
    make_readable(directory)
    platform = Platform(directory, image)
    try:
        platform.start()
        yield platform
    finally:
        platform.remove()


def test_nothing_is_served_before_there_is_a_release(platform):
    assert platform.ask().status == 502
    assert platform.ask("/private/ok").status == 502


def test_one_colour_gets_everything(platform):
    platform.serve("green")
    answers = platform.count(30)
    assert set(answers) <= {"green", "green-2", "green-3"}, "the name of a colour is that of all its replicas"
    assert platform.ask("/private/ok").status == 401


def test_replicas_share_the_requests(platform):
    platform.serve("green*3")
    answers = platform.count(90)
    assert set(answers) == {"green", "green-2", "green-3"}
    assert min(answers.values()) > 10, answers


def test_a_replica_that_fails_is_spared_and_nobody_notices(platform):
    platform.serve("blue*2")
    answers = platform.count(60)
    assert answers == {"blue": 60}, "each question that blue-2 dropped was asked once more"
    log = docker("logs", platform.container).splitlines()[-60:]
    dropped = [line for line in log if "502" in json.loads(line)["upstream_status"]]
    assert 3 <= len(dropped) <= 6, "three failures, and what was under way"
    # It gets another chance some seconds later.
    limit = time.monotonic() + 30
    while "blue-2" not in platform.count(4, "/app/fine"):
        assert time.monotonic() < limit
        time.sleep(0.5)


def test_a_replica_that_is_gone_is_no_loss_for_any_method(platform):
    platform.serve("green*3")
    docker("stop", "--time", "2", f"{platform.prefix}-green-3")
    try:
        # Nothing was sent yet, so it may be sent to another one.
        answers = platform.count(20, method="POST", body=b"x" * 70000)
        assert set(answers) == {"green", "green-2"}
    finally:
        docker("start", f"{platform.prefix}-green-3")


def test_what_may_have_been_done_is_not_done_twice(platform):
    platform.serve("blue*2")
    posts = [platform.ask(method="POST", body=b"order") for _turn in range(12)]
    failed = [answer for answer in posts if answer.status == 502]
    assert 1 <= len(failed) <= 3, "blue-2 dropped them after they were sent"
    assert {answer.who for answer in posts if answer.status == 200} == {"blue"}
    platform.serve("blue*2")
    puts = [platform.ask(method="PUT", body=b"order") for _turn in range(12)]
    assert {(answer.status, answer.who) for answer in puts} == {(200, "blue")}, "PUT is idempotent"
    assert len({answer.body for answer in puts}) == 1, "the body came again too"
    platform.serve("blue*2")
    uploads = [platform.ask("/upload/ok", method="PUT", body=b"o" * 100000) for _turn in range(12)]
    assert 502 in {answer.status for answer in uploads}, "a body that was passed on as it came in is gone"
    assert len({answer.body for answer in uploads if answer.status == 200}) == 1


def test_what_an_application_says_is_passed_on(platform):
    platform.serve("green blue=0")
    for status in (500, 502, 503, 504):
        answer = platform.ask(f"/app/{status}")
        assert answer.status == status
        assert answer.who.startswith("green"), "its own words, from the colour that was asked"


def test_the_other_colour_gets_what_the_first_cannot_be_asked(platform):
    platform.serve("green blue=0")
    assert platform.ask("/app/drop").status == 502, "both drop it"
    assert set(platform.count(10)) <= {"green", "green-2", "green-3"}
    for replica in ("green", "green-2", "green-3"):
        docker("pause", f"{platform.prefix}-{replica}")
    try:
        docker("kill", f"{platform.prefix}-green", f"{platform.prefix}-green-2", f"{platform.prefix}-green-3")
        assert set(platform.count(10, "/app/fine")) <= {"blue", "blue-2"}
        # One that is up again at once need not be ready: it is not asked for some seconds.
        docker("start", f"{platform.prefix}-green")
        assert set(platform.count(10, "/app/fine")) <= {"blue", "blue-2"}
        docker("kill", f"{platform.prefix}-green")
        platform.serve("green")
        assert platform.ask().status in (502, 504), "alone, nobody is behind it"
    finally:
        for replica in ("green", "green-2", "green-3"):
            docker("start", f"{platform.prefix}-{replica}")


def test_a_share_of_the_requests_goes_to_the_other_colour(platform):
    platform.serve("blue green*3=10")
    answers = platform.count(400, "/app/fine")
    share = sum(number for who, number in answers.items() if who.startswith("green"))
    assert 15 <= share <= 75, answers
    platform.serve("green*3 blue=99")
    answers = platform.count(100, "/app/fine")
    assert sum(number for who, number in answers.items() if who.startswith("blue")) > 85


def test_a_client_keeps_its_colour_while_the_share_grows(platform):
    platform.serve("blue green=30 sticky")
    clients: list[tuple[str, bool]] = []
    for _turn in range(60):
        answer = platform.ask("/app/fine")
        assert re.fullmatch(r"mooring_shop=\d{1,2}; Path=/; Secure; HttpOnly; SameSite=Lax", answer.cookie)
        clients.append((answer.cookie.split(";")[0], answer.who.startswith("green")))
    assert {canary for _cookie, canary in clients} == {True, False}
    for line, stays in (("blue green=30 sticky", True), ("blue green=60 sticky", True), ("blue green=5 sticky", False)):
        platform.serve(line)
        for cookie, canary in clients:
            answer = platform.ask("/app/fine", cookie=f"theme=dark; {cookie}")
            assert not answer.cookie, "it has one"
            place = int(cookie.rpartition("=")[2])
            assert answer.who.startswith("green") == (place < Traffic.from_line(line).percent)
            assert not (stays and canary) or answer.who.startswith("green")
    platform.serve("blue green=30")
    assert not platform.ask("/app/fine").cookie


def test_how_each_colour_answers_is_counted(platform):
    platform.serve("blue green*3=50")
    for _turn in range(60):
        platform.ask("/app/fine")
        platform.ask("/app/503")
    seen = platform.seen(120)
    # One that was answered just before may be counted just after.
    assert 120 <= seen["blue"].requests + seen["green"].requests <= 122
    for colour in seen.values():
        assert 10 < colour.requests < 110
        assert 0.2 < colour.error_ratio < 0.8
        assert 0 < colour.latency < 5
    platform.serve("blue green*3=50")
    assert platform.control.seen("shop")["green"].requests == 0, "a new share begins anew"
    for _turn in range(20):
        platform.ask("/app/slow")
    assert 0.3 <= platform.seen(20)["green"].latency < 5
    # A colour that cannot be asked has failed, though the client got its answer from the other.
    platform.serve("green blue*2=50")
    assert {platform.ask().status for _turn in range(40)} == {200}
    seen = platform.seen(40)
    assert seen["green"].errors == 0 < seen["blue"].errors
    platform.serve("blue")
    platform.ask("/app/503")
    assert platform.control.seen("shop")["blue"].requests == 0, "nothing is compared, so nothing is counted"


def test_the_line_survives_a_reload_and_a_restart(platform):
    platform.serve("blue green*3=10 sticky")
    platform.reload()
    assert platform.control.traffic("shop") == Traffic("blue", 1, 10, 3, True)
    platform.restart()
    assert platform.control.traffic("shop") == Traffic("blue", 1, 10, 3, True)


def test_the_proxy_and_the_modules_read_the_same_lines(platform):
    random.seed(6)
    parts = ["blue", "green", "*2", "*9", "*0", "*10", "=0", "=1", "=99", "=100", "=07", " ", "  ", " sticky", "x"]
    lines = ["", "blue", "blue green=10", "blue*3 green*2=50 sticky", "blue blue=10", "green sticky", "blue green"]
    lines += ["".join(random.choices(parts, k=random.randint(1, 6))) for _turn in range(300)]
    platform.serve("green")
    file = platform.directory / "releases" / "shop"
    for line in lines:
        file.write_text(line)
        declared = platform.control.declared("shop")
        try:
            told = platform.control._request("POST", "shop").get("traffic")
        except MooringError as error:
            assert "no line of traffic" in str(error)
            assert declared is None, f"the proxy refuses {line!r}"
        else:
            assert declared is not None and Traffic.from_line(told) == declared, f"the proxy takes {line!r}"
    platform.serve("green")


def test_each_application_has_its_own(platform):
    assert platform.ask("/other/ok").status == 502, "nothing was released of it"
    with pytest.raises(MooringError, match="no route leads"):
        platform.control.switch("third", Traffic("blue"))

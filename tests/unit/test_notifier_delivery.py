# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was accepted reaches Mattermost: once, in order, and after whatever happened to it meanwhile."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import socket
import sqlite3
import threading
import urllib.error

import pytest
from notifier import mattermost, outbox
from notifier.courier import Courier, CourierThread
from notifier.handler import Ignored, Message, Rejected
from notifier.mattermost import Closed, Delivered, Later, Refused, pause, send
from notifier.outbox import Full, Outbox
from notifier.server import Application
from notifier_parts import DEPLOY, TOKEN, declared, delivery, listener, request

NOW = 1_800_000_000.0
HOUR = 3600.0


@pytest.fixture
def box(tmp_path):
    found = Outbox(str(tmp_path / "outbox.sqlite"))
    yield found
    found.close()


class Clock:
    """Told what time it is."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Trial:
    """The whole program without a network: deliveries in, steps of a courier, a clock that is set."""

    def __init__(self, path, **settings) -> None:
        self.clock, self.outbox = Clock(), Outbox(str(path))
        self.settings = declared(**settings)
        self.application = Application(self.settings, self.outbox, None, self.clock)
        self.sent: list[str] = []
        self.answers = Delivered()
        self.reports: list[tuple[str, str]] = []
        self.courier = self.new_courier()

    def new_courier(self) -> Courier:
        return Courier("default", self.outbox, self.post, lambda: self.settings.max_age,
                       lambda result, message, reason: self.reports.append((result, reason)), self.clock)

    def post(self, post):
        answer = self.answers(post) if callable(self.answers) else self.answers
        if isinstance(answer, Delivered):
            self.sent.append(post["text"].splitlines()[1])
        return answer

    def take(self, body, event="Merge Request Hook", **headers):
        return self.application.take(delivery(body, event, **headers))

    def work(self, seconds: float = 0.0) -> int:
        """Let that much time pass, and do what is due in it; how many steps that were."""
        end, steps = self.clock.now + seconds, 0
        while True:
            due = self.courier.step(self.clock.now)
            steps += 1
            assert steps < 100_000
            if due is None or self.clock.now + due > end:
                self.clock.now = end
                return steps
            self.clock.now += due


@pytest.fixture
def trial(tmp_path):
    return Trial(tmp_path / "outbox.sqlite")


def numbers(trial: Trial) -> list[int]:
    return [int(line.split("!")[1].split()[0]) for line in trial.sent]


def test_each_is_told_once_and_in_order(trial):
    for number in range(20):
        assert isinstance(trial.take(request(number)), Message)
    trial.work()
    assert numbers(trial) == list(range(20)) and trial.outbox.heads("default") == []


def test_what_came_before_is_not_told_again(trial):
    assert isinstance(trial.take(request(), x_gitlab_event_uuid="one"), Message)
    assert isinstance(trial.take(request(), x_gitlab_event_uuid="one"), Ignored)
    trial.clock.now += trial.settings.replay_window + 1
    assert isinstance(trial.take(request(), x_gitlab_event_uuid="one"), Message)


def test_ten_minutes_without_mattermost_lose_nothing(trial):  # defect 83
    trial.answers = Later("status 503")
    for number in range(30):
        trial.take(request(number))
        trial.work(20)
    assert trial.sent == [] and trial.clock.now == NOW + 600
    asked = len(trial.reports)
    assert asked <= 20, "it is left alone for longer and longer"
    trial.answers = Delivered()
    trial.work(60)
    assert numbers(trial) == list(range(30))
    assert [result for result, _why in trial.reports[asked:]] == ["delivered"] * 30


def test_mattermost_is_left_alone_as_long_as_it_asks(trial):
    trial.answers = Later("status 429", 300.0)
    trial.take(request())
    assert trial.work(299) == 2 and len(trial.reports) == 1
    trial.answers = Delivered()
    trial.work(2)
    assert len(trial.sent) == 1


def test_after_a_delivery_patience_begins_anew(trial):
    for _turn in range(2):
        trial.answers, before = Later("status 503"), len(trial.reports)
        trial.take(request())
        trial.work(3.5)
        # At once, after one second and after two more.
        assert [result for result, _why in trial.reports[before:]] == ["later"] * 3
        trial.work(120)
        trial.answers = Delivered()
        trial.work(60)
    assert len(trial.sent) == 2


def test_a_channel_that_is_refused_does_not_hold_up_the_others(tmp_path):
    trial = Trial(tmp_path / "o", routes=[{"branches": ["old"], "channel": "gone"}, {}])
    trial.answers = lambda post: Closed("status 404: no channel") if post.get("channel") == "gone" else Delivered()
    for number in range(10):
        trial.take(request(number, target_branch="old" if number % 2 else "main"))
    trial.work(60)
    assert numbers(trial) == [0, 2, 4, 6, 8]
    trial.answers = Delivered()
    trial.work(120)
    assert numbers(trial) == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]


def test_what_is_refused_for_an_hour_is_given_up(trial):
    trial.answers = Refused("status 400: no")
    trial.take(request(1))
    trial.take(request(2))
    trial.work(HOUR - 400)
    assert [result for result, _why in trial.reports if result == "given_up"] == []
    trial.work(300)
    trial.answers = Delivered()
    trial.work(60)
    assert numbers(trial) == [2]
    assert ("given_up", "refused 60 times, the last time with status 400: no") in trial.reports


@pytest.mark.parametrize("answer", [Closed("status 403: no"), Later("status 503")])
def test_what_is_about_the_webhook_and_not_the_message_loses_nothing(trial, answer):
    trial.answers = answer
    trial.take(request(1))
    trial.work(71 * HOUR)
    trial.answers = Delivered()
    trial.work(60)
    assert numbers(trial) == [1]


@pytest.mark.parametrize("set_back", [0.0, -24 * HOUR, 24 * HOUR])
def test_a_clock_that_is_set_does_not_stop_deliveries(trial, set_back):
    calendar, now = Clock(), 50.0
    trial.courier._calendar = calendar
    trial.answers = Later("status 503")
    trial.take(request())
    assert trial.courier.step(now) == 0.0
    calendar.now += set_back
    trial.answers = Delivered()
    assert (trial.courier.step(now), trial.courier.step(now + 1)) == (1.0, 0.0)
    assert len(trial.sent) == 1


def test_with_new_settings_mattermost_is_asked_at_once(live):
    application, server = live
    server.status, server.headers = 503, {"Retry-After": "3600"}
    call(application, **good())
    until(lambda: 'result="later",webhook="default"} 1.0' in call(application, "/metrics", method="GET")[1])
    server.status = 200
    application.change(declared({"webhooks": {"default": server.url}}))
    until(lambda: server.posts)


def lost_by_refusal(trial):
    trial.answers = Refused("status 400: no")
    trial.work(HOUR)
    trial.answers = Delivered()


def lost_by_age(trial):
    trial.answers = Later("status 503")
    trial.work(74 * HOUR)
    trial.answers = Delivered()


def lost_by_a_change(trial):
    trial.outbox.lose_others(["ops"])


@pytest.mark.parametrize("lose", [lost_by_refusal, lost_by_age, lost_by_a_change])
@pytest.mark.parametrize(("body", "event"), [
    (request(), "Merge Request Hook"),
    ({"object_attributes": {"id": 1, "status": "failed", "ref": "main"}}, "Pipeline Hook")])
def test_what_was_lost_may_be_sent_again(tmp_path, lose, body, event):
    trial = Trial(tmp_path / "o", replay_window=2_592_000)
    assert isinstance(trial.take(body, event, idempotency_key="k"), Message)
    assert isinstance(trial.take(body, event, idempotency_key="k"), Ignored)
    lose(trial)
    assert isinstance(trial.take(body, event, idempotency_key="k"), Message)
    trial.work(60)
    assert len(trial.sent) == 1
    assert isinstance(trial.take(body, event, idempotency_key="k"), Ignored)


def test_what_no_route_took_may_be_sent_again(trial):
    trial.application._settings = declared(routes=[{"branches": ["other"]}])
    assert trial.take(request(), idempotency_key="k").reason == "no route takes it"
    trial.application._settings = declared()
    assert isinstance(trial.take(request(), idempotency_key="k"), Message)


@pytest.mark.parametrize("changes", [{"url": "https://x.example.com/\ud800"}, {"iid": "\ud800"}, {"title": "\ud800"}])
def test_halves_of_surrogates_are_kept_nowhere(trial, changes):
    body = request(**changes)
    body["project"]["path_with_namespace"] = "shop/\ud800"
    assert call(trial.application, **{**good(), "body": json.dumps(body).encode()})[0] == 202
    (waiting,) = trial.outbox.heads("default")
    assert waiting.subject.startswith("merge_request shop/\ufffd")
    failed = {"id": 1, "status": "failed", "ref": "\ud800"}
    assert isinstance(trial.take({"object_attributes": failed}, "Pipeline Hook"), Message)


def test_what_waits_too_long_is_dropped_and_said(tmp_path):
    trial = Trial(tmp_path / "o", queue_hours=1)
    trial.answers = Later("status 503")
    trial.take(request(1))
    trial.work(HOUR)
    trial.take(request(2))
    trial.answers = Delivered()
    trial.work(HOUR / 2)
    assert numbers(trial) == [2] and ("expired", "it waited longer than 3600 s") in trial.reports


def test_a_full_outbox_takes_no_more_and_what_it_refused_may_come_again(tmp_path):
    trial = Trial(tmp_path / "o", queue_limit=2)
    trial.take(request(1))
    trial.take(request(2))
    with pytest.raises(Full):
        trial.take(request(3), x_gitlab_event_uuid="three")
    trial.work()
    assert isinstance(trial.take(request(3), x_gitlab_event_uuid="three"), Message), "it did not come before"


def test_what_waits_survives_a_new_start(trial, tmp_path):
    trial.take(request(1), x_gitlab_event_uuid="one")
    trial.take({"object_attributes": {"id": 1, "status": "failed", "ref": "main"}}, "Pipeline Hook")
    # As a kill leaves it: never closed.
    again = Trial(tmp_path / "outbox.sqlite")
    assert isinstance(again.take(request(1), x_gitlab_event_uuid="one"), Ignored)
    recovered = again.take({"object_attributes": {"id": 2, "status": "success", "ref": "main"}}, "Pipeline Hook")
    assert isinstance(recovered, Message) and recovered.kind == "pipeline.recovered"
    again.work()
    assert len(again.sent) == 3


def test_what_was_sent_but_not_noted_is_sent_again(trial, monkeypatch):
    trial.take(request())
    with monkeypatch.context() as patch, pytest.raises(sqlite3.OperationalError):
        patch.setattr(trial.outbox, "delivered", lambda _id: (_ for _ in ()).throw(sqlite3.OperationalError("killed")))
        trial.work()
    trial.courier = trial.new_courier()
    trial.work()
    assert len(trial.sent) == 2, "at most once more"


# ---------------------------------------------------------------- the outbox


def test_many_threads_write_at_once(box):
    def write(thread: int) -> None:
        for subject in [f"{thread} {number}" for number in range(50)]:
            box.transaction(functools.partial(box.add, "default", "k", subject, {"text": "x"}, NOW, 10_000))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert box.state() == {"default": (400, NOW)}
    for thread in range(8):
        found = [row[0] for row in box._database.execute("SELECT subject FROM outbox ORDER BY id")]
        assert [one for one in found if one.startswith(f"{thread} ")] == [f"{thread} {number}" for number in range(50)]


def test_one_that_finds_no_room_does_not_undo_the_others(box):
    jobs = [outbox._Job(lambda: box.add("w", "k", "s", {"text": "1"}, NOW, 1)) for _number in range(3)]
    box._do(jobs)
    assert [type(job.error) for job in jobs] == [type(None), Full, Full] and box.state() == {"w": (1, NOW)}


def test_a_disk_that_fails_is_told_to_all_who_wait(box):
    box._database.execute("PRAGMA max_page_count = 1")
    jobs = [outbox._Job(lambda: box.add("w", "k", "s", {"text": "x" * 100_000}, NOW, 9)) for _number in range(3)]
    box._do(jobs)
    assert all(isinstance(job.error, sqlite3.Error) and job.done for job in jobs)
    box._database.execute("PRAGMA max_page_count = 100000")
    assert box.state() == {}
    box.transaction(lambda: box.add("w", "k", "s", {"text": "x"}, NOW, 9))
    assert box.state() == {"w": (1, NOW)}


def test_a_mistake_in_one_is_its_own(box):
    def add(subject):
        box.add("w", "k", "good", {"text": "1"}, NOW, 9)
        box.add("w", "k", subject, {"text": "1"}, NOW, 9)

    jobs = [outbox._Job(functools.partial(add, subject)) for subject in ("one", "\ud800", "two")]
    box._do(jobs)
    assert [type(job.error) for job in jobs] == [type(None), UnicodeEncodeError, type(None)]
    assert all(job.done for job in jobs) and box.state() == {"w": (4, NOW)}, "what it had begun is undone"


def test_an_end_in_the_middle_leaves_nobody_waiting(box):
    jobs = [outbox._Job(lambda: box.add("w", "k", "s", {"text": "1"}, NOW, 9)), outbox._Job(fails(KeyboardInterrupt()))]
    with pytest.raises(KeyboardInterrupt):
        box._do(jobs)
    assert all(job.done and isinstance(job.error, sqlite3.Error) for job in jobs) and box.state() == {}


def test_what_is_known_has_a_limit(box, monkeypatch):
    monkeypatch.setattr(outbox, "ACCEPTED_LIMIT", 10)
    monkeypatch.setattr(outbox, "MEMORY_LIMIT", 10)
    for number in range(25):
        box.transaction(lambda number=number: (
            box.add("w", "k", "s", {"text": "1"}, NOW, 99, str(number)), box.remember(str(number), "x")))
    assert [number for number in range(25) if box.accepted(str(number), NOW - 1)] == list(range(15, 25))
    assert [number for number in range(25) if box.recall(str(number))] == list(range(15, 25))
    assert not box.accepted("24", NOW)


# ---------------------------------------------------------------- Mattermost


@pytest.mark.parametrize(("status", "headers", "result"), [
    (200, {}, Delivered()), (201, {}, Delivered()),
    (400, {}, Refused("status 400: as the lab wants it")), (403, {}, Closed("status 403: as the lab wants it")),
    (413, {}, Refused("status 413: as the lab wants it")), (401, {}, Closed("status 401: as the lab wants it")),
    (404, {}, Closed("status 404: as the lab wants it")), (301, {}, Closed("status 301: as the lab wants it")),
    (429, {}, Later("status 429: as the lab wants it")),
    (429, {"Retry-After": "7"}, Later("status 429: as the lab wants it", 7.0)),
    (429, {"Retry-After": "99999"}, Later("status 429: as the lab wants it", 3600.0)),
    (503, {"Retry-After": "Fri, 01 Jan 2027 00:00:00 GMT"}, Later("status 503: as the lab wants it")),
    (500, {}, Later("status 500: as the lab wants it")),
])
def test_what_an_answer_means(status, headers, result):
    with listener() as server:
        server.status, server.headers = status, headers
        if status == 201:
            server.status = 200
        assert send(server.url, {"text": "x"}, mattermost.opener()) == result


def test_who_does_not_answer_is_asked_later_and_the_address_is_not_said():  # defect 83
    with listener() as server:
        url = server.url + "sentinel"
    for address in (url, "http://127.0.0.1:1/sentinel", "http://sentinel.invalid/sentinel"):
        found = send(address, {"text": "x"}, mattermost.opener(), timeout=2)
        assert isinstance(found, Later) and "sentinel" not in found.reason, found


def test_a_redirect_is_not_followed():
    with listener() as server, listener() as other:
        server.status, server.headers = 302, {"Location": other.url}
        assert isinstance(send(server.url, {"text": "x"}, mattermost.opener()), Closed)
        assert other.posts == [] and other.refused == []


class Raw:
    """Whatever answers in Mattermost's place, byte by byte, and goes or keeps the connection."""

    def __init__(self, answer: bytes, keep: bool = False) -> None:
        self._answer, self._keep, self._ended = answer, keep, threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/hooks/sentinel"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Raw:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._socket.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(self._answer)
                    if self._keep:
                        self._ended.wait(30)


def raw(status: str, length: int, body: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}".encode()


@pytest.mark.parametrize(("answer", "keep", "result"), [
    (raw("503 X", 1000), False, Later("status 503")), (raw("503 X", 1000), True, Later("status 503")),
    (raw("404 X", 1000), False, Closed("status 404")),
    # It said that it has it.
    (raw("200 OK", 1000), False, Delivered()), (raw("200 OK", 2), True, Delivered()),
    (raw("200 OK", 2), False, Delivered()), (raw("200 OK", 3, "ok\n"), False, Delivered()),
    (raw("200 OK", 6, "<html>"), False,
     Closed("status 200, but not as Mattermost answers: is the URL that of an incoming webhook?")),
    (raw("200 OK", 0), False,
     Closed("status 200, but not as Mattermost answers: is the URL that of an incoming webhook?")),
    (raw("404 X", 41, '{"message": "Cannot POST /hooks/sentinel"}'[:41]), False, Closed("status 404")),
    (raw("404 X", 42, '{"message": "Cannot POST /hooks/sentinel"}'), False, Closed("status 404: Cannot POST ...")),
    (raw("400 X", 57, '{"id": "web.incoming_webhook.invalid.app_error", "a": ""}'), False, Closed("status 400")),
    (raw("400 X", 54, '{"id": "web.incoming_webhook.text.app_error", "a": ""}'), False, Refused("status 400")),
    (b"nonsense\r\n\r\n", False, Later("it cannot be reached: BadStatusLine")),
])
def test_an_answer_may_break_off_or_come_from_another_program(answer, keep, result):
    with Raw(answer, keep) as server:
        assert send(server.url, {"text": "x"}, mattermost.opener(), timeout=1) == result


class Reset(io.BytesIO):
    """A body that is reset while it is read."""

    status, headers = 200, {}

    def read(self, *_size):
        raise ConnectionResetError(104, "Connection reset by peer")


@pytest.mark.parametrize(("status", "result"), [(200, Delivered()), (503, Later("status 503"))])
def test_a_reset_while_the_answer_is_read_is_no_error(status, result):
    class Opener:
        def open(self, request, timeout):
            if status == 200:
                return Reset()
            raise urllib.error.HTTPError(request.full_url, status, "", {}, Reset())

    assert send("http://192.0.2.7/hooks/sentinel", {"text": "x"}, Opener()) == result


def test_a_courier_goes_on_after_an_answer_that_broke_off(box):
    with Raw(raw("503 X", 1000)) as server, listener() as better:
        application = Application(declared({"webhooks": {"default": server.url}}), box, mattermost.opener())
        application.start()
        call(application, **good())
        until(lambda: 'result="later",webhook="default"} 1.0' in call(application, "/metrics", method="GET")[1])
        assert call(application, "/healthz", method="GET")[0] == 200
        application.change(declared({"webhooks": {"default": better.url}}))
        until(lambda: better.posts)
        application.end()


def test_pauses_grow_to_a_minute():  # defect 83
    assert [pause(number) for number in range(9)] == [0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 60.0, 60.0]


# ---------------------------------------------------------------- the application


def call(application, path="/hooks/gitlab", body=b"", method="POST", **headers):
    """Status and answer of a request."""
    said = {}
    environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "wsgi.input": io.BytesIO(body), **{
        f"HTTP_{name.upper()}": value for name, value in headers.items()}}
    content = b"".join(application(environ, lambda status, headers: said.update(status=status, headers=headers)))
    assert all(isinstance(value, str) for _name, value in said["headers"])
    return int(said["status"][:3]), content.decode()


def good(number: int = 1) -> dict[str, str | bytes]:
    one = delivery(request(number))
    return {"body": one.body, **{name.replace("-", "_"): value for name, value in one.headers.items()}}


@pytest.fixture
def live(box):
    """The application with a Mattermost that it tells."""
    with listener() as server:
        application = Application(declared({"webhooks": {"default": server.url}}), box, mattermost.opener())
        application.start()
        yield application, server
        application.end()


def until(condition) -> None:
    """Until it holds, at most 20 s."""
    woken = threading.Event()
    for _number in range(400):
        if condition():
            return
        woken.wait(0.05)
    raise AssertionError("it never came")


def test_a_request_becomes_a_post(live):
    application, server = live
    assert call(application, **good()) == (202, '{"message": "queued"}')
    until(lambda: server.posts)
    assert "!1 Add a till" in server.posts[0]["text"] and server.refused == []
    until(lambda: application._outbox.state() == {})
    metrics = call(application, "/metrics", method="GET")[1]
    assert 'mooring_notifier_events_total{outcome="queued"} 1.0' in metrics
    assert 'mooring_notifier_posts_total{result="delivered",webhook="default"} 1.0' in metrics
    assert 'mooring_notifier_waiting{webhook="default"} 0.0' in metrics
    assert call(application, "/healthz", method="GET") == (200, '{"message": "well", "generation": 1}')


@pytest.mark.parametrize(("changes", "status"), [
    ({"x_gitlab_token": "x"}, 401), ({"x_gitlab_event": "Push Hook"}, 200), ({"body": b"["}, 400),
    ({"body": b"x" * (2**20 + 2)}, 413), ({"method": "GET"}, 405), ({"path": "/"}, 404), ({"path": "/hooks"}, 404),
    ({"path": "/hooks/gitlab/"}, 202),
    ({"path": "/hooks/deploys"}, 401), ({"path": "/metrics"}, 404), ({"path": "/x", "method": "GET"}, 404),
])
def test_what_others_get(live, changes, status):
    application, _server = live
    assert call(application, **{**good(), **changes})[0] == status


def test_nothing_secret_is_logged(live, capfd):  # defect 81
    application, server = live
    call(application, **{**good(), "x_gitlab_token": TOKEN + "x"})
    server.status = 400
    call(application, **good())
    until(lambda: "refused" in capfd.readouterr().err or server.refused)
    call(application, path="/hooks/deploys", x_mooring_token=DEPLOY + "x")
    said = capfd.readouterr().err
    assert TOKEN not in said and DEPLOY not in said and "/hooks/" not in said and "Add a till" not in said


def fails(error):
    """A function that raises this."""
    def fail(*_arguments):
        raise error
    return fail


def test_a_full_or_sick_outbox_is_an_answer(live, monkeypatch, capfd):
    application, _server = live
    for error in (Full("9 messages wait, and no more may"), sqlite3.OperationalError("disk I/O error")):
        monkeypatch.setattr(application, "take", fails(error))
        assert call(application, **good())[0] == 503
    monkeypatch.setattr(application._outbox, "try_to_write", fails(sqlite3.OperationalError("disk I/O error")))
    status, said = call(application, "/healthz", method="GET")
    assert status == 503 and "the outbox cannot be written" in said
    assert "disk I/O error" in capfd.readouterr().err


def test_a_disk_without_room_is_seen_before_an_event_is(tmp_path):
    trial = Trial(tmp_path / "o")
    trial.outbox._database.execute("PRAGMA max_page_count = 12")
    assert call(trial.application, "/healthz", method="GET")[0] == 503
    trial.outbox._database.execute("PRAGMA max_page_count = 100000")
    assert call(trial.application, "/healthz", method="GET")[0] == 200


def test_a_full_outbox_is_seen(tmp_path):
    trial = Trial(tmp_path / "o", queue_limit=2)
    assert [call(trial.application, **good(number))[0] for number in (1, 2, 3)] == [202, 202, 503]
    status, said = call(trial.application, "/healthz", method="GET")
    assert status == 503 and "2 messages wait, and no more may (mattermost_notifier_queue_limit)" in said
    trial.work()
    assert call(trial.application, "/healthz", method="GET")[0] == 200


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), ValueError("a mistake")])
def test_nothing_ends_a_courier(live, monkeypatch, error, capfd):
    application, server = live
    (one,) = application._couriers.values()
    with monkeypatch.context() as patch:
        patch.setattr(one._courier, "step", fails(error))
        one.wake()
        until(lambda: one.error)
        assert one.is_alive() and f'"sick", "reason": "{type(error).__name__}: {error}' in capfd.readouterr().err
        status, said = call(application, "/healthz", method="GET")
        assert status == 503 and f"not at work: courier default: {type(error).__name__}" in said
    call(application, **good())
    until(lambda: server.posts)
    until(lambda: call(application, "/healthz", method="GET")[0] == 200)


def test_a_courier_that_died_is_seen_and_comes_back_with_new_settings(live):
    application, server = live
    (one,) = application._couriers.values()
    one.end()
    one.join(10)
    status, said = call(application, "/healthz", method="GET")
    assert status == 503 and json.loads(said) == {"message": "not at work: courier default", "generation": 1}
    call(application, **good())
    application.change(declared({"webhooks": {"default": server.url}}))
    until(lambda: server.posts)
    assert call(application, "/healthz", method="GET")[0] == 200


def test_new_settings_are_taken_at_once(live, capfd):
    application, server = live
    server.status = 503
    call(application, **good(1))
    with listener() as other:
        application.change(declared({"webhooks": {"ops": other.url}}, routes=[{"webhook": "ops"}], language="ko"))
        assert json.loads(call(application, "/healthz", method="GET")[1])["generation"] == 2
        call(application, **good(2))
        until(lambda: other.posts)
        assert "리뷰해" in other.posts[0]["text"] and server.posts == []
        said = capfd.readouterr().err
        assert '"about": "merge_request shop/backend 1"' in said and "there is no such webhook any more" in said
        metrics = call(application, "/metrics", method="GET")[1]
        assert 'mooring_notifier_posts_total{result="dropped",webhook="default"} 1.0' in metrics
        until(lambda: application._outbox.state() == {})


def test_an_application_without_a_start_refuses_nothing(trial):
    assert isinstance(trial.take({"object_attributes": {"action": "label"}}), Ignored)
    assert isinstance(trial.take(b"{"), Rejected)


def test_a_courier_that_is_ended_while_it_works_ends(box):
    """Between the look at whether it is to end and the event that is cleared there is room for the end."""
    courier = Courier("default", box, lambda _post: Delivered(), lambda: HOUR, lambda *_: None)
    one = CourierThread(courier, Clock(), print)
    cleared = one._woken.clear
    one._woken.clear = lambda: (one.end(), cleared())
    one.start()
    one.join(10)
    assert not one.is_alive()

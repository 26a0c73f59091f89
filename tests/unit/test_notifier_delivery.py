# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was accepted reaches Mattermost: once, in order, and after whatever happened to it meanwhile."""

from __future__ import annotations

import functools
import io
import json
import sqlite3
import threading

import pytest
from notifier import mattermost, outbox
from notifier.courier import Courier, Round
from notifier.handler import Ignored, Message, Rejected
from notifier.mattermost import Delivered, Later, Refused, pause, send
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
                       lambda result, message, reason: self.reports.append((result, reason)))

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
    trial.answers = lambda post: Refused("status 404: no channel") if post.get("channel") == "gone" else Delivered()
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


def test_what_waits_too_long_is_dropped_and_said(tmp_path):
    trial = Trial(tmp_path / "o", max_age=HOUR)
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
        patch.setattr(trial.outbox, "remove", lambda _id: (_ for _ in ()).throw(sqlite3.OperationalError("killed")))
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


def test_a_mistake_in_one_leaves_nobody_waiting(box):
    jobs = [outbox._Job(lambda: box.add("w", "k", "s", {"text": "1"}, NOW, 9)), outbox._Job(lambda: 1 // 0)]
    with pytest.raises(ZeroDivisionError):
        box._do(jobs)
    assert all(job.done and isinstance(job.error, sqlite3.Error) for job in jobs) and box.state() == {}


def test_what_is_known_has_a_limit(box, monkeypatch):
    monkeypatch.setattr(outbox, "SEEN_LIMIT", 10)
    monkeypatch.setattr(outbox, "MEMORY_LIMIT", 10)
    for number in range(25):
        box.transaction(lambda number=number: (box.is_new(str(number), NOW, HOUR), box.remember(str(number), "x")))
    assert box.transaction(lambda: [box.is_new(str(number), NOW, HOUR) for number in (24, 16)]) == [False, False]
    assert box.transaction(lambda: box.is_new("3", NOW, HOUR))
    assert [box.transaction(lambda number=number: box.recall(str(number))) for number in (3, 24)] == ["", "x"]
    box.transaction(lambda: box.remember("24", ""))
    assert box.transaction(lambda: box.recall("24")) == ""


# ---------------------------------------------------------------- Mattermost


@pytest.mark.parametrize(("status", "headers", "result"), [
    (200, {}, Delivered()), (201, {}, Delivered()),
    (400, {}, Refused("status 400: as the lab wants it")), (403, {}, Refused("status 403: as the lab wants it")),
    (404, {}, Refused("status 404: as the lab wants it")), (301, {}, Refused("status 301: as the lab wants it")),
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
        assert isinstance(send(server.url, {"text": "x"}, mattermost.opener()), Refused)
        assert other.posts == [] and other.refused == []


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
    monkeypatch.setattr(application._outbox, "state", fails(sqlite3.OperationalError("disk I/O error")))
    status, said = call(application, "/healthz", method="GET")
    assert status == 503 and "the outbox cannot be read" in said
    assert "disk I/O error" in capfd.readouterr().err


def test_a_sick_disk_does_not_end_a_courier(box, monkeypatch):
    told, monkeypatched = [], threading.Event()
    courier = Courier("default", box, lambda _post: Delivered(), lambda: HOUR, lambda *_: None)

    def step(_now):
        monkeypatched.set()
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(courier, "step", step)
    one = Round(courier, Clock(), told.append)
    one.start()
    assert monkeypatched.wait(10)
    until(lambda: told == ["disk I/O error"])
    assert one.is_alive()
    one.end()
    one.join(10)
    assert not one.is_alive()


def test_a_courier_that_died_is_seen(live):
    application, _server = live
    (one,) = application._rounds.values()
    one.end()
    one.join(10)
    status, said = call(application, "/healthz", method="GET")
    assert status == 503 and "courier default" in said


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
        assert "there is no such webhook any more" in capfd.readouterr().err
        until(lambda: application._outbox.state() == {})


def test_an_application_without_a_start_refuses_nothing(trial):
    assert isinstance(trial.take({"object_attributes": {"action": "label"}}), Ignored)
    assert isinstance(trial.take(b"{"), Rejected)


def test_a_courier_that_is_ended_while_it_works_ends(box):
    """Between the look at whether it is to end and the event that is cleared there is room for the end."""
    one = Round(Courier("default", box, lambda _post: Delivered(), lambda: HOUR, lambda *_: None), Clock(), print)
    cleared = one._woken.clear
    one._woken.clear = lambda: (one.end(), cleared())
    one.start()
    one.join(10)
    assert not one.is_alive()

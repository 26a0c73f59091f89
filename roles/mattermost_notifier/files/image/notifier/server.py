# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WSGI application: takes deliveries, answers at once, and keeps couriers at work.

    POST /hooks/gitlab     GitLab's webhooks
    POST /hooks/deploys    what deployments say of themselves
    GET  /healthz          whether events can be taken
    GET  /metrics          for Prometheus
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import typing as t

import prometheus_client
from prometheus_client.core import GaugeMetricFamily

from . import mattermost
from .courier import Courier, CourierThread
from .events import Event
from .handler import Delivery, Ignored, Message, Outcome, decide, identity, receive
from .outbox import Full, Outbox, Waiting
from .settings import Settings

PATHS = {"/hooks/gitlab": "gitlab", "/hooks/deploys": "deploys"}
_STATUS = {200: "200 OK", 202: "202 Accepted", 400: "400 Bad Request", 401: "401 Unauthorized", 404: "404 Not Found",
           405: "405 Method Not Allowed", 413: "413 Content Too Large", 503: "503 Service Unavailable"}

Start = t.Callable[[str, "list[tuple[str, str]]"], t.Any]


def log(**fields: t.Any) -> None:
    """One line of JSON; nothing that GitLab or Mattermost sent but names and reasons."""
    print(json.dumps({"time": round(time.time(), 3), **fields}), file=sys.stderr, flush=True)


class Application:
    """Everything between a request and the outbox."""

    def __init__(self, settings: Settings, outbox: Outbox, using: t.Any, clock: t.Callable[[], float] = time.time,
                 registry: prometheus_client.CollectorRegistry | None = None) -> None:
        self._settings, self._outbox, self._clock = settings, outbox, clock
        self.registry = registry or prometheus_client.CollectorRegistry()
        self._events = prometheus_client.Counter(
            "mooring_notifier_events", "Deliveries by what became of them.", ["outcome"], registry=self.registry)
        self._posts = prometheus_client.Counter(
            "mooring_notifier_posts", "Attempts to tell Mattermost, by what came of them.", ["webhook", "result"],
            registry=self.registry)
        self.registry.register(self)  # type: ignore[arg-type]
        # What never happened yet counts as none, or the first time would be no increase.
        for outcome in ("queued", "ignored", "rejected", "failed"):
            self._events.labels(outcome)
        self._using = using
        self._couriers: dict[str, CourierThread] = {}
        # How often settings were taken.
        self._generation = 0

    def _courier_thread(self, webhook: str) -> CourierThread:
        def send(post: t.Mapping[str, str]) -> mattermost.Result:
            # Asked for anew each time, because it may change.
            url = self._settings.webhooks.get(webhook)
            return mattermost.send(url, post, self._using) if url else mattermost.Later("there is no such webhook")

        for result in ("delivered", "later", "closed", "refused", "given_up", "expired", "dropped"):
            self._posts.labels(webhook, result)
        courier = Courier(webhook, self._outbox, send, lambda: self._settings.max_age, self._report, self._clock)
        return CourierThread(
            courier, time.monotonic, lambda reason: log(webhook=webhook, outcome="sick", reason=reason))

    def _report(self, result: str, message: Waiting, reason: str) -> None:
        self._posts.labels(message.webhook, result).inc()
        if result != "delivered":
            log(event=message.kind, about=message.subject, webhook=message.webhook, outcome=result, reason=reason)

    def start(self) -> None:
        """Begin to deliver, what waits from before first."""
        self.change(self._settings)

    def change(self, settings: Settings) -> None:
        """From now on by these settings. Messages to a webhook that is no longer there can never be delivered."""
        for name in set(self._couriers) - set(settings.webhooks):
            # It finishes what it sends.
            self._couriers.pop(name).end()
        self._settings = settings
        for message in self._outbox.lose_others(settings.webhooks):
            self._report("dropped", message, "there is no such webhook any more")
        for name in settings.webhooks:
            if name not in self._couriers or not self._couriers[name].is_alive():
                self._couriers[name] = self._courier_thread(name)
                self._couriers[name].start()
            self._couriers[name].wake(anew=True)
        self._generation += 1

    def end(self, seconds: float = 12.0) -> None:
        """Finish what is being sent."""
        for courier in self._couriers.values():
            courier.end()
        for courier in self._couriers.values():
            courier.join(seconds)

    def collect(self) -> t.Iterator[t.Any]:
        """How many messages wait, and since when; asked by Prometheus' client."""
        state, now = self._outbox.state(), self._clock()
        waiting = GaugeMetricFamily(
            "mooring_notifier_waiting", "Messages that were not delivered yet.", labels=["webhook"])
        oldest = GaugeMetricFamily(
            "mooring_notifier_waiting_seconds", "How long the first of them waits.", labels=["webhook"])
        for name in list(self._settings.webhooks):
            count, since = state.get(name, (0, now))
            waiting.add_metric([name], count)
            oldest.add_metric([name], max(now - since, 0.0))
        yield waiting
        yield oldest

    def describe(self) -> t.Iterator[t.Any]:
        """Nothing is asked when it is registered."""
        return iter(())

    def __call__(self, environ: dict[str, t.Any], start: Start) -> list[bytes]:
        """WSGI (PEP 3333)."""
        path, method = environ.get("PATH_INFO", "").rstrip("/"), environ.get("REQUEST_METHOD", "")
        if path in PATHS:
            return self._hook(PATHS[path], environ, start) if method == "POST" else _answer(
                start, 405, "only POST is for this", ("Allow", "POST"))
        if method not in ("GET", "HEAD"):
            return _answer(start, 404, "nothing is there")
        if path == "/healthz":
            return self._health(start)
        if path == "/metrics":
            start(_STATUS[200], [("Content-Type", prometheus_client.CONTENT_TYPE_LATEST)])
            return [prometheus_client.generate_latest(self.registry)]
        return _answer(start, 404, "nothing is there")

    def _hook(self, path: str, environ: dict[str, t.Any], start: Start) -> list[bytes]:
        headers = {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items()
                   if name.startswith("HTTP_")}
        body = environ["wsgi.input"].read(self._settings.body_limit + 1)
        try:
            outcome = self.take(Delivery(path, headers, body))
        except (sqlite3.Error, Full) as error:
            self._events.labels("failed").inc()
            log(outcome="failed", reason=str(error))
            # GitLab shows it, and somebody can send it again.
            return _answer(start, 503, "the event could not be kept", ("Retry-After", "60"))
        if isinstance(outcome, Message):
            self._events.labels("queued").inc()
            # It may have gone by a change since.
            courier = self._couriers.get(outcome.webhook)
            if courier is not None:
                courier.wake()
            return _answer(start, 202, "queued")
        if isinstance(outcome, Ignored):
            self._events.labels("ignored").inc()
            return _answer(start, 200, f"ignored: {outcome.reason}")
        self._events.labels("rejected").inc()
        log(outcome="rejected", status=outcome.status, reason=outcome.reason)
        return _answer(start, outcome.status, outcome.reason)

    def take(self, delivery: Delivery) -> Outcome:
        """Decide and keep; raises :class:`Full`, and :class:`sqlite3.Error` for a sick disk."""
        now = self._clock()
        event = receive(delivery, self._settings, now)
        if not isinstance(event, Event):
            return event
        name = identity(delivery)
        return self._outbox.transaction(lambda: self._keep(event, name, now))

    def _keep(self, event: Event, name: str, now: float) -> Outcome:
        if name and self._outbox.accepted(name, now - self._settings.replay_window):
            return Ignored("it came before")
        outcome = decide(event, self._settings, self._outbox.recall)
        if isinstance(outcome, Message):
            self._outbox.add(outcome.webhook, outcome.kind, outcome.key, outcome.post, now, self._settings.queue_limit,
                             name)
        if outcome.memory:
            self._outbox.remember(*outcome.memory)
        return outcome

    def _health(self, start: Start) -> list[bytes]:
        error = self._health_error()
        return _answer(start, 503 if error else 200, error or "well", generation=self._generation)

    def _health_error(self) -> str:
        """Why an event could not be kept, or not be told by this program; "" if it can."""
        # A copy: a change of settings may come in between.
        for courier in list(self._couriers.values()):
            if courier.error or not courier.is_alive():
                return f"not at work: {courier.name}{courier.error and ': '}{courier.error}"
        try:
            self._outbox.try_to_write()
            waiting = sum(count for count, _since in self._outbox.state().values())
        except sqlite3.Error as error:
            return f"the outbox cannot be written: {error}"
        if waiting >= self._settings.queue_limit:
            return f"{waiting} messages wait, and no more may (mattermost_notifier_queue_limit)"
        return ""


def _answer(start: Start, status: int, message: str, *headers: tuple[str, str], **more: t.Any) -> list[bytes]:
    body = json.dumps({"message": message, **more}).encode()
    start(_STATUS[status], [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers])
    return [body]

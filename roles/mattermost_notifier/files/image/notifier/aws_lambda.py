# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same handler as a function of AWS Lambda, behind a function URL, an API Gateway or a load balancer.

A function keeps nothing between two calls that it could rely on. So it tells Mattermost
before it answers, and where that fails it says so: GitLab lists the delivery as failed, and
somebody can send it again. What came before, and whether a branch's pipelines failed, it
knows as long as AWS keeps the instance.

``notifier.json`` beside the package has the settings, the variable ``NOTIFIER_SECRETS`` the
secrets, as JSON.
"""

from __future__ import annotations

import base64
import binascii
import collections
import json
import os
import pathlib
import time
import typing as t

from . import mattermost
from .events import Event
from .handler import Delivery, Ignored, decide, identity, receive
from .settings import Settings, SettingsError, load

PATHS = {"/hooks/deploys": "deploys"}
# GitLab waits 10 s for an answer.
_PATIENCE = 8.0
_KNOWN = 1000


class Function:
    """One instance; calling it handles one event."""

    def __init__(self, settings: Settings, send: t.Callable[[str, t.Mapping[str, str], float], mattermost.Result],
                 clock: t.Callable[[], float] = time.time, wait: t.Callable[[float], None] = time.sleep) -> None:
        self._settings, self._send, self._clock, self._wait = settings, send, clock, wait
        self._seen: collections.OrderedDict[str, float] = collections.OrderedDict()
        self._memory: collections.OrderedDict[str, str] = collections.OrderedDict()

    def __call__(self, event: t.Mapping[str, t.Any], _context: t.Any = None) -> dict[str, t.Any]:
        """The answer to an event of payload format 1.0 or 2.0."""
        response = self._answer(event)
        if event.get("multiValueHeaders") and not event.get("headers"):
            # A load balancer that was told to send them wants them back.
            response["multiValueHeaders"] = {name: [value] for name, value in response.pop("headers").items()}
        return response

    def _answer(self, event: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        if method(event) != "POST":
            return answer(405, "only POST is for this")
        try:
            request = delivery(event)
        except (ValueError, TypeError):
            return answer(400, "the body is not what the request says")
        now = self._clock()
        received = receive(request, self._settings, now)
        if isinstance(received, Event):
            return self._handle(received, identity(request), now)
        if isinstance(received, Ignored):
            return answer(200, f"ignored: {received.reason}")
        return answer(received.status, received.reason)

    def _handle(self, event: Event, name: str, now: float) -> dict[str, t.Any]:
        """The answer to an event that is believed."""
        if self._seen.get(name, 0.0) > now - self._settings.replay_window:
            return answer(200, "ignored: it came before")
        outcome = decide(event, self._settings, lambda subject: self._memory.get(subject, ""))
        if not isinstance(outcome, Ignored):
            error = self._tell(outcome.webhook, outcome.post)
            if error:
                print(json.dumps({"event": outcome.kind, "about": outcome.key, "outcome": "failed", "reason": error}))
                return answer(503, f"Mattermost was not told: {error}")
            if name:
                self._seen[name] = now
                _shorten(self._seen)
        if outcome.memory:
            subject, value = outcome.memory
            self._memory[subject] = value
            _shorten(self._memory)
        return answer(200, f"ignored: {outcome.reason}" if isinstance(outcome, Ignored) else "told")

    def _tell(self, webhook: str, post: t.Mapping[str, str]) -> str:
        """Why it could not be told; "" if it was."""
        begin, failures = self._clock(), 0
        while True:
            left = _PATIENCE - (self._clock() - begin)
            result = self._send(self._settings.webhooks[webhook], post, max(left, 1.0))
            if isinstance(result, mattermost.Delivered):
                return ""
            failures += 1
            pause = max(mattermost.pause(failures), getattr(result, "seconds", 0.0))
            if not isinstance(result, mattermost.Later) or self._clock() - begin + pause >= _PATIENCE:
                return result.reason
            self._wait(pause)


def _shorten(known: collections.OrderedDict[str, t.Any]) -> None:
    while len(known) > _KNOWN:
        known.popitem(last=False)


def method(event: t.Mapping[str, t.Any]) -> str:
    """The method of the HTTP request; "" for an event that is none."""
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    name = http.get("method") if isinstance(http, dict) else event.get("httpMethod")
    return name if isinstance(name, str) else ""


def delivery(event: t.Mapping[str, t.Any]) -> Delivery:
    """The request; raises :class:`ValueError` or :class:`TypeError` for what AWS would not have made."""
    several, single = event.get("multiValueHeaders") or {}, event.get("headers") or {}
    if not isinstance(several, dict) or not isinstance(single, dict):
        raise TypeError("headers")
    headers = {name.lower(): str(values[-1]) for name, values in several.items() if isinstance(values, list) and values}
    headers.update({name.lower(): str(value) for name, value in single.items()})
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise TypeError("body")
    path = event.get("rawPath") or event.get("path") or "/"
    raw = _decoded(body) if event.get("isBase64Encoded") else body.encode("utf-8", "replace")
    return Delivery(PATHS.get(str(path).rstrip("/"), "gitlab"), headers, raw)


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError("body") from error


def answer(status: int, message: str) -> dict[str, t.Any]:
    """Understood as both formats."""
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "isBase64Encoded": False,
            "body": json.dumps({"message": message})}


def _function() -> Function:
    public, secret = pathlib.Path(__file__).resolve().parents[1] / "notifier.json", os.environ.get("NOTIFIER_SECRETS")
    if not public.is_file():
        raise SettingsError(f"{public} is missing: put it beside the directory notifier of the package.")
    if secret is None:
        raise SettingsError("The environment variable NOTIFIER_SECRETS is missing: set it to the secrets, as JSON.")
    settings = load(public.read_text("utf-8"), secret)
    using = mattermost.opener()
    return Function(settings, lambda url, post, timeout: mattermost.send(url, post, using, timeout))


_instance: Function | None = None


def lambda_handler(event: t.Mapping[str, t.Any], context: t.Any) -> dict[str, t.Any]:
    """What AWS Lambda calls: ``notifier.aws_lambda.lambda_handler``."""
    global _instance  # noqa: PLW0603
    if _instance is None:
        # Settings that are not usable end the call, and the next one reads them again.
        _instance = _function()
    return _instance(event, context)

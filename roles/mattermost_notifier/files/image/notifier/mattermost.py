# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings messages to Mattermost's incoming webhooks."""

from __future__ import annotations

import dataclasses
import http.client
import json
import ssl
import typing as t
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 10.0
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
# However long Mattermost asks to be left alone.
LONGEST = 3600.0
# How often one message may be refused, about an hour, before it is given up.
REFUSALS = 60
# How much of an answer is read, and how much of its reason is logged.
_ANSWER, _REASON = 1024, 200
# What Mattermost answers with status 400 although the message is good ("id" of its errors).
_ADDRESS_ERRORS = tuple(f"web.incoming_webhook.{what}." for what in ("invalid", "channel", "user"))


@dataclasses.dataclass(frozen=True)
class Delivered:
    """Mattermost has it."""


@dataclasses.dataclass(frozen=True)
class Later:
    """Nobody can be told now; ``seconds`` is how long Mattermost asked to be left alone."""

    reason: str
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Closed:
    """Mattermost answers, but lets nothing into this channel by this webhook."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Refused:
    """Mattermost does not take this message."""

    reason: str


Result = Delivered | Later | Closed | Refused


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The address is a secret, and a message that was redirected would be a GET."""

    def redirect_request(self, *_arguments: t.Any, **_keywords: t.Any) -> None:
        return None


def opener(ca_file: str | None = None) -> urllib.request.OpenerDirector:
    """Trusts the system's certificates, and those in ``ca_file``."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))


def send(url: str, post: t.Mapping[str, str], using: urllib.request.OpenerDirector, timeout: float = TIMEOUT) -> Result:
    """Post it; no reason says the URL, which is a secret."""
    request = urllib.request.Request(
        url, json.dumps(post, ensure_ascii=False).encode(), {"Content-Type": "application/json"}, method="POST")
    try:
        response: t.Any = using.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        response = error
    except urllib.error.URLError as error:
        return Later(f"it cannot be reached: {_without_path(str(error.reason), url)}")
    except (OSError, http.client.HTTPException) as error:
        return Later(f"it cannot be reached: {type(error).__name__}")
    with response:
        return _judge(response.status, response.headers.get("Retry-After"), _read(response), url)


def _read(response: t.Any) -> bytes | None:
    """The beginning of the body; None if the connection failed before it came."""
    try:
        body: bytes = response.read(_ANSWER)
    except (OSError, http.client.HTTPException):
        return None
    # A connection that is closed early is no error of read(); length is what is still to come.
    return None if len(body) < _ANSWER and response.length else body


def _judge(status: int, retry_after: str | None, body: bytes | None, url: str) -> Result:
    """What an answer means for the message, its channel and the whole webhook."""
    if 200 <= status < 300:
        # Without the body it is not known who answered, but a message that comes twice is worse.
        if body is None or body.strip() == b"ok":
            return Delivered()
        return Closed(f"status {status}, but not as Mattermost answers: is the URL that of an incoming webhook?")
    identifier, explanation = _error(body or b"")
    explanation = _without_path(explanation, url)[:_REASON]
    reason = f"status {status}" + (f": {explanation}" if explanation else "")
    if status in (408, 425, 429) or status >= 500:
        # The other form of Retry-After, a date, is not used by Mattermost.
        after = retry_after or ""
        seconds = float(after) if after.isascii() and after.isdigit() and len(after) < 9 else 0.0
        return Later(reason, min(seconds, LONGEST))
    if status in (400, 413) and not identifier.startswith(_ADDRESS_ERRORS):
        return Refused(reason)
    return Closed(reason)


def _error(body: bytes) -> tuple[str, str]:
    """``id`` and ``message`` of an error of Mattermost; empty where the body is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    found = (document.get(name) if isinstance(document, dict) else None for name in ("id", "message"))
    identifier, explanation = (" ".join(one.split()) if isinstance(one, str) else "" for one in found)
    return identifier, explanation


def _without_path(reason: str, url: str) -> str:
    """A reason without what makes the URL a secret, whoever quoted it."""
    path = urllib.parse.urlsplit(url).path
    return reason.replace(path, "...") if path.strip("/") else reason


def pause(failures: int) -> float:
    """Seconds until the next attempt after so many failures in a row."""
    return _PAUSES[min(failures, len(_PAUSES)) - 1] if failures else 0.0

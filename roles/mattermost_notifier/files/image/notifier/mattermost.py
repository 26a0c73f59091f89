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
import urllib.request

TIMEOUT = 10.0
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
# However long Mattermost asks to be left alone.
LONGEST = 3600.0
# How often one message may be refused, about an hour, before it is given up.
REFUSALS = 60


@dataclasses.dataclass(frozen=True)
class Delivered:
    """Mattermost has it."""


@dataclasses.dataclass(frozen=True)
class Later:
    """Nobody can be told now; ``seconds`` is how long Mattermost asked to be left alone."""

    reason: str
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Refused:
    """Mattermost answers, but does not take this message for this channel."""

    reason: str


Result = Delivered | Later | Refused


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
        with using.open(request, timeout=timeout) as response:
            response.read(1024)
            return Delivered()
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(1024)
        return _judge(error.code, error.headers.get("Retry-After"), _words(said))
    except urllib.error.URLError as error:
        return Later(f"it cannot be reached: {error.reason}")
    except (OSError, http.client.HTTPException) as error:
        return Later(f"it cannot be reached: {type(error).__name__}")


def _words(body: bytes) -> str:
    """What Mattermost says of an error."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    said = document.get("message") if isinstance(document, dict) else None
    return " ".join(said.split())[:200] if isinstance(said, str) else ""


def _judge(status: int, after: str | None, words: str) -> Result:
    reason = f"status {status}" + (f": {words}" if words else "")
    if status in (408, 425, 429) or status >= 500:
        # The other form of Retry-After, a date, is not used by Mattermost.
        seconds = float(after) if after and after.isascii() and after.isdigit() and len(after) < 9 else 0.0
        return Later(reason, min(seconds, LONGEST))
    return Refused(reason)


def pause(failures: int) -> float:
    """Seconds until the next attempt after so many failures in a row."""
    return _PAUSES[min(failures, len(_PAUSES)) - 1] if failures else 0.0

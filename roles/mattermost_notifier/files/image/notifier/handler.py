# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivery becomes a message, nothing, or a refusal.

Pure: what was before is asked of ``recall``, and what is to be known later is part of the
outcome. Nothing here reads a clock, a file or a network.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import typing as t

from . import events, markdown, texts
from .events import Event, NoEvent, Person, Run
from .settings import Route, Settings

# Standard Webhooks, "Verifying webhook authenticity": how far the clocks may be apart.
TOLERANCE = 300.0
_NAME, _TITLE, _REASON = 100, 255, 500
_JOBS = 10


@dataclasses.dataclass(frozen=True)
class Delivery:
    """A request: where it was sent to ("gitlab" or "deploys"), its headers by names in lower case, and its body."""

    path: str
    headers: t.Mapping[str, str]
    body: bytes


@dataclasses.dataclass(frozen=True)
class Message:
    """What one channel is told. ``post`` is what Mattermost gets."""

    webhook: str
    post: t.Mapping[str, str]
    kind: str
    key: str
    # Under which name, and which value, something is remembered of it.
    memory: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Ignored:
    """Nobody is told; GitLab is answered that all is well, or it would stop to send."""

    reason: str
    memory: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Rejected:
    """The delivery is not believed, or no delivery; ``status`` is HTTP's."""

    status: int
    reason: str


Outcome = Message | Ignored | Rejected
Recall = t.Callable[[str], str]


def handle(delivery: Delivery, settings: Settings, now: float, recall: Recall = lambda key: "") -> Outcome:
    """What becomes of a delivery; ``now`` in seconds since the epoch, ``recall`` gives "" for what nobody knows."""
    event = receive(delivery, settings, now)
    return decide(event, settings, recall) if isinstance(event, Event) else event


def identity(delivery: Delivery) -> str:
    """By what a delivery is known when it comes again.

    ``webhook-id`` first: of these it alone is signed, so that whoever repeats a signed delivery cannot change it.
    GitLab gives events that follow from one another the same UUID, so the body counts too.
    """
    headers = delivery.headers
    name = headers.get("webhook-id") or headers.get("idempotency-key") or headers.get("x-gitlab-event-uuid") or ""
    digest = hashlib.sha256(delivery.body).hexdigest()
    # Without a name two equal bodies are two events.
    return hashlib.sha256(f"{delivery.path} {name} {digest}".encode(errors="replace")).hexdigest() if name else ""


def receive(delivery: Delivery, settings: Settings, now: float) -> Event | Ignored | Rejected:
    """The event that a delivery tells of, if it is believed."""
    if len(delivery.body) > settings.body_limit:
        return Rejected(413, f"the body is longer than {settings.body_limit} bytes")
    if delivery.path == "deploys":
        error = token_error(delivery.headers.get("x-mooring-token", ""), settings.deploy_tokens, "X-Mooring-Token")
    else:
        error = gitlab_error(delivery, settings, now)
    if error:
        return Rejected(401, error)
    try:
        body = json.loads(delivery.body)
    except (ValueError, RecursionError):
        return Rejected(400, "the body is no JSON")
    if not isinstance(body, dict):
        return Rejected(400, "the body is no JSON object")
    if delivery.path == "deploys":
        try:
            return events.deploy(body)
        except events.Malformed as malformed:
            return Rejected(400, f"the body says of no deployment: {malformed}")
    event = events.gitlab(markdown.one_line(delivery.headers.get("x-gitlab-event", "")), body)
    return Ignored(event.reason) if isinstance(event, NoEvent) else event


def gitlab_error(delivery: Delivery, settings: Settings, now: float) -> str:
    """Why a delivery is not GitLab's; "" if it is."""
    headers = delivery.headers
    signature = headers.get("webhook-signature", "")
    if signature and settings.signing_keys:
        return signature_error(headers, signature, delivery.body, settings.signing_keys, now)
    if not settings.gitlab_tokens:
        return "the delivery is not signed"
    return token_error(headers.get("x-gitlab-token", ""), settings.gitlab_tokens, "X-Gitlab-Token")


def token_error(given: str, tokens: t.Iterable[str], header: str) -> str:
    """Why a header has no declared token; "" if it has. All are compared, each in the same time whatever is alike."""
    if not given:
        return f"the header {header} is missing"
    found = [hmac.compare_digest(given.encode(errors="replace"), token.encode()) for token in tokens]
    return "" if any(found) else f"the header {header} has none of the declared tokens"


def sign(key: bytes, name: str, stamp: str, body: bytes) -> str:
    """The header ``webhook-signature`` (Standard Webhooks, symmetric signatures)."""
    signed = f"{name}.{stamp}.".encode(errors="replace") + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def signature_error(
        headers: t.Mapping[str, str], signature: str, body: bytes, keys: t.Iterable[bytes], now: float) -> str:
    """Why a signature is not right, or too old; "" if it is good."""
    name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not name or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 15:
        return "the headers webhook-id and webhook-timestamp are missing or malformed"
    wanted = [sign(key, name, stamp, body).encode() for key in keys]
    given = [one.encode(errors="replace") for one in signature.split(" ")[:10]]
    found = [hmac.compare_digest(one, other) for one in given for other in wanted]
    if not any(found):
        return "the header webhook-signature has no signature by a declared token"
    if abs(now - int(stamp)) > TOLERANCE:
        return f"it was signed more than {TOLERANCE:.0f} s ago, or the clocks differ"
    return ""


def decide(event: Event, settings: Settings, recall: Recall) -> Message | Ignored:
    """Who is told of an event, and in which words."""
    memory = None
    if event.run:
        before = Run.restore(recall(event.key))
        if event.run.number < before.number:
            return Ignored("a newer pipeline has ended")
        if event.run.failed and event.run == before:
            return Ignored("this failure was told")
        memory = (event.key, event.run.store())
        if not event.run.failed and not before.failed:
            return Ignored("the pipelines of this branch succeed, as before", memory)
    authors = {name for who in (event.author, event.actor) for name in (*who.handles, settings.name(who.handles))}
    for route in settings.routes:
        if route.takes(event.kind, event.project, event.branch, authors - {""}, event.labels, event.draft):
            content = post(event, settings, route)
            if not content["text"].strip():
                # Mattermost takes no empty post.
                return Ignored("its template has nothing to say", memory)
            return Message(route.webhook, content, event.kind, event.key, memory)
    return Ignored("no route takes it", memory)


def post(event: Event, settings: Settings, route: Route) -> dict[str, str]:
    """What Mattermost gets."""
    optional = {"channel": route.channel, "username": settings.username, "icon_url": settings.icon_url}
    return {"text": message(event, settings), **{name: value for name, value in optional.items() if value}}


def message(event: Event, settings: Settings) -> str:
    """The text, not longer than a post may be: what people wrote at length gives way first, then whole lines."""
    template, length = settings.template(event.kind), settings.excerpt
    while True:
        text = texts.fill(template, values(event, settings, length))
        if len(text) <= settings.limit:
            return text
        if length == 0:
            return whole_lines(text, settings.limit)
        length //= 2


def whole_lines(text: str, limit: int) -> str:
    """As many lines as there is room for: one that was cut could leave code or a link open."""
    kept, room = [], limit - len(markdown.ELLIPSIS)
    for line in text.split("\n"):
        if len(line) + 1 <= room:
            kept.append(line)
            room -= len(line) + 1
    return "\n".join([*kept, markdown.ELLIPSIS])


def values(event: Event, settings: Settings, excerpt: int) -> dict[str, str]:
    """What stands for each placeholder, safe where it stands."""
    fields, language = event.fields, settings.language
    group, somebody = event.kind.partition(".")[0], texts.SOMEBODY[language]
    actor, author = named(event.actor, settings), named(event.author, settings)
    if group in ("merge_request", "comment"):
        actor = actor or somebody
    if event.kind in ("merge_request.open", "merge_request.ready", "merge_request.reopen"):
        # Whoever did that need not have written it.
        author = author or (somebody if event.author.id else actor)
    elif author == actor:
        # Said once.
        author = ""
    jobs = [markdown.code(name, _NAME) for name in event.lists.get("jobs", ())]
    more = [texts.AND_MORE[language].format(len(jobs) - _JOBS)] if len(jobs) > _JOBS else []
    found = {
        "actor": actor, "author": author, "project": markdown.plain(event.project, _TITLE),
        "title": title(event, language),
        "reviewers": ", ".join(named(one, settings) for one in event.people.get("reviewers", ())[:_JOBS]),
        "labels": ", ".join(markdown.code(one, _NAME) for one in event.labels[:_JOBS]),
        "jobs": ", ".join([*jobs[:_JOBS], *more]),
        "duration": texts.SECONDS[language].format(fields["seconds"]) if fields.get("seconds") else "",
    }
    found.update({name: markdown.code(fields.get(name, ""), _TITLE)
                  for name in ("source", "target", "branch", "commit", "release", "previous")})
    found.update({name: markdown.block(fields.get(name, ""), excerpt) for name in ("description", "comment")})
    found["reason"] = markdown.block(fields.get("reason", ""), _REASON if excerpt else 0)
    subject = markdown.plain(fields.get("subject", ""), _NAME)
    found["commit"] = " ".join(one for one in (found["commit"], subject) if one)
    found["application"] = markdown.plain(fields.get("application", ""), _NAME)
    return found


def title(event: Event, language: str) -> str:
    """What it is about, as a link to it."""
    number = event.fields.get("number", "")
    if event.kind.startswith("pipeline."):
        words = texts.PIPELINE[language].format("#" + markdown.code(number, 20).strip("`") if number else "").strip()
        return markdown.link(words.replace("#", "\\#"), event.url)
    if event.kind.startswith("deploy."):
        return markdown.link(texts.LOGS[language], event.url) if event.url else ""
    words = markdown.plain(event.fields.get("title", ""), _TITLE)
    mark = "!" + markdown.plain(number, 20) if number else ""
    return markdown.link(" ".join(one for one in (mark, words) if one) or event.kind, event.url)


def named(who: Person, settings: Settings) -> str:
    """A person's name as the settings have it, or as GitLab says it."""
    # What an operator wrote may be a mention.
    return settings.name(who.handles) or markdown.plain(who.name or who.username, _NAME)

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator says: which events go where, in which words, and by which secrets they are believed."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import fnmatch
import json
import string
import typing as t
import urllib.parse

from . import texts

DAY = 86400.0


class SettingsError(Exception):
    """All that is wrong with the settings, one sentence a line."""


@dataclasses.dataclass(frozen=True)
class Route:
    """Which events go to a channel: each list is of globs, and an empty one asks nothing."""

    events: tuple[str, ...] = ("*",)
    projects: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    exclude_projects: tuple[str, ...] = ()
    exclude_branches: tuple[str, ...] = ()
    exclude_authors: tuple[str, ...] = ()
    exclude_labels: tuple[str, ...] = ()
    drafts: bool = False
    webhook: str = "default"
    channel: str = ""

    def takes(self, kind: str, project: str, branch: str, authors: t.Collection[str], labels: t.Collection[str],
              draft: bool) -> bool:
        """Whether an event goes this way."""
        if draft and not self.drafts:
            return False
        asked = ((self.events, (kind,)), (self.projects, (project,)), (self.branches, (branch,)),
                 (self.authors, authors), (self.labels, labels))
        refused = ((self.exclude_projects, (project,)), (self.exclude_branches, (branch,)),
                   (self.exclude_authors, authors), (self.exclude_labels, labels))
        return all(not globs or _any(globs, found) for globs, found in asked) and not any(
            _any(globs, found) for globs, found in refused)


def _any(globs: t.Iterable[str], found: t.Collection[str]) -> bool:
    return any(fnmatch.fnmatchcase(one, glob) for glob in globs for one in found)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that decides what a delivery becomes. Times are in seconds, lengths in characters, sizes in bytes."""

    gitlab_tokens: tuple[str, ...] = ()
    signing_keys: tuple[bytes, ...] = ()
    deploy_tokens: tuple[str, ...] = ()
    webhooks: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    routes: tuple[Route, ...] = (Route(),)
    language: str = "en"
    authors: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    templates: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    username: str = ""
    icon_url: str = ""
    excerpt: int = 300
    limit: int = 16383
    body_limit: int = 2**20
    queue_limit: int = 10_000
    max_age: float = 3 * DAY
    replay_window: float = DAY

    def template(self, kind: str) -> tuple[str, ...]:
        """The lines of an event's message."""
        return self.templates.get(kind) or texts.TEMPLATES[self.language][kind]


_NUMBERS = {"excerpt": (0, 4000), "limit": (1000, 65535), "body_limit": (1024, 2**25), "queue_limit": (1, 10**6),
            "max_age": (60, 90 * DAY), "replay_window": (60, 30 * DAY)}
_ROUTE_LISTS = ("events", "projects", "branches", "authors", "labels", "exclude_projects", "exclude_branches",
                "exclude_authors", "exclude_labels")
_PUBLIC = ("routes", "language", "authors", "templates", "username", "icon_url", *_NUMBERS)
_SECRET = ("gitlab_tokens", "signing_tokens", "deploy_tokens", "webhooks")


def load(public: str, secret: str) -> Settings:
    """The settings of two JSON documents, one of them readable by this program only.

    Raises :class:`SettingsError`, which quotes no secret.
    """
    problems: list[str] = []
    documents = [_document(text, name, known, problems) for text, name, known in (
        (public, "the settings", _PUBLIC), (secret, "the secrets", _SECRET))]
    found = _Reader(*documents, problems)
    settings = found.settings()
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _document(text: str, name: str, known: t.Collection[str], problems: list[str]) -> dict[str, t.Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        # The message of the library quotes nothing of the text.
        problems.append(f"{name} are no JSON: {error}.")
        return {}
    if not isinstance(document, dict):
        problems.append(f"{name} have to be an object.")
        return {}
    problems.extend(f"{name} have no '{key}'; there are {', '.join(known)}." for key in document if key not in known)
    return document


@dataclasses.dataclass
class _Reader:
    """Turns the documents into settings and notes every problem."""

    public: dict[str, t.Any]
    secret: dict[str, t.Any]
    problems: list[str]

    def settings(self) -> Settings:
        default = Settings()
        webhooks = self.webhooks()
        language = self.public.get("language", default.language)
        if language not in texts.TEMPLATES:
            self.problems.append(f"language is '{language}'; there are {', '.join(texts.TEMPLATES)}.")
            language = default.language
        tokens = self.texts(self.secret, "gitlab_tokens")
        signing = self.signing_keys()
        if not tokens and not signing:
            self.problems.append("gitlab_tokens and signing_tokens are both empty: anybody could say anything.")
        return Settings(
            gitlab_tokens=tokens, signing_keys=signing, deploy_tokens=self.texts(self.secret, "deploy_tokens"),
            webhooks=webhooks, routes=self.routes(webhooks), language=language,
            authors=self.mapping("authors"), templates=self.templates(language),
            username=self.text("username"), icon_url=self.text("icon_url"),
            **{name: self.number(name, getattr(default, name)) for name in _NUMBERS})

    def text(self, name: str) -> str:
        value = self.public.get(name, "")
        if not isinstance(value, str):
            self.problems.append(f"{name} has to be a text.")
            return ""
        return value

    def number(self, name: str, default: t.Any) -> t.Any:
        value, (low, high) = self.public.get(name, default), _NUMBERS[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self.problems.append(f"{name} has to be a number between {low:g} and {high:g}.")
            return default
        return value

    def mapping(self, name: str) -> dict[str, str]:
        value = self.public.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            self.problems.append(f"{name} has to be an object whose values are texts.")
            return {}
        return value

    def texts(self, document: dict[str, t.Any], name: str, where: str = "") -> tuple[str, ...]:
        value = document.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            self.problems.append(f"{where}{name} has to be a list of texts, none of them empty.")
            return ()
        return tuple(value)

    def signing_keys(self) -> tuple[bytes, ...]:
        keys = []
        for number, token in enumerate(self.texts(self.secret, "signing_tokens"), start=1):
            try:
                # Standard Webhooks: the prefix is no part of the key.
                key = base64.b64decode(token.removeprefix("whsec_"), validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if len(key) < 16:
                self.problems.append(f"signing token {number} is not what GitLab shows: whsec_ and then base64.")
            keys.append(key)
        return tuple(keys)

    def webhooks(self) -> dict[str, str]:
        value = self.secret.get("webhooks", {})
        if not isinstance(value, dict) or not value:
            self.problems.append("webhooks has to be an object with at least one name and its URL.")
            return {}
        for name, url in value.items():
            parts = urllib.parse.urlsplit(url) if isinstance(url, str) else None
            if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
                self.problems.append(f"webhook {name} is no URL that begins with https:// or http://.")
        return value

    def routes(self, webhooks: t.Collection[str]) -> tuple[Route, ...]:
        value = self.public.get("routes", [{}])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.problems.append("routes has to be a list of objects.")
            return ()
        return tuple(self.route(number, one, webhooks) for number, one in enumerate(value, start=1))

    def route(self, number: int, given: dict[str, t.Any], webhooks: t.Collection[str]) -> Route:
        known = [field.name for field in dataclasses.fields(Route)]
        self.problems.extend(
            f"route {number} has no '{key}'; there are {', '.join(known)}." for key in given if key not in known)
        lists = {name: self.texts(given, name, f"route {number}: ") for name in _ROUTE_LISTS if name in given}
        for glob in lists.get("events", ()):
            if not _any([glob], texts.KINDS):
                self.problems.append(
                    f"route {number}: no event is called '{glob}'; there are {', '.join(texts.KINDS)}.")
        drafts, webhook, channel = (given.get(name, getattr(Route, name)) for name in ("drafts", "webhook", "channel"))
        if not isinstance(drafts, bool):
            self.problems.append(f"route {number}: drafts has to be true or false.")
        if not isinstance(channel, str):
            self.problems.append(f"route {number}: channel has to be a text.")
        if webhooks and webhook not in webhooks:
            self.problems.append(f"route {number}: there is no webhook '{webhook}'; there are {', '.join(webhooks)}.")
        return Route(**lists, drafts=drafts is True, webhook=str(webhook), channel=str(channel))

    def templates(self, language: str) -> dict[str, tuple[str, ...]]:
        value, found = self.public.get("templates", {}), {}
        if not isinstance(value, dict):
            self.problems.append("templates has to be an object.")
            return {}
        for kind, lines in value.items():
            if kind not in texts.KINDS:
                self.problems.append(f"templates: no event is called '{kind}'; there are {', '.join(texts.KINDS)}.")
            elif not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
                self.problems.append(f"templates: {kind} has to be a list of lines.")
            else:
                known = texts.placeholders(texts.TEMPLATES[language][kind]) | texts.FIELDS[kind.partition(".")[0]]
                self.problems.extend(f"templates: {kind}: {why}" for line in lines for why in _misused(line, known))
                found[kind] = tuple(lines)
        return found


def _misused(line: str, known: t.Collection[str]) -> list[str]:
    """What is wrong with a line of a template."""
    try:
        parts = list(string.Formatter().parse(line))
    except ValueError as error:
        return [f"'{line}': {error}."]
    # A name alone: a format or an attribute would be a way into the program.
    return [f"there is no {{{name}}}; there are {', '.join(sorted(known))}." for _text, name, form, conversion in parts
            if name is not None and (name not in known or form or conversion)]

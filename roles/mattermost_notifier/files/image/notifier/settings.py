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
import re
import string
import typing as t
import urllib.parse

from . import texts

HOUR, DAY = 3600, 86400


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
    queue_hours: int = 72
    replay_window: int = DAY

    @property
    def max_age(self) -> int:
        """For how many seconds a message may wait."""
        return self.queue_hours * HOUR

    def name(self, handles: t.Iterable[str]) -> str:
        """What somebody is called here; "" for whom ``authors`` does not name."""
        return next((self.authors[one] for one in handles if one in self.authors), "")

    def template(self, kind: str) -> tuple[str, ...]:
        """The lines of an event's message."""
        return self.templates.get(kind) or texts.TEMPLATES[self.language][kind]


_NUMBERS = {"excerpt": (0, 4000), "limit": (1000, 65535), "body_limit": (1024, 2**25), "queue_limit": (1, 10**6),
            "queue_hours": (1, 2160), "replay_window": (60, 30 * DAY)}
_ROUTE_LISTS = ("events", "projects", "branches", "authors", "labels", "exclude_projects", "exclude_branches",
                "exclude_authors", "exclude_labels")
_PUBLIC = ("routes", "language", "authors", "templates", "username", "icon_url", *_NUMBERS)
_SECRET = ("gitlab_tokens", "signing_tokens", "deploy_tokens", "webhooks")
# What has no variable of its own in the role.
_OVERRIDES = ("limit", "body_limit", "replay_window")
# What can stand in a header, and in the first line of a request.
_VISIBLE = re.compile(r"[\x21-\x7e]+")


def variable(name: str) -> str:
    """What the role calls a setting."""
    return f"mattermost_notifier_config_overrides.{name}" if name in _OVERRIDES else f"mattermost_notifier_{name}"


def load(public: str, secret: str) -> Settings:
    """The settings of two JSON documents, one of them readable by this program only.

    Raises :class:`SettingsError`, which quotes no secret.
    """
    problems: list[str] = []
    reader = _Reader(_document(public, "the settings", _PUBLIC, problems),
                     _document(secret, "the secrets", _SECRET, problems), problems)
    settings = reader.settings()
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
    problems.extend(f"{name} have no '{key}': remove it from mattermost_notifier_config_overrides, or use one of "
                    f"{', '.join(known)}." for key in document if key not in known)
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
            self.problems.append(
                f"{variable('language')} is '{language}'; use one of {', '.join(texts.TEMPLATES)}.")
            language = default.language
        tokens = self.tokens("gitlab_tokens")
        signing = self.signing_keys()
        if not tokens and not signing:
            self.problems.append(f"{variable('gitlab_tokens')} and {variable('signing_tokens')} are both empty, so "
                                 "anybody could say anything: declare a token, and use it in GitLab.")
        return Settings(
            gitlab_tokens=tokens, signing_keys=signing, deploy_tokens=self.tokens("deploy_tokens"),
            webhooks=webhooks, routes=self.routes(webhooks), language=language,
            authors=self.mapping("authors"), templates=self.templates(language),
            username=self.string("username"), icon_url=self.string("icon_url"),
            **{name: self.number(name, getattr(default, name)) for name in _NUMBERS})

    def string(self, name: str) -> str:
        value = self.public.get(name, "")
        if not isinstance(value, str):
            self.problems.append(f"{variable(name)} has to be a text: quote it.")
            return ""
        return value

    def number(self, name: str, default: int) -> int:
        value, (low, high) = self.public.get(name, default), _NUMBERS[name]
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            # Some versions of Ansible make texts of all that an expression gives.
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.problems.append(f"{variable(name)} has to be a whole number between {low} and {high}.")
            return default
        return value

    def mapping(self, name: str) -> dict[str, str]:
        value = self.public.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            self.problems.append(f"{variable(name)} has to be an object whose values are texts: quote them.")
            return {}
        return value

    def strings(self, document: dict[str, t.Any], name: str, where: str = "") -> tuple[str, ...]:
        value = document.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            self.problems.append(f"{where or variable(name)} has to be a list of texts, none of them empty.")
            return ()
        return tuple(value)

    def tokens(self, name: str) -> tuple[str, ...]:
        found = self.strings(self.secret, name)
        self.problems.extend(
            f"{variable(name)}: token {number} has white space, a control character or a letter beyond ASCII, which no "
            "header can have: remove it, or make another one with openssl rand -hex 32."
            for number, token in enumerate(found, start=1) if not _VISIBLE.fullmatch(token))
        return found

    def signing_keys(self) -> tuple[bytes, ...]:
        keys = []
        for number, token in enumerate(self.strings(self.secret, "signing_tokens"), start=1):
            try:
                # Standard Webhooks: the prefix is no part of the key.
                key = base64.b64decode(token.removeprefix("whsec_"), validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if len(key) < 16:
                self.problems.append(f"{variable('signing_tokens')}: token {number} is not what GitLab shows, whsec_ "
                                     "and then base64: copy it again.")
            keys.append(key)
        return tuple(keys)

    def webhooks(self) -> dict[str, str]:
        value = self.secret.get("webhooks", {})
        if not isinstance(value, dict) or not value:
            self.problems.append(f"{variable('webhooks')} has to be an object with at least one name and its URL.")
            return {}
        self.problems.extend(
            f"{variable('webhooks')}.{name} is no URL of ASCII that begins with https:// or http://: copy it from "
            "Mattermost's list of incoming webhooks." for name, url in value.items() if not _is_url(url))
        return value

    def routes(self, webhooks: t.Collection[str]) -> tuple[Route, ...]:
        value = self.public.get("routes", [{}])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.problems.append(f"{variable('routes')} has to be a list of objects.")
            return ()
        return tuple(self.route(number, one, webhooks) for number, one in enumerate(value, start=1))

    def route(self, number: int, given: dict[str, t.Any], webhooks: t.Collection[str]) -> Route:
        known, where = [field.name for field in dataclasses.fields(Route)], f"{variable('routes')}, route {number}"
        self.problems.extend(
            f"{where} has no '{key}'; there are {', '.join(known)}." for key in given if key not in known)
        lists = {name: self.strings(given, name, f"{where}: {name}") for name in _ROUTE_LISTS if name in given}
        for glob in lists.get("events", ()):
            if not _any([glob], texts.KINDS):
                self.problems.append(
                    f"{where}: no event is called '{glob}'; there are {', '.join(texts.KINDS)}.")
        drafts, webhook, channel = (given.get(name, getattr(Route, name)) for name in ("drafts", "webhook", "channel"))
        if not isinstance(drafts, bool):
            self.problems.append(f"{where}: drafts has to be true or false.")
        if not isinstance(channel, str):
            self.problems.append(f"{where}: channel has to be a text.")
        if webhooks and webhook not in webhooks:
            self.problems.append(f"{where}: there is no webhook '{webhook}'; there are {', '.join(webhooks)}.")
        return Route(**lists, drafts=drafts is True, webhook=str(webhook), channel=str(channel))

    def templates(self, language: str) -> dict[str, tuple[str, ...]]:
        value, found = self.public.get("templates", {}), {}
        if not isinstance(value, dict):
            self.problems.append(f"{variable('templates')} has to be an object.")
            return {}
        for kind, lines in value.items():
            if kind not in texts.KINDS:
                self.problems.append(
                    f"{variable('templates')}: no event is called '{kind}'; there are {', '.join(texts.KINDS)}.")
            elif not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
                self.problems.append(f"{variable('templates')}.{kind} has to be a list of lines.")
            else:
                known = texts.placeholders(texts.TEMPLATES[language][kind]) | texts.FIELDS[kind.partition(".")[0]]
                self.problems.extend(f"{variable('templates')}.{kind}: {error}" for line in lines
                                     for error in _template_errors(line, known))
                found[kind] = tuple(lines)
        return found


def _is_url(url: t.Any) -> bool:
    """Whether it can be posted to."""
    try:
        parts = urllib.parse.urlsplit(url) if isinstance(url, str) and _VISIBLE.fullmatch(url) else None
        # Asking for the port is what tells that it is none.
        return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _template_errors(line: str, known: t.Collection[str]) -> list[str]:
    """What is wrong with a line of a template."""
    try:
        parts = list(string.Formatter().parse(line))
    except ValueError as error:
        return [f"'{line}': {error}."]
    # A name alone: a format or an attribute would be a way into the program.
    return [f"there is no {{{name}}}; there are {', '.join(sorted(known))}." for _text, name, form, conversion in parts
            if name is not None and (name not in known or form or conversion)]

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a delivery says, as one kind of event; nothing in a body is trusted to be of the kind that it should be.

The shapes are those of GitLab's documentation ("Webhook events"). What a version leaves
out is empty here.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

Body = t.Mapping[str, t.Any]

_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class Person:
    """Somebody at GitLab; what is not known is empty."""

    id: str = ""
    username: str = ""
    name: str = ""

    @property
    def handles(self) -> tuple[str, ...]:
        """By what a person can be named in the settings: not by the name that everybody gives himself.

        A user name that is a number could be somebody else's id.
        """
        return tuple(one for one in (self.id, "" if self.username.isdigit() else self.username) if one)


@dataclasses.dataclass(frozen=True)
class Run:
    """How a pipeline ended. A higher number is a newer pipeline; one fails again, later, when a job is retried."""

    number: int = 0
    failed: bool = False
    finished: str = ""

    def store(self) -> str:
        """For :meth:`restore`."""
        return f"{self.number} {'failed' if self.failed else 'succeeded'} {self.finished}"

    @classmethod
    def restore(cls, stored: str) -> Run:
        """What :meth:`store` made; of "", a success before all others."""
        if not stored:
            return cls()
        number, status, finished = stored.split(" ", 2)
        return cls(int(number), status == "failed", finished)


@dataclasses.dataclass(frozen=True)
class Event:
    """One thing that happened. ``key`` names what it happened to: messages about the same keep their order."""

    kind: str
    key: str
    project: str = ""
    branch: str = ""
    url: str = ""
    actor: Person = Person()
    author: Person = Person()
    labels: tuple[str, ...] = ()
    draft: bool = False
    fields: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    people: t.Mapping[str, tuple[Person, ...]] = dataclasses.field(default_factory=dict)
    lists: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    # Of pipelines.
    run: Run | None = None


@dataclasses.dataclass(frozen=True)
class NoEvent:
    """Nothing that is told, and why."""

    reason: str


class Malformed(Exception):
    """The body says of no deployment."""


def mapping(value: t.Any, *path: str) -> Body:
    """The object at a path; empty where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: t.Any, *path: str) -> list[Body]:
    """The objects of the list at a path."""
    *parents, name = path
    found = mapping(value, *parents).get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def string(value: t.Any, *path: str) -> str:
    """The text or number at a path; empty where there is none."""
    *parents, name = path
    found = mapping(value, *parents).get(name)
    if isinstance(found, str):
        # JSON may hold halves of surrogates, which neither the outbox nor Mattermost takes.
        return _SURROGATE.sub("\ufffd", found)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else ""


def seconds(value: Body, name: str) -> str:
    """How long something took; empty where it does not say."""
    found = value.get(name)
    return f"{found:.0f}" if isinstance(found, (int, float)) and 0 <= found < 10**7 else ""


def person(value: t.Any, *path: str) -> Person:
    """Somebody at a path."""
    return Person(string(value, *path, "id"), string(value, *path, "username"), string(value, *path, "name"))


def labels(*holders: Body) -> tuple[str, ...]:
    """The titles of the labels of the first that has some."""
    for holder in holders:
        found = tuple(title for label in items(holder, "labels") if (title := string(label, "title")))
        if found:
            return found
    return ()


ACTIONS = {
    "open": "open", "reopen": "reopen", "update": "update", "close": "close", "merge": "merge",
    # GitLab says which of the two it is: the last one that was needed, or one of several.
    "approved": "approved", "approval": "approved", "unapproved": "unapproved", "unapproval": "unapproved",
}


def merge_request(body: Body) -> Event | NoEvent:
    """What "Merge Request Hook" says."""
    attributes = mapping(body, "object_attributes")
    action = string(attributes, "action")
    if action not in ACTIONS:
        return NoEvent(f"action '{action[:40]}' of a merge request")
    kind = ACTIONS[action]
    if action == "update" and no_draft_any_more(body):
        kind = "ready"
    elif action == "update" and not string(attributes, "oldrev"):
        return NoEvent("an update of a merge request without new commits")
    if kind == "unapproved" and attributes.get("system") is True:
        return NoEvent("an approval that GitLab took back because of a push")
    actor, reviewers = person(body, "user"), tuple(person(one) for one in items(body, "reviewers"))
    return Event(
        kind=f"merge_request.{kind}", actor=actor, url=string(attributes, "url"),
        author=author_of(attributes, [actor, *reviewers, *(person(one) for one in items(body, "assignees"))]),
        labels=labels(body, attributes), draft=is_draft(attributes), branch=string(attributes, "target_branch"),
        fields={"title": string(attributes, "title"), "number": string(attributes, "iid"),
                "source": source_of(attributes), "target": string(attributes, "target_branch"),
                "description": string(attributes, "description")},
        people={"reviewers": reviewers}, **belonging(body, "merge_request", string(attributes, "iid")))


def comment(body: Body) -> Event | NoEvent:
    """What "Note Hook" says; of merge requests only. "Confidential Note Hook" is not told, whatever it says."""
    attributes, request = mapping(body, "object_attributes"), mapping(body, "merge_request")
    if string(attributes, "noteable_type") != "MergeRequest":
        return NoEvent(f"a comment on {string(attributes, 'noteable_type')[:40] or 'nothing'}")
    if attributes.get("system") is True:
        return NoEvent("a comment that GitLab wrote")
    if (string(body, "event_type") == "confidential_note"
            or attributes.get("internal") is True or attributes.get("confidential") is True):
        return NoEvent("a comment that not everybody may read")
    if string(attributes, "action") == "update":
        return NoEvent("a comment that was changed")
    actor = person(body, "user")
    return Event(
        # The merge request has no URL of its own here in most versions; this one leads to the comment.
        kind="comment", actor=actor, url=string(attributes, "url"), author=author_of(request, [actor]),
        labels=labels(request), draft=is_draft(request), branch=string(request, "target_branch"),
        fields={"title": string(request, "title"), "number": string(request, "iid"),
                "comment": string(attributes, "note")},
        **belonging(body, "merge_request", string(request, "iid")))


def pipeline(body: Body) -> Event | NoEvent:
    """What "Pipeline Hook" says: one that failed, or one that did not."""
    attributes = mapping(body, "object_attributes")
    status, branch, number = string(attributes, "status"), string(attributes, "ref"), string(attributes, "id")
    if status not in ("failed", "success"):
        return NoEvent(f"a pipeline that is {status[:40] or 'nothing'}")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        return NoEvent("a pipeline without a number")
    if string(attributes, "source") == "parent_pipeline":
        return NoEvent("a child pipeline, whose parent says how it went")
    failed = tuple(string(job, "name") for job in items(body, "builds")
                   if string(job, "status") == "failed" and job.get("allow_failure") is not True)
    base = string(body, "project", "web_url")
    return Event(
        kind="pipeline.failed" if status == "failed" else "pipeline.recovered", actor=person(body, "user"),
        url=string(attributes, "url") or (f"{base}/-/pipelines/{number}" if base and number else ""),
        branch=branch, lists={"jobs": failed},
        fields={"number": number, "branch": branch, "commit": string(attributes, "sha")[:8],
                "subject": string(body, "commit", "title"), "seconds": seconds(attributes, "duration")},
        run=Run(int(number), status == "failed", string(attributes, "finished_at")),
        **belonging(body, "pipeline", series_of(body, attributes)))


def series_of(body: Body, attributes: Body) -> str:
    """To what a pipeline belongs so that one that succeeds makes good one that failed."""
    if string(attributes, "source") == "merge_request_event":
        return f"merge request {string(body, 'merge_request', 'iid') or string(attributes, 'ref')}"
    return f"{'tag' if attributes.get('tag') is True else 'branch'} {string(attributes, 'ref')}"


def deploy(body: Body) -> Event:
    """What our own deployments say of themselves; raises :class:`Malformed`."""
    result = string(body, "result")
    kinds = {"deployed": "deploy.deployed", "rolled_back": "deploy.rolled_back", "failed": "deploy.failed"}
    if result not in kinds:
        raise Malformed(f"result has to be one of {', '.join(kinds)}")
    application = string(body, "application")
    if not application or not string(body, "release"):
        raise Malformed("application and release have to be there")
    return Event(
        kind=kinds[result], key=f"deploy {application}", project=application, url=string(body, "url"),
        actor=Person(username=string(body, "by")),
        fields={"application": application, "release": string(body, "release"), "previous": string(body, "previous"),
                "reason": string(body, "reason"), "seconds": seconds(body, "seconds")})


def belonging(body: Body, what: str, number: str) -> dict[str, str]:
    """The project, and the name of what a message is about."""
    project = string(body, "project", "path_with_namespace")
    return {"project": project, "key": f"{what} {project or string(body, 'project', 'id')} {number}"}


def author_of(attributes: Body, others: t.Iterable[Person]) -> Person:
    """Who wrote the merge request: not who did something to it now, so known by name only if it is one of these."""
    number = string(attributes, "author_id")
    if not number:
        return Person()
    return next((one for one in others if one.id == number), Person(id=number))


def source_of(attributes: Body) -> str:
    """The source branch, with the project where it is another one."""
    branch, project = string(attributes, "source_branch"), string(attributes, "source", "path_with_namespace")
    elsewhere = project and project != string(attributes, "target", "path_with_namespace")
    return f"{project}:{branch}" if elsewhere and branch else branch


def no_draft_any_more(body: Body) -> bool:
    """Whether from now on somebody is to look at it."""
    changes = (mapping(body, "changes", name) for name in ("draft", "work_in_progress"))
    return any(one.get("previous") is True and one.get("current") is False for one in changes)


def is_draft(attributes: Body) -> bool:
    """Whether nobody is to look at it yet."""
    return attributes.get("draft") is True or attributes.get("work_in_progress") is True


# By the header X-Gitlab-Event, and by object_kind.
_READERS: dict[str, tuple[str, t.Callable[[Body], Event | NoEvent]]] = {
    "Merge Request Hook": ("merge_request", merge_request), "Note Hook": ("note", comment),
    "Pipeline Hook": ("pipeline", pipeline),
}


def gitlab(name: str, body: Body) -> Event | NoEvent:
    """What a delivery of GitLab says whose header X-Gitlab-Event is ``name``.

    A hook of the whole instance says "System Hook" of everything ("System hooks"), and a webhook with a template of
    its own sends what that makes ("Webhooks", custom webhook template): neither is a failure.
    """
    kind = string(body, "object_kind")
    if name == "System Hook":
        reader = next((one for known, one in _READERS.values() if known == kind), None)
    else:
        known, reader = _READERS.get(name, ("", None))
        reader = reader if kind in ("", known) else None
    if reader is None:
        return NoEvent(f"events of the kind '{name[:60]}' are not told")
    if not mapping(body, "object_attributes"):
        return NoEvent("a body that GitLab's own template did not make")
    return reader(body)

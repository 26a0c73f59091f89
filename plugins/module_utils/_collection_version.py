# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: which version of the collection may work on a host, after which other one. No I/O.

Each platform of a host has a file that says which version worked there last. It lies beside the note of docker_engine
and not below ``mooring_root``, because it is read before anybody has looked at a variable.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _formats
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, problem_and_remedy

# The last release that left no record.
UNRECORDED = "0.1.0"
# What of a release asks an operator for something, by its sections in changelogs/changelog.yaml.
SECTIONS = ("breaking_changes", "removed_features")
UPGRADE, DOWNGRADE = "mooring_upgrade_acknowledged", "mooring_downgrade_acknowledged"

_SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


@functools.total_ordering
@dataclasses.dataclass(frozen=True, eq=False)
class Version:
    """A version as Semantic Versioning 2.0.0 orders it: 0.3.0-dev comes before 0.3.0."""

    numbers: tuple[int, ...]
    pre: tuple[tuple[bool, int, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Raises :class:`MooringError` for what is no version."""
        found = _SEMVER.fullmatch(str(text))
        if not found:
            raise MooringError(f"'{text}' is not a version such as 0.2.0.")
        parts = found[4].split(".") if found[4] else []
        # Numbers come before words.
        return cls(tuple(int(number) for number in found.group(1, 2, 3)), tuple(
            (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts))

    def _key(self) -> tuple[t.Any, ...]:
        return self.numbers, not self.pre, self.pre

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@dataclasses.dataclass(frozen=True)
class Note:
    """What changed in a release in such a way that somebody has to look."""

    version: str
    entries: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Collection:
    """The collection that is at work: its version and, oldest first, the notes of its releases."""

    version: str
    notes: tuple[Note, ...] = ()
    changelog: str = "CHANGELOG.rst"


@dataclasses.dataclass(frozen=True)
class Acknowledged:
    """What the operator says: to have read the notes up to a version, and to know that one may go back from one."""

    upgrade: str = ""
    downgrade: str = ""


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why this version does not work here; ``variable`` is what would permit it, or what it is about."""

    variable: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}."


def path_of(prefix: str) -> str:
    """Where the version is recorded for the platform of a prefix."""
    return f"{_formats.RECORDED}/{prefix}.json"


def render(version: str) -> str:
    """The file's content."""
    return json.dumps({_formats.COLLECTION.key: _formats.COLLECTION.version, "version": version}, indent=1) + "\n"


def recorded(text: str | None, path: str) -> str:
    """The version in the file, "" where there is none. Raises :class:`MooringError` for a file that says none."""
    if text is None:
        return ""
    try:
        document = _formats.COLLECTION.current(json.loads(text), path)
    except ValueError:
        document = None
    version = document.get("version") if isinstance(document, dict) else None
    if not isinstance(version, str) or not _SEMVER.fullmatch(version):
        raise MooringError(f"The {_formats.COLLECTION.what} {path} is damaged. Put the version that worked there last "
                           'into it, as {"version": "0.2.0"}.')
    return version


def notes_of(changelog: t.Mapping[str, t.Any]) -> tuple[Note, ...]:
    """The notes in changelogs/changelog.yaml, of the oldest release first."""
    notes = []
    for version, release in (changelog.get("releases") or {}).items():
        changes = release.get("changes") or {}
        # For a terminal: on one line, and without the marks of reStructuredText.
        entries = tuple(" ".join(str(entry).replace("``", "'").split())
                        for section in SECTIONS for entry in changes.get(section) or ())
        if entries:
            notes.append(Note(str(version), entries))
    return tuple(sorted(notes, key=lambda note: Version.parse(note.version)))


def about(note: Note, elsewhere: t.Collection[str]) -> Note:
    """A note without what is about components that are ``elsewhere``: entries begin with a name and a dash."""
    return Note(note.version, tuple(entry for entry in note.entries if entry.partition(" - ")[0] not in elsewhere))


def before(facts: t.Mapping[str, t.Any], prefix: str) -> str:
    """Which version worked on a host last, by what preflight_facts says of it; "" where none did.

    Raises :class:`MooringError` for a record that does not say so.
    """
    found = recorded((facts.get("platforms") or {}).get(prefix), path_of(prefix))
    return found or (UNRECORDED if prefix in (facts.get("prefixes") or ()) else "")


def judge(
    collection: Collection, facts: t.Mapping[str, t.Any], prefix: str, elsewhere: t.Collection[str],
    acknowledged: Acknowledged,
) -> Refusal | None:
    """Whether the collection may work on a host with these facts, where the components ``elsewhere`` are not."""
    try:
        old = before(facts, prefix)
    except MooringError as error:
        return Refusal("mooring.stack", *problem_and_remedy(error))
    if not old:
        return None
    return older(collection.version, old, path_of(prefix), acknowledged) or unread(
        collection, old, elsewhere, acknowledged)


def older(now: str, old: str, path: str, acknowledged: Acknowledged) -> Refusal | None:
    """Refuses to follow a newer version, whose state this one may not know."""
    if Version.parse(now) >= Version.parse(old) or acknowledged.downgrade == old:
        return None
    return Refusal(
        DOWNGRADE,
        f"mooring.stack {old} worked here last, as {path} on the host says, and this is {now}, which may not know what "
        "that one has left",
        f"Install {old} or newer. Who knows that both keep the same runs this one with -e {DOWNGRADE}={old}")


def unread(
    collection: Collection, old: str, elsewhere: t.Collection[str], acknowledged: Acknowledged,
) -> Refusal | None:
    """Refuses to pass releases whose notes nobody says to have read."""
    since = Version.parse(old)
    if _SEMVER.fullmatch(acknowledged.upgrade):
        since = max(since, Version.parse(acknowledged.upgrade))
    notes = [about(note, elsewhere) for note in collection.notes
             if since < Version.parse(note.version) <= Version.parse(collection.version)]
    notes = [note for note in notes if note.entries]
    if not notes:
        return None
    entries = "".join(f"\n      {note.version}: {entry}" for note in notes for entry in note.entries)
    return Refusal(
        UPGRADE,
        f"mooring.stack {old} worked here last, and an inventory, or who uses it, may have to follow what changed "
        f"since:{entries}\n    {collection.changelog} has all of it",
        f"Change what has to, then set {UPGRADE} to {notes[-1].version}, in group_vars/all or with -e")


def due(collection: Collection, facts: t.Mapping[str, t.Any], prefix: str) -> bool:
    """Whether the version has to be recorded, by somebody who may work there."""
    return recorded((facts.get("platforms") or {}).get(prefix), path_of(prefix)) != collection.version

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what the record of deployments says to people, and what can be rolled back to.

Pure: no files, no processes, no clock. An entry is a mapping as
:meth:`_release.Claim.entry` makes it. Versions before 0.2 wrote ``at`` for when
the deployment ended, the address into ``by``, and no ``definition``.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _release
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

Entry = t.Mapping[str, t.Any]
# Per id of an image on the host the references that lead to it.
Images = t.Mapping[str, t.Collection[str]]

COLUMNS = ("ended", "release", "colour", "by", "image", "took", "result", "why")


@dataclasses.dataclass(frozen=True)
class Back:
    """What a rollback leads to.

    ``seal`` is the label of a colour that still has the release as it ran, which
    needs nothing but a switch; "" where it has to be deployed again from ``image``.
    """

    release: str
    image: str
    seal: str
    reason: str


def _present(situation: _release.Situation, record: _release.Record) -> Entry:
    """What serves: by its container, or by the record where there is none."""
    colour = situation.colours[situation.active] if situation.active else _release.Colour()
    if colour.exists:
        return {"release": colour.release, "image_id": colour.image_id, "definition": colour.definition}
    return record.active or {}


def _same_image(one: Entry, other: Entry) -> bool:
    return (one.get("release"), one.get("image_id")) == (other.get("release"), other.get("image_id"))


def _same(one: Entry, other: Entry) -> bool:
    """Whether two entries mean the same release; one without a definition is told by its image."""
    definitions = {one.get("definition"), other.get("definition")} - {None}
    return _same_image(one, other) and len(definitions) < 2


def _kept(situation: _release.Situation, entry: Entry) -> str | None:
    """The colour that still has what the entry deployed."""
    return next((name for name, colour in situation.colours.items() if colour.exists and _same(entry, {
        "release": colour.release, "image_id": colour.image_id, "definition": colour.definition})), None)


def served(record: _release.Record) -> list[Entry]:
    """What was in service, the newest first and everything once."""
    found: list[Entry] = []
    for entry in reversed(record.history):
        if entry.get("result") == "serving" and not any(_same(entry, one) for one in found):
            found.append(entry)
    return found


def decide(situation: _release.Situation, record: _release.Record, wanted: str, images: Images) -> Back:
    """What to go back to: the newest entry of release ``wanted``, or for "" of what served before this.

    While another release has a share of the requests, that is what else serves.

    What differs in nothing but its configuration counts only while a colour has
    it: the record knows the seal of a configuration, not the configuration.
    Raises :class:`MooringError` with the releases on record.
    """
    active = situation.colours.get(situation.active or "", _release.Colour())
    if not wanted and situation.share and active.exists:
        return Back(active.release or "", active.image, active.definition or "",
                    f"Release {active.release}: {situation.active} serves, and gets all requests again.")
    entries, present = served(record), _present(situation, record)
    if wanted:
        candidates = [entry for entry in entries if entry["release"] == wanted]
        missing = f"The record of this host does not know release {wanted}."
    else:
        candidates = [entry for entry in entries if not _same(entry, present)
                      and (not _same_image(entry, present) or _kept(situation, entry))]
        missing = "There is nothing to roll back to: the record of this host knows no release before this one."
    if not candidates:
        raise MooringError(f"{missing} {known(situation, entries, images)}")
    # What serves needs nothing, also where the same release ran with another configuration since.
    entry = next((one for one in candidates if _same(one, present)), candidates[0])
    release, colour = entry["release"], _kept(situation, entry)
    if colour is not None:
        seal = situation.colours[colour].definition or ""
        what = "already serves" if colour == situation.active else "still has it as it ran, so it is only switched to"
        return Back(release, entry.get("image", ""), seal, f"Release {release}: {colour} {what}.")
    reference = _reference(entry, images)
    if reference is None:
        raise MooringError(
            f"Release {release} cannot be rolled back to: no colour has it any more, and its image "
            f"{entry.get('image', '')} is gone from this host. {known(situation, entries, images)} "
            f"To fetch it from its registry, deploy it: playbooks/deploy.yml -e app_blue_green_release={release}, and "
            "where there are several applications -e app_blue_green_only=<name>.")
    return Back(release, reference, "", f"Release {release}: no colour has it any more, so it is deployed again from "
                                        f"its image {reference}, with the configuration that is declared today.")


def _reference(entry: Entry, images: Images) -> str | None:
    """What leads to the image that ran: its tag while that means the same image, or else its id."""
    image_id, image = entry.get("image_id", ""), entry.get("image", "")
    if image_id not in images:
        return None
    return image if image in images[image_id] else image_id


def known(situation: _release.Situation, entries: t.Sequence[Entry], images: Images) -> str:
    """One sentence that lists the releases on record and what is left of each."""
    said: dict[str, str] = {}
    for entry in entries:
        colour = _kept(situation, entry)
        if colour is not None:
            left = "serves" if colour == situation.active else f"{colour} still has it"
        else:
            left = "image is here" if entry.get("image_id") in images else "image is gone"
        said.setdefault(entry["release"], f"{entry['release']} ({left})")
    return f"On record: {', '.join(said.values())}." if said else "Nothing is on record."


def notice(record: _release.Record, claim: _release.Claim, application: str, rollback: bool) -> dict[str, t.Any] | None:
    """What a deployment says of itself when it has ended; None where nothing of it is on record.

    As the role mattermost_notifier takes it: ``result`` is deployed, rolled_back or failed, ``previous`` the release
    before, or the one that goes on to serve.
    """
    number = next((number for number, entry in reversed(list(enumerate(record.history)))
                   if (entry.get("started"), entry.get("release")) == (claim.started, claim.release)), None)
    if number is None:
        return None
    entry = record.history[number]
    good = entry.get("result") == "serving"
    before = [one for one in record.history[:number] if one.get("result") == "serving"]
    return {
        "application": application, "release": str(entry["release"]),
        "result": ("rolled_back" if rollback else "deployed") if good else "failed",
        "previous": str(before[-1]["release"]) if before else "", "by": str(entry.get("by") or ""),
        "seconds": entry.get("seconds"), "reason": str(entry.get("why") or "")}


def readable(entry: Entry) -> dict[str, t.Any]:
    """An entry with the same keys whatever version wrote it; what that did not write is null."""
    by, _from, address = str(entry.get("by") or "").partition(" from ")
    ended, seconds = entry.get("ended") or entry.get("at"), entry.get("seconds")
    started = entry.get("started")
    if started is None and ended and seconds is not None:
        started = _release.moment(_release.seconds(ended) - seconds)
    return {
        "release": entry.get("release"), "colour": entry.get("colour"), "result": entry.get("result"),
        "why": entry.get("why"), "by": by or None, "machine": entry.get("machine") or None,
        "address": entry.get("address") or address or None, "started": started, "ended": ended, "seconds": seconds,
        "image": entry.get("image"), "image_id": entry.get("image_id") or None, "digest": entry.get("digest"),
        "definition": entry.get("definition"), "canary": entry.get("canary"),
    }


def table(entries: t.Sequence[Entry]) -> list[str]:
    """The deployments as aligned lines, the newest last; a column that is empty everywhere is left out."""
    if not entries:
        return ["Nothing was deployed here yet."]
    found = [_cells(readable(entry)) for entry in entries]
    columns = [name for name in COLUMNS if any(row[name] for row in found)]
    cells = [[name.upper() for name in columns], *([row[name] or "-" for name in columns] for row in found)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _cells(entry: Entry) -> dict[str, str]:
    """One line of the table; the image by 12 digits of its digest, or of its id where it came from no registry."""
    where = "@".join(part for part in (entry["by"], entry["machine"] or entry["address"]) if part)
    digest = str(entry["digest"] or entry["image_id"] or "").rpartition(":")[2][:12]
    return {
        "ended": str(entry["ended"] or "").replace("T", " ").removesuffix("Z"),
        "release": str(entry["release"] or ""), "colour": str(entry["colour"] or ""), "by": where, "image": digest,
        "took": "" if entry["seconds"] is None else f"{entry['seconds']:.0f} s",
        "result": str(entry["result"] or ""), "why": str(entry["why"] or ""),
    }

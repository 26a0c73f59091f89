# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what of an Elasticsearch is not as declared.

Pure: nothing here asks a server. An object is what can be declared: its kind, its
name and its body, which is what its API takes and, in other words, what it
answers. The server adds defaults, writes settings flat, numbers as texts, and
leaves out what is empty; :func:`normal` undoes that, so that what is left of a
comparison is what somebody changed. Seen with 9.5.2; reference: "Create or
update lifecycle policy", "... index template", "... roles", "... users".
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

Body = dict[str, t.Any]

REPOSITORY, POLICY, COMPONENT, TEMPLATE, STREAM, ROLE, USER = (
    "snapshot repository", "lifecycle policy", "component template", "index template", "data stream", "role", "user")
# The option of each kind. In this order objects are made, because each may name one before it; removed in the other.
OPTIONS = {
    REPOSITORY: "repositories", POLICY: "policies", COMPONENT: "component_templates", TEMPLATE: "index_templates",
    STREAM: "data_streams", ROLE: "roles", USER: "users",
}
# Written down by the server about an object, and nobody's to declare.
NOTED = ("created_date", "created_date_millis", "modified_date", "modified_date_millis", "uuid", "username",
         "transient_metadata", "version_created")
# Milliseconds and bytes: reference, "API conventions", units.
DURATIONS = {"nanos": 1e-6, "micros": 1e-3, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SIZES = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
QUANTITY = re.compile(r"(\d+)([a-z]+)")


@dataclasses.dataclass(frozen=True)
class Object:
    """One declared object; ``body`` None is one that must not exist.

    ``password`` is of a user, "" for one whose password is not compared.
    """

    kind: str
    name: str
    body: Body | None
    password: str = dataclasses.field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclasses.dataclass(frozen=True)
class Found:
    """What a server has: for each kind that was asked for, the body of each object by its name.

    ``refused`` are declared users whose password it does not take.
    """

    bodies: dict[str, dict[str, Body]]
    refused: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to do: ``put`` and ``delete`` in their order; ``unknown`` are nobody's, as "index template a".

    ``roll_over`` are the data streams whose next index a change concerns.
    """

    put: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    differences: tuple[Difference, ...] = ()
    unknown: tuple[str, ...] = ()
    roll_over: tuple[str, ...] = ()


def parse(params: t.Mapping[str, t.Any]) -> list[Object]:
    """The declared objects of the module's options; raises :class:`MooringError` for what contradicts itself."""
    objects = []
    for kind, option in OPTIONS.items():
        for entry in params[option]:
            one = _parse(kind, entry)
            if (one.kind, one.name) in {(other.kind, other.name) for other in objects}:
                raise MooringError(f"The {one} is declared twice.")
            objects.append(one)
    return objects


def _parse(kind: str, entry: t.Mapping[str, t.Any]) -> Object:
    name = entry["name"]
    if not name or name != name.strip() or any(letter in name for letter in "/*,\n"):
        raise MooringError(f"'{name}' is no name for a {kind}.")
    if entry["state"] == "absent":
        return Object(kind, name, None)
    if kind == STREAM:
        return Object(kind, name, {})
    if kind == USER:
        body = {key: entry[key] for key in ("roles", "full_name", "enabled") if entry[key] is not None}
        if not entry["password"]:
            raise MooringError(f"The {kind} {name} needs a password.")
        if len(entry["password"]) < 6:
            raise MooringError(f"The password of the {kind} {name} is shorter than the six characters that "
                               "Elasticsearch asks for.")
        return Object(kind, name, body, entry["password"])
    if not entry["body"]:
        raise MooringError(f"The {kind} {name} needs a body.")
    return Object(kind, name, entry["body"])


def decide(declared: t.Sequence[Object], found: Found) -> Plan:
    """What is not as declared, and what to do about it; raises :class:`MooringError`."""
    put, delete, differences = [], [], []
    for one in declared:
        there = found.bodies.get(one.kind, {}).get(one.name)
        mine = _differences(one, there, one.name in found.refused)
        differences += mine
        if mine:
            (delete if one.body is None else put).append(one)
    changed = {(one.kind, one.name) for one in put if found.bodies.get(one.kind, {}).get(one.name) is not None}
    return Plan(tuple(put), tuple(reversed(delete)), tuple(differences), tuple(_unknown(declared, found)),
                tuple(_concerned(changed, declared, found)))


def _differences(one: Object, there: Body | None, refused: bool) -> list[Difference]:
    if one.body is None:
        if there is not None and built_in(one.kind, one.name, there):
            raise MooringError(f"The {one} is part of Elasticsearch and cannot be absent.")
        return [] if there is None else [Difference(str(one), "presence", None, "present")]
    if there is None:
        return [Difference(str(one), "presence", "present", None)]
    password = [Difference(str(one), "password", "accepted", "refused")] if refused else []
    if one.kind == STREAM:
        return []
    if built_in(one.kind, one.name, there):
        if one.kind == USER and one.body.get("roles"):
            raise MooringError(f"The {one} is part of Elasticsearch: its password can be declared, its roles cannot.")
        if one.kind != USER:
            raise MooringError(f"The {one} is part of Elasticsearch and cannot be declared.")
        return password
    declared, found = flat(normal(one.kind, one.body)), flat(normal(one.kind, there))
    return password + [
        Difference(str(one), path, declared.get(path), found.get(path))
        for path in sorted({*declared, *found}) if not same(declared.get(path), found.get(path))]


def built_in(kind: str, name: str, body: Body) -> bool:
    """Whether Elasticsearch or one of its parts brings this object itself."""
    notes = body.get("metadata") or body.get("_meta") or body.get("policy", {}).get("_meta") or {}
    return bool(notes.get("_reserved")) if kind in (ROLE, USER) else bool(notes.get("managed"))


def _unknown(declared: t.Sequence[Object], found: Found) -> list[str]:
    """What nobody declares; not what parts of Elasticsearch make for themselves, nor streams of a declared template."""
    known = {(one.kind, one.name) for one in declared}
    left = []
    for kind, bodies in found.bodies.items():
        for name, body in sorted(bodies.items()):
            if (kind, name) in known or name.startswith(".") or built_in(kind, name, body):
                continue
            if kind == STREAM and (body.get("system") or body.get("hidden")
                                   or (TEMPLATE, body.get("template")) in known):
                continue
            left.append(f"{kind} {name}")
    return left


def _concerned(changed: set[tuple[str, str]], declared: t.Sequence[Object], found: Found) -> list[str]:
    """Data streams that exist and whose template, or a part of it, is another one from now on."""
    templates = {
        one.name for one in declared if one.kind == TEMPLATE and one.body is not None
        and ((one.kind, one.name) in changed
             or any((COMPONENT, part) in changed for part in one.body.get("composed_of") or ()))}
    absent = {one.name for one in declared if one.kind == STREAM and one.body is None}
    return sorted(name for name, body in found.bodies.get(STREAM, {}).items()
                  if body.get("template") in templates and name not in absent)


def normal(kind: str, body: Body) -> Body:
    """A body as it is compared: with the server's defaults, and without what it notes or leaves out."""
    kept = {key: value for key, value in body.items() if key not in NOTED and value is not None}
    if kind == POLICY:
        return _normal_policy(kept)
    if kind in (TEMPLATE, COMPONENT):
        return _normal_template(kept)
    if kind == ROLE:
        return _normal_role(kept)
    if kind == USER:
        return {"enabled": True, **_without_empty(kept), "roles": sorted(kept.get("roles") or ())}
    return plain(kept)


def _normal_policy(body: Body) -> Body:
    phases = {}
    for name, phase in (body.get("phases") or {}).items():
        actions = {action: dict(options or {}) for action, options in (phase.get("actions") or {}).items()}
        if "delete" in actions:
            actions["delete"].setdefault("delete_searchable_snapshot", True)
        phases[name] = {"min_age": "0ms", **phase, "actions": actions}
    return plain({**_without_empty({key: body[key] for key in body if key != "phases"}), "phases": phases})


def _normal_template(body: Body) -> Body:
    made = _without_empty(body)
    if isinstance(made.get("index_patterns"), str):
        made["index_patterns"] = [made["index_patterns"]]
    if body.get("data_stream") is not None:
        made["data_stream"] = {"hidden": False, "allow_custom_routing": False, **body["data_stream"]}
    template = _without_empty(body.get("template") or {})
    if "settings" in template:
        template["settings"] = settings(template["settings"])
    if "lifecycle" in template:
        template["lifecycle"] = {"enabled": True, **template["lifecycle"]}
    if "mappings" in template:
        template["mappings"] = template["mappings"].get("_doc", template["mappings"])
    made.pop("template", None)
    return plain({**made, **({"template": template} if template else {})})


def _normal_role(body: Body) -> Body:
    made = _without_empty(body)
    if "cluster" in made:
        made["cluster"] = sorted(made["cluster"])
    if "indices" in made:
        made["indices"] = sorted(
            ({"allow_restricted_indices": False, **one, "names": _sorted(one.get("names")),
              "privileges": _sorted(one.get("privileges"))} for one in made["indices"]),
            key=lambda one: json.dumps(one, sort_keys=True))
    return plain(made)


def settings(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Settings of an index by their whole names, as the server has them."""
    named: dict[str, t.Any] = {}
    for path, value in flat(given).items():
        if value is not None:
            named[path if path.startswith("index.") else f"index.{path}"] = plain(value)
    return named


def _without_empty(body: Body) -> Body:
    return {key: value for key, value in body.items() if value not in ({}, [], None)}


def _sorted(value: t.Any) -> list[t.Any]:
    return sorted([value] if isinstance(value, str) else value or ())


def plain(value: t.Any) -> t.Any:
    """Numbers and truth values as texts, because the server turns some into the other."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None else str(value)


def flat(value: t.Mapping[str, t.Any], prefix: str = "") -> dict[str, t.Any]:
    """What is in a body, by paths with dots; a list is one value, and so is an empty mapping."""
    found: dict[str, t.Any] = {}
    for key, item in value.items():
        path = f"{prefix}{key}"
        if isinstance(item, dict) and item:
            found.update(flat(item, f"{path}."))
        else:
            found[path] = item
    return found


def same(one: t.Any, other: t.Any) -> bool:
    """Whether two values say the same, also 24h and 1d, or 1gb and 1024mb."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other or quantity(one) == quantity(other)
    return bool(one == other)


def quantity(text: str) -> tuple[str, float] | str:
    """A duration in milliseconds or a size in bytes; the text itself for anything else."""
    found = QUANTITY.fullmatch(text.lower())
    for what, units in (("ms", DURATIONS), ("bytes", SIZES)):
        if found and found[2] in units:
            return what, int(found[1]) * units[found[2]]
    return text

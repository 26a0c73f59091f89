# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: data views, searches and dashboards that are given to Kibana.

Two requests: which of them are there (``_export``, which answers 400 and names those that are not), and, if something
is to be done, all of them at once (``_import``). What users have made of them since stays as it is until what is
declared changes: Kibana writes objects anew in its own way, so that the two cannot be compared, and a dashboard is
there to be worked with. Shapes: Kibana API documentation, "Saved objects"; each object is a line of JSON, in which
some attributes are JSON as text.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._http import basic

# Attributes that Kibana keeps as text.
_TEXTS = ("panelsJSON", "optionsJSON")
_BOUNDARY = "mooring-saved-objects"


class KibanaError(MooringError):
    """Kibana does not do what it was asked to, or what it was given is no saved object."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be asked: a path below the base path, which it has."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done; ``reasons`` are for the operator, and none is nothing to do."""

    reasons: tuple[str, ...]

    @property
    def changes_anything(self) -> bool:
        """Whether objects are to be imported."""
        return bool(self.reasons)


def objects_of(text: str) -> list[dict[str, t.Any]]:
    """The objects of a file of ours: a list of saved objects whose attributes are JSON throughout.

    Raises :class:`KibanaError` for one that has no type or id, that is there twice, or whose references lead nowhere.
    """
    try:
        objects = json.loads(text)
    except ValueError as error:
        raise KibanaError(f"The saved objects are not JSON: {error}.") from error
    names = []
    for number, one in enumerate(objects if isinstance(objects, list) else [objects], 1):
        if not isinstance(one, dict) or not {"type", "id", "attributes", "references"} <= set(one):
            raise KibanaError(f"Saved object {number} needs type, id, attributes and references.")
        names.append((one["type"], one["id"]))
    for name in names:
        if names.count(name) > 1:
            raise KibanaError(f"The saved object {'/'.join(name)} is declared twice.")
    for one in objects:
        for reference in one["references"]:
            if (reference["type"], reference["id"]) not in names:
                raise KibanaError(f"The saved object {one['type']}/{one['id']} refers to {reference['type']}/"
                                  f"{reference['id']}, which is not declared.")
    return objects


def ndjson(objects: list[dict[str, t.Any]]) -> bytes:
    """As Kibana imports them: a line each, in which attributes that it keeps as text are text."""
    def text(value: t.Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    lines = []
    for one in objects:
        attributes = {name: text(value) if name in _TEXTS else value for name, value in one["attributes"].items()}
        meta = attributes.get("kibanaSavedObjectMeta")
        if meta:
            attributes["kibanaSavedObjectMeta"] = {name: text(value) for name, value in meta.items()}
        lines.append(text({**one, "attributes": attributes}) + "\n")
    return "".join(lines).encode()


def digest(objects: list[dict[str, t.Any]]) -> str:
    """What is recorded of an import."""
    return hashlib.sha256(ndjson(objects)).hexdigest()


def export_request(base: str, objects: list[dict[str, t.Any]], login: tuple[str, str] | None) -> Request:
    """Asks for all of them, for the sake of those that are missing; ``base`` is the base path, such as /kibana."""
    body = {"objects": [{"type": one["type"], "id": one["id"]} for one in objects],
            "excludeExportDetails": True, "includeReferencesDeep": False}
    return Request("POST", f"{base}/api/saved_objects/_export",
                   {**_headers(login), "Content-Type": "application/json"}, json.dumps(body).encode())


def missing(status: int, body: bytes) -> tuple[str, ...]:
    """Of the answer: those that are not there, as type/id. Raises :class:`KibanaError` if it says something else."""
    if status == 200:
        return ()
    document = _document(body)
    found = document.get("attributes", {}).get("objects", []) if isinstance(document.get("attributes"), dict) else []
    if status == 400 and found and all(one.get("error", {}).get("statusCode") == 404 for one in found):
        return tuple(sorted(f"{one['type']}/{one['id']}" for one in found))
    raise KibanaError(f"Kibana does not tell which saved objects it has{_why(status, document)}.")


def decide(objects: list[dict[str, t.Any]], recorded: str, not_there: tuple[str, ...]) -> Plan:
    """Imports what was declared anew, and all of it if something is gone."""
    if not recorded and len(not_there) == len(objects):
        return Plan(tuple(f"{name} is new" for name in not_there))
    reasons = [f"{name} is missing" for name in not_there]
    if recorded != digest(objects):
        reasons.append("what is declared has changed")
    return Plan(tuple(reasons))


def import_request(base: str, objects: list[dict[str, t.Any]], login: tuple[str, str] | None) -> Request:
    """Gives Kibana all of them; those that are there are replaced."""
    content = ndjson(objects)
    boundary = _BOUNDARY
    while boundary.encode() in content:
        boundary += "-"
    head = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"mooring.ndjson\"\r\n"
            "Content-Type: application/ndjson\r\n\r\n")
    return Request("POST", f"{base}/api/saved_objects/_import?overwrite=true",
                   {**_headers(login), "Content-Type": f"multipart/form-data; boundary={boundary}"},
                   head.encode() + content + f"\r\n--{boundary}--\r\n".encode())


def imported(status: int, body: bytes, objects: list[dict[str, t.Any]]) -> None:
    """Raises :class:`KibanaError` that names what was not imported, and why."""
    document = _document(body)
    if status != 200:
        raise KibanaError(f"Kibana does not import saved objects{_why(status, document)}.")
    errors = [f"{one.get('type')}/{one.get('id')}: {one.get('error', {}).get('type', 'unknown')}"
              for one in document.get("errors", [])]
    if errors or not document.get("success") or document.get("successCount") != len(objects):
        told = "; ".join(errors) or f"{document.get('successCount', 0)} of {len(objects)}"
        raise KibanaError(f"Kibana did not import all saved objects ({told}).")


def _headers(login: tuple[str, str] | None) -> dict[str, str]:
    # Kibana refuses what changes something without the first, so that no page can ask it to.
    headers = {"kbn-xsrf": "mooring"}
    if login:
        headers["Authorization"] = basic(*login)
    return headers


def _document(body: bytes) -> dict[str, t.Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _why(status: int, document: dict[str, t.Any]) -> str:
    return f": {document['message']} (status {status})" if document.get("message") else f" (status {status})"

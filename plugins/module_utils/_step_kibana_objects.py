# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that gives Kibana its data views, searches and dashboards."""

from __future__ import annotations

import contextlib
import http.client
import json
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _kibana as kibana
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._formats import SAVED_OBJECTS
from ansible_collections.mooring.stack.plugins.module_utils._http import exchange

ARGUMENT_SPEC: dict[str, t.Any] = {
    "container": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5601},
    "base_path": {"type": "str", "default": ""},
    "login_user": {"type": "str", "default": ""},
    "login_password": {"type": "str", "no_log": True},
    "objects": {"type": "list", "elements": "dict", "required": True},
    "record": {"type": "path", "required": True},
}
# An import makes Elasticsearch write and refresh.
TIMEOUT = 60.0


def send(address: str, port: int, request: kibana.Request) -> tuple[int, bytes]:
    """Status and body of the answer; raises :class:`MooringError` where nobody answers."""
    answer = exchange(http.client.HTTPConnection(address, port, timeout=TIMEOUT), request.method, request.path,
                      request.headers, "Kibana", body=request.body, where=f"{address}:{port}")
    return answer.status, answer.body


def recorded(path: str) -> str:
    """What was imported last; "" for nothing, or for a record that nobody can read."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(SAVED_OBJECTS.current(json.loads(files.read_text(path) or "null"), path)["imported"])
    return ""


def differences(objects: list[dict[str, t.Any]], plan: kibana.Plan, not_there: tuple[str, ...]) -> list[Difference]:
    """As other steps tell them."""
    found = [Difference(f"saved object {name}", "presence", "present", None) for name in not_there]
    if plan.changes_anything and not found:
        found.append(Difference("saved objects", "declaration", kibana.digest(objects)[:12], "another"))
    return found


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    objects = kibana.objects_of(json.dumps(params["objects"]))
    if not objects:
        return {"changed": False, "differences": [], "notices": []}
    login = (params["login_user"], params["login_password"] or "") if params["login_user"] else None
    before = recorded(params["record"])
    names = tuple(sorted(f"{one['type']}/{one['id']}" for one in objects))
    docker = Docker(module.run_command)
    address = docker.address(params["container"], params["network"])
    notices: list[str] = []
    if address:
        try:
            with docker.inside(params["container"]):
                answer = send(address, params["port"], kibana.export_request(params["base_path"], objects, login))
            not_there = kibana.missing(*answer)
        except MooringError as error:
            # It starts, or an account is still to be made.
            if not module.check_mode:
                raise
            not_there, notices = (), [f"Kibana was not compared: {error}"]
    elif module.check_mode:
        not_there = () if before else names
    else:
        raise MooringError(f"The container {params['container']} does not run; start it, then run this again.")
    plan = kibana.decide(objects, before, not_there)
    result = {"changed": plan.changes_anything, "notices": notices,
              "differences": [one.as_dict() for one in differences(objects, plan, not_there)]}
    if plan.changes_anything and not module.check_mode:
        with docker.inside(params["container"]):
            answer = send(address, params["port"], kibana.import_request(params["base_path"], objects, login))
        kibana.imported(*answer, objects)
        files.write_file(params["record"], json.dumps({"imported": kibana.digest(objects)}).encode() + b"\n", 0o600)
    return result

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that makes what an Elasticsearch keeps as declared."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _elasticsearch_objects as objects
from ansible_collections.mooring.stack.plugins.module_utils import _project as project
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._elasticsearch import (
    Elasticsearch,
    NoAnswer,
    Refused,
    quoted,
)
from ansible_collections.mooring.stack.plugins.module_utils._elasticsearch_objects import (
    COMPONENT,
    POLICY,
    REPOSITORY,
    ROLE,
    STREAM,
    TEMPLATE,
    USER,
    Found,
    Object,
    Plan,
)
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError


def _entries(**options: t.Any) -> dict[str, t.Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"}, **options}}


_BODY: dict[str, t.Any] = {"body": {"type": "dict"}}
ARGUMENT_SPEC: dict[str, t.Any] = {
    "container": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
    "service": {"type": "str", "default": ""},
    "login_user": {"type": "str", "required": True},
    "login_password": {"type": "str", "required": True, "no_log": True},
    "repositories": _entries(**_BODY),
    "policies": _entries(**_BODY),
    "component_templates": _entries(**_BODY),
    "index_templates": _entries(**_BODY),
    "data_streams": _entries(),
    "roles": _entries(**_BODY),
    "users": _entries(
        password={"type": "str", "no_log": True}, roles={"type": "list", "elements": "str", "default": []},
        full_name={"type": "str"}, enabled={"type": "bool", "default": True}),
}
AFTER_SERVICES = True
# Where each kind is asked for, made and removed.
PATHS = {REPOSITORY: "/_snapshot", POLICY: "/_ilm/policy", COMPONENT: "/_component_template",
         TEMPLATE: "/_index_template", STREAM: "/_data_stream", ROLE: "/_security/role", USER: "/_security/user"}
# A server looks at its files of users every five seconds (resource.reload.interval.high).
LOGIN_SECONDS = 20.0
INTERVAL = 0.5


def bodies(kind: str, answer: t.Any) -> dict[str, objects.Body]:
    """The objects of an answer, by their names."""
    if kind == COMPONENT:
        return {one["name"]: one["component_template"] for one in answer["component_templates"]}
    if kind == TEMPLATE:
        return {one["name"]: one["index_template"] for one in answer["index_templates"]}
    if kind == STREAM:
        return {one["name"]: one for one in answer["data_streams"]}
    if kind == POLICY:
        return {name: one["policy"] for name, one in answer.items()}
    return dict(answer)


def read(server: Elasticsearch, declared: t.Sequence[Object]) -> Found:
    """What the server has of each kind that is declared; raises :class:`MooringError` that names a kind it lacks."""
    found = {}
    kinds = {one.kind for one in declared}
    if kinds & {TEMPLATE, COMPONENT}:
        # A changed template concerns them.
        kinds.add(STREAM)
    for kind in (kind for kind in objects.OPTIONS if kind in kinds):
        try:
            found[kind] = bodies(kind, server.ask("GET", PATHS[kind]))
        except Refused as error:
            lacks = error.status in (400, 405) and kind in (ROLE, USER, POLICY, STREAM)
            why = " It has none: is security off, or a module missing?" if lacks else ""
            raise MooringError(f"Elasticsearch does not tell its {objects.OPTIONS[kind].replace('_', ' ')}: {error}."
                               f"{why}") from error
    refused = [one.name for one in declared if one.kind == USER and one.body is not None
               and one.name in found[USER] and one.body.get("enabled", True)
               and not server.accepts(one.name, one.password)]
    return Found(found, tuple(refused))


def put(server: Elasticsearch, one: Object, there: objects.Body | None) -> None:
    """Make one object, or make it as declared."""
    path, body = f"{PATHS[one.kind]}/{quoted(one.name)}", one.body or {}
    if one.kind == STREAM:
        server.ask("PUT", path)
    elif one.kind == POLICY:
        server.ask("PUT", path, {"policy": body})
    elif one.kind == USER and there is not None and objects.built_in(USER, one.name, there):
        server.ask("PUT", f"{path}/_password", {"password": one.password})
    elif one.kind == USER:
        server.ask("PUT", path, {**body, "password": one.password})
    else:
        server.ask("PUT", path, body)


def delete(server: Elasticsearch, one: Object) -> None:
    """Remove one object."""
    server.ask("DELETE", f"{PATHS[one.kind]}/{quoted(one.name)}")


def apply(server: Elasticsearch, plan: Plan, found: Found) -> None:
    """Remove, make, and let data streams go on in a new index.

    Raises :class:`MooringError` naming every object that was refused, after all else was done.
    """
    said = []
    # What others name goes last, when a changed template does not name it any more.
    named = [one for one in plan.delete if one.kind in (COMPONENT, POLICY, REPOSITORY)]
    free = [one for one in plan.delete if one not in named]
    steps: list[tuple[str, t.Callable[[], t.Any]]] = [
        *((f"to remove the {one}", lambda one=one: delete(server, one)) for one in free),
        *((f"the {one}", lambda one=one: put(server, one, found.bodies[one.kind].get(one.name))) for one in plan.put),
        *((f"to remove the {one}", lambda one=one: delete(server, one)) for one in named),
        # Lazily: when something is written to it, so that what is silent gets no empty index.
        *((f"to roll over the data stream {name}",
           lambda name=name: server.ask("POST", f"/{quoted(name)}/_rollover?lazy=true")) for name in plan.roll_over)]
    for what, step in steps:
        try:
            step()
        except Refused as error:
            said.append(f"Elasticsearch refuses {what}: {error}.")
    if said:
        raise MooringError(" ".join(said))


def wait_for_login(server: Elasticsearch, params: dict[str, t.Any], patient: bool) -> None:
    """Until the account of this step may log in; raises :class:`MooringError`."""
    deadline = time.monotonic() + LOGIN_SECONDS
    while not server.accepts(params["login_user"], params["login_password"]):
        if not patient or time.monotonic() > deadline:
            raise MooringError(f"Elasticsearch refuses the declared password of {params['login_user']}.")
        time.sleep(INTERVAL)


def converge(module: t.Any, params: dict[str, t.Any], planned: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
    """Read, decide, apply, read again; ``planned`` is what happens to services before. Raises :class:`MooringError`."""
    declared = objects.parse(params)
    before = (planned or {}).get(params["service"]) if module.check_mode else None
    if before == project.CREATE:
        # A server with nothing in it, unless its volume is an old one, which nobody can tell.
        return _result(objects.decide(declared, Found({})))
    plan = Plan()
    try:
        docker = Docker(module.run_command)
        address = docker.address(params["container"], params["network"])
        if not address:
            raise NoAnswer(f"The container {params['container']} does not run.")
        with (docker.inside(params["container"]),
              Elasticsearch(address, params["login_user"], params["login_password"]) as server):
            wait_for_login(server, params, not module.check_mode)
            found = read(server, declared)
            plan = objects.decide(declared, found)
            if plan.differences and not module.check_mode:
                apply(server, plan, found)
                left = objects.decide(declared, read(server, declared)).differences
                if left:
                    raise MooringError(
                        f"Elasticsearch took every change, and yet: {'; '.join(map(str, left))}.")
    except MooringError as error:
        # While it is stopped, or with a password that the run has yet to load.
        if module.check_mode and (isinstance(error, NoAnswer) or before):
            return {**_result(Plan()), "notices": [f"elk: its objects were not compared: {error}"]}
        raise MooringError(str(error), **{**_result(plan), **error.details}) from error
    return _result(plan)


def _result(plan: Plan) -> dict[str, t.Any]:
    notices = [f"elk: nobody declares the {', the '.join(plan.unknown)}."] if plan.unknown else []
    return {"changed": bool(plan.differences), "differences": [one.as_dict() for one in plan.differences],
            "notices": notices, "unknown": list(plan.unknown), "rolled_over": list(plan.roll_over)}

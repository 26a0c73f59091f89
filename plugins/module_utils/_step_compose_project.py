# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that converges one Compose project, its files and its containers."""

from __future__ import annotations

import hashlib
import os
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _project as project
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import HeldBack, MooringError
from ansible_collections.mooring.stack.plugins.module_utils._project_host import ProjectHost, Validator

COMMAND_SPEC = {"type": "list", "elements": "str", "required": True}

ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "src": {"type": "str", "default": "project"},
    # Stays on the controller.
    "variables": {"type": "dict", "default": {}},
    "without": {"type": "list", "elements": "str", "default": []},
    "root": {"type": "path"},
    "prefix": {"type": "str"},
    "network": {"type": "str"},
    "service_defaults": {"type": "dict"},
    # Names and owners only; the contents travel in tree_secrets.
    "secrets": {"type": "dict", "default": {}, "no_log": False},
    "directories": {"type": "dict", "default": {}},
    "validators": {
        "type": "list", "elements": "dict", "default": [],
        "options": {"service": {"type": "str", "required": True}, "command": COMMAND_SPEC}},
    "reload": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "service": {"type": "str", "required": True},
            "paths": {"type": "list", "elements": "str", "required": True},
            "command": COMMAND_SPEC}},
    "stateful": {"type": "list", "elements": "str", "default": []},
    "allow_stateful_restart": {"type": "bool"},
    "wait_timeout": {"type": "int", "default": 120},
    "tree": {"type": "list", "elements": "dict"},
    "tree_secrets": {"type": "dict", "no_log": True},
    "services": {"type": "dict"},
    "volumes": {"type": "list", "elements": "dict", "default": []},
    "permitting": {"type": "str", "default": ""},
}

# Words of a secret file that are long enough to be the secret itself are kept
# out of log excerpts; shorter ones are its syntax.
SECRET_WORD = re.compile(r"[^\s:=>\"']{12,}")


def declaration(params: dict[str, t.Any], key: bytes) -> tuple[project.Declared, dict[str, bytes]]:
    """The declaration and the files' contents by path, from the module's parameters.

    Replaces each service's digest mark in compose.yml by its digest.
    """
    reloads: dict[str, list[project.Reload]] = {}
    for rule in params["reload"]:
        reloads.setdefault(rule["service"], []).append(
            project.Reload(tuple(rule["paths"]), tuple(rule["command"])))
    services = {
        name: project.Service(
            name, facts["image"], tuple(facts["paths"]), tuple(reloads.get(name, ())), name in params["stateful"])
        for name, facts in params["services"].items()}

    entries, contents = {}, {}
    for item in params["tree"]:
        path, secret = item["path"], bool(item.get("secret"))
        digest = ""
        if item["kind"] == "file":
            content = params["tree_secrets"][path] if secret else item["content"]
            contents[path] = content.encode("utf-8", "surrogateescape")
            digest = hashlib.sha256(contents[path]).hexdigest()
        entries[path] = project.Entry(
            path, digest, int(item["mode"], 8), item["uid"], item["gid"], item["kind"], secret)

    mounted = [entry for path, entry in entries.items() if path != project.COMPOSE_FILE]
    text = contents[project.COMPOSE_FILE].decode()
    for service in services.values():
        text = text.replace(
            project.digest_mark(service.name), project.service_digest(key, service, mounted))
    contents[project.COMPOSE_FILE] = text.encode()
    file = entries[project.COMPOSE_FILE]
    entries[file.path] = project.Entry(
        file.path, hashlib.sha256(text.encode()).hexdigest(), file.mode, file.uid, file.gid)
    volumes = tuple(project.Volume(item["name"], item["driver"], item["options"]) for item in params["volumes"])
    return project.Declared(entries, services, volumes), contents


def diff(
    host: ProjectHost, plan: project.Plan, declared: project.Declared, contents: dict[str, bytes],
) -> list[dict[str, str]]:
    """Before and after of each file that changes, and of everything else as fields."""
    parts = []
    for path in [*plan.write, *plan.delete]:
        entry = declared.entries.get(path)
        full = os.path.join(host.directory, path)
        if (entry and entry.kind != "file") or os.path.isdir(full):
            continue
        before = ""
        if os.path.isfile(full):
            with open(full, "rb") as stream:
                before = stream.read().decode("utf-8", "replace")
        after = contents[path].decode("utf-8", "replace") if entry else ""
        if under_secrets(path):
            before, after = (project.HIDDEN + "\n" if before else ""), (project.HIDDEN + ", changed\n" if after else "")
        if before != after:
            parts.append({"before_header": full, "after_header": full, "before": before, "after": after})
    found = [item for item in plan.differences if item.field not in ("content", "presence")]
    if found:
        parts.append({
            "before_header": f"{host.name} as found", "after_header": f"{host.name} as declared",
            "before": "".join(f"{item.object}: {item.field}: {item.found}\n" for item in found),
            "after": "".join(f"{item.object}: {item.field}: {item.expected}\n" for item in found)})
    return parts


def under_secrets(path: str) -> bool:
    """Whether a path of the project is secret by its place; so is a file that is no longer declared."""
    return project.under(path, ["secrets"])


def secret_words(contents: dict[str, str]) -> set[str]:
    """What of secret files, by path, must not be said; of SQL nothing, whose words are names that messages need."""
    return {word for path, content in contents.items() if not path.endswith(".sql")
            for word in SECRET_WORD.findall(content)}


def converge_project(params: dict[str, t.Any], docker: Docker, check_mode: bool, want_diff: bool) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    host = ProjectHost(
        docker, f"{params['prefix']}-{params['name']}", os.path.join(params["root"], params["name"]),
        params["wait_timeout"])
    declared, contents = declaration(params, host.key())

    def decided() -> tuple[project.Observed, project.Plan, dict[str, t.Any]]:
        observed = host.read(declared, contents)
        plan = project.decide(declared, observed, host.key(), bool(params["allow_stateful_restart"]))
        result = {
            "changed": bool(plan), "differences": [one.as_dict() for one in plan.differences],
            "notices": [f"{params['name']}: {notice}" for notice in plan.notices],
            "plan": plan.result(), "changes": plan.sentences(), "name": params["name"], "project": host.name,
            "directory": host.directory}
        if want_diff:
            result["diff"] = diff(host, plan, declared, contents)
        return observed, plan, result

    observed, plan, result = decided()
    if check_mode:
        return result
    if observed.hashes is None:
        raise MooringError("No Docker engine answers on this host. Run the docker_engine role first.")
    if plan:
        validators = [Validator(item["service"], tuple(item["command"])) for item in params["validators"]]
        with host.lock():
            host.finish_exchange()
            # Again, because another run may have ended in between.
            observed, plan, result = decided()
            try:
                if plan:
                    host.apply(plan, declared, contents, validators)
            except MooringError as error:
                error.details.update({key: result[key] for key in ("differences", "notices", "plan", "changes")})
                raise
    elif any(one.health == "starting" for found in observed.containers.values() for one in found):
        host.wait(declared)
    if plan.held:
        raise HeldBack(
            f"{', '.join(sorted(plan.held))} of {params['name']} would have to be restarted for the new "
            "configuration. It lies on the disk, so a crash or a reboot takes it too. To allow it now, run\n"
            f"{params['permitting']}", **result)
    return result


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The step; ``module`` runs commands and keeps secrets out of what is printed."""
    module.no_log_values.update(secret_words(params["tree_secrets"] or {}))
    if params["tree"] is None:
        raise MooringError("compose_project has no tree: its controller half did not run.")
    return converge_project(params, Docker(module.run_command), module.check_mode, module._diff)

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that logs this host in to container registries."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._registry_logins import (
    NOTE,
    Login,
    Plan,
    decide,
    logins,
    noted,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    "registries": {"type": "list", "elements": "dict", "default": [], "options": {
        "name": {"type": "str", "required": True},
        "username": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
    }},
}


def config_path() -> str:
    """Where the docker command keeps its logins."""
    return os.path.join(os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"), "config.json")


def ours() -> list[str]:
    """The registries that this collection logged in to. Raises :class:`MooringError` for a note of a newer format."""
    return noted(files.read_text(NOTE))


def log_out(docker: Docker, addresses: t.Iterable[str]) -> None:
    """Forget logins."""
    for address in addresses:
        docker.run("logout", address)


def apply(docker: Docker, plan: Plan, wished: t.Mapping[str, Login]) -> None:
    for address in plan.log_in:
        # First of all, so that a login of an interrupted run is still known to be ours.
        os.makedirs(os.path.dirname(NOTE), mode=0o755, exist_ok=True)
        note = json.dumps({"addresses": sorted({*ours(), address})}, indent=2) + "\n"
        files.write_file(NOTE, note.encode(), 0o644)
        try:
            docker.run("login", "--username", wished[address].username, "--password-stdin", address,
                       data=wished[address].password)
        except CommandFailed as error:
            raise MooringError(
                f"The registry {address} does not let {wished[address].username} in: "
                f"{(error.stderr or error.stdout).strip()}. See docker_engine_registries.") from error
    log_out(docker, plan.log_out)
    if plan.log_out:
        left = sorted(set(ours()) - set(plan.log_out))
        files.write_file(NOTE, (json.dumps({"addresses": left}, indent=2) + "\n").encode(), 0o644)


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read, decide, apply; the result. Raises :class:`MooringError`."""
    wished = {one["name"]: Login(one["username"], one["password"]) for one in params["registries"]}
    plan = decide(logins(files.read_text(config_path()), config_path()), ours(), wished)
    if plan.changes_anything and not module.check_mode:
        apply(Docker(module.run_command), plan, wished)
    return {"changed": plan.changes_anything, "differences": [one.as_dict() for one in plan.differences],
            "notices": []}

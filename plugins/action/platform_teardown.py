# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks before data is deleted; the module of the same name does the rest."""

from __future__ import annotations

import pathlib
import shutil
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError, AnsiblePromptNoninteractive
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.plugin_utils import _collection

display = Display()

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"


class ActionModule(ActionBase):
    """Lists, asks if it has to, removes."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        # The drift report's metrics lie beside the components.
        components = {path.name for path in ROLES.iterdir() if path.is_dir()} | {"metrics"}
        try:
            args = {**self._task.args, "components": sorted(components), "collection": _collection.version()}
        except MooringError as error:
            raise AnsibleActionFail(str(error)) from error
        if args.get("data", "ask") == "ask":
            # In check mode nothing is removed, so nobody needs to decide.
            args["data"] = "keep" if self._task.check_mode else self._decide(args, task_vars)
        result = self._execute_module("mooring.stack.platform_teardown", module_args=args, task_vars=task_vars)
        if result.get("failed") or self._task.check_mode:
            return result
        if args["data"] == "delete" and args.get("generated_secrets") and not args.get("only"):
            result["changed"] |= remove_secrets(pathlib.Path(args["generated_secrets"]))
        display.display("\n".join(report(result)))
        return result

    def _decide(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> str:
        """Ask what happens to the data, if there is any."""
        listed = self._execute_module(
            "mooring.stack.platform_teardown", module_args={**args, "data": "delete", "state": "listed"},
            task_vars=task_vars)
        if listed.get("failed"):
            raise AnsibleActionFail(listed.get("msg", "The host could not be read."), result=listed)
        if not listed["volumes"]:
            return "delete"
        host, volumes = (task_vars or {})["inventory_hostname"], ", ".join(listed["volumes"])
        question = (f"{host}: delete these volumes and all data in them: {volumes}? "
                    "Type 'delete', or anything else to keep them: ")
        try:
            answer = display.prompt_until(question)
        except AnsiblePromptNoninteractive as error:
            raise AnsibleActionFail(
                f"These volumes hold data: {volumes}. Nothing was removed. Set teardown_data to delete or to keep, for "
                "instance with 'make down DATA=delete' or '-e teardown_data=delete'.") from error
        return "delete" if answer.decode(errors="replace").strip().lower() == "delete" else "keep"


def remove_secrets(directory: pathlib.Path) -> bool:
    """Remove a directory of generated secrets, and nothing that has another name."""
    if directory.name != ".state":
        raise AnsibleError(f"generated_secrets is {directory}, but only a directory named .state is ever removed.")
    if not directory.is_dir():
        return False
    shutil.rmtree(directory)
    return True


def report(result: dict[str, t.Any]) -> list[str]:
    """What happened, in words."""
    kinds = {"containers": "container", "networks": "network", "volumes": "volume", "images": "image",
             "directories": "directory", "jobs": "job", "registries": "registry login", "records": "record"}
    removed = ", ".join(
        f"{len(result[many])} {one if len(result[many]) == 1 else many}" for many, one in kinds.items() if result[many])
    lines = [f"Removed {removed}." if removed else "There was nothing to remove."]
    if result["leave_swarm"]:
        lines.append("Left the swarm of the platform's hosts.")
    if result["kept_volumes"]:
        lines.append(f"Kept with their data: {', '.join(result['kept_volumes'])}.")
    if result["foreign"]:
        lines.append(f"Not ours, left where they are: {', '.join(result['foreign'])}.")
    return lines + [f"Could not remove {problem}" for problem in result["left"]]

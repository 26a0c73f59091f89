# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of release_previous: what the inventory goes on declaring."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mooring.stack.plugins.module_utils._preflight import Setting
from ansible_collections.mooring.stack.plugins.plugin_utils._origin import resolve, without_extra_variables

display = Display()

VARIABLE = "app_blue_green_applications"


class ActionModule(ActionBase):
    """See the module's documentation for its options."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ask the host, and say in a line or two what the answer means."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        result = self._execute_module(
            module_name="mooring.stack.release_previous", task_vars=task_vars, module_args=self._task.args)
        if result.get("failed"):
            return result
        host = task_vars["inventory_hostname"]
        # What the command line says, the next run does not.
        declared = without_extra_variables(task_vars["hostvars"], host).get(VARIABLE)
        result["notices"] = still_declared(
            str(self._task.args["name"]), result["release"], resolve(self._templar, declared))
        for line in (result["reason"], *result["notices"]):
            display.display(f"  {host}: {line}")
        return result


def still_declared(name: str, release: str, declared: Setting) -> list[str]:
    """What the next run of site.yml would do to the release that was rolled back to; empty if nothing."""
    entries = declared.value if isinstance(declared.value, list) else []
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and entry.get("name") == name and entry.get("release") is not None:
            if str(entry["release"]) == release:
                return []
            place = declared.source_of(f"[{index}].release") or "the inventory"
            return [f"The inventory still declares release {entry['release']} of {name}, and the next run of site.yml "
                    f"brings that back: set {VARIABLE}[{index}].release: {release} in {place}."]
    return []

# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of release_previous: which release was asked for, and what the inventory goes on declaring."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.mooring.stack.plugins.plugin_utils._origin import origin, without_extra_variables

display = Display()

# The inventory always declares it, so what was asked for is what the command line says.
VARIABLE = "app_blue_green_release"


class ActionModule(ActionBase):
    """See the module's documentation for its options."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ask the host, and say in a line or two what the answer means."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        asked = load_extra_vars(self._loader).get(VARIABLE)
        result = self._execute_module(
            module_name="mooring.stack.release_previous", task_vars=task_vars,
            module_args={**self._task.args, "release": "" if asked is None else str(self._templar.template(asked))})
        if result.get("failed"):
            return result
        host = task_vars["inventory_hostname"]
        raw = without_extra_variables(task_vars["hostvars"], host).get(VARIABLE)
        result["notices"] = still_declared(
            result["release"], "" if raw is None else str(self._templar.template(raw)), origin(raw))
        for line in (result["reason"], *result["notices"]):
            display.display(f"  {host}: {line}")
        return result


def still_declared(release: str, declared: str, place: str) -> list[str]:
    """What the next run of site.yml would do to the release that was rolled back to; empty if nothing."""
    if declared in ("", release):
        return []
    return [f"The inventory still declares release {declared}, and the next run of site.yml brings that back: "
            f"set {VARIABLE}: {release} in {place or 'the inventory'}."]

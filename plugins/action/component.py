# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of component: completes the steps that need the controller, and sends all in one module call."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.mooring.stack.plugins.module_utils._component import named
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.plugin_utils import _compose_file as compose_file
from ansible_collections.mooring.stack.plugins.plugin_utils import _library, _steps
from ansible_collections.mooring.stack.plugins.plugin_utils._compose_controller import Controller

# Their controller half does more than to complete the arguments.
OWN_TASK = ("distro_image", "platform_status")


class ActionModule(ActionBase):
    """See the module's documentation for its options."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Complete, send; then say what each step found."""
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        others = {name: value for name, value in self._task.args.items() if name != "steps"}
        try:
            steps = self._complete(self._task.args.get("steps"), task_vars)
            others["libraries"] = _library.needed(name for step in steps for name in step)
        except MooringError as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(_steps.run(self, steps, task_vars, **others))
        said: set[str] = set()
        for step in result.get("steps") or ():
            # Projects are told apart by their names, everything else by the step's.
            _steps.print_changes(step.get("name", step["step"]), step, said)
        if result.get("failed") and not _steps.display.verbosity:
            # All of it has been said, and Ansible would print it again behind the message.
            result.pop("steps", None)
        return result

    def _complete(self, given: t.Any, task_vars: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        if not isinstance(given, (list, tuple)):
            raise MooringError("component needs a list of 'steps'.")
        controller, steps = Controller(self, task_vars), []
        for name, arguments in named(compose_file.plain(given)):
            if name in OWN_TASK:
                raise MooringError(f"{name} is no step among others: use the module mooring.stack.{name}.")
            steps.append({name: controller.arguments(arguments) if name == "compose_project" else arguments})
        return steps

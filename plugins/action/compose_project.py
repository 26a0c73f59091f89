# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of compose_project: renders the tree and sends it in one module call."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.plugin_utils import _steps
from ansible_collections.mooring.stack.plugins.plugin_utils._compose_controller import Controller


class ActionModule(ActionBase):
    """See the module's documentation for its options."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Render, complete, send; then say what the host half found."""
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        try:
            arguments = Controller(self, task_vars).arguments(dict(self._task.args))
        except MooringError as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(_steps.run_one(self, "compose_project", arguments, task_vars))
        _steps.print_changes(arguments["name"], result)
        return result
